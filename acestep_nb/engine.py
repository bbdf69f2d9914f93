"""The engine: loaded networks, one lock, and the verbs that make takes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acestep_nb.errors import InputError
from acestep_nb.planning import Planning
from acestep_nb.renders import Order, Progress, Renders, stop_if
from acestep_nb.scoring import Scoring

if TYPE_CHECKING:  # torch and the networks are imported when the first checkpoint is loaded
    import torch

    from acestep_nb.checkpoints.loading import Models
    from acestep_nb.kinds import Kind
    from acestep_nb.planner.planner import Planner
    from acestep_nb.takes import Take

__all__ = ["DTYPES", "Engine", "Progress"]

DTYPES = ("float32", "bfloat16", "float16")
_POLL = 0.1  # seconds between looks at the cancel event while another thread renders


class Engine(Planning, Scoring):
    """A loaded checkpoint that makes takes of songs and reworks sounds; threads may share it, they take turns.

    Rendering is repeatable: on one machine a seed gives the same bits again, whatever the other seeds are.
    On an accelerator the takes of a batch are computed together, so there another batch size is only near.
    """

    def __init__(self, models: Models, planner: Planner | None = None) -> None:
        self._models = models
        self._planner = planner
        self._renders = Renders(models)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "nano",
        device: str | None = None,
        dtype: str | None = None,
        planner: str | Path | Literal[False] | None = None,
    ) -> Engine:
        """An engine over the checkpoint of that name or in that folder, ready when this returns.

        `device` is "cpu", "cuda", "cuda:1", "mps" …; by default the first CUDA device if there is one, else
        the CPU. `dtype` is "float32", "bfloat16" or "float16"; by default bfloat16 on CUDA devices that
        compute in it, else float32. `planner` is the folder or name of a language model, such as
        "acestep-5Hz-lm-0.6B"; by default the one that the checkpoint brings along, if any; False loads none.
        Raises `CheckpointError` when the files are missing or damaged, `InputError` for the other two.
        """
        # Before torch starts its threads: waiting ones shall sleep. When they spin, as they do by default,
        # a second busy program on the machine makes rendering ten times slower.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from acestep_nb.checkpoints import find
        from acestep_nb.checkpoints.loading import load

        place = _device(device)
        folder, precision = find(name_or_path), _dtype(dtype, place)
        return cls(load(folder, place, precision), _planner(planner, folder, place, precision))

    @property
    def name(self) -> str:
        """Name of the checkpoint."""
        return self._models.name

    @property
    def kind(self) -> Kind:
        """What kind of checkpoint it is: what it was trained for, and its defaults."""
        return self._models.kind

    @property
    def checkpoint_hash(self) -> str:
        """Hash over all files of the checkpoint."""
        return self._models.hash

    @property
    def device(self) -> str:
        """Where the networks are, such as "cpu" or "cuda:0"."""
        return str(self._models.device)

    @property
    def dtype(self) -> str:
        """Number format of the renderer, such as "float32"."""
        return str(self._models.dtype).removeprefix("torch.")

    def _carry_out(self, order: Order, on_take: Callable[[Take], None] | None) -> list[Take]:
        takes = []
        with self._turn(order.cancel):
            for take in self._renders.takes(order):
                takes.append(take)
                if on_take is not None:
                    on_take(take)
        return takes

    @contextmanager
    def _turn(self, cancel: threading.Event | None) -> Iterator[None]:
        """The networks for this thread alone; waiting for another thread can be cancelled."""
        while not self._lock.acquire(timeout=_POLL):
            stop_if(cancel)
        try:
            yield
        finally:
            self._lock.release()


def _planner(
    wanted: str | Path | Literal[False] | None, checkpoint: Path, device: torch.device, dtype: torch.dtype
) -> Planner | None:
    from acestep_nb.planner.loading import find_planner, own_planner
    from acestep_nb.planner.planner import Planner

    if wanted is False:
        return None
    folder = own_planner(checkpoint) if wanted is None else find_planner(wanted, checkpoint)
    return None if folder is None else Planner.load(folder, device, dtype)


def _device(name: str | None) -> torch.device:
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
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


def _dtype(name: str | None, device: torch.device) -> torch.dtype:
    import torch

    if name is None:
        half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if half else torch.float32
    short = str(name).removeprefix("torch.")
    if short not in DTYPES:
        raise InputError(field="dtype", value=name, allowed=", ".join(DTYPES), remedy='Use dtype="float32".')
    dtype: torch.dtype = getattr(torch, short)
    return dtype
