"""The checkpoint that travels with the program, as it lies in the repository."""

import json

import numpy as np

from acestep_nb.checkpoints import find, verify
from acestep_nb.engine import Engine
from acestep_nb.song import Song


def test_nano_is_whole_and_light():
    folder = find("nano")
    assert verify(folder).startswith("sha256:")
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= 30e6


def test_nano_makes_the_same_sound_twice():
    engine = Engine.load("nano", device="cpu")
    song = Song(
        caption="piano ballad", lyrics="[Verse]\n月光洒在窗台上", vocal_language="zh", bpm=80, duration=10
    )
    pair, alone = engine.generate(song, seeds=[7, 8]), engine.generate(song, seeds=[8])
    assert np.array_equal(pair[1].audio.samples, alone[0].audio.samples)
    assert not np.array_equal(pair[0].audio.samples, pair[1].audio.samples)
    assert pair[0].audio.samples.shape == (2, 480_000) and 0.01 < pair[0].audio.peak <= 1
    assert engine.name == "nano" and engine._models.audio_tokenizer is not None


def test_the_evaluation_beside_the_weights_is_of_these_weights():
    recorded = json.loads((find("nano") / "training" / "evaluation.json").read_text(encoding="utf-8"))
    assert recorded["checkpoint_hash"] == verify(find("nano"))
    assert recorded["songs"] >= 40
