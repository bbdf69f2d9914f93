"""Reads a checkpoint as ACE-Step 1.5 was first published into the modules of diffusers, in memory.

One `config.json` and one set of weights hold four networks; their tensors differ from diffusers' modules by
the prefix of each network and by the names of the attention's projections.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.pipelines.ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
)
from torch import Tensor

from acestep_nb.checkpoints.index import ALIGNMENT_HEADS, CONFIG
from acestep_nb.checkpoints.reading import damage, open_weights, unfit
from acestep_nb.errors import CheckpointError

WEIGHTS = "model.safetensors"
SILENCE = "silence_latent"
CLASSES: dict[str, type[Any]] = {
    "transformer": AceStepTransformer1DModel,
    "condition_encoder": AceStepConditionEncoder,
    "audio_tokenizer": AceStepAudioTokenizer,
    "audio_token_detokenizer": AceStepAudioTokenDetokenizer,
}
_PREFIXES = {
    "decoder.": "transformer",
    "encoder.": "condition_encoder",
    "tokenizer.": "audio_tokenizer",
    "detokenizer.": "audio_token_detokenizer",
}
_NULL = "null_condition_emb"
_RENAMED = {
    ".q_proj.": ".to_q.",
    ".k_proj.": ".to_k.",
    ".v_proj.": ".to_v.",
    ".o_proj.": ".to_out.0.",
    ".q_norm.": ".norm_q.",
    ".k_norm.": ".norm_k.",
}
_CONVOLUTIONS = {"proj_in.1.": "proj_in_conv.", "proj_out.1.": "proj_out_conv."}
_SLIDING, _FULL = "sliding_attention", "full_attention"


def read_config(folder: Path) -> dict[str, Any]:
    """The config of an original checkpoint as plain JSON values."""
    with damage(folder):
        return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))


def is_xl(config: Mapping[str, Any]) -> bool:
    """Whether the large model's code was published with this config: it reads the timbre differently."""
    said = f"{config.get('model_version')} {(config.get('auto_map') or {}).get('AutoModel')}".lower()
    width = config.get("encoder_hidden_size")
    return "xl" in re.split(r"[^a-z0-9]+", said) or width not in (None, config["hidden_size"])


