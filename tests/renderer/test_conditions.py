import re
from dataclasses import replace
from types import SimpleNamespace

import golden
import numpy as np
import pytest
import torch

from acestep_nb.errors import CheckpointError, InputError
from acestep_nb.renderer import conditions, hints
from acestep_nb.renderer.conditions import (
    TIMBRE_FRAMES,
    Ask,
    Conditioner,
    chunk_masks,
    contexts,
    silence,
    sources,
)
from acestep_nb.song import Song

BALLAD = Song(caption="piano ballad", lyrics="[Verse]\nmoonlight", vocal_language="en", bpm=80, duration=10)
RECORDED = "functions/conditioning_masks.safetensors"
REWORKED = ("cover", "repaint", "lego", "extract", "complete")


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture
def conditioner(tiny_models):
    return Conditioner(tiny_models)


def latents(frames, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, 64)).astype(np.float32)


def rework(task, frames=150, **more):
    return Ask(BALLAD, task=task, source=latents(frames), **more)


@pytest.mark.parametrize("case", golden.cases("functions/conditioning_masks.json", "cases"))
def test_recorded_contexts(case):
    recorded = {
        name: golden.tensors(RECORDED).get(f"{case['name']}.{name}")
        for name in ("src_latents", "chunk_mask", "repaint_mask", "target_latents")
    }
    silent = golden.tensors(RECORDED)["silence_latent"]
    models = SimpleNamespace(
        condition_encoder=SimpleNamespace(silence_latent=silent), device=silent.device, dtype=silent.dtype
    )
    kind, *span = case["span"]
    reworked = case["src_audio_seconds"] is not None
    ask = Ask(
        Song(caption="x"),
        task=case["task_type"],
        source=recorded["target_latents"][0].numpy() if reworked else None,
        region=tuple(span) if kind == "repainting" else None,
        tracks=tuple(name.lower() for name in re.findall(r"[A-Z_]{3,}", case["instruction"])),
        quantize=False,  # recorded before the codes of a cover are taken
        seconds=case["audio_duration"],
    )
    assert ask.sentence == case["instruction"] and ask.told_seconds == case["audio_duration"]
    assert ask.frames == case["latent_frames"] and case["is_cover"] == (ask.task == "cover")
    assert conditions.batch_frames([ask]) == max(case["latent_length"], 128) or reworked
    context = contexts(models, [ask])[:, : case["latent_length"]]
    channels = silent.shape[-1]
    assert torch.equal(context[..., :channels], recorded["src_latents"])
    assert torch.equal(context[..., channels], recorded["chunk_mask"].float())
    assert torch.equal(sources(models, [ask])[:, : case["latent_length"]], recorded["target_latents"])
    if recorded["repaint_mask"] is not None:
        assert torch.equal(chunk_masks([ask], case["latent_length"]).long(), recorded["repaint_mask"])


@pytest.mark.parametrize(
    ("seconds", "frames"), [(10.0, 250), (10.1, 252), (12.3, 307), (20.0, 500), (600.0, 15000)]
)
def test_new_music_over_silence(tiny_models, seconds, frames):
    context = contexts(tiny_models, [Ask(Song(caption="x", duration=seconds))])
    assert context.shape == (1, frames, 128)
    assert torch.equal(context[..., :64], tiny_models.condition_encoder.silence_latent[:, :frames])
    assert (context[..., 64:] == 1).all()


def test_silence_longer_than_stored_starts_over(tiny_models):
    stored = tiny_models.condition_encoder.silence_latent
    assert torch.equal(silence(tiny_models, 15_003), torch.cat([stored, stored[:, :3]], dim=1))


