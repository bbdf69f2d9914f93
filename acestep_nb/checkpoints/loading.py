"""Loads the networks of a checkpoint folder in diffusers' layout: safetensors and known classes only."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers.utils import logging as transformers_logging

from acestep_nb.checkpoints.index import INDEX, read_index
from acestep_nb.checkpoints.manifest import verify
from acestep_nb.codes import LATENT_CHANNELS, SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.errors import CheckpointError

_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend", "Qwen2Tokenizer", "Qwen2TokenizerFast")
_ACE_STEP = "diffusers.pipelines.ace_step"
bars: Any = transformers_logging  # its functions carry no types
ALLOWED = {  # component -> class name -> module that has it; nothing else is ever imported for a checkpoint
    "tokenizer": dict.fromkeys(_TOKENIZERS, "transformers"),
    "text_encoder": {"Qwen3Model": "transformers"},
    "condition_encoder": {"AceStepConditionEncoder": _ACE_STEP},
    "transformer": {"AceStepTransformer1DModel": "diffusers"},
    "vae": {"AutoencoderOobleck": "diffusers", "SpectralCodec": "acestep_nb.nano.codec"},
    "audio_tokenizer": {"AceStepAudioTokenizer": _ACE_STEP},
    "audio_token_detokenizer": {"AceStepAudioTokenDetokenizer": _ACE_STEP},
}
OPTIONAL = ("audio_tokenizer", "audio_token_detokenizer")


@dataclass(frozen=True)
class Models:
    """The networks of one checkpoint, ready to run; the pair of audio tokenizers may be missing (None)."""

    tokenizer: Any
    text_encoder: Any
    condition_encoder: Any
    transformer: Any
    vae: Any
    audio_tokenizer: Any
    audio_token_detokenizer: Any
    name: str
    hash: str

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return torch.device(self.transformer.device)

    @property
    def dtype(self) -> torch.dtype:
        """Number format of all networks but the codec."""
        dtype: torch.dtype = self.transformer.dtype
        return dtype

    @property
    def is_turbo(self) -> bool:
        """Whether guidance is distilled into the weights, so that none is to be added."""
        config = self.transformer.config
        return bool(config.is_turbo) or config.model_version == "turbo"


def load(folder: Path, device: torch.device, dtype: torch.dtype) -> Models:
    """The networks in `folder` on `device`, in `dtype`; the codec always computes in float32.

    Every file is first compared with the manifest, if there is one. Raises `CheckpointError` for a missing,
    damaged or unknown component, and for rates that are not those of `acestep_nb.codes`.
    """
    checksum = verify(folder)
    classes = read_index(folder)
    loaded: dict[str, Any] = {}
    for component, allowed in ALLOWED.items():
        if component in OPTIONAL and not (component in classes and (folder / component).is_dir()):
            loaded[component] = None
            continue
        cls = _class_of(folder, component, classes.get(component), allowed)
        if component == "tokenizer":
            loaded[component] = _load_tokenizer(cls, folder / component)
        else:
            precision = torch.float32 if component == "vae" else dtype
            loaded[component] = _load_network(cls, folder / component, precision).to(device)
    models = Models(**loaded, name=folder.name, hash=checksum)
    _check_rates(folder, models)
    return models


def _class_of(folder: Path, component: str, class_name: str | None, allowed: dict[str, str]) -> type[Any]:
    if class_name is None or not (folder / component).is_dir():
        raise CheckpointError(
            f"{folder} has no {component}",
            field=component,
            value=class_name,
            allowed=f"a folder with a {' or '.join(allowed)}",
            remedy="Fetch the whole checkpoint again.",
        )
    if class_name not in allowed:
        raise CheckpointError(
            f"{folder / INDEX} names {class_name} as {component}: that class is not loaded",
            field=component,
            value=class_name,
            allowed=" or ".join(allowed),
            remedy="Use a checkpoint of ACE-Step 1.5 in diffusers' layout.",
        )
    found: type[Any] = getattr(importlib.import_module(allowed[class_name]), class_name)
    return found


def _load_tokenizer(cls: type[Any], folder: Path) -> Any:
    with _damage(folder):
        return cls.from_pretrained(folder, local_files_only=True)


def _load_network(cls: type[Any], folder: Path, dtype: torch.dtype) -> Any:
    """A network in evaluation mode; a file that does not fit it exactly raises `CheckpointError`."""
    _open_weights(folder)
    how: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, "output_loading_info": True}
    how["dtype" if cls.__module__.startswith("transformers") else "torch_dtype"] = dtype
    with _damage(folder), _quiet():
        network, report = cls.from_pretrained(folder, **how)
    unfit = {kind: sorted(map(str, report[kind])) for kind in report if report[kind]}
    if unfit:
        kind, tensors = next(iter(unfit.items()))
        raise CheckpointError(
            f"the weights in {folder} do not fit {cls.__name__}: {kind.replace('_', ' ')} {tensors[0]}",
            field=folder.name,
            value=", ".join(tensors),
            allowed=f"exactly the tensors of {cls.__name__}",
            remedy="Fetch the checkpoint again.",
        )
    return network.eval()


def _open_weights(folder: Path) -> None:
    """Open each weights file once: a cut or garbled header is told here, with the file's name."""
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{file} is damaged",
                field=file.name,
                value=error,
                allowed="a whole safetensors file",
                remedy="Fetch it again.",
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar: it would land under whichever notebook cell ran last."""
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


@contextmanager
def _damage(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{folder} cannot be loaded: {reason}",
            field=folder.name,
            value=type(error).__name__,
            allowed="config and safetensors files as diffusers and transformers save them",
            remedy="Fetch the checkpoint again.",
        ) from error


def _check_rates(folder: Path, models: Models) -> None:
    """Rates and channels must be those of `acestep_nb.codes`: a checkpoint with others would sound wrong."""
    expected = {
        "transformer channels": (models.transformer.config.audio_acoustic_hidden_dim, LATENT_CHANNELS),
        "silence channels": (models.condition_encoder.silence_latent.shape[-1], LATENT_CHANNELS),
        "vae sampling rate": (models.vae.config.sampling_rate, SAMPLE_RATE),
        "vae hop length": (models.vae.hop_length, SAMPLES_PER_LATENT),
    }
    for field, (value, allowed) in expected.items():
        if value != allowed:
            raise CheckpointError(
                field=f"{field} of {folder.name}",
                value=value,
                allowed=str(allowed),
                remedy="Use a checkpoint of ACE-Step 1.5.",
            )
