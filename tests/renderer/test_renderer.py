import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AceStepPipeline, FlowMatchEulerDiscreteScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import options

from acestep_nb.audio import Audio
from acestep_nb.codec import Codec
from acestep_nb.errors import AceStepError, InputError, RenderError
from acestep_nb.kinds import KINDS
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.conditions import Ask, Conditioner, sources
from acestep_nb.renderer.guard import done_again
from acestep_nb.renderer.renderer import Renderer, noise_of
from acestep_nb.renderer.request import Kept, Request
from acestep_nb.renderer.schedules import evaluations
from acestep_nb.seeds import Seeds
from acestep_nb.song import Song

BALLAD = Song(
    caption="piano ballad",
    lyrics="[Verse]\nmoonlight",
    vocal_language="en",
    bpm=80,
    keyscale="Am",
    duration=10,
)
SAMBA = replace(BALLAD, caption="fast samba with brass", lyrics="", vocal_language="pt")
SEEDS = (Seeds.of(7), Seeds.of(8))
QUICK = RenderOptions(inference_steps=2)


def silent(step):
    pass


@pytest.fixture(scope="session")
def base_models(tiny_models):
    """The same networks as a checkpoint that wants guidance."""
    network = copy.deepcopy(tiny_models.transformer)
    network.register_to_config(is_turbo=False)
    return replace(tiny_models, transformer=network, kind=KINDS["base"])


@pytest.fixture(scope="session")
def source(tiny_models):
    """A sound and its latents."""
    audio = Audio(np.random.default_rng(3).uniform(-0.5, 0.5, (2, 480_000)).astype(np.float32), 48_000)
    return audio, Codec(tiny_models.vae).encode(audio)


def pipeline(models):
    """The loop of diffusers over the same networks: an oracle, never the engine."""
    names = ("vae", "text_encoder", "tokenizer", "transformer", "condition_encoder")
    parts = {name: getattr(models, name) for name in (*names, "audio_tokenizer", "audio_token_detokenizer")}
    built = AceStepPipeline(
        **parts, scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0)
    )
    built.set_progress_bar_config(disable=True)
    return built


def in_diffusers(models, asked: RenderOptions, **more):
    """What the pipeline renders; its noise is given, because it miscounts the frames of some lengths."""
    songs = [BALLAD, SAMBA]
    return pipeline(models)(
        prompt=[song.caption for song in songs],
        lyrics=[song.lyrics for song in songs],
        vocal_language=[song.vocal_language for song in songs],
        bpm=80,
        keyscale="A minor",
        audio_duration=10.0,
        num_inference_steps=asked.inference_steps,
        shift=asked.shift,
        guidance_scale=asked.guidance_scale or 1.0,
        latents=noise_of([seeds.noise for seeds in SEEDS], 250),
        output_type="latent",
        # its interval counts from the clean end
        cfg_interval_start=1 - asked.cfg_interval_end,
        cfg_interval_end=1 - asked.cfg_interval_start,
        **more,
    ).audios


def request(models, *, seeds=SEEDS, songs=(BALLAD, SAMBA), **ask):
    asks = [Ask(song, **ask) for song in songs]
    return Request(Conditioner(models).primary(asks), seeds)


TASKS = {
    "text2music": ({}, {}),
    "codes": (
        {"codes": tuple(range(50))},
        {"audio_codes": "".join(f"<|audio_code_{code}|>" for code in range(50))},
    ),
    "cover": ({}, {}),
    "repaint": ({"region": (50, 150)}, {"repainting_start": 2.0, "repainting_end": 6.0}),
    "lego": (
        {"region": (50, 150), "tracks": ("drums",)},
        {"repainting_start": 2.0, "repainting_end": 6.0, "track_name": "drums"},
    ),
    "extract": ({"tracks": ("vocals",)}, {"track_name": "vocals"}),
    "complete": ({"tracks": ("bass", "drums")}, {"complete_track_classes": ["bass", "drums"]}),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("turbo", RenderOptions(inference_steps=8, shift=3.0)),
        ("turbo", RenderOptions(inference_steps=3, shift=2.2)),
        ("base", RenderOptions(inference_steps=5, shift=2.2, guidance_scale=7.0)),
    ],
)
def test_equals_the_loop_of_diffusers(tiny_models, base_models, source, kind, asked, task):
    models = tiny_models if kind == "turbo" else base_models
    own, other = TASKS[task]
    audio, latents = source
    if task not in ("text2music", "codes"):
        own = own | {"source": latents}
        other = other | {"src_audio": torch.from_numpy(audio.samples)}
    name = "text2music" if task == "codes" else task
    found = Renderer(models).render(request(models, task=name, **own), asked, silent)
    expected = in_diffusers(models, asked, task_type=name, **other)
    assert expected.std() > 0.5 and not found.notes
    assert torch.allclose(found.latents, expected, atol=1e-4)


