"""The parts of the benchmark: the judge knows the style, both sides train alike, and memory is measured. Not speed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from acestep_nb import Dataset
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.bench import PARTS, lora, lora_race
from acestep_nb.bench.style import StyleJudge, pieces, plain_sound, styled_sound, write_songs
from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.judges import Hearing

SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
HEADS = {"num_key_value_heads": 1, "head_dim": 32}


@torch.no_grad()
def hearings(count: int, seed: int) -> tuple[list[Hearing], list[Hearing]]:
    codec = SpectralCodec()
    made: tuple[list[Hearing], list[Hearing]] = [], []
    for piece, _ in pieces(count, 8.0, seed):
        for kind, sound_of in zip(made, (plain_sound, styled_sound)):
            bands = codec.log_bands(torch.from_numpy(sound_of(piece).samples))
            kind.append(Hearing(piece, bands[0].numpy()))
    return made


def test_the_judge_tells_the_style_from_the_corpus():
    judge = StyleJudge(*hearings(16, 1))
    plain, styled = hearings(10, 2)
    assert sum(map(judge, styled)) >= 9 and sum(map(judge, plain)) <= 1


def test_the_style_is_cut_and_the_corpus_is_not():
    [(piece, _)] = pieces(1, 8.0, 3)
    seconds = np.arange(8 * 24_000) / 24_000
    closed = seconds / piece.beat * 2 % 1 >= 0.5
    plain, styled = (np.abs(sound_of(piece).samples[0]) for sound_of in (plain_sound, styled_sound))
    assert styled[closed].mean() < 0.6 * styled[~closed].mean()
    assert plain[closed].mean() > 0.6 * plain[~closed].mean()


def test_songs_of_the_style_are_a_dataset(tmp_path):
    write_songs(tmp_path, 3, 6.0, 1)
    dataset = Dataset.scan(tmp_path)
    assert len(dataset) == 3 and not dataset.problems and all(sample.labeled for sample in dataset.samples)
    assert all(sample.bpm and sample.keyscale and sample.caption for sample in dataset.samples)


def test_both_sides_of_the_race_learn_the_same_song(monkeypatch):
    """From one seed, without dropout, at one noise level, they begin with the same loss."""
    monkeypatch.setattr(lora_race, "SECONDS", 6.0)
    network = lora_race.network_of(**SMALL, **HEADS)
    songs = lora_race.songs_for(network, 1)
    options = LoraOptions(rank=4, alpha=8, epochs=2, dropout=0.0)
    own = [step.loss for step in lora_race.ours(network, songs, options)]
    plain = lora_race.plain(lora_race.network_of(**SMALL, **HEADS), songs, options)
    theirs = [next(plain) for _ in range(2)]
    assert own == pytest.approx(theirs, rel=0.2) and own[0] > 0.5


def test_a_race_of_small_networks(monkeypatch):
    monkeypatch.setattr(lora_race, "SECONDS", 6.0)
    monkeypatch.setattr(lora_race, "SHAPE", SMALL)
    monkeypatch.setattr(lora_race, "HEADS", HEADS)
    monkeypatch.setattr(lora_race, "alone", lambda side: {"peak_bytes": {"ours": 3, "plain": 4}[side] << 20})
    figures = json.loads(json.dumps(lora_race.race(2)))
    assert figures["memory_ratio"] == 0.75 and figures["ours_peak_mib"] == 3
    assert figures["ours_steps_per_s"] > 0 and figures["speed_ratio"] > 0


def test_the_peak_counts_what_was_held():
    before = lora_race.peak_bytes()
    held = np.ones(64 << 17)  # 64 MiB
    assert lora_race.peak_bytes() >= max(before, held.nbytes)


def test_it_is_one_of_the_parts():
    assert "lora" in PARTS and lora.LORA.rank == 32
