"""Adapter files: reads what peft, diffusers and the original write, and writes what all three read."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from acestep_nb.checkpoints.locate import places
from acestep_nb.checkpoints.reading import open_weights
from acestep_nb.checkpoints.registry import models
from acestep_nb.errors import CheckpointError, InputError, first_line
from acestep_nb.files import disk_errors, given_path, is_dir, is_file, read_json, sync_folder, write_atomic

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
DIFFUSERS_WEIGHTS = "pytorch_lora_weights.safetensors"
DIFFUSERS_HEADER = "lora_adapter_metadata"  # key of the file's header that holds rank and alpha, as JSON
INSIDE = ("", "adapter", "final/adapter", "latest/adapter")
"""Where in a folder the files of an adapter are looked for."""
_RENAMED = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "o_proj": "to_out.0"}
_EXCHANGED = {new: old for old, new in _RENAMED.items()}
_OUTER = re.compile(r"^(base_model\.model\.)?(transformer\.)?")
_KEY = re.compile(
    r"(?P<module>.+?)\.(?P<part>lora_A|lora_B|lora_magnitude_vector)(\.(?!weight$)[^.]+)?(\.weight)?"
)
_OTHER_INIT = ("pissa", "olora", "corda", "eva", "loftq", "mica")  # these change the base's weights too


@dataclass(frozen=True, eq=False)
class AdapterWeights:
    """An adapter as it was read.

    `tensors` go by the names that a network with that adapter has: `layers.0.self_attn.to_q.lora_A.weight`, float
    `[rank, in]` for A and `[out, rank]` for B. `ranks` and `alphas` go by module. `hash` is made of the files.
    """

    tensors: dict[str, Tensor]
    ranks: dict[str, int]
    alphas: dict[str, float]
    use_rslora: bool
    use_dora: bool
    hash: str
    folder: Path


def find_adapter(source: str | Path) -> Path:
    """The folder with the files of an adapter: the one given or one in it, else fetched from the hub.

    A hub's name is `owner/name`; published adapters may be called by theirs, or by words out of it such as
    `chinese-new-year`, and one that was downloaded is used where it is. Raises `InputError` when there is none,
    `CheckpointError` when it cannot be fetched.
    """
    if not str(source).strip():
        raise InputError(field="adapter", value=source, allowed="a folder, or owner/name on the hub")
    folder = given_path(source, "adapter")
    if is_file(folder):
        folder = folder.parent
    for inner in INSIDE:
        place = folder / inner
        if is_file(place / CONFIG) or is_file(place / DIFFUSERS_WEIGHTS):
            return place
    if is_dir(folder):
        raise _not_an_adapter(folder)
    published = {model.name: model.repo for model in models() if model.role == "adapter"}
    words = re.escape(str(source).lower())
    known = next((name for name in published if re.search(rf"\b{words}\b", name.lower())), str(source))
    for place in places():
        if is_file(place / known / CONFIG):
            return place / known
    repo = published.get(known, known)
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo):
        return _fetched(repo)
    remedy = f"Give a folder, owner/name on the hub, or {', '.join(published)}."
    raise InputError(field="adapter", value=str(source), allowed="an adapter's folder", remedy=remedy)


def read_adapter(folder: Path) -> AdapterWeights:
    """The adapter in a folder; `CheckpointError` for files that are damaged or of a kind that is not loaded."""
    file = folder / WEIGHTS if (folder / WEIGHTS).is_file() else folder / DIFFUSERS_WEIGHTS
    if not file.is_file():
        raise _not_an_adapter(folder)
    with open_weights(file) as weights:
        header = weights.metadata() or {}
        stored = {key: weights.get_tensor(key) for key in weights.keys()}  # noqa: SIM118 - not a mapping
    config = _config(folder, header)
    _refuse_other_kinds(folder, config, stored)
    tensors = {_inner(file, key): value for key, value in stored.items()}
    ranks = {
        key.removesuffix(".lora_A.weight"): value.shape[0] if value.ndim else 0
        for key, value in tensors.items()
        if ".lora_A." in key
    }
    if not ranks or not all(ranks.values()) or not any(".lora_B." in key for key in tensors):
        raise _damaged(file, "holds no LoRA")
    digest = hashlib.sha256(file.read_bytes())
    digest.update(json.dumps(config, sort_keys=True).encode())
    return AdapterWeights(
        tensors,
        ranks,
        _alphas(folder, config, ranks),
        bool(config.get("use_rslora")),
        bool(config.get("use_dora")),
        "sha256:" + digest.hexdigest(),
        folder,
    )


def write_adapter(
    folder: Path, tensors: Mapping[str, Tensor], rank: int, alpha: float, dropout: float, base: str
) -> Path:
    """Write an adapter as it is exchanged, under the original's names; a file is whole or what it was before.

    The header of the weights tells diffusers rank and alpha, which reads no config. Raises `ProjectError` when
    the disk is full or may not be written.
    """
    alpha = int(alpha) if alpha == int(alpha) else alpha
    targets = sorted({key.split(".lora_")[0].split(".", 3)[3] for key in tensors})
    config = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "target_modules": [_EXCHANGED.get(name, name) for name in targets],
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": None,
        "use_rslora": False,
        "use_dora": False,
    }
    kept = {exchanged(key): value.detach().cpu().contiguous() for key, value in tensors.items()}
    values = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "target_modules": targets}
    told = {f"transformer.{name}": value for name, value in values.items()}
    # one entry alone: several would be written in any order, and the same weights had different hashes
    weights = safetensors.torch.save(kept, metadata={DIFFUSERS_HEADER: json.dumps(told)})
    with disk_errors(folder, "adapter"):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / WEIGHTS, weights)
        write_atomic(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())
        sync_folder(folder)
    return folder


def exchanged(key: str) -> str:
    """The name that a tensor has in exchanged files: `base_model.model.layers.0.self_attn.q_proj.lora_A.weight`."""
    for new, old in _EXCHANGED.items():
        key = key.replace(f".{new}.", f".{old}.")
    return f"base_model.model.{key}"


def _inner(file: Path, key: str) -> str:
    """The name that a tensor has in a network with the adapter, whichever program wrote the file."""
    found = _KEY.fullmatch(_OUTER.sub("", key))
    if found is None:
        raise _damaged(file, f"has a tensor that is no LoRA's: {key}")
    parts = found["module"].split(".")
    module = ".".join([*parts[:-1], _RENAMED.get(parts[-1], parts[-1])])
    return f"{module}.{found['part']}.weight"


def _config(folder: Path, header: Mapping[str, str]) -> dict[str, Any]:
    """What the adapter was made with: its config, else what diffusers wrote into the header."""
    try:
        if (folder / CONFIG).is_file():
            return dict(read_json((folder / CONFIG).read_text(encoding="utf-8")))
        told = read_json(header.get(DIFFUSERS_HEADER, "{}"))
        return {key.removeprefix("transformer."): value for key, value in told.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(folder / CONFIG, "cannot be read", error) from error


def _alphas(folder: Path, config: Mapping[str, Any], ranks: Mapping[str, int]) -> dict[str, float]:
    try:
        alphas = {module: _alpha(config, module, rank) for module, rank in ranks.items()}
        if not all(map(math.isfinite, alphas.values())):
            raise ValueError("an alpha is not finite")
    except (ValueError, TypeError, AttributeError, OverflowError, re.error) as error:
        raise _damaged(folder / CONFIG, f"has an alpha that is none: {error}", error) from error
    return alphas


def _alpha(config: Mapping[str, Any], module: str, rank: int) -> float:
    """Alpha of a module: that of the first pattern that names it, else the config's; without one, the rank."""
    original = exchanged(f"{module}.").removeprefix("base_model.model.").rstrip(".")
    for pattern, alpha in (config.get("alpha_pattern") or {}).items():
        if any(re.fullmatch(rf"(.*\.)?({pattern})", name) for name in (module, original)):
            return float(alpha)
    return float(config.get("lora_alpha") or rank)


