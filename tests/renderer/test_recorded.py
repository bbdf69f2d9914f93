"""The loop against the original's own weights, inputs and outputs: every recorded sampler case."""

from __future__ import annotations

import functools
import json

import golden
import pytest
import torch

from acestep_nb.checkpoints import original, timbre
from acestep_nb.kinds import kind_of
from acestep_nb.options import RenderOptions, resolved
from acestep_nb.renderer.conditions import Condition
from acestep_nb.renderer.renderer import denoised
from acestep_nb.renderer.request import Kept, Request
from acestep_nb.renderer.schedules import schedule
from acestep_nb.seeds import Seeds

NAMES = {"infer_steps": "inference_steps", "diffusion_guidance_scale": "guidance_scale"}
NAMES |= {"sampler_mode": "sampler", "use_adg": "guidance"}
ELSEWHERE = ("is_covers", "repaint_injection_ratio", "repaint_crossfade_frames")
CASES = [
    pytest.param(folder.name, *param.values, id=f"{folder.name}-{param.id}")
    for folder in golden.checkpoints()
    for param in golden.cases(f"{folder.name}/sampler_cases.json")
]


@functools.cache
def networks(name):
    folder = golden.ROOT / name
    loaded = original.load_original(folder, torch.device("cpu"), torch.float32)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    timbre.correct(loaded["condition_encoder"], original.is_xl(config))
    return loaded, kind_of(name, config["model_version"], config["is_turbo"])


def options_of(case):
    asked = {name: value for name, value in case["generate_audio_args"].items() if name not in ELSEWHERE}
    asked = {NAMES.get(name, name): value for name, value in asked.items()}
    if "guidance" in asked:
        asked["guidance"] = "adg" if asked["guidance"] else "apg"
    return RenderOptions(**asked)


def hidden_of(loaded, inputs, text):
    words = ("lyric_hidden_states", "lyric_attention_mask")
    timbre_of = ("refer_audio_acoustic_hidden_states_packed", "refer_audio_order_mask")
    packed, _ = loaded["condition_encoder"](
        text_hidden_states=inputs[f"{text}_hidden_states"],
        text_attention_mask=inputs[f"{text}_attention_mask"],
        **{name: inputs[name] for name in (*words, *timbre_of)},
    )
    return packed


def context_of(loaded, inputs, case):
    """Source latents, through codes or from hints where a take is a cover, and the mask."""
    source, hints = inputs[case["src_latents"]], case["precomputed_lm_hints_25Hz"]
    covers = torch.tensor(case["generate_audio_args"]["is_covers"]).bool()[:, None, None]
    if hints is None:
        silence = loaded["condition_encoder"].silence_latent
        quantized, _ = loaded["audio_tokenizer"].tokenize(source, silence)
        outline = loaded["audio_token_detokenizer"](quantized)
    else:
        outline = inputs[hints]
    source = torch.where(covers, outline[:, : source.shape[1]], source)
    return torch.cat([source, inputs[case["chunk_masks"]]], dim=-1)


def request_of(loaded, inputs, case):
    mask, kept = inputs[case["chunk_masks"]], None
    silent = loaded["condition_encoder"].silence_latent[:, : mask.shape[1]].expand_as(mask)
    if case["repaint_mask"] is not None:
        args = case["generate_audio_args"]
        kept = Kept(
            inputs[case["clean_src_latents"]],
            inputs[case["repaint_mask"]] == 0,
            args["repaint_injection_ratio"],
            args["repaint_crossfade_frames"],
        )
    return Request(
        Condition(hidden_of(loaded, inputs, "text"), context_of(loaded, inputs, case)),
        tuple(Seeds.of(seed) for seed in range(len(mask))),
        Condition(hidden_of(loaded, inputs, "non_cover_text"), torch.cat([silent, mask], dim=-1)),
        inputs[case["src_latents"]],
        kept,
    )


@pytest.mark.parametrize(("name", "case"), CASES)
@torch.inference_mode()
def test_recorded_renders(name, case):
    loaded, kind = networks(name)
    inputs = golden.tensors(f"{name}/sampler_inputs.safetensors")
    outputs = golden.tensors(f"{name}/sampler_outputs.safetensors")
    network, asked = loaded["transformer"], resolved(options_of(case), kind)
    fresh = None
    if asked.infer_method == "sde":
        fresh = iter(outputs[f"{case['name']}.sde_noise"])
    seen = []
    hook = network.register_forward_hook(lambda module, args, out: seen.append(out[0]))
    try:
        found = denoised(
            network,
            loaded["condition_encoder"].null_condition_emb,
            request_of(loaded, inputs, case),
            asked,
            schedule(asked, kind),
            inputs["noise"],
            fresh,
            lambda step: None,
        )
    finally:
        hook.remove()
    assert len(seen) == case["model_calls"]
    for which, velocity in (("first", seen[0]), ("last", seen[-1])):
        recorded = outputs[f"{case['name']}.v_{which}"]
        # outside the interval the original asks for the guided pair and uses only the part with the words
        assert len(velocity) == len(recorded) or asked.cfg_interval_end - asked.cfg_interval_start < 1
        assert torch.allclose(velocity, recorded[: len(velocity)], atol=1e-4 if which == "first" else 1e-3)
    assert torch.allclose(found, outputs[f"{case['name']}.target_latents"], atol=1e-3)


@pytest.mark.parametrize("name", [folder.name for folder in golden.checkpoints()])
@torch.inference_mode()
def test_recorded_sources_are_repainted_on_every_checkpoint(name):
    """Also on one for which no repaint was recorded: outside the region its source stays, from source or hints."""
    loaded, kind = networks(name)
    inputs = golden.tensors(f"{name}/sampler_inputs.safetensors")
    clean, inside = inputs["clean_src_latents"], inputs["repaint_mask"].bool()
    silent = loaded["condition_encoder"].silence_latent[:, : inside.shape[1]].expand_as(clean)
    anew = inside[..., None].expand_as(clean)
    assert torch.equal(inputs["repaint_chunk_masks"], anew.float())
    shown = torch.where(anew, silent, clean)
    assert torch.equal(inputs["repaint_src_latents"], shown)
    hints = inputs["precomputed_lm_hints_25Hz"][:, : inside.shape[1]]
    hidden, crossfade = hidden_of(loaded, inputs, "text"), 1
    found = []
    for source in (shown, hints):
        condition = Condition(hidden, torch.cat([source, inputs["repaint_chunk_masks"]], dim=-1))
        kept = Kept(clean, ~inside, 1.0, crossfade)
        asked = resolved(RenderOptions(inference_steps=3, shift=1.0), kind)
        request = Request(condition, tuple(Seeds.of(seed) for seed in range(len(clean))), kept=kept)
        null = loaded["condition_encoder"].null_condition_emb
        plan = schedule(asked, kind)
        found.append(
            denoised(
                loaded["transformer"], null, request, asked, plan, inputs["noise"], None, lambda step: None
            )
        )
    far = ~inside & ~inside.roll(crossfade, 1) & ~inside.roll(-crossfade, 1)
    assert far.any() and all(torch.equal(latents[far], clean[far]) for latents in found)
    assert not torch.allclose(found[0][inside], found[1][inside], atol=1e-2)
