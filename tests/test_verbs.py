import dataclasses
import json
import threading

import numpy as np
import pytest
import soundfile
import torch
from test_engine import QUICK, SONG, same

from acestep_nb import Audio, Cancelled, Engine, History, InputError
from acestep_nb.edits import Edit, RepaintOptions
from acestep_nb.kinds import COMMON_TASKS
from acestep_nb.renderer.guard import done_again
from acestep_nb.renders import Renders
from acestep_nb.seeds import Seeds

RATE = 48_000
VERBS = {
    "generate": lambda engine, source, **how: engine.generate(SONG, **how),
    "codes": lambda engine, source, **how: engine.generate(SONG, codes=range(30), **how),
    "reference": lambda engine, source, **how: engine.generate(SONG, reference_audio=source, **how),
    "cover": lambda engine, source, **how: engine.cover(source, SONG, strength=0.5, **how),
    "plain": lambda engine, source, **how: engine.cover(source, SONG, quantize=False, **how),
    "repaint": lambda engine, source, **how: engine.repaint(source, SONG, (2, 4.5), **how),
    "context": lambda engine, source, **how: engine.repaint(source, SONG, (2, 3), context=1, **how),
    "outpaint": lambda engine, source, **how: engine.repaint(source, SONG, (-1.5, 7), **how),
    "lego": lambda engine, source, **how: engine.lego(source, SONG, "drums", region=(1, None), **how),
    "extract": lambda engine, source, **how: engine.extract(source, "vocals", **how),
    "complete": lambda engine, source, **how: engine.complete(source, SONG, ["drums", "bass"], **how),
    "extend": lambda engine, source, **how: engine.extend(source, 5.5, step=3, context=2, overlap=0.5, **how),
    "stitch": lambda engine, source, **how: engine.stitch(source, source, seam=2, context=3, **how),
}
SECONDS = {"generate": 10, "codes": 6, "reference": 10, "outpaint": 8.5, "extend": 11.75, "stitch": 12.5}
LENGTH = 6.25


def noise(seconds=LENGTH, seed=3, rate=RATE, channels=2):
    samples = np.random.default_rng(seed).uniform(-0.6, 0.6, (channels, round(seconds * rate)))
    return Audio(samples.astype(np.float32), rate)


@pytest.fixture(scope="module")
def source():
    return noise()


@pytest.fixture(scope="module")
def nano():
    return Engine.load("nano", device="cpu")


