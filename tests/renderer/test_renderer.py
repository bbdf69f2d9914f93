import json

import pytest
import torch
from diffusers import AceStepPipeline, AceStepTransformer1DModel, FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from safetensors.torch import load_file

from acestep_nb.errors import RenderError
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.conditions import Condition
from acestep_nb.renderer.guard import check_latents, render_errors
from acestep_nb.renderer.renderer import Renderer, noise_of, velocity_field
from acestep_nb.renderer.samplers import euler
from acestep_nb.renderer.schedules import timesteps
from acestep_nb.song import Song

BALLAD = Song(
    caption="piano ballad",
    lyrics="[Verse]\nmoonlight",
    vocal_language="en",
    bpm=80,
    keyscale="Am",
    duration=10,
)
SAMBA = Song(
    caption="fast samba with brass", lyrics="", vocal_language="pt", bpm=80, keyscale="Am", duration=10
)


def silent(step):
    pass


@pytest.fixture
def pipeline(tiny_models):
    """The loop of diffusers over the same networks: an oracle, never the engine."""
    names = ("vae", "text_encoder", "tokenizer", "transformer", "condition_encoder")
    parts = {name: getattr(tiny_models, name) for name in names}
    built = AceStepPipeline(
        **parts, scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0)
    )
    built.set_progress_bar_config(disable=True)
    return built


@pytest.mark.parametrize(("steps", "shift"), [(8, 3.0), (8, 1.0), (5, 2.2)])
def test_equals_the_loop_of_diffusers(tiny_models, pipeline, steps, shift):
    renderer, seeds, songs = Renderer(tiny_models), (7, 8), [BALLAD, SAMBA]
    own = renderer.render(
        renderer.condition(songs), seeds, RenderOptions(inference_steps=steps, shift=shift), silent
    )
    other = pipeline(
        prompt=[song.caption for song in songs],
        lyrics=[song.lyrics for song in songs],
        vocal_language=[song.vocal_language for song in songs],
        bpm=80,
        keyscale="A minor",
        audio_duration=10.0,
        num_inference_steps=steps,
        shift=shift,
        guidance_scale=1.0,
        latents=noise_of(seeds, 250),
        output_type="latent",
    ).audios
    assert other.std() > 0.5
    assert torch.allclose(own, other, atol=1e-5)


def test_equals_the_recorded_original(goldens):
    """The original's own weights, inputs and outputs: condition encoder, network and loop together."""
    folder = goldens / "base_tiny"
    config, run = json.loads((folder / "config.json").read_text()), load_file(folder / "no_cfg.safetensors")
    network, encoder = _original(folder, config)
    with torch.inference_mode():
        words = {name: run[name] for name in run if name.startswith(("text_", "lyric_", "refer_"))}
        hidden, _ = encoder(**words)
        condition = Condition(hidden, torch.cat([run["src_latents"], run["chunk_masks"]], dim=-1))
        velocities = []
        velocity = velocity_field(network, condition)

        def kept(x, t):
            velocities.append(velocity(x, t))
            return velocities[-1]

        latents = euler(kept, run["noise"], timesteps(6, 1.0), silent)
    assert torch.allclose(velocities[0], run["v_first"], atol=1e-4)
    assert torch.allclose(velocities[-1], run["v_last"], atol=1e-4)
    assert torch.allclose(latents, run["target_latents"], atol=1e-3)


def _original(folder, config):
    """The two networks with the original's weights under diffusers' names."""
    renames = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "o_proj": "to_out.0", "q_norm": "norm_q"}
    renames |= {"k_norm": "norm_k", "proj_in.1": "proj_in_conv", "proj_out.1": "proj_out_conv"}
    weights = {}
    for key, tensor in load_file(folder / "weights.safetensors").items():
        for old, new in renames.items():
            key = key.replace(f".{old}.", f".{new}.")
        weights[key] = tensor
    widths = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    common = {name: config[name] for name in (*widths, "sliding_window", "rope_theta", "layer_types")}
    own = ("num_hidden_layers", "in_channels", "audio_acoustic_hidden_dim")
    network = AceStepTransformer1DModel(**common, **{name: config[name] for name in own})
    words = (
        "text_hidden_dim",
        "timbre_hidden_dim",
        "num_lyric_encoder_hidden_layers",
        "num_timbre_encoder_hidden_layers",
    )
    encoder = AceStepConditionEncoder(**common, **{name: config[name] for name in words})
    network.load_state_dict(
        {k.removeprefix("decoder."): v for k, v in weights.items() if k.startswith("decoder.")}
    )
    encoder.load_state_dict(
        {k.removeprefix("encoder."): v for k, v in weights.items() if not k.startswith("decoder.")}
        | {"silence_latent": encoder.silence_latent}
    )
    return network.eval(), encoder.eval()


def test_noise_of_a_seed_ignores_its_neighbours():
    assert torch.equal(noise_of((8,), 250)[0], noise_of((7, 8, 9), 250)[1])
    assert not torch.equal(noise_of((8,), 250), noise_of((9,), 250))


def test_another_batch_size_is_near(tiny_models):
    renderer = Renderer(tiny_models)
    both = renderer.render(renderer.condition([BALLAD, BALLAD]), (7, 8), RenderOptions(), silent)
    one = renderer.render(renderer.condition([BALLAD]), (8,), RenderOptions(), silent)
    assert torch.allclose(both[1:], one, atol=1e-4)


@pytest.mark.parametrize("frames", [128, 129, 131, 251])
def test_odd_and_short_frame_counts(tiny_models, monkeypatch, frames):
    from acestep_nb.renderer import conditions

    monkeypatch.setattr(conditions, "latent_frames", lambda seconds: frames)
    renderer = Renderer(tiny_models)
    latents = renderer.render(renderer.condition([BALLAD]), (1,), RenderOptions(inference_steps=2), silent)
    assert latents.shape == (1, frames, 64)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0])
def test_latents_that_are_not_music(bad):
    latents = (
        torch.full((1, 3, 4), bad) if bad == 0 else torch.zeros(1, 3, 4).index_fill(1, torch.tensor([1]), bad)
    )
    with pytest.raises(RenderError) as caught:
        check_latents(latents)
    assert caught.value.remedy


def test_memory_errors_say_what_to_do():
    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        torch.OutOfMemoryError("CUDA"),
    ):
        with pytest.raises(RenderError, match=r"memory.*shorter duration"), render_errors("rendering"):
            raise error


def test_torch_errors_keep_their_cause():
    with (
        pytest.raises(RenderError, match="rendering failed: mat1 and mat2") as caught,
        render_errors("rendering"),
    ):
        torch.zeros(2, 3) @ torch.zeros(4, 5)
    assert isinstance(caught.value.__cause__, RuntimeError)
