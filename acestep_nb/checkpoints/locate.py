"""Finds the folder of a checkpoint from its name or path."""

from __future__ import annotations

import os
from pathlib import Path

from acestep_nb.checkpoints.index import CONFIG, INDEX, is_checkpoint
from acestep_nb.errors import CheckpointError
from acestep_nb.files import given_path, is_dir

FOLDER_VARIABLE = "ACESTEP_CHECKPOINTS_DIR"
_PACKAGE = Path(__file__).resolve().parents[1]
_RENDERER = "acestep-v15-"  # what the names of published renderers begin with


def find(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint: of that name in one of the `places()`, else at that path.

    `turbo`, `sft`, `xl-base` … stand for the published ones.
    Raises `CheckpointError` when there is none, naming the places and the checkpoints that they hold, `InputError`
    for what no path can be, also in `ACESTEP_CHECKPOINTS_DIR`.
    """
    path = given_path(name_or_path, "checkpoint")
    name = str(name_or_path)
    if path.name == name:  # not a path: a folder that happens to lie here must not hide a checkpoint
        for place in places():
            for folder in (place / name, place / f"{_RENDERER}{name}"):
                if is_checkpoint(folder):
                    return folder
    if is_checkpoint(path):
        return path.resolve()
    if is_dir(path):
        inside = _checkpoints_in(path)
        raise CheckpointError(
            f"{path} is not a checkpoint: it holds no {INDEX} and no {CONFIG} of ACE-Step 1.5",
            field="checkpoint",
            value=name,
            allowed=f"a folder with {INDEX}, or one as first published",
            remedy=f"Give one of those inside it: {', '.join(inside)}."
            if inside
            else "Give the folder that holds the model's files.",
        )
    raise CheckpointError(
        field="checkpoint",
        value=name,
        allowed=f"a checkpoint's folder or one of: {', '.join(names()) or 'none found'}",
        remedy=f"Looked in {', '.join(map(str, places()))}; {FOLDER_VARIABLE} names another folder. "
        "acestep-nb download --list tells what can be fetched.",
    )


def places() -> list[Path]:
    """Where names are looked up: where downloads go, the source checkout, the installed package."""
    where = (download_folder(), _PACKAGE.parent / "checkpoints", _PACKAGE / "embedded" / "checkpoints")
    return list(dict.fromkeys(place for place in where if is_dir(place) or place == where[0]))


def download_folder() -> Path:
    """Where downloads go: the folder that `ACESTEP_CHECKPOINTS_DIR` names, else `checkpoints` of the source
    checkout, else, for an installed package, one folder for all projects of this user.

    Raises `InputError` when the variable names what no path can be.
    """
    if own := os.environ.get(FOLDER_VARIABLE):
        return given_path(own, FOLDER_VARIABLE)
    checkout = _PACKAGE.parent / "checkpoints"
    return checkout if checkout.is_dir() else Path.home() / ".cache" / "acestep_nb" / "checkpoints"


def names() -> list[str]:
    """Names of the checkpoints that are found in `places()`."""
    return sorted({name for place in places() for name in _checkpoints_in(place)})


def _checkpoints_in(place: Path) -> list[str]:
    return sorted(folder.name for folder in place.glob("*/") if is_checkpoint(folder))
