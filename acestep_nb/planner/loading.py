"""Loads a planner's folder: a Qwen3 language model of any size with the tokens of the codes, safetensors only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from acestep_nb.checkpoints.index import CONFIG
from acestep_nb.checkpoints.int8 import quantize
from acestep_nb.checkpoints.locate import places
from acestep_nb.checkpoints.manifest import fingerprint
from acestep_nb.checkpoints.reading import damage, load_network, load_tokenizer
from acestep_nb.codes import CODEBOOK
from acestep_nb.errors import CheckpointError
from acestep_nb.files import given_path, is_file
from acestep_nb.planner.grammar import END_THINK, THINK, audio_code_ids

FOLDER = "planner"
"""Where a checkpoint that brings its own planner has it."""
ALLOWED = "Qwen3ForCausalLM"
_PUBLISHED = "acestep-5Hz-lm-"  # 0.6B, 1.7B, 4B
_FILES = (".json", ".safetensors", ".txt", ".jinja")
_REMEDY = "Fetch the planner's folder again, or load another one."


@dataclass(frozen=True)
class Language:
    """A language model ready to plan, its tokenizer, and the token of each code in rising order of codes."""

    network: Any
    tokenizer: Any
    code_tokens: dict[int, int]
    name: str
    hash: str

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return torch.device(self.network.device)


def find_planner(name_or_path: str | Path, beside: Path) -> Path:
    """The folder of a planner: of that name beside a checkpoint or where checkpoints lie, else at that path.

    `0.6B`, `1.7B` and `4B` stand for the published ones. Raises `CheckpointError` when there is none.
    """
    if not isinstance(name_or_path, str | Path):
        raise _no_planner(name_or_path)
    name, path = str(name_or_path), given_path(name_or_path, "planner")
    if path.name == name:
        for place in (beside, beside.resolve().parent, *places()):
            for folder in (place / name, place / f"{_PUBLISHED}{name}", place / name / FOLDER):
                if _is_planner(folder):
                    return folder
    if _is_planner(path):
        return path.resolve()
    raise _no_planner(name)


def own_planner(checkpoint: Path) -> Path | None:
    """The planner that a checkpoint brings along, if it does."""
    return checkpoint / FOLDER if _is_planner(checkpoint / FOLDER) else None


def load_language(
    folder: Path, device: torch.device, dtype: torch.dtype, waits: bool = False, int8: bool = False
) -> Language:
    """The planner in `folder`; off CUDA it computes in float32, and nowhere in float16, where it overflows.

    One that `waits` stays in main memory until it is brought to the device; with `int8` the weights of its layers
    take a byte each.
    Raises `CheckpointError` for a model of another kind, damaged files, or a tokenizer that lacks the tokens
    of thinking and codes.
    """
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

    config = _config(folder)
    if config.get("model_type") != "qwen3" or set(config.get("layer_types") or ()) - {"full_attention"}:
        raise CheckpointError(
            f"{folder} holds no planner: its model is {config.get('model_type')!r}",
            field="planner",
            value=config.get("model_type"),
            allowed=f"a {ALLOWED} with full attention",
            remedy=_REMEDY,
        )
    half = device.type == "cuda" and dtype != torch.float16
    tokenizer = load_tokenizer(PreTrainedTokenizerFast, folder)
    network = load_network(Qwen3ForCausalLM, folder, dtype if half else torch.float32)
    if int8:
        quantize(network)
    if not waits:
        network = network.to(device)
    codes = audio_code_ids(tokenizer)
    _check_tokens(folder, tokenizer, codes, network.lm_head.weight.shape[0])
    files = sorted(path.name for path in folder.iterdir() if path.suffix in _FILES)
    name = folder.parent.name if folder.name == FOLDER else folder.name
    return Language(network.requires_grad_(False), tokenizer, codes, name, fingerprint(folder, files))


def _no_planner(value: object) -> CheckpointError:
    return CheckpointError(
        field="planner",
        value=value,
        allowed=f"a folder with the {CONFIG} of a {ALLOWED}, or its name beside the checkpoint",
        remedy="Fetch one, such as ACE-Step/acestep-5Hz-lm-0.6B, and give its folder.",
    )


def _is_planner(folder: Path) -> bool:
    return is_file(folder / CONFIG) and _config(folder).get("model_type") == "qwen3"


def _config(folder: Path) -> dict[str, Any]:
    with damage(folder):
        return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))


def _check_tokens(folder: Path, tokenizer: Any, codes: dict[int, int], rows: int) -> None:
    """The tokenizer must write thoughts and codes, and have no token that the network does not know."""
    known = tokenizer.get_vocab()
    missing = [text for text in (THINK, END_THINK, tokenizer.eos_token) if text not in known]
    if missing or not codes or not tokenizer.chat_template:
        lacking = missing or (["tokens of codes"] if not codes else ["a chat template"])
        raise CheckpointError(
            f"the tokenizer in {folder} lacks {lacking[0]}",
            field="tokenizer",
            value=f"{len(known):,} tokens",
            allowed=f"one with {THINK}, {END_THINK}, up to {CODEBOOK:,} codes and a chat template",
            remedy=_REMEDY,
        )
    if max(known.values()) >= rows:
        raise CheckpointError(
            f"the tokenizer in {folder} has {max(known.values()) + 1:,} tokens, the network {rows:,}",
            field="tokenizer",
            value=max(known.values()) + 1,
            allowed=f"at most {rows:,} tokens",
            remedy=_REMEDY,
        )
