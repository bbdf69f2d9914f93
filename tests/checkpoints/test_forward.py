"""The networks of every recorded checkpoint, loaded as published, against what the original code computed."""

import golden
import pytest
import torch

from acestep_nb.checkpoints import timbre
from acestep_nb.checkpoints.loading import Models
from acestep_nb.checkpoints.original import is_xl, load_original, read_config
from acestep_nb.kinds import kind_of
from acestep_nb.renderer import conditions, hints

CLOSE = {"rtol": 0, "atol": 1e-4}


def close(found, expected):
    torch.testing.assert_close(found, expected.to(found.dtype), **CLOSE)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module", params=golden.checkpoints(), ids=lambda folder: folder.name)
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def models(folder):
    networks = load_original(folder, torch.device("cpu"), torch.float32)
    config = read_config(folder)
    timbre.correct(networks["condition_encoder"], is_xl(config))
    kind = kind_of(folder.name, config["model_version"], config["is_turbo"])
    return Models(
        **networks, tokenizer=None, text_encoder=None, vae=None, name=folder.name, hash="", kind=kind
    )


@pytest.fixture
def recorded(folder):
    return golden.tensors(f"{folder.name}/forward.safetensors")


def test_lyric_encoder(models, recorded):
    out = models.condition_encoder.lyric_encoder(
        inputs_embeds=recorded["in.lyric_hidden_states"], attention_mask=recorded["in.lyric_attention_mask"]
    )
    close(out, recorded["lyric_encoder.out"])


def test_timbre_encoder(models, recorded):
    out, mask = models.condition_encoder.timbre_encoder(
        recorded["in.refer_audio_acoustic_hidden_states_packed"], recorded["in.refer_audio_order_mask"]
    )
    close(out, recorded["timbre_encoder.out"])
    assert torch.equal(mask.long(), recorded["timbre_encoder.mask"])


def test_condition_encoder(models, recorded):
    inputs = ("text_hidden_states", "text_attention_mask", "lyric_hidden_states", "lyric_attention_mask")
    references = ("refer_audio_acoustic_hidden_states_packed", "refer_audio_order_mask")
    out, mask = models.condition_encoder(**{name: recorded[f"in.{name}"] for name in inputs + references})
    close(out, recorded["condition_encoder.out"])
    assert torch.equal(mask.long(), recorded["condition_encoder.mask"])


