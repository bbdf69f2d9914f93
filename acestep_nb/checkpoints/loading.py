"""Loads the networks of a checkpoint folder, in diffusers' layout or as first published."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import parametrize, remove_weight_norm

from acestep_nb.checkpoints import original, timbre
from acestep_nb.checkpoints.index import CODEC, TEXT_ENCODER, is_original, read_index, shared_part
from acestep_nb.checkpoints.int8 import quantize
from acestep_nb.checkpoints.manifest import verify
from acestep_nb.checkpoints.reading import damage, load_network, load_tokenizer
from acestep_nb.checkpoints.residence import Residence
from acestep_nb.codes import LATENT_CHANNELS, SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.errors import CheckpointError
from acestep_nb.kinds import TASKS, Kind, kind_of

_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend", "Qwen2Tokenizer", "Qwen2TokenizerFast")
_ACE_STEP = "diffusers.pipelines.ace_step"
_OWN_CODEC = "SpectralCodec"
ALLOWED = {  # component -> class name -> module that has it; nothing else is ever imported for a checkpoint
    "tokenizer": dict.fromkeys(_TOKENIZERS, "transformers"),
    "text_encoder": {"Qwen3Model": "transformers"},
    "condition_encoder": {"AceStepConditionEncoder": _ACE_STEP},
    "transformer": {"AceStepTransformer1DModel": "diffusers"},
    "vae": {"AutoencoderOobleck": "diffusers", _OWN_CODEC: "acestep_nb.nano.codec"},
    "audio_tokenizer": {"AceStepAudioTokenizer": _ACE_STEP},
    "audio_token_detokenizer": {"AceStepAudioTokenDetokenizer": _ACE_STEP},
}
TO_INT8 = ("text_encoder", "condition_encoder", "transformer")
"""What may have weights of one byte; those that make codes and sound may not."""
OPTIONAL = ("audio_tokenizer", "audio_token_detokenizer")


@dataclass(frozen=True)
class Models:
    """The networks of one checkpoint, ready to run; the pair of audio tokenizers may be missing (None).

    `residence` knows where each of them is; ask it to bring them before they work.
    """

    tokenizer: Any
    text_encoder: Any
    condition_encoder: Any
    transformer: Any
    vae: Any
    audio_tokenizer: Any
    audio_token_detokenizer: Any
    name: str
    hash: str
    kind: Kind
    residence: Residence = field(default_factory=lambda: Residence(torch.device("cpu")))

    def __post_init__(self) -> None:
        tokenizers = (self.audio_tokenizer, self.audio_token_detokenizer)
        self.residence.add("reading", (self.text_encoder, self.condition_encoder, *tokenizers))
        self.residence.add("rendering", [self.transformer])
        self.residence.add("decoding", [self.vae])

    @property
    def device(self) -> torch.device:
        """Where the networks compute."""
        return self.residence.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of all networks but the codec."""
        dtype: torch.dtype = self.transformer.dtype
        return dtype

    @property
    def is_turbo(self) -> bool:
        """Whether guidance is distilled into the weights, so that none is to be added."""
        return self.kind.is_turbo


def load(
    folder: Path, device: torch.device, dtype: torch.dtype, by_turns: bool = False, int8: bool = False
) -> Models:
    """The networks in `folder` on `device`, in `dtype`; the codec always computes in float32.

    With `by_turns` each is on the device only while it works; with `int8` the weights of the layers of those in
    `TO_INT8` take a byte.

    The layout is recognised: diffusers' with `model_index.json`, or that of the first publication, whose codec
    and text encoder lie inside the folder or beside it. Every file is first compared with the manifest, if
    there is one. Raises `CheckpointError` for a missing, damaged or unknown component, and for rates that are
    not those of `acestep_nb.codes`.
    """
    checksum = verify(folder)
    load_format = _load_original if is_original(folder) else _load_diffusers
    loaded, xl = load_format(folder, torch.device("cpu") if by_turns or int8 else device, dtype)
    timbre.correct(loaded["condition_encoder"], xl)
    _fold(loaded["vae"])
    if int8:
        for component in TO_INT8:
            quantize(loaded[component])
    kind = _kind(folder.name, loaded, xl)
    models = Models(
        **loaded, name=folder.name, hash=checksum, kind=kind, residence=Residence(device, by_turns)
    )
    _check_rates(folder, models)
    return models


