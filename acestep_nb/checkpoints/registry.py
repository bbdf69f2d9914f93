"""Every published model: where it comes from, how large it is, what it needs; and which are on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from acestep_nb.checkpoints.index import CONFIG, is_checkpoint
from acestep_nb.checkpoints.locate import places
from acestep_nb.checkpoints.weighing import lacking
from acestep_nb.errors import InputError
from acestep_nb.kinds import Kind, kind_of

Role = Literal["renderer", "planner", "codec", "text encoder", "adapter"]
ADAPTER_CONFIG = "adapter_config.json"
_DATA = Path(__file__).with_name("registry.json")


@dataclass(frozen=True)
class Model:
    """One published model. `name` is its folder where checkpoints lie; `folder` the one inside `repo` ("": all).

    `gigabytes` (10⁹ bytes) is about what is downloaded; the hub says it exactly. `size` names its entry in
    `sizes()`. `needs` names the models that it cannot work without. `default` ones are the first download.
    """

    name: str
    role: Role
    repo: str
    folder: str
    gigabytes: float
    size: str
    about: str
    needs: tuple[str, ...] = ()
    layout: Literal["original", "diffusers", "peft"] = "original"
    revision: str | None = None
    default: bool = False

    @property
    def kind(self) -> Kind | None:
        """What a renderer was trained for, and its steps, shift and guidance; None of everything else."""
        if self.role != "renderer":
            return None
        return kind_of(self.name, "", is_turbo="turbo" in self.name, xl=self.size == "XL")


@dataclass(frozen=True)
class Found:
    """A model's folder on this machine; `trouble` says what it lacks, "" when it is whole."""

    name: str
    role: Role
    folder: Path
    trouble: str = ""


@cache
def models() -> tuple[Model, ...]:
    """Every published model, renderers first."""
    return tuple(Model(**(entry | {"needs": tuple(entry.get("needs", ()))})) for entry in data()["models"])


def sizes() -> Mapping[str, Mapping[str, float]]:
    """Billions of parameters of each network, by the `size` of a model."""
    known: Mapping[str, Mapping[str, float]] = data()["sizes"]
    return known


@cache
def data() -> dict[str, Any]:
    """The data file as it is."""
    return dict(json.loads(_DATA.read_text(encoding="utf-8")))


def model(name: str) -> Model:
    """The published model of that name; `turbo`, `xl-sft`, `1.7B` … stand for the whole names.

    Raises `InputError` for a name that is not known.
    """
    for known in models():
        if name in (known.name, known.name.removeprefix("acestep-v15-").removeprefix("acestep-5Hz-lm-")):
            return known
    raise InputError(
        field="model",
        value=name,
        allowed=", ".join(known.name for known in models()),
        remedy="acestep-nb download --list tells about each.",
    )


def with_needs(names: Iterable[str]) -> tuple[Model, ...]:
    """The models of those names and whatever they need, each once."""
    wanted = [model(name) for name in names]
    needed = (model(name) for own in wanted for name in own.needs)
    return tuple(dict.fromkeys((*wanted, *needed)))


def defaults() -> tuple[Model, ...]:
    """The first download: turbo, the planner for every day, and what both need."""
    return tuple(known for known in models() if known.default)


def everything() -> tuple[Model, ...]:
    """Each model once, as its makers first published it; without the same ones in diffusers' layout."""
    return tuple(known for known in models() if known.layout != "diffusers")


def found(where: Iterable[Path] | None = None) -> list[Found]:
    """The models on this machine, published or not, whole or not; by default in all `places()`, by name.

    Of two folders of a name the first that is whole counts.
    """
    best: dict[str, Found] = {}
    for place in places() if where is None else where:
        for folder in sorted(place.glob("*/")):
            role = role_of(folder)
            if role is None:
                continue
            own = Found(folder.name, role, folder, lacking(folder))
            if own.name not in best or (best[own.name].trouble and not own.trouble):
                best[own.name] = own
    return [best[name] for name in sorted(best)]


def role_of(folder: Path) -> Role | None:
    """What a folder holds, by its files and, where a download has only begun, by its name; None: no model."""
    if is_checkpoint(folder):
        return "renderer"
    if (folder / ADAPTER_CONFIG).is_file():
        return "adapter"
    for known in models():
        if folder.name == known.name:
            return known.role
    if (folder / CONFIG).is_file() and folder.name.startswith("acestep-5Hz-lm-"):
        return "planner"
    return None
