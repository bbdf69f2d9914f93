"""Where a checkpoint and its planner lie, and how they will be held in memory, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acestep_nb.checkpoints.fit import Machine, Placement, Wish, fit
from acestep_nb.checkpoints.locate import find
from acestep_nb.checkpoints.machine import best_device, main_memory, this_machine
from acestep_nb.checkpoints.registry import Model, model, models, sizes
from acestep_nb.checkpoints.weighing import Weights, parameters, weights_of
from acestep_nb.errors import CheckpointError, InputError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
WhichPlanner = str | Path | Literal[False] | None


@dataclass(frozen=True)
class Place:
    """The folders to load, the device to load them on, and how they fit there."""

    checkpoint: Path
    planner: Path | None
    device: torch.device
    placement: Placement


def place(
    name_or_path: str | Path,
    device: str | None = None,
    dtype: str | None = None,
    planner: WhichPlanner = None,
    offload: bool | None = None,
    int8: bool | None = None,
) -> Place:
    """What `Engine.load` does with the same arguments, before it does it.

    Raises `CheckpointError` when a folder is not there, or when its networks cannot fit into all the memory that
    the machine has; `InputError` for an unusable device or number format.
    """
    import torch

    where = _device(device)
    folder = find(name_or_path)
    planners, named = _planner_folders(planner, folder)
    wish = Wish(
        weights_of(folder),
        {name: parameters(path) for name, path in planners.items()},
        planner=named,
        dtype=_checked(dtype),
        offload=offload,
        int8=int8,
    )
    machine = this_machine(str(where))
    placement = fit(machine, wish)
    if device is None and machine.device != "cpu" and not placement.fits:
        where, machine = torch.device("cpu"), this_machine("cpu")
        placement = fit(machine, wish)
    if machine.device == "cpu" and placement.needed > machine.memory:  # it would end this program
        raise CheckpointError(
            f"{folder.name} {placement}",
            field="memory",
            value=f"{machine.memory:.1f} GB",
            allowed=f"{placement.needed:.1f} GB",
            remedy="acestep-nb doctor tells what fits here.",
        )
    return Place(folder, planners.get(placement.planner or ""), where, placement)


def memory(device: str | None = None) -> tuple[float, float]:
    """GiB that are used, by whatever program, and that there are: of a device, or of main memory for None."""
    if device is None:
        whole, free = main_memory()
    else:
        machine = this_machine(device)
        whole, free = machine.memory, machine.free
    return max(0.0, whole - free), whole


def foreseen(machine: Machine, name: str, planner: str | None = None) -> Placement:
    """How a published model would fit a machine, whether it is here or not; `planner` as in `Wish`.

    Raises `InputError` for a name that is not known.
    """
    return fit(machine, wish_of(model(name), planner))


def wish_of(wanted: Model, planner: str | None = None) -> Wish:
    """The wish for a published renderer with the planners there are, by what the registry says of them."""
    own = sizes()[wanted.size]
    weights = Weights(
        own["transformer"],
        own["encoders"],
        sizes()["text encoder"]["text_encoder"],
        sizes()["codec"]["codec"],
    )
    planners = {known.size: sizes()[known.size]["planner"] for known in models() if known.role == "planner"}
    guided = wanted.kind is not None and not wanted.kind.is_turbo
    return Wish(weights, planners, planner, guided)


def _planner_folders(wanted: WhichPlanner, checkpoint: Path) -> tuple[Mapping[str, Path], str | None]:
    """The planner that was asked for, else the one that the checkpoint brings along, and its name ("": none);
    else the published ones that are here, for the machine to choose from.
    """
    from acestep_nb.planner.loading import find_planner, own_planner

    if wanted is False:
        return {}, ""
    own = own_planner(checkpoint) if wanted is None else find_planner(wanted, checkpoint)
    if own is not None:
        return {own.name: own}, own.name
    here = {}
    for known in models():
        if known.role == "planner":
            try:
                here[known.name] = find_planner(known.name, checkpoint)
            except CheckpointError:
                continue
    return here, None


def _device(name: str | None) -> torch.device:
    import torch

    if name is None:
        return torch.device(best_device())
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise InputError(
            field="device",
            value=name,
            allowed="one that torch can use here",
            remedy='Leave it out, or use device="cpu".',
        ) from error
    return device


def _checked(dtype: str | None) -> str | None:
    short = None if dtype is None else str(dtype).removeprefix("torch.")
    if short not in (None, *DTYPES):
        raise InputError(field="dtype", value=dtype, allowed=", ".join(DTYPES), remedy='Use dtype="float32".')
    return short
