"""`model_index.json`: which components a checkpoint has, and of which class each one is."""

from __future__ import annotations

import json
from pathlib import Path

from acestep_nb.errors import CheckpointError

INDEX = "model_index.json"


def read_index(folder: Path) -> dict[str, str]:
    """Class name of each component by its folder name; a component written as null is left out."""
    file = folder / INDEX
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        pairs = {name: pair for name, pair in entries.items() if isinstance(pair, list) and len(pair) == 2}
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{file} cannot be read",
            field=INDEX,
            value=error,
            allowed="JSON that names the class of each component",
            remedy="Fetch the checkpoint again.",
        ) from error
    return {name: class_name for name, (_, class_name) in pairs.items() if class_name}
