"""What a checkpoint folder holds: in diffusers' layout by `model_index.json`, or as first published."""

from __future__ import annotations

import re
from pathlib import Path

from acestep_nb.errors import CheckpointError
from acestep_nb.files import is_file, read_json

INDEX = "model_index.json"
ALIGNMENT_HEADS = "lyric_alignment_layers_config"
"""Key of a transformer's config: layers and heads whose attention follows the lyrics, as `{"3": [0, 1]}`."""
CONFIG = "config.json"
CODEC = "vae"
TEXT_ENCODER = "Qwen3-Embedding-0.6B"
_MODEL_TYPE = "acestep"


def read_index(folder: Path) -> dict[str, str]:
    """Class name of each component by its folder name; a component written as null is left out."""
    file = folder / INDEX
    try:
        entries = read_json(file.read_text(encoding="utf-8"))
        pairs = {name: pair for name, pair in entries.items() if isinstance(pair, list) and len(pair) == 2}
        if strange := [name for name in pairs if not re.fullmatch(r"\w[\w.-]*", name)]:
            raise ValueError(f"{strange[0]} is no component")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{file} cannot be read: {error}",
            field=INDEX,
            value=error,
            allowed="JSON that names the class of each component",
            remedy="Fetch the checkpoint again.",
        ) from error
    return {name: str(class_name) for name, (_, class_name) in pairs.items() if class_name}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder holds a renderer in one of the two layouts."""
    return is_file(folder / INDEX) or is_original(folder)


def is_original(folder: Path) -> bool:
    """Whether the folder is as ACE-Step 1.5 was first published: one config for all networks but two."""
    if is_file(folder / INDEX):
        return False
    try:
        config = read_json((folder / CONFIG).read_text(encoding="utf-8"))
        return bool(config["model_type"] == _MODEL_TYPE)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def parts(folder: Path) -> list[Path]:
    """Every folder that loading a checkpoint reads; those that are missing are left out."""
    if is_original(folder):
        shared = (shared_part(folder, name) for name in (CODEC, TEXT_ENCODER))
        return [folder, *(part for part in shared if part is not None)]
    return [folder / component for component in read_index(folder)]


def shared_part(folder: Path, name: str) -> Path | None:
    """The codec's or the text encoder's folder of an original checkpoint: inside it, else beside it.

    Published, several renderers lie side by side and share these two.
    """
    places = (folder / name, folder.resolve().parent / name)
    return next((place for place in places if is_file(place / CONFIG)), None)
