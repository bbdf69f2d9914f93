import json
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from acestep_nb.engine import Engine, Progress
from acestep_nb.errors import Cancelled, InputError, RenderError
from acestep_nb.options import RenderOptions, resolved
from acestep_nb.renderer.renderer import Renderer
from acestep_nb.renders import Renders
from acestep_nb.seeds import Seeds
from acestep_nb.song import DEFAULT_DURATION, Song

SONG = Song(caption="piano ballad", lyrics="[Verse]\nmoonlight", duration=10)
QUICK = RenderOptions(inference_steps=2)


def same(one, other):
    return np.array_equal(one.audio.samples, other.audio.samples) and np.array_equal(
        one.latents, other.latents
    )


def test_importing_the_engine_costs_no_torch():
    code = "import acestep_nb.engine, acestep_nb.jobs, sys; print({'torch', 'diffusers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_a_seed_gives_the_same_take_whatever_its_neighbours(tiny_engine):
    runs = [tiny_engine.generate(SONG, seeds=seeds, options=QUICK) for seeds in ([7, 8], [8], [8, 7, 9])]
    takes = {(run, take.seed): take for run, taken in enumerate(runs) for take in taken}
    assert [take.seed for take in runs[2]] == [8, 7, 9]
    assert (
        same(takes[0, 8], takes[1, 8]) and same(takes[1, 8], takes[2, 8]) and same(takes[0, 7], takes[2, 7])
    )
    assert not same(takes[0, 7], takes[0, 8])


def test_a_fresh_engine_gives_the_same_bits(tiny_engine, tiny_checkpoint):
    again = Engine.load(tiny_checkpoint, device="cpu")
    assert same(tiny_engine.generate(SONG, seeds=[5])[0], again.generate(SONG, seeds=[5])[0])


@pytest.mark.parametrize("seconds", [10.0, 10.1, 12.3, 20.0])
def test_takes_are_exactly_as_long_as_asked(tiny_engine, seconds):
    take = tiny_engine.generate(replace(SONG, duration=seconds), seeds=[1], options=QUICK)[0]
    assert take.audio.samples.shape == (2, round(seconds * 48_000)) and take.audio.rate == 48_000
    assert take.latents.shape == (int(seconds * 25), 64) and take.latents.dtype == np.float32
    assert take.audio.samples.dtype == np.float32 and 0 < take.audio.peak <= 1


def test_a_take_knows_what_made_it(tiny_engine, tiny_checkpoint):
    song = Song(caption="x")
    take = tiny_engine.generate(song, options=QUICK)[0]
    assert take.song == replace(song, duration=DEFAULT_DURATION) and take.audio.duration == DEFAULT_DURATION
    assert take.options == resolved(QUICK, tiny_engine.kind) and take.options.shift == 3
    assert (take.task, take.edit, take.codes, take.reference, take.notes) == (
        "text2music",
        None,
        (),
        None,
        (),
    )
    assert (take.parent, take.name, take.folder) == (None, "", None)
    assert (take.checkpoint, take.dtype, take.device) == ("tiny", "float32", "cpu")
    assert take.checkpoint_hash == tiny_engine.checkpoint_hash and take.checkpoint_hash.startswith(
        "fingerprint:"
    )
    assert set(take.versions) == {"acestep_nb", "diffusers", "python", "torch", "transformers"}
    assert set(take.timings) == {"condition", "render", "decode"} and min(take.timings.values()) >= 0
    assert same(take, tiny_engine.generate(take.song, seeds=[take.seed], options=take.options)[0])
    assert take.seeds == Seeds.of(take.seed)
    assert json.loads(take.to_json())["seeds"]["noise"] == take.seed


def test_progress_in_words(tiny_engine):
    told = []
    tiny_engine.generate(SONG, seeds=[1, 2], options=QUICK, on_progress=told.append)
    assert [str(progress) for progress in told] == [
        "reading the words",
        *(
            line.format(take)
            for take in (1, 2)
            for line in (
                "rendering take {} of 2 · step 0/2",
                "rendering take {} of 2 · step 1/2",
                "rendering take {} of 2 · step 2/2",
                "decoding take {} of 2",
            )
        ),
    ]
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and 0.8 < fractions[-1] < 1


