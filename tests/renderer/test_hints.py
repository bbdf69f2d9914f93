from dataclasses import replace
from types import SimpleNamespace

import golden
import pytest
import torch

from acestep_nb.errors import CheckpointError, InputError
from acestep_nb.renderer import hints
from acestep_nb.renderer.conditions import _filled_up

RECORDED = "functions/conditioning_masks.safetensors"


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def latents(frames, seed=0):
    return torch.randn(frames, 64, generator=torch.Generator().manual_seed(seed))


def test_one_code_for_five_frames_and_back(tiny_models):
    codes = hints.codes_of(tiny_models, latents(23))
    assert len(codes) == 5 and len(set(codes)) > 1 and all(0 <= code < 64_000 for code in codes)
    told = hints.hints_of(tiny_models, codes)
    assert told.shape == (25, 64)
    again = hints.through_codes(tiny_models, latents(23)[None])
    assert torch.allclose(told[:23], again[0], atol=1e-5)


def test_codes_are_of_their_own_five_frames(tiny_models):
    """A longer source, or another one beside it, changes no code: sources may be told one by one."""
    long = hints.codes_of(tiny_models, latents(40))
    assert hints.codes_of(tiny_models, latents(40)[:20]) == long[:4]
    both = hints.through_codes(tiny_models, torch.stack([latents(20, 1), latents(20, 2)]))
    assert torch.allclose(both[:1], hints.through_codes(tiny_models, latents(20, 1)[None]), atol=1e-5)


def test_a_last_part_is_filled_up_with_silence(tiny_models):
    silence = tiny_models.condition_encoder.silence_latent[0]
    filled = torch.cat([latents(22), silence[:3]])
    assert hints.codes_of(tiny_models, latents(22)) == hints.codes_of(tiny_models, filled)


@pytest.mark.parametrize("code", [-1, 64_000, 1.5, "7"])
def test_codes_outside_the_codebook(tiny_models, code):
    with pytest.raises(InputError) as caught:
        hints.hints_of(tiny_models, [1, code])
    assert caught.value.field == "codes" and "63999" in caught.value.allowed


def test_the_codebook_is_the_checkpoints_own():
    from acestep_nb.checkpoints import find
    from acestep_nb.checkpoints.loading import load

    nano = load(find("nano"), torch.device("cpu"), torch.float32)
    size = nano.audio_tokenizer.quantizer.codebook_size
    assert hints.hints_of(nano, [size - 1]).shape == (5, 64)
    with pytest.raises(InputError, match=str(size - 1)):
        hints.hints_of(nano, [size])


@pytest.mark.parametrize("missing", ["audio_tokenizer", "audio_token_detokenizer"])
def test_without_the_pair_of_tokenizers(tiny_models, missing):
    models = replace(tiny_models, **{missing: None})
    for call in (
        lambda: hints.codes_of(models, latents(10)),
        lambda: hints.hints_of(models, [1]),
        lambda: hints.through_codes(models, latents(10)[None]),
    ):
        with pytest.raises(CheckpointError, match=f"no {missing}") as caught:
            call()
        assert caught.value.remedy


def recorded_hints():
    return sorted({name.split(".")[0] for name in golden.tensors(RECORDED) if name.startswith("hints")})


@pytest.mark.parametrize("name", recorded_hints())
def test_recorded_filling(name):
    """The first take has codes, the second none."""
    recorded = golden.tensors(RECORDED)
    encoder = SimpleNamespace(silence_latent=recorded["silence_latent"])
    models, out = SimpleNamespace(condition_encoder=encoder), recorded[f"{name}.out"]
    frames = out.shape[1]
    assert torch.equal(_filled_up(models, recorded[f"{name}.decoded"][0], frames), out[0])
    assert torch.equal(_filled_up(models, out[1, :0], frames), out[1])