@pytest.mark.parametrize("model", ["tiny_engine", "nano"])
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_as_long_as_it_should_be_and_gives_a_seed_the_same_take(request, source, verb, model):
    make, engine = VERBS[verb], request.getfixturevalue(model)
    pair = make(engine, source, seeds=[7, 8], options=QUICK)
    (alone,) = make(engine, source, seeds=[8], options=QUICK)
    assert [take.seed for take in pair] == [7, 8] and same(pair[1], alone) and not same(pair[0], alone)
    assert alone.duration == SECONDS.get(verb, LENGTH)
    assert alone.latents.shape == (-(-round(alone.duration * RATE) // 1920), 64)
    assert alone.audio.samples.shape[0] == 2 and np.isfinite(alone.audio.samples).all()
    assert alone.song.duration == (round(alone.duration, 1) if verb != "codes" else 10) or alone.duration < 10
    record = json.loads(alone.to_json())
    assert (alone.edit is None) == (record["edit"] is None) == (alone.task == "text2music")
    if alone.edit is not None:
        assert Edit.from_dict(record["edit"]) == alone.edit
        assert alone.edit.sources[0].duration == LENGTH and len(alone.edit.sources[0].sha256) == 64


@pytest.mark.parametrize(
    "how",
    [
        RepaintOptions("conservative"),
        RepaintOptions("balanced", 0.9),
        RepaintOptions(repaint_wav_crossfade_sec=0, repaint_latent_crossfade_frames=0),
        RepaintOptions(repaint_wav_crossfade_sec=10),
    ],
)
@pytest.mark.parametrize("region", [(2, 4.5), (-1, 2), (5, 8), (1.23456, 1.3), (0, LENGTH)])
def test_the_outside_of_a_kept_repaint_is_the_source_to_the_bit(
    tiny_engine, tmp_path, make_take, how, region
):
    loud = Audio(np.clip(noise().samples * 4, -1, 1), RATE)
    history = History(tmp_path)
    old = history.add(dataclasses.replace(make_take(), audio=loud))
    (take,) = tiny_engine.repaint(old, SONG, region, repaint=how, seeds=[1], options=QUICK)
    kept = history.add(take)
    assert kept.parent == old.name and kept.edit.sources[0].name == old.name
    before, after = (soundfile.read(one.folder / "audio.flac", dtype="int32")[0] for one in (old, kept))
    lead = round(max(0, -region[0]) * RATE)
    fade = round(how.crossfade_seconds * RATE)
    start, end = (round(second * RATE) for second in region)
    outside = np.ones(len(before), bool)
    outside[max(0, start - fade) : max(0, end + fade)] = False
    assert np.array_equal(after[lead : lead + len(before)][outside], before[outside])
    inside = after[lead + max(start, 0) : lead + end]
    assert not np.array_equal(inside, before[max(start, 0) : end][: len(inside)])


def test_an_aggressive_repaint_is_the_models_own_all_over(tiny_engine, source):
    how = RepaintOptions("aggressive")
    (take,) = tiny_engine.repaint(source, SONG, (2, 4), repaint=how, seeds=[1], options=QUICK)
    assert (take.audio.samples[:, :RATE] != source.samples[:, :RATE]).mean() > 0.9
    assert take.audio.peak == pytest.approx(10 ** (-1 / 20), abs=1e-4)


def test_loudness_is_brought_to_minus_one_decibel_if_wished(tiny_engine, source):
    for normalize in (True, False):
        options = dataclasses.replace(QUICK, normalize=normalize)
        (take,) = tiny_engine.cover(source, SONG, seeds=[1], options=options)
        assert (take.audio.peak == pytest.approx(10 ** (-1 / 20), abs=1e-4)) == normalize


def test_every_way_to_give_a_source_gives_the_same_take(tiny_engine, source, tmp_path, make_take):
    path = source.save(tmp_path / "song.flac")
    kept = History(tmp_path / "project").add(dataclasses.replace(make_take(), audio=Audio.load(path)))
    ways = (path, str(path), Audio.load(path), kept)
    takes = [tiny_engine.cover(way, SONG, seeds=[4], options=QUICK)[0] for way in ways]
    assert all(same(take, takes[0]) for take in takes)
    assert [take.parent for take in takes] == [None, None, None, kept.name]
    assert [take.edit.sources[0].name for take in takes] == ["song.flac", "song.flac", "", kept.name]


def test_a_take_is_made_again_from_what_it_tells(tiny_engine, source):
    options = dataclasses.replace(QUICK, infer_method="sde", retake_variance=0.3)
    seeds = dataclasses.replace(Seeds.of(5), retake=1, sde=2)
    (take,) = tiny_engine.repaint(source, SONG, (1, 3), seeds=[seeds], options=options)
    assert take.seeds == seeds and Edit.from_dict(take.edit.to_dict()) == take.edit
    again = tiny_engine.repaint(
        source,
        take.song,
        take.edit.region,
        repaint=take.edit.repaint,
        seeds=[take.seeds],
        options=take.options,
    )
    assert same(again[0], take)
    for other in (dataclasses.replace(seeds, retake=9), dataclasses.replace(seeds, sde=9)):
        assert not same(tiny_engine.repaint(source, SONG, (1, 3), seeds=[other], options=options)[0], take)


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_mono_of_another_rate_is_taken(tiny_engine, rate):
    old = noise(rate=rate, channels=1)
    (take,) = tiny_engine.repaint(old, SONG, (1, 2), seeds=[1], options=QUICK)
    assert take.audio.samples.shape == (2, round(LENGTH * RATE))
    resampled = np.clip(old.resample(RATE).samples, -1, 1)[:, 3 * RATE :]
    assert np.array_equal(take.audio.samples[:, 3 * RATE :], np.concatenate([resampled, resampled]))


BAD = {
    "short": Audio(np.ones((2, RATE // 5)), RATE),
    "none": Audio(np.ones((2, 0)), RATE),
    "silent": Audio(np.zeros((2, 3 * RATE)), RATE),
    "broken": Audio(np.full((2, 3 * RATE), np.nan), RATE),
    "infinite": Audio(np.full((1, 3 * RATE), np.inf), RATE),
    "missing": "no-such-file.wav",
    "nothing": None,
    "number": 3,
}


@pytest.mark.parametrize("bad", BAD)
def test_a_source_that_is_no_music_is_refused(tiny_engine, source, bad):
    calls = {
        "source": [
            lambda: tiny_engine.cover(BAD[bad], SONG),
            lambda: tiny_engine.extend(BAD[bad], 5),
            lambda: tiny_engine.stitch(source, BAD[bad]),
        ],
        "reference_audio": [lambda: tiny_engine.generate(SONG, reference_audio=BAD[bad])],
    }
    if bad in ("silent", "nothing"):  # a reference may be silent or left out
        del calls["reference_audio"]
    for field, made in calls.items():
        for make in made:
            with pytest.raises(InputError) as caught:
                make()
            assert caught.value.field == field and caught.value.remedy


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda engine, source: engine.repaint(source, SONG, (3, 2)), "region"),
        (lambda engine, source: engine.repaint(source, SONG, (7, 9)), "region"),
        (lambda engine, source: engine.repaint(source, SONG, (-3, -1)), "region"),
        (lambda engine, source: engine.repaint(source, SONG, None), "region"),
        (lambda engine, source: engine.repaint(source, SONG, (None, "x")), "region"),
        (lambda engine, source: engine.repaint(source, SONG, (0, 900)), "source"),
        (lambda engine, source: engine.repaint(source, SONG, (0, 1), context=0), "context"),
        (lambda engine, source: engine.repaint(source, SONG, (0, 1), repaint="firm"), "repaint"),
        (lambda engine, source: engine.lego(source, SONG, "lute"), "tracks"),
        (lambda engine, source: engine.lego(source, SONG, "drums, bass"), "tracks"),
        (lambda engine, source: engine.extract(source, None), "tracks"),
        (lambda engine, source: engine.complete(source, SONG, [3]), "tracks"),
        (lambda engine, source: engine.cover(source, SONG, strength=1.5), "audio_cover_strength"),
        (lambda engine, source: engine.cover(source, SONG, quantize="no"), "quantize"),
        (lambda engine, source: engine.cover(source, SONG, seeds=[-1]), "seeds"),
        (lambda engine, source: engine.cover(source, SONG, strength=0.5, options=None), "options"),
        (lambda engine, source: engine.cover(source, "a song"), "song"),
        (lambda engine, source: engine.extend(source, 5, "a song"), "song"),
        (lambda engine, source: engine.stitch(source, source, ""), "song"),
        (lambda engine, source: engine.rework(source, SONG, "cvoer"), "task"),
        (lambda engine, source: engine.rework(source, SONG, "text2music"), "task"),
        (lambda engine, source: engine.extend(source, 0), "seconds"),
        (lambda engine, source: engine.extend(source, "long"), "seconds"),
        (lambda engine, source: engine.extend(source, 5, step=1), "step"),
        (lambda engine, source: engine.extend(source, 5, overlap=-1), "overlap"),
        (lambda engine, source: engine.stitch(source, source, seam=0), "seam"),
        (lambda engine, source: engine.generate(SONG, codes=[64_000]), "codes"),
        (lambda engine, source: engine.generate(SONG, codes="<|audio_code_1|> and so on"), "codes"),
        (lambda engine, source: engine.generate(SONG, codes=[1] * 3001), "codes"),
        (
            lambda engine, source: engine.generate(
                SONG, options=dataclasses.replace(QUICK, cover_noise_strength=0.5)
            ),
            "cover_noise_strength",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(tiny_engine, source, make, field):
    with pytest.raises(InputError) as caught:
        make(tiny_engine, source)
    assert caught.value.field == field and caught.value.remedy


def test_a_misspelled_argument_is_no_silent_wish(tiny_engine, source):
    with pytest.raises(TypeError, match="sedes"):
        tiny_engine.cover(source, SONG, sedes=[1])


@pytest.mark.parametrize("verb", ["lego", "extract", "complete"])
def test_a_task_that_the_checkpoint_never_learned_is_refused(tiny_models, source, verb):
    kind = dataclasses.replace(tiny_models.kind, tasks=COMMON_TASKS)
    engine = Engine(dataclasses.replace(tiny_models, kind=kind))
    with pytest.raises(InputError, match=f"not trained for the task {verb}") as caught:
        VERBS[verb](engine, source)
    assert caught.value.field == "task" and "base" in caught.value.remedy and "cover" in caught.value.allowed
    assert VERBS["cover"](engine, source, options=QUICK)


def test_going_on_in_steps_keeps_what_was_there_and_hears_no_more_than_it_should(tiny_engine, source):
    lengths, told = [], []
    hook = tiny_engine._models.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["hidden_states"].shape[1]), with_kwargs=True
    )
    how = {"step": 10, "context": 5, "seeds": [1], "options": QUICK, "on_progress": told.append}
    try:
        (take,) = tiny_engine.extend(source, 70, SONG, **how)
    finally:
        hook.remove()
    assert take.duration == LENGTH + 70 and len(lengths) == 7 * QUICK.inference_steps
    assert max(lengths) <= 15 * 25 + 1, "the length that is rendered at once does not grow with the music"
    safe = round((LENGTH - 0.025) * RATE)
    assert np.array_equal(take.audio.samples[:, :safe], source.samples[:, :safe])
    pieces = [take.audio.samples[:, round((LENGTH + 10 * at) * RATE) :][:, : 9 * RATE] for at in range(7)]
    assert len({piece.tobytes() for piece in pieces}) == 7, "each piece has noise of its own"
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions) and fractions[-1] > 0.7 and told[-1].steps == 14
    assert take.edit.step == 10 and take.edit.context == 5 and take.edit.region == (LENGTH, LENGTH + 70)


def test_going_on_without_words_takes_those_of_the_take(tiny_engine, make_take):
    old = dataclasses.replace(make_take(caption="slow waltz"), audio=noise(2))
    (take,) = tiny_engine.extend(old, 3, seeds=[1], options=QUICK)
    assert take.song.caption == "slow waltz" and take.parent is None
    assert tiny_engine.extend(old.audio, 3, seeds=[1], options=QUICK)[0].song.caption == ""
    assert tiny_engine.extend(old, 3, SONG, seeds=[1], options=QUICK)[0].song.caption == SONG.caption


def test_an_overlap_makes_the_old_end_anew(tiny_engine, source):
    (take,) = tiny_engine.extend(source, 3, SONG, overlap=2, seeds=[1], options=QUICK)
    changed = np.flatnonzero((take.audio.samples[:, : source.samples.shape[1]] != source.samples).any(axis=0))
    assert changed[0] / RATE == pytest.approx(LENGTH - 2 - 0.025, abs=1e-3)


def test_a_stitch_changes_nothing_but_the_seam(tiny_engine, source):
    other = noise(4, seed=9)
    (take,) = tiny_engine.stitch(source, other, SONG, seam=2, context=3, seeds=[1], options=QUICK)
    both = np.concatenate([source.samples, other.samples], axis=1)
    changed = np.flatnonzero((take.audio.samples != both).any(axis=0)) / RATE
    assert LENGTH - 1.03 < changed[0] < LENGTH - 0.9 and LENGTH + 0.9 < changed[-1] < LENGTH + 1.03
    assert [one.duration for one in take.edit.sources] == [LENGTH, 4]


def test_the_reference_is_chosen_by_its_own_seed(tiny_engine):
    long = noise(40)
    one, other = (dataclasses.replace(Seeds.of(5), reference=seed) for seed in (1, 2))
    takes = tiny_engine.generate(SONG, seeds=[one, other, one], reference_audio=long, options=QUICK)
    assert same(takes[0], takes[2]) and not same(takes[0], takes[1])
    plain = tiny_engine.generate(SONG, seeds=[one], options=QUICK)[0]
    assert not same(plain, takes[0]) and plain.reference is None and takes[0].reference.duration == 40


def test_a_silent_reference_leaves_the_timbre_open_and_says_so(tiny_engine):
    (take,) = tiny_engine.generate(SONG, seeds=[5], reference_audio=BAD["silent"], options=QUICK)
    assert same(take, tiny_engine.generate(SONG, seeds=[5], options=QUICK)[0])
    assert take.reference is None and "silent" in take.notes[0]


def test_codes_are_kept_and_may_be_text(tiny_engine):
    (take,) = tiny_engine.generate(SONG, codes=[1, 2, 63_999], seeds=[1], options=QUICK)
    text = "<|audio_code_1|><|audio_code_2|><|audio_code_63999|>"
    assert same(take, tiny_engine.generate(SONG, codes=text, seeds=[1], options=QUICK)[0])
    assert take.codes == (1, 2, 63_999) and take.duration == 0.6 and take.task == "text2music"


@pytest.mark.parametrize(
    ("region", "told"), [((1, 2), "lasts 1 s"), ((1, 5), None), ((-90, 5), "lasts 95 s")]
)
def test_a_region_of_unusual_length_is_noted(tiny_engine, source, region, told):
    (take,) = tiny_engine.repaint(source, SONG, region, seeds=[1], options=QUICK)
    assert (told in take.notes[0] and "3–90 s" in take.notes[0]) if told else not take.notes


def test_words_that_had_to_be_read_again_say_so(tiny_checkpoint, source):
    """A text encoder that is so loud that float16 has no number for it is heard in float32."""
    half = Engine.load(tiny_checkpoint, device="cpu", dtype="float16")
    with torch.no_grad():
        half._models.text_encoder.norm.weight.mul_(3e4)
        half._models.condition_encoder.text_projector.weight.mul_(1e-4)
    weights = {name: weight.clone() for name, weight in half._models.text_encoder.state_dict().items()}
    (take,) = half.generate(SONG, seeds=[1], options=QUICK, reference_audio=source)
    assert take.notes == (done_again("read the words", torch.float16),)
    assert half.generate(SONG, seeds=[2], options=QUICK, reference_audio=source)[0].notes == take.notes
    assert all(
        torch.equal(weights[name], one) for name, one in half._models.text_encoder.state_dict().items()
    )
    assert half._models.text_encoder.dtype == half._models.condition_encoder.dtype == torch.float16


def test_a_render_that_had_to_be_repeated_says_so(tiny_checkpoint):
    half = Engine.load(tiny_checkpoint, device="cpu", dtype="bfloat16")
    hook = half._models.transformer.register_forward_hook(
        lambda module, args, out: (out[0] * (float("nan") if "bfloat16" in str(module.dtype) else 1),)
    )
    try:
        (take,) = half.generate(SONG, seeds=[1], options=QUICK)
    finally:
        hook.remove()
    assert "float32" in take.notes[0] and json.loads(take.to_json())["notes"] == list(take.notes)


@pytest.mark.parametrize("at", [1, 3])
def test_a_stop_between_pieces_acts_within_one_step(tiny_engine, source, at):
    cancel, ready, told = threading.Event(), [], []

    def on_progress(progress):
        told.append(progress)
        if progress.stage == "rendering" and progress.step == at:
            cancel.set()

    with pytest.raises(Cancelled):
        VERBS["extend"](
            tiny_engine,
            source,
            seeds=[1],
            options=QUICK,
            cancel=cancel,
            on_progress=on_progress,
            on_take=ready.append,
        )
    assert told[-1].step == at and not ready
    assert VERBS["extend"](tiny_engine, source, seeds=[1], options=QUICK, on_take=ready.append) == ready


@pytest.mark.parametrize("verb", ["reference", "cover", "outpaint", "extend"])
def test_takes_that_are_made_together_are_near_those_made_alone(tiny_engine, source, verb, monkeypatch):
    """No accelerator here: the CPU stands in for one, so that the grouping runs."""
    alone = VERBS[verb](tiny_engine, source, seeds=[7, 8], options=QUICK)
    monkeypatch.setattr(Renders, "together", True)
    told = []
    pair = VERBS[verb](tiny_engine, source, seeds=[7, 8], options=QUICK, on_progress=told.append)
    assert [take.seeds for take in pair] == [take.seeds for take in alone] and told[1].take == 0
    for one, other in zip(pair, alone, strict=True):
        assert one.duration == other.duration and not np.shares_memory(
            pair[0].audio.samples, pair[1].audio.samples
        )
        assert np.abs(one.latents - other.latents).max() < 1e-3


@pytest.mark.parametrize("verb", ["cover", "repaint", "extend", "complete"])
def test_half_precision_stays_near(tiny_checkpoint, tiny_engine, source, verb):
    half = Engine.load(tiny_checkpoint, device="cpu", dtype="bfloat16")
    options = dataclasses.replace(QUICK, cover_noise_strength=0.4)
    exact, near = (
        VERBS[verb](engine, source, seeds=[1], options=options)[0] for engine in (tiny_engine, half)
    )
    assert 0 < np.abs(exact.latents - near.latents).mean() < 0.1 and near.dtype == "bfloat16"