def test_progress_of_takes_that_are_rendered_together():
    assert str(Progress("rendering", 0, 4, 5, 8)) == "rendering 4 takes · step 5/8"
    assert str(Progress("decoding", 0, 4, 8, 8)) == "decoding 4 takes"
    assert Progress("rendering", 0, 4, 4, 8).fraction == 0.375


def test_an_accelerator_renders_all_takes_together(tiny_engine, monkeypatch):
    """No accelerator here: the CPU stands in for one, so that the grouping runs."""
    calls = []
    render = Renderer.render

    def counted(self, request, options, on_step):
        calls.append((request.primary.takes, tuple(seeds.noise for seeds in request.seeds)))
        return render(self, request, options, on_step)

    monkeypatch.setattr(Renderer, "render", counted)
    alone = tiny_engine.generate(SONG, seeds=[8], options=QUICK)[0]
    monkeypatch.setattr(Renders, "together", True)
    told = []
    takes = tiny_engine.generate(SONG, seeds=[7, 8], options=QUICK, on_progress=lambda p: told.append(str(p)))
    assert told[1] == "rendering 2 takes · step 0/2" and told[-1] == "decoding 2 takes"
    assert calls == [(1, (8,)), (2, (7, 8))] and [take.seed for take in takes] == [7, 8]
    assert np.allclose(takes[1].latents, alone.latents, atol=1e-4)


@pytest.mark.parametrize("at", [0, 1, 3])
def test_cancel_acts_within_one_step(tiny_engine, at):
    cancel, calls, told = threading.Event(), [], []
    hook = tiny_engine._models.transformer.register_forward_pre_hook(lambda *call: calls.append(1))

    def on_progress(progress):
        told.append(progress)
        if progress.stage == "rendering" and progress.step == at:
            cancel.set()

    try:
        with pytest.raises(Cancelled):
            tiny_engine.generate(SONG, seeds=[1, 2], cancel=cancel, on_progress=on_progress)
    finally:
        hook.remove()
    assert at <= len(calls) <= at + 1
    assert told[-1].step == at


def test_cancel_keeps_the_takes_that_are_ready(tiny_engine):
    cancel, ready = threading.Event(), []

    def on_take(take):
        ready.append(take)
        cancel.set()

    with pytest.raises(Cancelled):
        tiny_engine.generate(SONG, seeds=[1, 2, 3], options=QUICK, cancel=cancel, on_take=on_take)
    assert [take.seed for take in ready] == [1]
    assert tiny_engine.generate(SONG, seeds=[2], options=QUICK)


def test_an_error_keeps_the_takes_that_are_ready(tiny_engine, monkeypatch):
    ready, codec = [], tiny_engine._renders.codec
    decode = codec.decode

    def second_fails(latents, *how):
        if ready:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return decode(latents, *how)

    monkeypatch.setattr(codec, "decode", second_fails)
    with pytest.raises(RenderError, match="memory"):
        tiny_engine.generate(SONG, seeds=[1, 2], options=QUICK, on_take=ready.append)
    assert [take.seed for take in ready] == [1]


