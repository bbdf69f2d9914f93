"""What the weights in a folder are, told by their headers alone: whether they are whole, and how many numbers."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from acestep_nb.checkpoints.index import (
    CODEC,
    CONFIG,
    INDEX,
    TEXT_ENCODER,
    is_original,
    read_index,
    shared_part,
)
from acestep_nb.errors import AceStepError
from acestep_nb.files import read_json

PART = ".part"
"""How the name of a file ends that is still being downloaded."""
_BILLION = 10**9
_TRANSFORMER = "decoder."  # of the networks that an original checkpoint has in one file


@dataclass(frozen=True)
class Weights:
    """Billions of parameters of each network that a renderer loads."""

    transformer: float = 0.0
    encoders: float = 0.0
    text_encoder: float = 0.0
    codec: float = 0.0

    @property
    def total(self) -> float:
        """Of all networks together."""
        return sum(float(getattr(self, own.name)) for own in fields(self))


def lacking(folder: Path) -> str:
    """What a model's folder lacks, in words; "" when nothing does. Reads headers only, so it takes no time."""
    try:
        if next(folder.rglob(f"*{PART}"), None) is not None:
            return "its download is not finished"
        if (folder / INDEX).is_file():
            return next(filter(None, (_lacking_part(folder / name, name) for name in read_index(folder))), "")
        return _lacking_part(folder, "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AceStepError) as error:
        return f"it cannot be read: {error}"


def weights_of(folder: Path) -> Weights:
    """The networks of a checkpoint, weighed; files that cannot be read count nothing, loading tells about them."""
    if is_original(folder):
        own = dict(_tensors(folder))
        transformer = sum(count for name, count in own.items() if name.startswith(_TRANSFORMER))
        shared = {name: shared_part(folder, name) for name in (TEXT_ENCODER, CODEC)}
        text, codec = (sum(dict(_tensors(part)).values()) if part else 0 for part in shared.values())
        return _weights(transformer, sum(own.values()) - transformer, text, codec)
    counts = {name: sum(dict(_tensors(folder / name)).values()) for name in read_index(folder)}
    encoders = ("condition_encoder", "audio_tokenizer", "audio_token_detokenizer")
    return _weights(
        counts.get("transformer", 0),
        sum(counts.get(name, 0) for name in encoders),
        counts.get("text_encoder", 0),
        counts.get("vae", 0),
    )


def parameters(folder: Path) -> float:
    """Billions of parameters in a folder's weights."""
    return sum(count for _, count in _tensors(folder)) / _BILLION


def _weights(*counts: int) -> Weights:
    return Weights(*(count / _BILLION for count in counts))


def _lacking_part(folder: Path, name: str) -> str:
    where = f"{name}/" if name else ""
    if name in ("scheduler", "tokenizer"):
        return "" if any(folder.glob("*.json")) else f"{where} is missing"
    configs = [file for file in (CONFIG, "adapter_config.json") if (folder / file).is_file()]
    if not configs:
        return f"{where}{CONFIG} is missing"
    for index in folder.glob("*.safetensors.index.json"):
        named = set(read_json(index.read_text(encoding="utf-8"))["weight_map"].values())
        if missing := sorted(file for file in named if not (folder / file).is_file()):
            return f"{where}{missing[0]} is missing"
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return f"{where}its weights are missing"
    return next((f"{where}{file.name} is cut off" for file in files if not _is_whole(file)), "")


def _is_whole(file: Path) -> bool:
    read = _header(file)
    if read is None:
        return False
    header, begin = read
    ends = [entry["data_offsets"][1] for entry in header.values()]
    return begin + max(ends, default=0) == file.stat().st_size


def _tensors(folder: Path) -> Iterator[tuple[str, int]]:
    """Name and number of elements of every tensor in a folder's weights."""
    for file in sorted(folder.glob("*.safetensors")):
        header, _ = _header(file) or ({}, 0)
        for name, entry in header.items():
            yield name, math.prod(entry["shape"])


def _header(file: Path) -> tuple[Mapping[str, Any], int] | None:
    """What a safetensors file says of its tensors and where its data begins; None when it is cut or garbled.

    Eight bytes tell its length, then JSON tells name, shape and place of each tensor:
    https://github.com/huggingface/safetensors#format
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > file.stat().st_size:
                return None
            header = read_json(stream.read(length))
            header.pop("__metadata__", None)
            for entry in header.values():
                begin, end = entry["data_offsets"]
                if any(type(number) is not int for number in (begin, end, *entry["shape"])):
                    return None
            return header, 8 + length
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None