def test_equals_the_loop_of_diffusers_with_guidance_for_a_part_of_the_way(base_models):
    asked = RenderOptions(
        inference_steps=6, shift=1.0, guidance_scale=4.0, cfg_interval_start=0.3, cfg_interval_end=0.7
    )
    found = Renderer(base_models).render(request(base_models), asked, silent).latents
    assert torch.allclose(found, in_diffusers(base_models, asked), atol=1e-4)
    throughout = replace(asked, cfg_interval_start=0.0, cfg_interval_end=1.0)
    assert not torch.allclose(found, in_diffusers(base_models, throughout), atol=1e-2)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("turbo", RenderOptions(inference_steps=3, guidance_scale=7)),
        ("turbo", RenderOptions(inference_steps=3, sampler="heun")),
        ("turbo", RenderOptions(inference_steps=8, infer_method="sde", cover_noise_strength=0.5)),
        ("turbo", RenderOptions(timesteps=(0.9, 0.5))),
        ("base", RenderOptions(inference_steps=4, sampler="heun", cfg_interval_start=0.4)),
        ("base", RenderOptions(inference_steps=4, sampler="heun", guidance_scale=1)),
        ("base", RenderOptions(inference_steps=5, infer_method="sde", cfg_interval_end=0.7)),
    ],
)
def test_the_network_is_asked_as_often_as_is_told(tiny_models, base_models, source, kind, asked):
    models = tiny_models if kind == "turbo" else base_models
    given = request(models, task="cover", source=source[1])
    latents = torch.from_numpy(source[1]).expand(len(SEEDS), -1, -1)
    rows = []
    hook = models.transformer.register_forward_pre_hook(
        lambda module, args, given: rows.append(len(given["hidden_states"])), with_kwargs=True
    )
    try:
        Renderer(models).render(replace(given, source=latents), asked, silent)
    finally:
        hook.remove()
    assert sum(rows) == len(SEEDS) * evaluations(asked, KINDS[kind])


def test_the_strength_is_a_switch_between_two_conditions(tiny_models):
    """Half of the steps under each: the same as stopping there and going on under the other."""
    conditioner = Conditioner(tiny_models)
    asks = [Ask(BALLAD, codes=tuple(range(50)))]
    first, second = conditioner.primary(asks), conditioner.secondary(asks)
    seen = []
    hook = tiny_models.transformer.register_forward_pre_hook(
        lambda module, args, given: seen.append(given["context_latents"]), with_kwargs=True
    )
    try:
        renderer, asked = Renderer(tiny_models), RenderOptions(audio_cover_strength=0.6)
        renderer.render(Request(first, SEEDS[:1], second), asked, silent)
    finally:
        hook.remove()
    assert [torch.equal(context, first.context) for context in seen] == [True] * 4 + [False] * 4
    assert all(torch.equal(context, second.context) for context in seen[4:])

    def latents(strength, secondary):
        asked = RenderOptions(audio_cover_strength=strength)
        return renderer.render(Request(first, SEEDS[:1], secondary), asked, silent).latents

    none_of_it = renderer.render(Request(second, SEEDS[:1]), RenderOptions(), silent).latents
    assert torch.equal(latents(0.0, second), none_of_it)
    assert torch.equal(latents(1.0, second), latents(0.5, None))
    assert not torch.allclose(latents(0.5, second), none_of_it, atol=1e-2)


def test_what_is_kept_stays(tiny_models, source):
    latents = torch.from_numpy(source[1])[None]
    mask = torch.ones(1, 250, dtype=torch.bool)
    mask[:, 100:150] = False
    asked = request(
        tiny_models, seeds=SEEDS[:1], songs=[BALLAD], task="repaint", source=source[1], region=(100, 150)
    )
    renderer = Renderer(tiny_models)
    found = renderer.render(
        replace(asked, kept=Kept(latents, mask, 0.5, 10)), RenderOptions(), silent
    ).latents
    assert torch.equal(found[:, :90], latents[:, :90]) and torch.equal(found[:, 160:], latents[:, 160:])
    assert (found[:, 90:160] != latents[:, 90:160]).any(-1).all()
    untouched = replace(asked, kept=Kept(latents, mask, 0.0, 0))
    assert torch.equal(
        renderer.render(untouched, RenderOptions(), silent).latents,
        renderer.render(asked, RenderOptions(), silent).latents,
    )


def test_starting_from_a_source_stays_near_it(tiny_models, source):
    asked = replace(
        request(tiny_models, seeds=SEEDS[:1], songs=[BALLAD], task="cover", source=source[1]),
        source=torch.from_numpy(source[1])[None],
    )
    far = [
        (
            Renderer(tiny_models).render(asked, RenderOptions(cover_noise_strength=c), silent).latents
            - asked.source
        ).norm()
        for c in (0.0, 0.4, 0.9)
    ]
    assert far[0] > far[1] > far[2]
    with pytest.raises(InputError, match="there is none") as caught:
        Renderer(tiny_models).render(request(tiny_models), RenderOptions(cover_noise_strength=0.5), silent)
    assert caught.value.field == "cover_noise_strength" and caught.value.remedy