def test_threads_take_turns(tiny_engine):
    inside, most, results = [], [], []

    def enter(*call):
        inside.append(1)
        most.append(len(inside))

    hooks = [
        tiny_engine._models.transformer.register_forward_pre_hook(enter),
        tiny_engine._models.transformer.register_forward_hook(lambda *call: inside.pop() and None),
    ]
    order = []

    def generate(seed):
        heard = lambda progress: order.append(seed)  # noqa: E731
        results.extend(tiny_engine.generate(SONG, seeds=[seed], options=QUICK, on_progress=heard))

    threads = [threading.Thread(target=generate, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for hook in hooks:
        hook.remove()
    assert max(most) == 1 and sorted(take.seed for take in results) == [1, 2]
    assert order in ([1] * 5 + [2] * 5, [2] * 5 + [1] * 5)


def test_waiting_for_a_turn_can_be_cancelled(tiny_engine):
    cancel = threading.Event()
    cancel.set()
    with tiny_engine._lock, pytest.raises(Cancelled):
        tiny_engine.generate(SONG, seeds=[1], cancel=cancel)


@pytest.mark.parametrize(("bad", "words"), [(float("nan"), "not finite"), (float("inf"), "not finite")])
def test_numbers_that_are_not_finite_are_no_take(tiny_engine, bad, words):
    hook = tiny_engine._models.transformer.register_forward_hook(lambda module, args, out: (out[0] * bad,))
    try:
        with pytest.raises(RenderError, match=words):
            tiny_engine.generate(SONG, seeds=[1], options=QUICK)
    finally:
        hook.remove()
    assert tiny_engine.generate(SONG, seeds=[1], options=QUICK)


def test_silence_is_no_take(tiny_engine, monkeypatch):
    vae = tiny_engine._models.vae
    pieces = vae.pieces
    monkeypatch.setattr(vae, "pieces", lambda z: (sound * 0 for sound in pieces(z)))
    with pytest.raises(RenderError, match="silent"):
        tiny_engine.generate(SONG, seeds=[1], options=QUICK)


@pytest.mark.parametrize("seeds", [7, [], [1] * 9, [-1], [2**32], [1.5], ["7"], [True], [None]])
def test_unusable_seeds(tiny_engine, seeds):
    with pytest.raises(InputError) as caught:
        tiny_engine.generate(SONG, seeds=seeds)
    assert caught.value.field == "seeds" and caught.value.allowed


def test_a_song_needs_words(tiny_engine):
    with pytest.raises(InputError, match="empty"):
        tiny_engine.generate(Song())
    assert tiny_engine.generate(Song(lyrics="la", duration=10), options=QUICK)


def test_emoji_and_right_to_left_words(tiny_engine):
    assert tiny_engine.generate(
        Song(caption="🎹🔥 עברית", lyrics="שלום\nمرحبا 👋", duration=10), seeds=[1], options=QUICK
    )


@pytest.mark.parametrize(("field", "value"), [("device", "cuda:99"), ("device", "abacus"), ("dtype", "int8")])
def test_unusable_device_or_dtype(tiny_checkpoint, field, value):
    with pytest.raises(InputError) as caught:
        Engine.load(tiny_checkpoint, **{field: value})
    assert caught.value.field == field and caught.value.remedy


def test_a_checkpoint_that_is_not_turbo_follows_guidance(own_checkpoint):
    file = own_checkpoint / "transformer" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"is_turbo": False, "model_version": "base"}))
    base = Engine.load(own_checkpoint, device="cpu")
    assert (base.kind.name, base.kind.inference_steps, base.kind.guidance_scale) == ("base", 50, 7)
    quick, sizes = replace(QUICK, inference_steps=1), []
    hook = base._models.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(len(kwargs["hidden_states"])), with_kwargs=True
    )
    try:
        guided, plain = (
            base.generate(SONG, seeds=[1], options=replace(quick, guidance_scale=scale))[0]
            for scale in (7, 1)
        )
    finally:
        hook.remove()
    assert sizes == [2, 1] and not same(guided, plain) and guided.options.guidance_scale == 7


def test_half_precision_stays_near(tiny_engine, tiny_checkpoint):
    half = Engine.load(tiny_checkpoint, device="cpu", dtype="bfloat16")
    assert half.dtype == "bfloat16" and half._models.vae.dtype == torch.float32
    exact, near = (
        engine.generate(SONG, seeds=[1], options=QUICK)[0].latents for engine in (tiny_engine, half)
    )
    assert 0 < np.abs(exact - near).mean() < 0.1