def test_what_each_task_shows_of_its_source(tiny_models):
    def shown(ask):
        return contexts(tiny_models, [ask])[0, :, :64], chunk_masks([ask], 150)[0]

    whole, silent = torch.from_numpy(latents(150)), silence(tiny_models, 150)[0]
    for task in ("extract", "complete"):
        source, mask = shown(rework(task))
        assert torch.equal(source, whole) and mask.all()
    source, mask = shown(rework("repaint", region=(40, 90)))
    assert torch.equal(source[40:90], silent[40:90]) and torch.equal(source[:40], whole[:40])
    assert torch.equal(source[90:], whole[90:]) and mask.nonzero().flatten().tolist() == list(range(40, 90))
    source, mask = shown(rework("lego", region=(40, 90)))
    assert torch.equal(source, whole) and mask.sum() == 50
    source, mask = shown(rework("cover"))
    assert torch.equal(source, hints.through_codes(tiny_models, whole[None])[0]) and mask.all()
    assert torch.equal(shown(rework("cover", quantize=False))[0], whole)


def test_codes_are_a_cover_of_their_own_length(tiny_models):
    long, short = (Ask(BALLAD, codes=tuple(range(count))) for count in (40, 30))
    context = contexts(tiny_models, [long, short, Ask(BALLAD, seconds=2)])[..., :64]
    assert context.shape[1] == 200 and long.sentence.startswith("Generate audio semantic tokens")
    assert torch.allclose(context[1, :150], hints.hints_of(tiny_models, range(30)), atol=1e-6)
    silent = silence(tiny_models, 200)[0]
    assert torch.equal(context[1, 150:], silent[:50]) and torch.equal(context[2], silent)


def test_a_batch_may_mix_everything(conditioner, tiny_models):
    asks = [
        Ask(BALLAD),
        Ask(replace(BALLAD, lyrics="[Instrumental]", caption="drums and bass"), codes=(7,) * 26),
        rework("repaint", 160, region=(0, 9)),
        rework("lego", 140, region=(100, 140), tracks=("drums",), reference=latents(TIMBRE_FRAMES)),
        rework("cover", 131),
    ]
    batch = conditioner.primary(asks)
    assert batch.takes == 5 and batch.frames == 250
    for i, ask in enumerate(asks):
        alone = conditioner.primary([ask])
        assert alone.frames == ask.frames
        assert torch.allclose(batch.context[i, : ask.frames, :64], alone.context[0, :, :64], atol=1e-5)
        tokens = _valid_tokens(tiny_models, ask)
        assert torch.allclose(batch.hidden[i, :tokens], alone.hidden[0, :tokens], atol=1e-4)


def _valid_tokens(models, ask):
    words = conditions._words(ask, ask.sentence)
    return sum(len(models.tokenizer(text).input_ids) for text in (words.text, words.lyrics)) + 1


def test_the_second_condition_is_new_music_from_the_same_words(conditioner, tiny_models):
    ask = rework("repaint", region=(40, 90), reference=latents(TIMBRE_FRAMES, 1))
    first, second = conditioner.primary([ask]), conditioner.secondary([ask])
    assert torch.equal(second.context[..., :64], silence(tiny_models, 150))
    assert torch.equal(second.context[..., 64:], first.context[..., 64:])
    fresh = Ask(BALLAD, reference=ask.reference, seconds=ask.told_seconds)
    assert torch.equal(second.hidden, conditioner.primary([fresh]).hidden)
    assert first.hidden.shape != second.hidden.shape


def test_the_length_that_the_model_is_told(tiny_models):
    assert Ask(Song(caption="x")).told_seconds == 30 and Ask(Song(caption="x")).frames == 750
    assert Ask(BALLAD, codes=(1,) * 60).told_seconds == 10  # the song says so
    assert Ask(Song(caption="x"), codes=(1,) * 60).told_seconds == 12
    assert rework("cover", 500).told_seconds == 20 and rework("cover", 500, seconds=7).told_seconds == 7
    assert "duration: 20 seconds" in conditions._words(rework("cover", 500), "").text