def test_each_seed_does_its_own_work(tiny_models):
    renderer, asked = Renderer(tiny_models), request(tiny_models, seeds=SEEDS[:1], songs=[BALLAD])

    def latents(options, **seeds):
        own = replace(asked, seeds=(replace(SEEDS[0], **seeds),))
        return renderer.render(own, options, silent).latents

    plain, retake = QUICK, replace(QUICK, retake_variance=0.3)
    sde = replace(QUICK, infer_method="sde")
    assert torch.equal(latents(plain, retake=1, sde=1), latents(plain, retake=2, sde=2))
    assert torch.equal(latents(retake, retake=1), latents(retake, retake=1, sde=2))
    assert not torch.allclose(latents(retake, retake=1), latents(retake, retake=2), atol=1e-2)
    assert torch.equal(latents(sde, sde=1), latents(sde, sde=1, retake=2))
    assert not torch.allclose(latents(sde, sde=1), latents(sde, sde=2), atol=1e-2)
    whole = replace(QUICK, retake_variance=1.0)
    assert torch.allclose(latents(whole, retake=9), latents(plain, noise=9), atol=1e-4)


def test_noise_of_a_seed_ignores_its_neighbours():
    assert torch.equal(noise_of((8,), 250)[0], noise_of((7, 8, 9), 250)[1])
    assert not torch.equal(noise_of((8,), 250), noise_of((9,), 250))


@pytest.mark.parametrize("method", ["ode", "sde"])
def test_another_batch_size_is_near(tiny_models, method):
    renderer, asked = Renderer(tiny_models), RenderOptions(infer_method=method, retake_variance=0.2)
    both = renderer.render(request(tiny_models, songs=[BALLAD] * 2), asked, silent).latents
    alone = request(tiny_models, songs=[BALLAD], seeds=SEEDS[1:])
    assert torch.allclose(both[1:], renderer.render(alone, asked, silent).latents, atol=1e-4)


@pytest.mark.parametrize("frames", [128, 129, 131, 251])
def test_odd_and_short_frame_counts(tiny_models, frames):
    source = np.zeros((frames, 64), np.float32)
    asked = request(tiny_models, seeds=SEEDS[:1], songs=[BALLAD], task="extract", source=source)
    assert Renderer(tiny_models).render(asked, QUICK, silent).latents.shape == (1, frames, 64)


def overflowing(models):
    """The networks in half precision with an input so loud that float16 has no number for it."""
    network = copy.deepcopy(models.transformer)
    with torch.no_grad():
        network.proj_in_conv.weight.mul_(1e6)
    half = network.half()
    return tuple(replace(models, transformer=own) for own in (half, copy.deepcopy(half).float()))


def test_half_precision_that_overflows_is_rendered_again_in_float32(tiny_models):
    half, whole = overflowing(tiny_models)
    told, asked = [], request(tiny_models)
    weights = {name: weight.clone() for name, weight in half.transformer.state_dict().items()}
    found = Renderer(half).render(asked, QUICK, told.append)
    assert found.notes == (done_again("rendered", torch.float16),) and told == [0, 1, 2, 0, 1, 2]
    assert torch.allclose(found.latents, Renderer(whole).render(asked, QUICK, silent).latents, atol=1e-4)
    assert half.transformer.dtype == torch.float16
    assert all(torch.equal(weight, weights[name]) for name, weight in half.transformer.state_dict().items())


def test_notes_of_both_conditions_are_told_once(tiny_models):
    asked = request(tiny_models)
    first, second = (
        replace(asked.primary, notes=notes) for notes in (("read again", "cut"), ("read again", "new"))
    )
    found = Renderer(tiny_models).render(replace(asked, primary=first, secondary=second), QUICK, silent)
    assert found.notes == ("read again", "cut", "new")


def test_what_is_not_finite_in_float32_is_an_error(tiny_models):
    network = copy.deepcopy(tiny_models.transformer)
    with torch.no_grad():
        network.proj_out_conv.bias.fill_(float("nan"))
    told = []
    with pytest.raises(RenderError, match="not finite"):
        Renderer(replace(tiny_models, transformer=network)).render(request(tiny_models), QUICK, told.append)
    assert told == [0, 1, 2]


@settings(max_examples=30)
@given(options, st.sampled_from(["turbo", "turbo-continuous", "base"]), st.integers(0, 128), st.booleans())
def test_any_options_give_latents_or_an_error_in_words(
    tiny_models, base_models, options, kind, first, reworks
):
    models = replace(base_models if kind == "base" else tiny_models, kind=KINDS[kind])
    asked = replace(options, inference_steps=min(options.inference_steps or 3, 3))
    asks = [Ask(replace(BALLAD, duration=None), codes=tuple(range(20)))]
    conditioner = Conditioner(models)
    given = Request(conditioner.primary(asks), SEEDS[:1], conditioner.secondary(asks))
    if reworks:
        clean = sources(models, asks)
        mask = torch.arange(128)[None] < first
        given = replace(given, source=clean, kept=Kept(clean, mask, options.audio_cover_strength, first // 8))
    try:
        found = Renderer(models).render(given, asked, silent)
    except AceStepError as error:
        assert str(error)
    else:
        assert torch.isfinite(found.latents).all() and found.latents.shape == (1, 128, 64)
