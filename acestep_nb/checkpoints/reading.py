"""Reads one component of a checkpoint: a tokenizer or a network, from safetensors and known classes only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError, safe_open
from transformers.utils import logging as transformers_logging

from acestep_nb.errors import CheckpointError, first_line

bars: Any = transformers_logging  # its functions carry no types
warnings: Any = diffusers_logging


def load_tokenizer(cls: type[Any], folder: Path) -> Any:
    """The tokenizer in `folder`."""
    with damage(folder):
        return cls.from_pretrained(folder, local_files_only=True)


def load_network(cls: type[Any], folder: Path, dtype: torch.dtype) -> Any:
    """A network in evaluation mode; a file that does not fit it exactly raises `CheckpointError`."""
    for file in sorted(folder.glob("*.safetensors")):
        with open_weights(file):  # a cut or garbled header is told here, with the file's name
            pass
    how: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, "output_loading_info": True}
    how["dtype" if cls.__module__.startswith("transformers") else "torch_dtype"] = dtype
    with damage(folder), _quiet():
        network, report = cls.from_pretrained(folder, **how)
    for kind, tensors in report.items():
        if tensors:
            raise unfit(folder, cls.__name__, kind.replace("_", " "), map(str, tensors))
    return network.eval()


@contextmanager
def open_weights(file: Path) -> Iterator[Any]:
    """A safetensors file to take tensors from; one that is cut or missing raises `CheckpointError`."""
    try:
        with safe_open(file, framework="pt") as weights:
            yield weights
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{file} is damaged",
            field=file.name,
            value=error,
            allowed="a whole safetensors file",
            remedy="Fetch it again.",
        ) from error


def unfit(folder: Path, class_name: str, kind: str, tensors: Iterable[str]) -> CheckpointError:
    """The error of weights that are not those of their class; `kind` says how they differ."""
    names = sorted(tensors)
    return CheckpointError(
        f"the weights in {folder} do not fit {class_name}: {kind} {names[0]}",
        field=folder.name,
        value=", ".join(names),
        allowed=f"exactly the tensors of {class_name}",
        remedy="Fetch the checkpoint again.",
    )


@contextmanager
def damage(folder: Path) -> Iterator[None]:
    """Whatever reading raises inside becomes a `CheckpointError` that names the folder."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        reason = first_line(error)
        raise CheckpointError(
            f"{folder} cannot be loaded: {reason}",
            field=folder.name,
            value=type(error).__name__,
            allowed="config and safetensors files as diffusers and transformers save them",
            remedy="Fetch the checkpoint again.",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar: it would land under whichever notebook cell ran last.

    No warning of diffusers either: it calls keys that are only ours, such as the alignment heads, ignored.
    """
    shown, verbosity = bars.is_progress_bar_enabled(), warnings.get_verbosity()
    bars.disable_progress_bar()
    warnings.set_verbosity_error()
    try:
        yield
    finally:
        warnings.set_verbosity(verbosity)
        if shown:
            bars.enable_progress_bar()