def _refuse_other_kinds(folder: Path, config: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    kind = str(config.get("peft_type") or "LORA").upper()
    if kind != "LORA" or any("lokr_" in key for key in stored):
        shown = "LOKR" if any("lokr_" in key for key in stored) else kind
        raise _refused(folder, "peft_type", shown, "LORA: other kinds change weights in other ways")
    if (config.get("bias") or "none") != "none" or config.get("lora_bias"):
        raise _refused(folder, "bias", config.get("bias"), "none: only projections are changed")
    if config.get("modules_to_save"):
        raise _refused(
            folder, "modules_to_save", config["modules_to_save"], "empty: no whole layers are replaced"
        )
    init = config.get("init_lora_weights")
    if isinstance(init, str) and init.lower().startswith(_OTHER_INIT):
        raise _refused(folder, "init_lora_weights", init, "one that leaves the base as it is")


def _refused(folder: Path, field: str, value: object, allowed: str) -> CheckpointError:
    return CheckpointError(
        f"the adapter in {folder} is not loaded: its {field} must be {allowed}; got {value}",
        field=field,
        value=value,
        allowed=allowed,
        remedy="Export it as a plain LoRA.",
    )


def _not_an_adapter(folder: Path) -> InputError:
    others = [path.name for path in folder.glob("*") if path.suffix in (".bin", ".pt", ".ckpt")]
    lokr = (folder / "lokr_weights.safetensors").is_file()
    found = f"; {others[0]} may run any program when it is opened, so it is not" if others else ""
    found = "; LoKr weights of LyCORIS are not loaded: train a LoRA, or export as one" if lokr else found
    return InputError(
        f"{folder} holds no {CONFIG} with {WEIGHTS}{found}",
        field="adapter",
        value=str(folder),
        allowed="a folder with an adapter in safetensors",
        remedy="Choose the folder that training wrote.",
    )


def _damaged(file: Path, what: str, value: object = None) -> CheckpointError:
    return CheckpointError(
        f"{file} {what}",
        field=file.name,
        value=value,
        allowed="an adapter as peft or diffusers save it",
        remedy="Fetch or export it again.",
    )


def _fetched(name: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [CONFIG, WEIGHTS, DIFFUSERS_WEIGHTS, f"*/{CONFIG}", f"*/{WEIGHTS}"]
    try:
        fetched = Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # each of the hub's transports has errors of its own
        reason = first_line(error)
        raise CheckpointError(
            f"{name} cannot be fetched from the hub: {reason}",
            field="adapter",
            value=name,
            remedy="Check the name and the connection, or give a folder.",
        ) from error
    inside = sorted(path.parent for path in fetched.rglob(CONFIG))
    return inside[0] if inside else fetched
