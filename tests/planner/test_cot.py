"""Plans in words: written as the original writes them, and any answer read back into a song."""

import golden
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import songs

from acestep_nb import Song
from acestep_nb.codes import format_codes
from acestep_nb.planner.cot import Answer, cot_text, known_metas, merged, parse_answer, shortened

PROMPTS = "functions/prompts.json"
FULL = Answer(
    {
        "bpm": 73,
        "caption": "A calm piano.",
        "duration": 273,
        "genres": "pop",
        "keyscale": "G major",
        "language": "en",
        "timesignature": "4",
    },
    "[Verse]\nHi",
    (),
)


@pytest.mark.parametrize("case", golden.cases(PROMPTS, "cot_from_metadata"))
def test_recorded_plans_are_written_alike(case):
    assert cot_text(case["metadata"]) == case["cot"]


@pytest.mark.parametrize("case", golden.cases(PROMPTS, "parse_lm_output"))
def test_recorded_answers_are_read_alike(case):
    answer = parse_answer(case["output"])
    assert answer.metas == case["metadata"]
    assert format_codes(answer.codes) == case["audio_codes"]
    assert answer.lyrics == case["lyrics"]


def test_only_a_time_signature_loses_its_beat_unit():
    written = cot_text({"caption": "in 4/4", "timesignature": "3/4"})
    assert written == "<think>\ncaption: in 4/4\ntimesignature: 3\n</think>"
    assert "timesignature: 6/8" in cot_text({"timesignature": "6/8"})


def test_genres_are_not_read_before_codes():
    assert "genres" not in cot_text(FULL.metas)


@given(songs)
def test_what_a_song_fixes_comes_back_from_its_plan(song):
    metas = parse_answer(cot_text(known_metas(song))).metas
    said = {name: str(value).strip("'") for name, value in metas.items()}  # YAML quotes the language no
    assert said == known_metas(song)
    assert "caption" not in metas


def test_an_open_song_is_filled():
    assert merged(Song(), FULL) == Song(
        caption="A calm piano.",
        lyrics="[Verse]\nHi",
        vocal_language="en",
        bpm=73,
        keyscale="G major",
        timesignature="4",
        duration=273,
    )


def test_a_persons_own_values_stay():
    song = Song("rock", "la", "ja", bpm=120, keyscale="Am", timesignature="3/4", duration=30.5)
    assert merged(song, FULL) == song
    assert merged(song, FULL, frozenset({"caption"})).caption == "A calm piano."
    assert merged(song, FULL, frozenset({"lyrics"})).lyrics == "[Verse]\nHi"


def test_nothing_is_rewritten_by_nothing():
    song = Song("rock", "la")
    assert merged(song, Answer({}, "", ()), frozenset({"caption", "lyrics"})) == song


def test_an_unknown_language_is_detected_and_a_known_one_stays():
    assert merged(Song("a", vocal_language="unknown"), FULL).vocal_language == "en"
    assert merged(Song("a", vocal_language="ja"), FULL).vocal_language == "ja"
    unsure = Answer({"language": "unknown"}, "", ())
    assert merged(Song("a"), unsure).vocal_language is None


@pytest.mark.parametrize(
    "metas",
    [
        {"bpm": "fast", "duration": "12.5 s", "keyscale": "H major", "language": "xx", "timesignature": "5"},
        {"bpm": 301, "duration": 9},
        {"bpm": "N/A", "caption": "N/A", "duration": "None", "keyscale": "", "language": "n/a"},
    ],
)
def test_what_makes_no_sense_stays_open(metas):
    assert merged(Song(), Answer(metas, "", ())) == Song()


def test_a_caption_that_is_too_long_ends_at_a_sentence():
    sentence = "A warm piano plays over soft strings and a slow beat. "
    song = merged(Song(), Answer({"caption": sentence * 20}, "", ()))
    assert 400 < len(song.caption) <= 512 and song.caption.endswith("beat.")


def test_lyrics_that_are_too_long_end_at_a_line():
    song = merged(Song(), Answer({}, "the stars are falling down\n" * 300, ()))
    assert 4000 < len(song.lyrics) <= 4096 and song.lyrics.endswith("falling down")


@given(st.text(max_size=60), st.integers(1, 40))
def test_shortened_text_is_a_beginning(text, limit):
    short = shortened(text, limit)
    assert len(short) <= limit and text.strip().startswith(short)


def test_half_a_character_is_dropped():
    assert merged(Song(), Answer({"caption": "夜の\ufffd"}, "", ())).caption == "夜の"


@given(st.text())
def test_any_text_can_be_read(text):
    merged(Song(), parse_answer(text))


@pytest.mark.parametrize("header", ["# Lyric\n", "# Lyrics\n", "#lyric \n", ""])
def test_the_header_over_lyrics_is_dropped(header):
    answer = parse_answer(f"<think>\nbpm: 90\n</think>\n\n{header}[Verse]\nHi # Lyric\n<|im_end|>")
    assert answer == Answer({"bpm": 90}, "[Verse]\nHi # Lyric", ())
