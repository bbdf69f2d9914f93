"""Words put in and taken out: terms of captions, tags of lyrics, measures, fixes that need no second thought."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import songs

from acestep_nb import Song
from acestep_nb.writing import DIMENSIONS, TAGS, dice, lint, parse
from acestep_nb.writing.measures import line_syllables
from acestep_nb.writing.tidying import safe_hints, tidied_song
from acestep_nb.writing.wording import terms_in, with_tag, with_term, without_term

TERMS = [word for dimension in DIMENSIONS for word in dimension.words]
CUES = [tag.text for group in TAGS if group.key in ("voice", "energy") for tag in group.tags]
SECTIONS = [tag.text for group in TAGS if group.key not in ("voice", "energy") for tag in group.tags]


@given(caption=songs.map(lambda song: song.caption), term=st.sampled_from(TERMS))
def test_a_term_comes_once_and_goes_again(caption, term):
    longer = with_term(caption, term)
    assert term in terms_in(longer) and with_term(longer, term) == longer
    assert term not in terms_in(without_term(longer, term))


@pytest.mark.parametrize(
    ("caption", "term", "longer"),
    [
        ("", "piano", "piano"),
        ("rain", "piano", "rain, piano"),
        ("rain,", "piano", "rain, piano"),
        ("rain, ", "piano", "rain, piano"),
        ("a breathy female vocal", "breathy", "a breathy female vocal"),
        ("no drums", "piano", "no drums, piano"),
        ("夜の雨、ピアノ", "warm", "夜の雨、ピアノ、warm"),
        ("雨夜钢琴", "warm", "雨夜钢琴，warm"),
    ],
)
def test_a_term_joins_as_the_caption_is_written(caption, term, longer):
    assert with_term(caption, term) == longer


@pytest.mark.parametrize(
    ("caption", "term", "left"),
    [
        ("warm piano ballad, strings", "piano", "warm ballad, strings"),
        ("rock, piano, strings", "piano", "rock, strings"),
        ("piano", "piano", ""),
        ("rock,  no piano", "piano", "rock,  no piano"),
        ("Piano, pianos and more", "piano", "and more"),
        ("城市，warm，雨", "warm", "城市，雨"),
    ],
)
def test_a_term_leaves_no_commas_behind(caption, term, left):
    assert without_term(caption, term) == left


def test_what_is_not_wanted_is_no_term_of_the_caption():
    assert terms_in("rock without piano, soft strings") == {"rock", "strings"}


@given(lyrics=songs.map(lambda song: song.lyrics), tag=st.sampled_from(SECTIONS), data=st.data())
def test_a_section_gets_a_line_of_its_own(lyrics, tag, data):
    at = data.draw(st.integers(-1, len(lyrics) + 1))
    longer, place = with_tag(lyrics, at, tag)
    line = f"[{tag}]\n"
    assert longer[:place].endswith(line)
    before = longer[: place - len(line)]
    assert before == "" or (before.endswith("\n") and (not before.strip() or before.endswith("\n\n")))
    assert (before + longer[place:]).replace("\n", "") == lyrics.replace("\n", "")
    assert tag in [known.text for known in parse(longer).tags]


@pytest.mark.parametrize(
    ("written", "tag", "expected"),
    [
        ("|", "Verse", "[Verse]\n|"),
        ("[Verse]\nla|", "Chorus", "[Verse]\nla\n\n[Chorus]\n|"),
        ("[Verse]\nla la\n|", "Chorus", "[Verse]\nla la\n\n[Chorus]\n|"),
        ("[Verse]\nla la\n\n|", "Chorus", "[Verse]\nla la\n\n[Chorus]\n|"),
        ("one\nt|wo\nthree", "Bridge", "one\ntwo\n\n[Bridge]\n|three"),
        ("one\n|two", "Bridge", "one\n\n[Bridge]\n|two"),
        ("[Chorus]|", "raspy vocal", "[Chorus - raspy vocal]|"),
        ("[Cho|rus]\nla", "raspy vocal", "[Chorus - raspy vocal]|\nla"),
        ("[Chorus]\n|", "whispered", "[Chorus - whispered]\n|"),
        ("[Chorus]\nla|", "whispered", "[Chorus]\nla\n[whispered]\n|"),
        ("la|", "euphoric", "la\n[euphoric]\n|"),
        ("[]|", "euphoric", "[euphoric]|"),
    ],
)
def test_a_tag_goes_where_it_is_heard(written, tag, expected):
    at = written.index("|")
    longer, place = with_tag(written.replace("|", "", 1), at, tag)
    assert longer[:place] + "|" + longer[place:] == expected


@given(lyrics=songs.map(lambda song: song.lyrics), tag=st.sampled_from(CUES), data=st.data())
def test_a_cue_is_written_anywhere(lyrics, tag, data):
    longer, place = with_tag(lyrics, data.draw(st.integers(0, len(lyrics))), tag)
    assert tag in longer and 0 <= place <= len(longer)
    assert len(longer) <= len(lyrics) + len(tag) + 4


def test_each_line_has_its_syllables():
    song = Song(
        lyrics="[Verse 1]\n月光洒在窗台上\n\nla la (oh)\n[Chorus]\nhello, moonlight", vocal_language="zh"
    )
    assert line_syllables(song) == (None, 7, None, 2, None, 4)


@given(song=songs)
def test_the_measures_are_those_of_the_linter(song):
    counts = line_syllables(song)
    assert len(counts) == song.lyrics.count("\n") + 1
    for hint in lint(song):
        if hint.id == "line-syllables":
            line = song.lyrics[: hint.span[1]].count("\n")
            assert hint.message.startswith(f"{counts[line]} syllables")


@pytest.mark.parametrize("seed", range(0, 66, 6))
def test_songs_without_faults_stay_as_they_are(seed):
    song = dice(seed)
    assert tidied_song(song) == song


def test_safe_fixes_are_made_together_and_choose_nothing():
    lyrics = "[Verse]\nthe rain is on the window now\n[Chorus]\nand I am waiting for you here"
    song = Song(caption="soft piano ballad, 72 bpm, A minor", lyrics=lyrics, timesignature="4", duration=30)
    done = tidied_song(song)
    assert (done.caption, done.bpm, done.keyscale) == ("soft piano ballad", 72, "A minor")
    assert done.lyrics == lyrics.replace("\n[Chorus]", "\n\n[Chorus]")
    assert (done.timesignature, done.duration) == ("4", 30)
    assert len(lint(song)) == 3 and not lint(done)
    rare = Song(caption="soft piano ballad with strings", bpm=250, keyscale="Gb major")
    assert lint(rare) and tidied_song(rare) == rare


@given(song=songs)
def test_fixing_all_ends_with_fewer_hints_and_no_safe_one_that_helps(song):
    done = tidied_song(song)
    hints = lint(done)
    assert done == song or len(hints) < len(lint(song))
    assert all(len(lint(hint.fix(done))) >= len(hints) for hint in safe_hints(done, hints))


def test_every_section_of_a_long_song_is_spaced():
    lyrics = "[Verse]\nthe rain is on the window now\n[Chorus]\nand I am waiting for you here\n" * 40
    done = tidied_song(Song(caption="soft piano ballad, 72 bpm", lyrics=lyrics))
    assert done.lyrics.count("\n\n[") == 79 and done.lyrics.replace("\n\n[", "\n[") == lyrics
    assert done.bpm == 72


def test_a_fix_for_which_there_is_no_room_is_none():
    lyrics = "[Verse]\nthe rain is on the window now\n[Chorus]\n" + "x" * 4096
    full = Song(caption="soft piano ballad", lyrics=lyrics[:4096])
    assert "missing-blank-line" in [hint.id for hint in lint(full)]
    assert safe_hints(full, lint(full)) == [] and tidied_song(full) == full
