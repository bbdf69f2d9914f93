import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb.writing import parse

SONG = """la la la

[Verse 1]
walking through the (empty) streets
[whispered]
Feeeling so aliiive

[Chorus - anthemic - loud]
WE ARE HERE! (we are here)
[Guitar Solo]"""


def test_sections_with_their_tags_and_lines():
    before, verse, chorus, solo = parse(SONG).sections
    assert (before.tag, before.kind, [line.text for line in before.lines]) == (None, "other", ["la la la"])
    assert (verse.kind, verse.tag.name, verse.tag.modifiers) == ("verse", "Verse 1", ())
    assert [(cue.text, cue.kind) for cue in verse.cues] == [("whispered", "voice")]
    assert (chorus.kind, chorus.tag.name, chorus.tag.modifiers) == ("chorus", "Chorus", ("anthemic", "loud"))
    assert (solo.kind, solo.lines) == ("solo", ())
    assert [section.spaced for section in parse(SONG).sections] == [True, True, True, False]


def test_lines_tell_what_is_sung_backed_loud_and_held():
    _, streets, alive, here = parse(SONG).lines
    assert (streets.sung.split(), streets.backing, streets.loud) == (
        ["walking", "through", "the", "streets"],
        ("empty",),
        False,
    )
    assert alive.held == ("Feeeling", "aliiive")
    assert (here.sung, here.backing, here.loud) == ("WE ARE HERE!", ("we are here",), False)
    assert parse("WE ARE HERE!").lines[0].loud and not parse("我们").lines[0].loud


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        *[
            ("Pre-Chorus", "pre-chorus"),
            ("Final Chorus", "chorus"),
            ("Guitar Solo", "solo"),
            ("Drop", "drop"),
        ],
        *[
            ("主歌", "verse"),
            ("副歌 2", "chorus"),
            ("サビ", "chorus"),
            ("후렴", "chorus"),
            ("Estribillo", "chorus"),
        ],
        *[
            ("Main Theme - piano", "theme"),
            ("high energy", "energy"),
            ("raspy vocal", "voice"),
            ("瞑想", "other"),
        ],
        *[("building energy", "energy"), ("Fade Out", "end"), ("Instrumental", "instrumental")],
    ],
)
def test_kinds_of_tags(tag, kind):
    (only,) = parse(f"[{tag}]").tags
    assert only.kind == kind


def test_full_width_brackets_and_text_beside_a_tag():
    lyrics = parse("【副歌 - 高亢】 让我（让我）走")
    assert (lyrics.tags[0].name, lyrics.tags[0].modifiers) == ("副歌", ("高亢",))
    assert (lyrics.lines[0].sung, lyrics.lines[0].backing) == ("让我 走", ("让我",))


@given(st.text(st.sampled_from("ab [](){}\n-|,（）【】A가あ々ー…"), max_size=80) | st.text(max_size=80))
def test_places_hold_what_they_say(text):
    lyrics = parse(text)
    for tag in lyrics.tags:
        assert text[tag.start + 1 : tag.end - 1].strip() == tag.text
    places = []
    for section in lyrics.sections:
        assert section.tags or section.lines
        for item in (*section.tags, *section.lines):
            assert section.start <= item.start < item.end <= section.end
        places.append((section.start, section.end))
    assert places == sorted(places)
    for line in lyrics.lines:
        assert line.end - line.start == len(line.text) and line.text == line.text.strip() != ""
