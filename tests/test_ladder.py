"""Memory runs out at every stage of the work: what is given up, what is told, and that the engine lives on."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from planners import build_planner

from acestep_nb import Engine, PlanOptions, RenderOptions, Song
from acestep_nb.audio import Audio
from acestep_nb.checkpoints.fit import NARROW, WIDE, Placement
from acestep_nb.checkpoints.int8 import Int8Linear
from acestep_nb.checkpoints.loading import load
from acestep_nb.checkpoints.residence import Residence
from acestep_nb.codec import Codec
from acestep_nb.engine import Progress
from acestep_nb.errors import Cancelled, InputError, RenderError
from acestep_nb.planner.planner import Planner
from acestep_nb.renders import Renders

SONG = Song(caption="jazz", lyrics="[Verse]\nla la", duration=10)
QUICK = RenderOptions(inference_steps=1)
CPU = torch.device("cpu")
FULL = Placement("cuda", "float32", takes=4)
STAGES = {
    "reading": ("text_encoder", "forward"),
    "rendering": ("transformer", "forward"),
    "decoding": ("vae", "pieces"),
}


class Short:
    """A machine whose memory runs out at some work until enough was given up."""

    def __init__(self, monkeypatch, owner, name, enough):
        self.tried = []
        work = getattr(owner, name)

        def limited(own, *args, **kwargs):
            self.tried.append(args)
            if not enough():
                self.held = torch.zeros(1000)
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return work(own, *args, **kwargs)

        monkeypatch.setattr(owner, name, limited)


@pytest.fixture
def engine(tiny_checkpoint, tmp_path, monkeypatch):
    """An engine that thinks it sits on an accelerator, with a planner."""
    monkeypatch.setattr(Renders, "together", True)
    models = load(tiny_checkpoint, CPU, torch.float32)
    return Engine(models, Planner.load(build_planner(tmp_path / "planner"), CPU, torch.float32), FULL)


def short_in(monkeypatch, stage, engine, enough):
    """Memory runs out inside the part of the work where torch would run out of it."""
    network, method = STAGES[stage]
    Short(monkeypatch, type(getattr(engine._models, network)), method, enough)


RUNGS = {
    "batch": lambda placement: placement.takes == 1,
    "tile": lambda placement: placement.tile == NARROW,
    "offload": lambda placement: placement.offload,
    "int8": lambda placement: placement.int8,
}
WORDS = {
    "batch": ["2 at once", "one at a time"],
    "tile": ["decoded in smaller pieces"],
    "offload": ["networks took turns on the device"],
    "int8": ["weights of 8 bits"],
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rung", RUNGS)
def test_it_climbs_down_until_the_work_fits(engine, monkeypatch, stage, rung):
    short_in(monkeypatch, stage, engine, lambda: RUNGS[rung](engine.placement))
    takes = engine.generate(SONG, planning=PlanOptions.nothing(), seeds=[1, 2, 3, 4], options=QUICK)
    assert [take.seed for take in takes] == [1, 2, 3, 4]
    order = list(RUNGS)
    expected = [words for name in order[: order.index(rung) + 1] for words in WORDS[name]]
    told = [note.removeprefix("memory ran out: ") for note in takes[-1].notes if note.startswith("memory")]
    assert told == expected and RUNGS[rung](engine.placement)
    assert ("made with weights of 8 bits" in takes[-1].notes) == engine.placement.int8
    again = engine.generate(SONG, planning=PlanOptions.nothing(), seeds=[1], options=QUICK)[0]
    assert not any(note.startswith("memory") for note in again.notes)  # it stays as it is, and says nothing
    assert ("made with weights of 8 bits" in again.notes) == engine.placement.int8


@pytest.mark.parametrize("stage", STAGES)
def test_when_nothing_helps_it_says_what_to_do(engine, monkeypatch, stage):
    with monkeypatch.context() as patched:
        short_in(patched, stage, engine, lambda: False)
        ready = []
        with pytest.raises(RenderError) as caught:
            engine.generate(
                SONG, planning=PlanOptions.nothing(), seeds=[1, 2], options=QUICK, on_take=ready.append
            )
    assert caught.value.field == "memory" and "shorter" in caught.value.remedy and ready == []
    placement = engine.placement
    assert (placement.takes, placement.tile, placement.offload, placement.int8) == (1, NARROW, True, True)
    assert engine.generate(SONG, planning=PlanOptions.nothing(), seeds=[1], options=QUICK)  # and lives on


def test_memory_that_runs_out_while_planning(engine, monkeypatch):
    Short(monkeypatch, type(engine._planner.network.model), "forward", lambda: engine.placement.offload)
    song = replace(SONG, bpm=90, keyscale="C major", timesignature="4", vocal_language="en")
    takes = engine.generate(song, seeds=[1, 2], options=QUICK)
    told = [note for note in takes[0].notes if note.startswith("memory")]
    assert told == ["memory ran out: one at a time", "memory ran out: networks took turns on the device"]
    assert all(take.codes for take in takes) and takes[0].notes == takes[1].notes
    assert engine.placement.tile == WIDE  # planning decodes nothing


def test_plans_do_not_change_when_they_are_written_one_by_one(engine, monkeypatch):
    before = engine.plans(SONG, seeds=[1, 2, 3])
    Short(monkeypatch, type(engine._planner.network.model), "forward", lambda: engine.placement.takes == 1)
    engine._ladder.placement = replace(FULL, takes=3)
    assert engine.plans(SONG, seeds=[1, 2, 3]) == before


@pytest.mark.parametrize("verb", ["understand", "codes", "format_song", "create_song", "score"])
def test_single_work_climbs_too(engine, monkeypatch, verb):
    take = engine.generate(SONG, planning=PlanOptions.nothing(), codes=range(50), seeds=[1], options=QUICK)[0]
    reads_sound = verb == "codes"
    owner = type(engine._models.vae) if reads_sound else type(engine._planner.network.model)
    Short(monkeypatch, owner, "encode" if reads_sound else "forward", lambda: engine.placement.int8)
    given = {"format_song": SONG, "create_song": "jazz"}.get(verb, take.audio if reads_sound else take)
    if verb == "understand":
        given = (1, 2, 3)
    assert getattr(engine, verb)(given) is not None
    assert engine.placement.int8 and engine.placement.offload


def test_progress_goes_on_where_it_was(engine, monkeypatch):
    short_in(monkeypatch, "rendering", engine, lambda: engine.placement.takes == 1)
    told: list[Progress] = []
    engine.generate(
        SONG, planning=PlanOptions.nothing(), seeds=[1, 2, 3, 4], options=QUICK, on_progress=told.append
    )
    single = [progress for progress in told if progress.take]
    assert [progress.take for progress in single] == sorted(progress.take for progress in single)
    assert {progress.takes for progress in single} == {4} and single[-1].take == 4
    fractions = [progress.fraction for progress in single]
    assert fractions == sorted(fractions) and 0.75 < fractions[-1] < 1


def test_takes_that_are_ready_are_not_made_again(engine, monkeypatch):
    decoded = []
    decode = Codec.decode

    def second_fails(own, *args, **kwargs):
        if len(decoded) == 1 and engine.placement.tile == WIDE:
            raise torch.OutOfMemoryError("CUDA out of memory")
        decoded.append(args)
        return decode(own, *args, **kwargs)

    monkeypatch.setattr(Codec, "decode", second_fails)
    ready = []
    engine.generate(
        SONG, planning=PlanOptions.nothing(), seeds=[1, 2, 3], options=QUICK, on_take=ready.append
    )
    assert [take.seed for take in ready] == [1, 2, 3] and len(decoded) == 3
    assert not any("memory" in note for note in ready[0].notes) and any(
        "memory" in note for note in ready[1].notes
    )


def test_other_errors_and_stops_do_not_climb(engine, monkeypatch):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        engine.generate(SONG, planning=PlanOptions.nothing(), seeds=[1], options=QUICK, cancel=cancel)

    def broken(own, *args, **kwargs):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(type(engine._models.transformer), "forward", broken)
    with pytest.raises(RenderError, match="shapes"):
        engine.generate(SONG, planning=PlanOptions.nothing(), seeds=[1], options=QUICK)
    assert engine.placement == FULL


def test_what_failed_is_let_go_of_before_the_next_try(engine, monkeypatch):
    alive = []
    forward = type(engine._models.transformer).forward

    def greedy(own, *args, **kwargs):
        if engine.placement.takes > 1:
            large = torch.zeros(10_000)
            alive.append(weakref.ref(large))
            raise torch.OutOfMemoryError("CUDA out of memory")
        gc.disable()
        assert all(one() is None for one in alive)
        return forward(own, *args, **kwargs)

    monkeypatch.setattr(type(engine._models.transformer), "forward", greedy)
    try:
        engine.generate(SONG, planning=PlanOptions.nothing(), seeds=[1, 2], options=QUICK)
    finally:
        gc.enable()
    assert len(alive) == 1


def test_engines_take_turns_and_give_the_same_takes(tiny_checkpoint, tiny_engine, monkeypatch):
    """Offload on a CPU moves nothing, so what would move is counted."""
    models = load(tiny_checkpoint, CPU, torch.float32, by_turns=True)
    brought = []
    bring = Residence.bring
    monkeypatch.setattr(Residence, "bring", lambda own, work: (brought.append(work), bring(own, work)))
    engine = Engine(models, None, Placement("cpu", "float32", offload=True))
    source = Audio(np.random.default_rng(1).uniform(-0.5, 0.5, (2, 96_000)).astype(np.float32), 48_000)
    take, other = (own.cover(source, SONG, seeds=[3], options=QUICK)[0] for own in (engine, tiny_engine))
    assert np.array_equal(take.audio.samples, other.audio.samples)
    turns = [work for i, work in enumerate(brought) if i == 0 or brought[i - 1] != work]
    assert turns[:4] == ["decoding", "reading", "rendering", "decoding"]
    assert set(models.residence._home) == {"decoding"}


def test_a_freed_engine_holds_nothing(tiny_checkpoint):
    def tensors():
        return sum(issubclass(type(one), torch.Tensor) and not one.is_meta for one in gc.get_objects())

    engine = Engine.load(tiny_checkpoint, device="cpu")
    network, encoder = engine._models.transformer, engine._models.condition_encoder
    before = tensors()
    engine.free()
    assert all(tensor.is_meta for own in (network, encoder) for tensor in own.state_dict().values())
    assert before - tensors() > 100
    with pytest.raises(InputError, match="freed"):
        engine.generate(SONG, seeds=[1], options=QUICK)
    assert engine.name == "tiny" and engine.kind.is_turbo


def test_int8_at_loading(tiny_checkpoint, tmp_path):
    planner = build_planner(tmp_path / "planner")
    engine = Engine.load(tiny_checkpoint, device="cpu", planner=planner, int8=True)
    quantized = [one for one in engine._planner.network.modules() if isinstance(one, Int8Linear)]
    assert len(quantized) == 10 and engine.placement.int8  # in each of two layers five are large enough
    song = replace(SONG, bpm=90, keyscale="C major", timesignature="4", vocal_language="en")
    take = engine.generate(song, seeds=[1], options=QUICK)[0]
    assert len(take.codes) == 50 and "made with weights of 8 bits" in take.notes
