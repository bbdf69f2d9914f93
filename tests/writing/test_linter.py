"""The linter is held to songs that were written before its rules, to the guide, and to its own fixes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import songs

from acestep_nb import Song
from acestep_nb.writing import Hint, lint
from acestep_nb.writing.hints import SEVERITIES
from acestep_nb.writing.linter import RULES

FIXTURES = Path(__file__).parent / "fixtures"
HALVES = ("development", "report")


def fixture(name: str):
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def ids(song: Song) -> set[str]:
    return {hint.id for hint in lint(song)}


def warnings(song: Song) -> list[Hint]:
    return [hint for hint in lint(song) if hint.severity != "info"]


@pytest.mark.parametrize("half", HALVES)
def test_planted_faults_are_found(half):
    entries = [entry for entry in fixture("planted_faults") if entry["half"] == half]
    missed = [entry for entry in entries if entry["id"] not in ids(Song(**entry["song"]))]
    print(f"{half}: {len(entries) - len(missed)} of {len(entries)} faults found")
    assert len(missed) <= 0.05 * len(entries), missed


@pytest.mark.parametrize("half", HALVES)
def test_good_songs_are_left_in_peace(half):
    entries = [entry for entry in fixture("good_songs") if entry["half"] == half]
    warned = [(entry["song"], told) for entry in entries if (told := warnings(Song(**entry["song"])))]
    print(f"{half}: {len(entries) - len(warned)} of {len(entries)} good songs without a warning")
    assert len(warned) <= 0.05 * len(entries), warned


@pytest.mark.parametrize("entry", fixture("later_songs")["faults"], ids=lambda entry: entry["id"])
def test_faults_of_later_songs_are_found(entry):
    assert entry["id"] in ids(Song(**entry["song"]))


@pytest.mark.parametrize("song", fixture("later_songs")["good"], ids=lambda song: song["caption"][:40])
def test_good_later_songs_are_left_in_peace(song):
    assert not warnings(Song(**song))


def test_the_fixtures_are_what_the_figures_speak_of():
    faults, good = fixture("planted_faults"), fixture("good_songs")
    assert len(faults) >= 150 and {entry["id"] for entry in faults} == set(RULES)
    assert Counter(entry["group"] for entry in good) == dict.fromkeys(("en", "ja", "zh", "ko", "es"), 20)
    for entries in (faults, good):
        halves = Counter(entry["half"] for entry in entries)
        assert halves["development"] == halves["report"]


@pytest.mark.parametrize("song", fixture("guide_examples")["good"], ids=lambda song: str(song)[:50])
def test_good_examples_of_the_guide_stay_free_of_hints(song):
    assert lint(Song(**song)) == []


@pytest.mark.parametrize("entry", fixture("guide_examples")["bad"], ids=lambda entry: entry["id"])
def test_bad_examples_of_the_guide_are_flagged(entry):
    assert entry["id"] in ids(Song(**entry["song"]))


@given(songs)
def test_any_song_can_be_linted(song):
    for hint in lint(song):
        field, start, end = hint.span
        value = getattr(song, field)
        assert hint.id in RULES and hint.severity in SEVERITIES and hint.message
        assert 0 <= start <= end <= (len(value) if isinstance(value, str) and field in TEXTS else 0)
        if hint.fix:
            assert isinstance(hint.fix(song), Song)


TEXTS = ("caption", "lyrics")
PIECES = [
    "[Verse 1]",
    "[Chorus - powerful - epic - loud]",
    "[Guitar Solo]",
    "[",
    "]",
    "(la",
    "neon skies, ",
    "\n",
    "\n\n",
]
PIECES += [
    "120 BPM",
    "A minor",
    "slow",
    "fast",
    "calm",
    "aggressive",
    "クラシック",
    "デスメタル",
    "7/8",
    "female vocal",
]


@given(*[st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join)] * 2)
def test_any_arrangement_of_what_rules_look_for_can_be_linted(caption, lyrics):
    song = Song(caption=caption, lyrics=lyrics, bpm=200, keyscale="Cb", timesignature="4/4", duration=20)
    for hint in lint(song):
        assert hint.fix is None or isinstance(hint.fix(song), Song)


def with_fixes():
    for entry in fixture("planted_faults"):
        song = Song(**entry["song"])
        for hint in lint(song):
            if hint.id == entry["id"] and hint.fix:
                yield pytest.param(song, hint, id=f"{hint.id}-{song.caption[:20]}")


@pytest.mark.parametrize(("song", "hint"), list(with_fixes()))
def test_a_fix_puts_its_fault_right_and_no_other_wrong(song, hint):
    def count(of: Song, severities=("warning",)):
        return sum(other.severity in severities for other in lint(of))

    def told(of: Song):
        return Counter(other.id for other in lint(of))[hint.id]

    fixed = hint.fix(song)
    assert fixed != song
    assert told(fixed) < told(song)
    assert count(fixed) < count(song) or count(fixed) == 0 == count(song)
    assert hint.fix(fixed) == fixed or told(fixed), "a fix that has nothing left to do does nothing"


FIXABLE = {
    *("caption-lyrics-instrument", "caption-lyrics-energy", "caption-lyrics-vocal", "style-conflict"),
    *("metas-in-caption", "stacked-tags", "missing-blank-line", "extreme-bpm", "rare-key"),
    *("duration-lyrics", "metas-caption"),
}


def test_rules_that_can_be_put_right_by_rule_have_fixes():
    assert {param.values[1].id for param in with_fixes()} == FIXABLE


def test_a_conflict_becomes_an_evolution():
    song = Song(caption="warm tape, classical strings, hardcore metal, huge hall")
    (hint,) = lint(song)
    assert hint.fix(song).caption == (
        "warm tape, starts as classical strings, then turns into hardcore metal, huge hall"
    )


def test_metas_move_from_the_caption_to_their_fields():
    song = Song(caption="jazz waltz in 3/4 time, brushed drums, 120 BPM, key of A minor, mellow")
    for hint in [hint for hint in lint(song) if hint.id == "metas-in-caption"]:
        song = hint.fix(song)
    assert song == Song(
        caption="jazz waltz, brushed drums, mellow", bpm=120, keyscale="Am", timesignature="3/4"
    )


def test_a_meta_that_is_already_given_is_not_overwritten():
    song = Song(caption="funk, 120 BPM", bpm=96)
    moved = next(hint for hint in lint(song) if hint.id == "metas-in-caption")
    assert moved.fix(song) == Song(caption="funk", bpm=96)


@pytest.mark.parametrize(
    ("caption", "field", "value"),
    [
        ("rock, 120-130 bpm", "bpm", 125),
        ("rock in C# minor", "keyscale", "C# minor"),
        ("rock, B♭ major", "keyscale", "Bb major"),
        ("ロック、嬰ハ短調", "keyscale", "C# minor"),
        ("ポップ、変ホ長調", "keyscale", "Eb major"),
        ("摇滚，降B大调", "keyscale", "Bb major"),
        ("록, 다장조", "keyscale", "C major"),
        ("rock en la menor", "keyscale", "A minor"),
        ("rock en fa sostenido menor", "keyscale", "F# minor"),
        ("Rock in h-Moll".replace("h", "H"), "keyscale", "B minor"),
        ("ballad, 6/8", "timesignature", "6"),
        ("バラード、8分の6拍子", "timesignature", "6"),
        ("抒情，四三拍", "timesignature", "3"),
        ("rock, duration: 2 minutes", "duration", 120.0),
    ],
)
def test_metas_are_read_in_many_spellings(caption, field, value):
    hint = next(hint for hint in lint(Song(caption=caption)) if hint.id == "metas-in-caption")
    assert getattr(hint.fix(Song(caption=caption)), field) == value


@pytest.mark.parametrize(
    "caption",
    [
        *(
            "80s synth-pop, 808 drums",
            "a minor detail of piano",
            "live 24/7 radio sound",
            "slow tempo, piano",
        ),
        *("piano in a minor key, wistful", "twelve-string guitar, big room", "C-pop ballad, female vocal"),
    ],
)
def test_what_only_looks_like_a_meta_is_left(caption):
    assert lint(Song(caption=caption)) == []


@pytest.mark.parametrize(
    ("song", "wrong"),
    [
        (Song(caption="piano and drums"), Song(lyrics="[Guitar Solo]")),
        (Song(caption="calm and gentle harp"), Song(lyrics="[Climax - explosive]")),
        (
            Song(caption="female vocal, piano"),
            Song(lyrics="[Verse - male vocal]\nleave the window open wide"),
        ),
    ],
)
def test_it_takes_both_caption_and_lyrics_to_contradict(song, wrong):
    assert not warnings(song) and not warnings(wrong)
    assert warnings(replace(song, lyrics=wrong.lyrics))


def test_doing_without_a_player_is_not_having_one():
    assert not warnings(Song(caption="piano and drums", lyrics="[Drum Break]"))
    assert ids(Song(caption="rock guitars, no drums", lyrics="[Drum Break]")) == {"caption-lyrics-instrument"}


def test_a_course_of_events_may_hold_opposites():
    clash = "gentle lullaby, death metal"
    assert ids(Song(caption=clash)) == {"style-conflict"}
    assert not lint(Song(caption="begins as a gentle lullaby, then erupts into death metal"))


def test_rap_may_run_longer_than_song():
    line = "I learned to count on bottle caps and write on paper napkins, never slowing down"
    lyrics = "[Verse]\n" + "\n".join([line] * 4)
    assert "no-breath" in ids(Song(caption="folk, banjo", lyrics=lyrics))
    assert not warnings(Song(caption="boom bap, rap", lyrics=lyrics))


def test_hints_come_in_the_order_of_the_song():
    hints = lint(
        Song(
            caption="slow ballad, 90 BPM, violin",
            lyrics="[Verse]\nNo\n[Guitar Solo]",
            bpm=160,
            keyscale="Cb major",
        )
    )
    fields = [hint.span[0] for hint in hints]
    order = ["caption", "lyrics", "bpm", "keyscale"]
    assert fields == sorted(fields, key=order.index) and set(fields) == {"caption", "lyrics", "keyscale"}
    assert [hint.span for hint in hints if hint.span[0] == "lyrics"] == sorted(
        hint.span for hint in hints if hint.span[0] == "lyrics"
    )
