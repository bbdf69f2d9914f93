"""The tiny checkpoint's weights as ACE-Step 1.5 was first published: one renderer, codec and text encoder beside it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from helpers import build_oobleck
from safetensors.torch import save_file

from acestep_nb.checkpoints import original
from acestep_nb.checkpoints.index import TEXT_ENCODER

WEIGHTS = "model.safetensors"


def old_name(component, key):
    """The name that a tensor of diffusers' modules had when it was published."""
    for old, new in original._RENAMED.items():
        key = key.replace(new, old)
    key = re.sub(r"^proj_(in|out)_conv\.", r"proj_\1.1.", key)
    if key == "null_condition_emb":
        return key
    prefix = next(prefix for prefix, name in original._PREFIXES.items() if name == component)
    return prefix + key


def config_of(models, **changes):
    encoder, tokenizer = dict(models.condition_encoder.config), dict(models.audio_tokenizer.config)
    merged = tokenizer | encoder | dict(models.transformer.config) | {"hidden_size": 32, "layer_types": None}
    merged = {name: value for name, value in merged.items() if not name.startswith("_") and value is not None}
    return merged | {"model_type": "acestep", "model_version": "turbo", "is_turbo": True} | changes


def build_family(place: Path, models: Any, checkpoint: Path) -> Path:
    """The folder with all of them; `models` are those of `checkpoint`."""
    folder = place / "acestep-v15-turbo"
    folder.mkdir()
    weights = {}
    for component in original.CLASSES:
        for key, tensor in getattr(models, component).state_dict().items():
            if key != "silence_latent":
                weights[old_name(component, key)] = tensor.clone()
    save_file(weights, folder / WEIGHTS)
    silence = models.condition_encoder.silence_latent[:, :500].transpose(1, 2).contiguous()
    torch.save(silence, folder / "silence_latent.pt")
    (folder / "config.json").write_text(json.dumps(config_of(models)))
    build_oobleck().save_pretrained(place / "vae")
    shutil.copytree(checkpoint / "text_encoder", place / TEXT_ENCODER)
    shutil.copytree(checkpoint / "tokenizer", place / TEXT_ENCODER, dirs_exist_ok=True)
    return place
