"""`engine.adapters.label`: songs are heard, and what nobody had said of them is filled in."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from planners import build_planner

from acestep_nb import Engine, InputError


def test_songs_are_labelled_by_listening(tiny_checkpoint, songs, tmp_path, monkeypatch):
    """The tiny planner writes noise; what it writes stands where nothing stood, and nowhere else."""
    thinking = Engine.load(tiny_checkpoint, device="cpu", planner=build_planner(tmp_path / "planner"))
    codes_of = thinking.codes
    few = lambda audio, cancel=None: tuple(code % 60 for code in codes_of(audio, cancel=cancel))  # noqa: E731
    monkeypatch.setattr(thinking, "codes", few)  # it knows but 65 of them
    bare = songs.changed("song2.wav", caption="", labeled=False, bpm=None)
    (tmp_path / "songs" / "song1.wav").write_bytes(b"no sound")
    asked = replace(bare, samples=tuple(replace(sample, labeled=False) for sample in bare.samples))
    told = []
    labelled = thinking.adapters.label(asked, on_song=lambda *done: told.append(done))
    first, broken, heard = labelled.samples
    assert (first.caption, first.bpm, first.labeled) == ("piano ballad 0", 100, True)
    assert broken == asked.samples[1] and "song1.wav" in labelled.problems[0] and len(labelled.problems) == 1
    assert heard.labeled and heard.lyrics == asked.samples[2].lyrics and told[-1] == (3, 3)
    cancel = threading.Event()
    cancel.set()
    stopped = thinking.adapters.label(asked, cancel=cancel)
    assert stopped.samples == asked.samples and "stopped" in stopped.problems[0]


def test_labelling_needs_a_planner(tiny_models, songs):
    with pytest.raises(InputError, match="planner"):
        Engine(tiny_models).adapters.label(songs)
