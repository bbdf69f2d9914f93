import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from acestep_nb.nano import lexicon
from acestep_nb.nano.music import (
    CHORD_INSTRUMENTS,
    DEFAULT_KEY,
    FAST_BPM,
    GENRES,
    HABITS,
    LEAD_INSTRUMENTS,
    NOTES,
    SLOW_BPM,
    TEMPI,
    VOICES,
    tempo_class,
)
from acestep_nb.nano.phrasing import FILLERS, SUNG_WORDS, TAGS
from acestep_nb.nano.tokenizer import lyric_slots
from acestep_nb.renderer import prompts
from acestep_nb.song import Song

DRAWS = 400


def drawn(writer, count=DRAWS, seed=42, seconds=12.0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        piece, lyrics = writer.piece(rng, seconds)
        yield piece, lyrics, writer.prompt(piece, lyrics, rng)


def one_of(names, group):
    """The only member of `group` in `names`, or None."""
    found = set(names) & set(group)
    assert len(found) <= 1, found
    return found.pop() if found else None


def read_back(names, sings):
    """What a reader makes of the words of a text prompt: whatever they leave out is the genre's habit."""
    genre = one_of(names, GENRES) or "pop"
    habits = HABITS[genre]
    mood = one_of(names, ("major mood", "minor mood"))
    speed = one_of(names, ("slow", "fast"))
    tempo = one_of(names, [f"tempo {i}" for i in range(len(TEMPI))])
    key = next((name.split() for name in names if name.startswith("key ")), None)
    mode = key[2] if key else "minor" if mood == "minor mood" else "major"
    spoken_bpm = {None: habits.bpm, "slow": SLOW_BPM, "fast": FAST_BPM}[speed]
    return {
        "genre": genre,
        "tempo": int(tempo.split()[1]) if tempo else tempo_class(spoken_bpm),
        "key": NOTES.index(key[1]) if key else DEFAULT_KEY[mode],
        "mode": mode,
        "drums": {None: habits.rhythm_section, "drums": True, "no drums": False}[
            one_of(names, ("drums", "no drums"))
        ],
        "bass": {None: habits.rhythm_section, "bass": True, "no bass": False}[
            one_of(names, ("bass", "no bass"))
        ],
        "chords": one_of(names, CHORD_INSTRUMENTS) or habits.chords,
        "lead": one_of(names, LEAD_INSTRUMENTS),
        "voice": (one_of(names, VOICES) or "female") if sings else one_of(names, VOICES),
    }


def test_a_prompt_determines_the_piece(writer, class_of):
    for piece, lyrics, prompt in drawn(writer):
        block = prompts.metas(prompt.bpm, prompt.timesignature, prompt.keyscale, piece.seconds)
        names = class_of(prompts.text_prompt(prompts.instruction("text2music"), prompt.caption, block))
        found = read_back(names[names.index("caption") :], sings=lyrics != "[Instrumental]")
        tempo = found.pop("tempo")
        assert tempo == tempo_class(piece.bpm), prompt
        assert found == {name: getattr(piece, name) for name in found}, prompt
        moods = set(names) & {"major mood", "minor mood"}
        assert moods <= {f"{piece.mode} mood"}
        assert not (piece.voice and "instrumental" in names)


def test_whatever_may_be_left_out_is_left_out_now_and_then(writer):
    """Without this the test above would hold for captions that say everything."""
    prompted = list(drawn(writer))
    for field in ("bpm", "keyscale", "timesignature"):
        missing = np.mean([getattr(prompt, field) is None for _, _, prompt in prompted])
        assert 0.02 < missing < 0.9, field


def test_fillers_mean_nothing_and_build_no_phrase(class_of):
    meanings = set(lexicon.CONCEPTS)
    for filler in FILLERS:
        assert not meanings & set(class_of(f"x, {filler}, x")), filler
    words = [
        text
        for name in (*GENRES, "drums", "bass", "female", "instrumental")
        for text in lexicon.CONCEPTS[name]
    ]
    for filler, word in product(FILLERS, words):
        assert [name for name in class_of(f"{filler} {word}") if name in meanings] == class_of(word)


def test_every_prompt_is_a_song(writer):
    for piece, lyrics, prompt in drawn(writer, 60, seconds=30.0):
        song = Song(
            caption=prompt.caption,
            lyrics=lyrics,
            vocal_language=prompt.vocal_language,
            bpm=prompt.bpm,
            keyscale=prompt.keyscale,
            timesignature=prompt.timesignature,
            duration=piece.seconds,
        )
        assert (song.caption, song.lyrics, song.keyscale) == (prompt.caption, lyrics, prompt.keyscale)


def test_lyrics_say_what_is_sung(writer):
    for piece, lyrics, _ in drawn(writer, 60):
        heard = lyric_slots(writer.tokens(prompts.lyric_prompt(lyrics, "unknown")))
        assert piece.slots == (heard if piece.voice else ()) and bool(piece.voice) == bool(heard)


def test_lyrics_come_short_and_long_and_in_four_scripts(writer):
    lengths, scripts = [], set()
    for piece, lyrics, _ in drawn(writer, 120, seconds=30.0):
        if piece.voice:
            lengths.append(len(piece.slots) * piece.beat / piece.seconds)
            last = max(re.sub(r"\[.*?\]", "", lyrics))
            scripts.add(next(i for i, end in enumerate(("z", "ヿ", "鿿", "힣")) if last <= end))
    assert scripts == {0, 1, 2, 3}
    assert np.quantile(lengths, 0.1) < 1 < np.median(lengths) < 2 < max(lengths)


@pytest.mark.parametrize("sings", [True, False])
def test_singing_can_be_asked_for(writer, rng, sings):
    assert {bool(writer.piece(rng, 10.0, sings=sings)[0].voice) for _ in range(20)} == {sings}


def test_tags_rest_and_sung_words_are_words_of_captions(class_of):
    assert all(class_of(tag) == ["tag"] for tag in TAGS)
    assert all(class_of(word)[0] in lexicon.CONCEPTS for word in SUNG_WORDS)


def test_equal_seeds_write_equal_pieces(writer):
    first, again = (list(drawn(writer, 5)) for _ in range(2))
    assert first == again != list(drawn(writer, 5, seed=43))


def test_the_tempo_asked_is_in_the_grid(writer):
    for piece, _, _ in drawn(writer):
        assert abs(piece.tempo / piece.bpm - 1) < 0.026
        assert replace(piece, bpm=round(piece.tempo)).tempo == piece.tempo