class Seen:
    """A processor of cross attention that computes the softmax itself and keeps it."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        def heads(projected, count):
            return projected.unflatten(-1, (count, attn.head_dim)).transpose(1, 2)

        repeats = attn.heads // attn.kv_heads
        query = attn.norm_q(heads(attn.to_q(hidden_states), attn.heads))
        key = attn.norm_k(heads(attn.to_k(encoder_hidden_states), attn.kv_heads)).repeat_interleave(
            repeats, 1
        )
        value = heads(attn.to_v(encoder_hidden_states), attn.kv_heads).repeat_interleave(repeats, 1)
        self.probabilities = (query @ key.transpose(2, 3) * attn.scaling).softmax(-1)
        return attn.to_out[0]((self.probabilities @ value).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("length", ["even", "odd"])
def test_transformer(models, recorded, length):
    names = ("hidden_states", "timestep", "timestep_r", "context_latents")
    inputs = {name: recorded[f"dit_{length}.in.{name}"] for name in names}
    words = recorded["condition_encoder.out"]
    out = models.transformer(**inputs, encoder_hidden_states=words, return_dict=False)[0]
    close(out, recorded[f"dit_{length}.out"])


def test_cross_attention(models, recorded):
    names = ("hidden_states", "timestep", "timestep_r", "context_latents")
    inputs = {name: recorded[f"dit_even.in.{name}"] for name in names}
    attentions = [layer.cross_attn for layer in models.transformer.layers]
    before, seen = [attention.processor for attention in attentions], [Seen() for _ in attentions]
    try:
        for attention, processor in zip(attentions, seen):
            attention.set_processor(processor)
        models.transformer(**inputs, encoder_hidden_states=recorded["condition_encoder.out"])
    finally:
        for attention, processor in zip(attentions, before):
            attention.set_processor(processor)
    maps = sorted(name for name in recorded if name.startswith("dit_even.cross_attn."))
    assert len(maps) == len(attentions)
    for i, processor in enumerate(seen):
        close(processor.probabilities, recorded[f"dit_even.cross_attn.{i}"])


def test_time_embedding(models, recorded):
    temb, proj = models.transformer.time_embed(recorded["time_embed.in"])
    close(temb, recorded["time_embed.temb"])
    close(proj, recorded["time_embed.proj"])


def test_sound_to_codes_and_back(models, recorded):
    latents, indices = recorded["tokenizer.in.latents"], recorded["tokenizer.indices"]
    quantized, found = hints._tokenized(models, latents)
    assert torch.equal(found, indices)
    close(quantized, recorded["tokenizer.quantized"])
    for one, expected in zip(latents, indices[..., 0]):
        assert hints.codes_of(models, one) == tuple(expected.tolist())
    close(models.audio_token_detokenizer(recorded["tokenizer.quantized"]), recorded["detokenizer.out"])
    close(hints.through_codes(models, latents), recorded["detokenizer.out"][:, : latents.shape[1]])


def test_a_code_is_valid_where_any_of_its_frames_is(recorded):
    """Ours tokenizes each source alone, at its own length: as many codes as the original marks as valid."""
    frames = recorded["tokenizer.in.attention_mask"].sum(1)
    assert torch.equal(-(-frames // 5), recorded["tokenizer.llm_mask"].sum(1))


def test_codes_to_hints(models, recorded):
    codes = recorded["codes.in"]
    close(
        models.audio_tokenizer.quantizer.get_output_from_indices(codes[..., None]),
        recorded["codes.quantized"],
    )
    for own, expected in zip(codes, recorded["codes.hints_25Hz"]):
        close(hints.hints_of(models, own.tolist()), expected)


def test_context(models, recorded):
    source, mask = recorded["in.src_latents"], recorded["in.chunk_masks"]
    covers = recorded["prepare_condition.in.is_covers"].bool()
    assert torch.equal(mask, torch.ones_like(mask))
    shown = torch.where(covers[:, None, None], hints.through_codes(models, source), source)
    close(conditions.context(shown, mask[..., 0]), recorded["prepare_condition.context_latents"])


def test_silence_is_read_from_either_file(models, folder):
    recorded = golden.tensors(f"{folder.name}/silence_latent.safetensors")["silence_latent"]
    pickled = torch.load(folder / "silence_latent.pt", weights_only=True)
    assert torch.equal(pickled, recorded)
    assert torch.equal(models.condition_encoder.silence_latent, recorded.transpose(1, 2))
    longer = conditions.silence(models, recorded.shape[2] + 3)
    assert torch.equal(longer[0, -3:], recorded[0, :, :3].T)


def test_quantizer():
    from diffusers.pipelines.ace_step.modeling_ace_step import _AceStepResidualFSQ

    recorded = golden.tensors("functions/fsq.safetensors")
    quantizer = _AceStepResidualFSQ(recorded["x"].shape[-1], [8, 8, 8, 5, 5, 5], 1)
    names = [f"{part}.{kind}" for part in ("project_in", "project_out") for kind in ("weight", "bias")]
    quantizer.load_state_dict({name: recorded[name] for name in names})
    codes = quantizer.get_codes_from_indices(recorded["indices"])[0]
    torch.testing.assert_close(codes, recorded["codes"], rtol=0, atol=1e-5)
    quantized, indices = quantizer(recorded["x"])
    assert torch.equal(indices, recorded["x.indices"])
    torch.testing.assert_close(quantized, recorded["x.quantized"], rtol=0, atol=1e-5)
