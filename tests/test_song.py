import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from strategies import songs

from acestep_nb import InputError, Song
from acestep_nb.knobs import from_dict, knob, knobs
from acestep_nb.languages import LANGUAGES


def refusal(field, value):
    with pytest.raises(InputError) as caught:
        Song(**{field: value})
    error = caught.value
    assert error.field == field
    assert error.allowed and error.remedy, "says what is allowed and what to do"
    assert f"{field} must be" in str(error)
    return error


@pytest.mark.parametrize(
    "bpm",
    [12, 29, 301, 92.5, float("nan"), float("inf"), pytest.param(10**5_000, id="huge"), "90", True, [90]],
)
def test_bpm_outside_its_range_is_refused(bpm):
    assert refusal("bpm", bpm).allowed == "30–300 or empty"


def test_the_words_of_a_refusal():
    assert (
        str(refusal("bpm", 12)) == "bpm must be 30–300 or empty; got 12. Use 30 or more, or leave it empty."
    )


@pytest.mark.parametrize("duration", [0, -1, 9.9, 600.1, 10_000, "30"])
def test_duration_outside_its_range_is_refused(duration):
    assert refusal("duration", duration).allowed == "10–600 s or empty"


@pytest.mark.parametrize("value", ["H moll", "A dorian", "C##", "major", 7, "Am\x00"])
def test_unknown_keys_are_refused(value):
    refusal("keyscale", value)


@pytest.mark.parametrize("value", ["5/4", "7", "8/8", 5])
def test_unknown_time_signatures_are_refused(value):
    refusal("timesignature", value)


@pytest.mark.parametrize("value", ["xx", "english", 3])
def test_unknown_languages_are_refused(value):
    refusal("vocal_language", value)


def test_long_texts_are_refused_and_say_by_how_much():
    assert "Shorten it by 95,904 characters." in str(refusal("lyrics", "x" * 100_000))
    assert "Shorten it by 1 characters." in str(refusal("caption", "x" * 513))
    assert len(Song(caption="x" * 512, lyrics="x" * 4096).lyrics) == 4096


@pytest.mark.parametrize("value", [None, 3, b"jazz", "half a \ud83d smile"])
def test_captions_that_are_no_text_are_refused(value):
    refusal("caption", value)


def test_emoji_and_right_to_left_text_stay_as_typed():
    song = Song(caption="🎹 ballad מוזיקה", lyrics="[Verse]\r\nمرحبا يا عالم")
    assert song.caption == "🎹 ballad מוזיקה"
    assert song.lyrics == "[Verse]\nمرحبا يا عالم", "only line ends are brought to one kind"


def test_all_70_spellings_of_a_key_are_understood():
    spellings = [
        f"{tonic}{accidental} {mode}"
        for tonic in "ABCDEFG"
        for accidental in ("", "#", "b", "♯", "♭")
        for mode in ("major", "minor")
    ]
    heard = {Song(keyscale=spelling).keyscale for spelling in spellings}
    assert len(spellings) == 70 and heard == set(knob(Song, "keyscale").choices)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Am", "A minor"),
        ("c# MINOR", "C# minor"),
        ("A♭ major", "Ab major"),
        ("Bb", "Bb major"),
        ("b minor", "B minor"),
        ("BM", "B major"),
        ("bm", "B minor"),
        ("  F♯ min ", "F# minor"),
        ("C＃ maj", "C# major"),
        ("", None),
        (None, None),
    ],
)
def test_keys_are_brought_to_one_spelling(typed, meant):
    assert Song(keyscale=typed).keyscale == meant


@pytest.mark.parametrize(("typed", "meant"), [("4/4", "4"), ("6/8", "6"), (3, "3"), ("2", "2"), (" ", None)])
def test_time_signatures_are_brought_to_one_spelling(typed, meant):
    assert Song(timesignature=typed).timesignature == meant


def test_numbers_become_plain_python_numbers():
    song = Song(bpm=np.int64(120), duration=np.float32(20.04))
    assert type(song.bpm) is int and song.bpm == 120
    assert type(song.duration) is float and song.duration == 20.0
    assert Song(bpm=92.0).bpm == 92


def test_languages_are_the_planners_51_and_named():
    assert len(LANGUAGES) == 51 and all(LANGUAGES.values())
    assert Song(vocal_language="ZH").vocal_language == "zh"
    assert ("ja · 日本語", "ja") in knob(Song, "vocal_language").options


def test_a_blank_form_is_a_song_but_cannot_be_rendered():
    for song in (Song(), Song(caption=" \n", lyrics="\t")):
        with pytest.raises(InputError, match="both empty") as caught:
            song.require_words()
        assert caught.value.field == "caption" and caught.value.remedy
    Song(caption="jazz").require_words()
    Song(lyrics="[Verse]\nla").require_words()


def test_replace_checks_again():
    song = Song(caption="jazz")
    assert dataclasses.replace(song, bpm=92).bpm == 92
    with pytest.raises(InputError):
        dataclasses.replace(song, bpm=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        song.bpm = 92


@given(songs)
def test_songs_survive_json(song):
    assert Song.from_dict(json.loads(json.dumps(song.to_dict()))) == song


def test_keys_that_are_not_known_are_named():
    with pytest.raises(InputError, match="'tempo'"):
        Song.from_dict({"caption": "jazz", "tempo": 92})


def test_keys_that_are_missing_are_named():
    @dataclasses.dataclass(frozen=True)
    class Pair:
        left: int
        right: int

    with pytest.raises(InputError, match="Pair lacks right"):
        from_dict(Pair, {"left": 1})


def test_every_field_has_a_knob_that_says_what_it_is():
    assert list(knobs(Song)) == [field.name for field in dataclasses.fields(Song)]
    for name, its in knobs(Song).items():
        assert its.label and its.help.endswith("."), name
        assert its.choices or its.max_length or (its.minimum is not None and its.maximum is not None), name
        assert len(its.choice_labels) in (0, len(its.choices)), name