def test_equal_takes_are_read_once_and_words_are_remembered(conditioner, tiny_models):
    calls = []
    hook = tiny_models.text_encoder.register_forward_hook(
        lambda module, args, kwargs, out: calls.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    try:
        four = conditioner.primary([Ask(BALLAD), Ask(replace(BALLAD, bpm=90))] * 2)
        assert calls == [2] and torch.equal(four.hidden[0], four.hidden[2])
        again = conditioner.primary([Ask(BALLAD), Ask(replace(BALLAD, bpm=90))])
        assert calls == [2] and torch.equal(again.hidden, four.hidden[:2])
        conditioner.primary([Ask(BALLAD, reference=latents(TIMBRE_FRAMES))])
        assert calls == [2, 1]
        conditioner.primary([Ask(BALLAD, reference=latents(TIMBRE_FRAMES, 1))])
        assert calls == [2, 1, 1]
        for bpm in range(100, 100 + conditions.REMEMBERED):
            conditioner.primary([Ask(replace(BALLAD, bpm=bpm))])
        conditioner.primary([Ask(BALLAD, reference=latents(TIMBRE_FRAMES, 1))])
        assert len(calls) == 3 + conditions.REMEMBERED + 1
    finally:
        hook.remove()


def test_a_reference_gives_another_timbre(conditioner):
    plain, heard, other = (
        conditioner.primary([Ask(BALLAD, reference=reference)]).hidden
        for reference in (None, latents(TIMBRE_FRAMES), latents(TIMBRE_FRAMES, 1))
    )
    differs = (plain - heard).abs().amax(-1)[0] > 1e-5
    assert differs.sum() == 1 and not torch.allclose(heard, other)


def test_words_are_cut_to_what_the_encoders_read(conditioner):
    endless = Song(caption="a" * 512, lyrics="la " * 1365, duration=10)
    assert conditioner.primary([Ask(endless)]).hidden.shape[1] == 256 + 1 + 2048


def test_a_token_limit_keeps_the_end_of_text(tiny_models):
    ids, valid = conditions._tokens(tiny_models, ["a" * 900], 256)
    assert ids.shape == (1, 256) and valid.all() and ids[0, -1] == tiny_models.tokenizer.eos_token_id


@pytest.mark.parametrize(
    "change",
    [
        {"caption": "others"},
        {"lyrics": "others"},
        {"vocal_language": "zh"},
        {"bpm": 120},
        {"keyscale": "A minor"},
        {"timesignature": "3"},
        {"duration": 11},
    ],
)
def test_every_word_counts(conditioner, change):
    plain, changed = (conditioner.primary([Ask(song)]).hidden for song in (BALLAD, replace(BALLAD, **change)))
    assert plain.shape != changed.shape or not torch.allclose(plain, changed)


def test_padding_at_the_right_changes_nothing_before_it(conditioner):
    short, long = Song(caption="a", lyrics="b", duration=10), Song(caption="abc", lyrics="bcd", duration=10)
    alone, both = (
        conditioner.primary([Ask(song) for song in songs]).hidden for songs in ([short], [short, long])
    )
    assert both.shape[1] == alone.shape[1] + 4
    assert torch.allclose(both[:1, : alone.shape[1]], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("task", {"task": "remix"}),
        *(("source", {"task": task}) for task in REWORKED),
        ("source", {"source": latents(5)}),
        ("codes", {"task": "cover", "source": latents(5), "codes": (1,)}),
        ("codes", {"task": "repaint", "codes": (1,)}),
        ("region", {"task": "cover", "source": latents(5), "region": (1, 2)}),
        ("region", {"task": "lego", "source": latents(5), "region": (2, 2)}),
        ("region", {"task": "repaint", "source": latents(5), "region": (2, 6)}),
        ("region", {"task": "repaint", "source": latents(5), "region": (-1, 2)}),
        ("reference", {"reference": latents(749)}),
    ],
)
def test_asks_that_do_not_fit(field, parts):
    with pytest.raises(InputError) as caught:
        Ask(BALLAD, **parts)
    assert caught.value.field == field and caught.value.allowed and caught.value.remedy


def test_codes_need_the_pair_of_tokenizers(tiny_models):
    without = Conditioner(replace(tiny_models, audio_token_detokenizer=None))
    assert without.primary([Ask(BALLAD)]).takes == 1
    with pytest.raises(CheckpointError, match="no audio_token_detokenizer"):
        without.primary([Ask(BALLAD, codes=(1, 2))])