def load_original(folder: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """The four networks of an original checkpoint by component name, on `device` in `dtype`.

    Tensors go one by one from the file to their place, so that the weights are in memory once.
    Raises `CheckpointError` when a file is missing or damaged, or a tensor is missing, foreign or of another
    shape than the config says.
    """
    config = read_config(folder)
    with damage(folder):
        networks = {name: _empty(cls, _fields(name, config)) for name, cls in CLASSES.items()}
    if ALIGNMENT_HEADS in config:
        networks["transformer"].register_to_config(**{ALIGNMENT_HEADS: config[ALIGNMENT_HEADS]})
    states: dict[str, dict[str, Tensor]] = {name: {} for name in networks}
    for key, tensor in _tensors(folder):
        component, new_key = new_name(folder, key)
        states[component][new_key] = tensor.to(device, dtype)
    silence = _silence(folder).to(device, dtype)
    networks["condition_encoder"].silence_latent = silence
    states["condition_encoder"][SILENCE] = silence
    for name, network in networks.items():
        _fill(folder, network, states[name])
        networks[name] = network.to(device).eval()
    _cut_to_depth(networks["condition_encoder"], config)
    return networks


def new_name(folder: Path, key: str) -> tuple[str, str]:
    """Component and key in diffusers' modules of a tensor of the original weights."""
    if key == _NULL:
        return "condition_encoder", key
    prefix = key[: key.find(".") + 1]
    if prefix not in _PREFIXES:
        raise unfit(folder, "ACE-Step 1.5", "unexpected keys", [key])
    component, inner = _PREFIXES[prefix], key.removeprefix(prefix)
    for old, new in _RENAMED.items():
        inner = inner.replace(old, new)
    if component == "transformer":
        for old, new in _CONVOLUTIONS.items():
            inner = new + inner.removeprefix(old) if inner.startswith(old) else inner
    return component, inner


def _fields(component: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the class of a component is made with: its own sizes where the config tells encoders apart."""
    fields = dict(config)
    depth = config["num_hidden_layers"]
    if component == "transformer":
        fields["encoder_hidden_size"] = config.get("encoder_hidden_size") or config["hidden_size"]
    else:
        for name in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"):
            fields[name] = config.get(f"encoder_{name}") or fields[name]
        layers = [size for name, size in config.items() if re.fullmatch(r"num_\w+_hidden_layers", name)]
        depth = max(depth, *layers)
    types = config.get("layer_types") or [_FULL if i % 2 else _SLIDING for i in range(depth)]
    if not config.get("use_sliding_window", True):
        types = [_FULL] * len(types)
    fields["layer_types"] = [*types, *[_FULL] * (depth - len(types))][:depth]
    taken = inspect.signature(CLASSES[component].__init__).parameters
    return {name: value for name, value in fields.items() if name in taken and value is not None}


def _empty(cls: type[Any], fields: dict[str, Any]) -> Any:
    """The network without memory for its weights, but with the constants that no file holds."""
    with torch.device("meta"):
        network = cls(**fields)
    if cls is AceStepAudioTokenizer:
        levels, count = network.quantizer.levels, network.quantizer.num_quantizers
        network.quantizer = type(network.quantizer)(fields["fsq_dim"], levels, count)
    return network


def _tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the weights, from one file or from shards."""
    for file in _weight_files(folder):
        with open_weights(file) as weights:
            for key in weights.keys():  # noqa: SIM118 - not a mapping
                yield key, weights.get_tensor(key)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / f"{WEIGHTS}.index.json"
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [folder / WEIGHTS]
    with damage(folder):
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / Path(name).name for name in sorted(names)]


def _silence(folder: Path) -> Tensor:
    """Latents of silence `[1, frame, channel]`; the file holds them channels first."""
    file = folder / f"{SILENCE}.safetensors"
    if file.is_file():
        with open_weights(file) as weights, damage(folder):
            stored = weights.get_tensor(SILENCE)
    else:
        file = folder / f"{SILENCE}.pt"
        stored = _unpickled_tensor(file)
    if not isinstance(stored, Tensor) or stored.ndim != 3 or len(stored) != 1 or not stored.numel():
        shape = tuple(stored.shape) if isinstance(stored, Tensor) else type(stored).__name__
        raise CheckpointError(
            f"{file} is not the latent of silence",
            field=file.name,
            value=shape,
            allowed="a tensor [1, channel, frame]",
            remedy="Fetch it again.",
        )
    return stored.transpose(1, 2).contiguous()


def _unpickled_tensor(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what a garbled file makes the reader raise cannot be foreseen
        raise CheckpointError(
            f"{file} cannot be read" if file.exists() else f"{file} is missing",
            field=file.name,
            value=type(error).__name__,
            allowed="a saved tensor and nothing else",
            remedy="Fetch it again.",
        ) from error


def _fill(folder: Path, network: Any, state: dict[str, Tensor]) -> None:
    """Give the network its weights; they must be exactly those that it has."""
    wanted = network.state_dict()
    name = type(network).__name__
    if missing := wanted.keys() - state.keys():
        raise unfit(folder, name, "missing keys", missing)
    if foreign := state.keys() - wanted.keys():
        raise unfit(folder, name, "unexpected keys", foreign)
    if reshaped := [key for key in wanted if wanted[key].shape != state[key].shape]:
        raise unfit(folder, name, "mismatched keys", reshaped)
    network.load_state_dict(state, assign=True)


def _cut_to_depth(condition_encoder: Any, config: Mapping[str, Any]) -> None:
    """Leave out encoder layers beyond the transformer's depth: the original code never runs those."""
    for encoder in (condition_encoder.lyric_encoder, condition_encoder.timbre_encoder):
        encoder.layers = encoder.layers[: config["num_hidden_layers"]]
