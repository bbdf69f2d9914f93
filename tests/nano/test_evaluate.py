import functools
import json

import numpy as np
import pytest

from acestep_nb import cli
from acestep_nb.nano import evaluate, lexicon
from acestep_nb.nano.__main__ import CORPUS_SEED, PIECES
from acestep_nb.nano.corpus import SECONDS, SHARD
from acestep_nb.nano.evaluate import ENGLISH, UNSEEN_FILLERS, held_out, strangers, summary
from acestep_nb.nano.music import tempo_class
from acestep_nb.nano.phrasing import FILLERS, SUNG_WORDS
from acestep_nb.nano.tokenizer import lyric_slots, syllables
from acestep_nb.renderer.prompts import lyric_prompt


@pytest.fixture(scope="module")
def songs():
    return held_out(40)


def test_held_out_songs_are_always_the_same(songs):
    assert held_out(6) == songs[:6] and held_out(6, seed=1) != songs[:6]
    assert len({song.caption for song, _ in songs}) == 40


def test_half_of_them_sing(songs):
    assert sum(piece.voice is not None for _, piece in songs) == 20
    for song, piece in songs:
        assert (piece.voice is None) == (song.lyrics == "[Instrumental]")


def test_they_are_asked_as_they_should_sound(songs, writer):
    for song, piece in songs:
        assert song.duration == piece.seconds
        assert song.bpm is None or tempo_class(song.bpm) == tempo_class(piece.bpm)
        assert song.keyscale in (None, piece.keyscale)
        if piece.voice:
            assert piece.slots == lyric_slots(writer.tokens(lyric_prompt(song.lyrics, song.vocal_language)))


def test_training_never_draws_them(songs, writer):
    """Every caption has a word that training lacks, and no lyrics are those of a piece of the corpus."""
    vocabulary = {*FILLERS, *SUNG_WORDS, *(text for texts in lexicon.CONCEPTS.values() for text in texts)}
    assert not vocabulary & set(UNSEEN_FILLERS)
    assert all(any(filler in song.caption for filler in UNSEEN_FILLERS) for song, _ in songs)
    assert all(not set(line.split()) <= {*syllables(), *SUNG_WORDS} for line in ENGLISH)
    trained = set()
    for shard in range(0, PIECES // SHARD, 5):
        rng = np.random.default_rng(CORPUS_SEED + 1 + shard)
        trained |= {writer.piece(rng, SECONDS)[1] for _ in range(20)}
    assert not trained - {"[Instrumental]"} & {song.lyrics for song, _ in songs}


def test_strangers_are_others_and_as_often_of_another_kind(songs):
    others = strangers(40)
    assert sorted(others) == list(range(40)) and all(i != other for i, other in enumerate(others))
    alike = [(songs[i][1].voice is None) == (songs[j][1].voice is None) for i, j in enumerate(others)]
    assert 0.3 < np.mean(alike) < 0.7  # so that guessing is no better than half


def test_a_summary_counts_only_what_was_asked():
    assert summary([{"key": 1.0}, {"key": 0.0, "voice": 1.0}]) == {"key": 0.5, "voice": 1.0}


def test_eval_measures_the_embedded_nano(capsys, monkeypatch):
    """The whole way with few judges and songs; the figures mean little, but all of them are there."""
    monkeypatch.setattr(
        "acestep_nb.nano.evaluate.evaluate", functools.partial(evaluate.evaluate, judge_pieces=20)
    )
    code = cli.main(["eval", "--songs", "2", "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    figures = json.loads(out)
    assert figures["songs"] == 2 and figures["checkpoint"] == "nano" and "song 2 of 2" in err
    assert figures["checkpoint_hash"].startswith("sha256:") and 0.01 < figures["peak"] <= 1
    for kind in ("measured", "shuffled", "ceiling"):
        assert {"tempo", "octave", "key", "drums", "vocals"} <= set(figures[kind])
        assert all(0 <= value <= 1 for value in figures[kind].values())
    assert "vowels" in figures["measured"]  # every second song sings
