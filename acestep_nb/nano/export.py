"""Writes trained networks as a checkpoint folder in the layout that the engine loads."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from acestep_nb.checkpoints import write_manifest
from acestep_nb.checkpoints.index import ALIGNMENT_HEADS
from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.networks import ALIGNMENT_HEADS as HEADS
from acestep_nb.nano.networks import ALIGNMENT_LAYER, Networks
from acestep_nb.nano.tokenizer import build, classes

COMPONENTS = {
    "text_encoder": ("transformers", "Qwen3Model"),
    "condition_encoder": ("diffusers", "AceStepConditionEncoder"),
    "transformer": ("diffusers", "AceStepTransformer1DModel"),
    "audio_tokenizer": ("diffusers", "AceStepAudioTokenizer"),
    "audio_token_detokenizer": ("diffusers", "AceStepAudioTokenDetokenizer"),
}


@torch.no_grad()
def export(networks: Networks, codec: SpectralCodec, folder: Path, version: str) -> None:
    """Writes every component of nano into `folder`: weights in float16, one embedding row for each token."""
    tokenizer, networks = build(), deepcopy(networks)
    table = networks.text_encoder.embed_tokens.weight[torch.from_numpy(classes(tokenizer))]
    networks.text_encoder.embed_tokens = nn.Embedding.from_pretrained(table)
    networks.text_encoder.config.vocab_size = len(tokenizer)
    networks.transformer.register_to_config(**{ALIGNMENT_HEADS: {str(ALIGNMENT_LAYER): list(HEADS)}})
    for name in COMPONENTS:
        getattr(networks, name).half().save_pretrained(folder / name, safe_serialization=True)
    fresh = SpectralCodec()
    fresh.load_state_dict(codec.state_dict())
    fresh.save_pretrained(folder / "vae", safe_serialization=True)
    tokenizer.save_pretrained(folder / "tokenizer")
    index = {
        "tokenizer": ("transformers", "PreTrainedTokenizerFast"),
        **COMPONENTS,
        "vae": ("acestep_nb.nano.codec", "SpectralCodec"),
    }
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "AceStepPipeline", **index}, indent=1) + "\n"
    )
    write_manifest(folder, "nano", version)