def _fold(codec: Any) -> None:
    """Multiply the codec's weights out once, where each is kept as a direction and a length."""
    for module in codec.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
        elif hasattr(module, "weight_g"):
            remove_weight_norm(module)


def _load_diffusers(folder: Path, device: torch.device, dtype: torch.dtype) -> tuple[dict[str, Any], bool]:
    """Each component from its own folder, and whether they are the large size."""
    classes = read_index(folder)
    loaded: dict[str, Any] = {}
    for component, allowed in ALLOWED.items():
        if component in OPTIONAL and not (component in classes and (folder / component).is_dir()):
            loaded[component] = None
            continue
        cls = _class_of(folder, component, classes.get(component), allowed)
        if component == "tokenizer":
            loaded[component] = load_tokenizer(cls, folder / component)
        else:
            precision = torch.float32 if component == "vae" else dtype
            loaded[component] = load_network(cls, folder / component, precision).to(device)
    config = loaded["transformer"].config
    # nano's transformer is wider than its encoders too, and reads the timbre as the small models do
    xl = classes["vae"] != _OWN_CODEC and original.is_xl(dict(config))
    return loaded, xl


def _load_original(folder: Path, device: torch.device, dtype: torch.dtype) -> tuple[dict[str, Any], bool]:
    """The networks of the folder itself, and the two that it shares with others of its family."""
    shared = {name: _shared(folder, name) for name in (CODEC, TEXT_ENCODER)}
    loaded = original.load_original(folder, device, dtype)
    loaded["tokenizer"] = load_tokenizer(_tokenizer_class(shared[TEXT_ENCODER]), shared[TEXT_ENCODER])
    for component, name, precision in (("text_encoder", TEXT_ENCODER, dtype), ("vae", CODEC, torch.float32)):
        class_name, module = next(iter(ALLOWED[component].items()))
        cls = getattr(importlib.import_module(module), class_name)
        loaded[component] = load_network(cls, shared[name], precision).to(device)
    return loaded, original.is_xl(original.read_config(folder))


def _shared(folder: Path, name: str) -> Path:
    found = shared_part(folder, name)
    if found is None:
        raise CheckpointError(
            f"{folder} has no {name}",
            field=name,
            value=None,
            allowed=f"a folder {name} inside it or beside it",
            remedy="Fetch it from the main repository, ACE-Step/Ace-Step1.5, and put it there.",
        )
    return found


def _tokenizer_class(folder: Path) -> type[Any]:
    with damage(folder):
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        class_name = str(config["tokenizer_class"])
    return _class_of(folder.parent, folder.name, class_name, ALLOWED["tokenizer"])


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
            f"{folder} names {class_name} as {component}: that class is not loaded",
            field=component,
            value=class_name,
            allowed=" or ".join(allowed),
            remedy="Use a checkpoint of ACE-Step 1.5 in diffusers' layout or as first published.",
        )
    found: type[Any] = getattr(importlib.import_module(allowed[class_name]), class_name)
    return found


def _kind(name: str, loaded: dict[str, Any], xl: bool) -> Kind:
    """The kind of the loaded networks; with a codec of ours, they know every task and every noise level."""
    config = loaded["transformer"].config
    version = str(config.model_version or "")
    is_turbo = bool(config.is_turbo) or "turbo" in re.split(r"[^a-z]+", version.lower())
    kind = kind_of(name, version, is_turbo, xl)
    own = type(loaded["vae"]).__name__ == _OWN_CODEC
    return replace(kind, tasks=TASKS, continuous=True) if own else kind


def _check_rates(folder: Path, models: Models) -> None:
    """Rates and channels must be those of `acestep_nb.codes`: a checkpoint with others would sound wrong."""
    expected = {
        "transformer channels": (models.transformer.config.audio_acoustic_hidden_dim, LATENT_CHANNELS),
        "silence channels": (models.condition_encoder.silence_latent.shape[-1], LATENT_CHANNELS),
        "vae sampling rate": (models.vae.config.sampling_rate, SAMPLE_RATE),
        "vae hop length": (models.vae.hop_length, SAMPLES_PER_LATENT),
    }
    for name, (value, allowed) in expected.items():
        if value != allowed:
            raise CheckpointError(
                field=f"{name} of {folder.name}",
                value=value,
                allowed=str(allowed),
                remedy="Use a checkpoint of ACE-Step 1.5.",
            )
