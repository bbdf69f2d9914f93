"""The engine: loaded networks, one lock, and the verbs that make takes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from acestep_nb.adapting import Adapters, refuse_while_training
from acestep_nb.checkpoints.fit import Placement
from acestep_nb.errors import InputError
from acestep_nb.ladder import Ladder, clean_up
from acestep_nb.placing import DTYPES, WhichPlanner, place
from acestep_nb.planning import Planning
from acestep_nb.renders import Order, Progress, Renders, stop_if
from acestep_nb.scoring import Scoring

if TYPE_CHECKING:  # torch and the networks are imported when the first checkpoint is loaded
    from acestep_nb.checkpoints.loading import Models
    from acestep_nb.kinds import Kind
    from acestep_nb.planner.planner import Planner
    from acestep_nb.takes import Take

__all__ = ["DTYPES", "Engine", "Progress"]

_POLL = 0.1  # seconds between looks at the cancel event while another thread renders


class Engine(Planning, Scoring):
    """A loaded checkpoint that makes takes of songs and reworks sounds; threads may share it, they take turns.

    Rendering is repeatable: on one machine a seed gives the same bits again, whatever the other seeds are.
    On an accelerator the takes of a batch are computed together, so there another batch size is only near.
    When memory runs out the engine makes do with less (`placement`) and says so in the notes of the takes.
    """

    def __init__(
        self, models: Models, planner: Planner | None = None, placement: Placement | None = None
    ) -> None:
        self._models = models
        self._planner = planner
        self._renders = Renders(models)
        self._ladder = Ladder(placement or Placement(models.device.type, self.dtype), self._renders, planner)
        self._lock = threading.Lock()
        self._freed = False
        self._adapters = Adapters(self)

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "nano",
        device: str | None = None,
        dtype: str | None = None,
        planner: WhichPlanner = None,
        offload: bool | None = None,
        int8: bool | None = None,
    ) -> Engine:
        """An engine over the checkpoint of that name or in that folder, ready when this returns.

        `device` is "cpu", "cuda", "cuda:1", "mps" …; by default the first CUDA device if there is one, else
        the CPU. `dtype` is "float32", "bfloat16" or "float16"; by default bfloat16 on CUDA devices that
        compute in it, else float32. `planner` is the folder or name of a language model, such as
        "acestep-5Hz-lm-0.6B"; by default the one that the checkpoint brings along, else of those that were
        downloaded the one that suits the machine; False loads none. With `offload` networks take turns on the
        device, with `int8` the large ones have weights of one byte; by default only where memory is short.
        Raises `CheckpointError` when the files are missing, damaged or too large for the machine, `InputError`
        for the others.
        """
        # Before torch starts its threads: waiting ones shall sleep. When they spin, as they do by default,
        # a second busy program on the machine makes rendering ten times slower.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch

        from acestep_nb.checkpoints.loading import load
        from acestep_nb.planner.loading import load_language
        from acestep_nb.planner.planner import Planner

        where = place(name_or_path, device, dtype, planner, offload, int8)
        how = where.placement
        precision = getattr(torch, how.dtype)
        models = load(where.checkpoint, where.device, precision, how.offload, how.int8)
        if where.planner is None:
            return cls(models, None, how)
        language = load_language(where.planner, where.device, precision, how.offload, how.int8)
        return cls(models, Planner(language), how)

    def free(self) -> None:
        """Let the networks go, so that their memory is there for others; the engine is of no use afterwards."""
        with self._lock:
            self._freed = True
            self._models.residence.empty()
        clean_up()

    @property
    def placement(self) -> Placement:
        """How the networks are held on the device now; `str(engine.placement)` says it and why."""
        return self._ladder.placement

    @property
    def adapters(self) -> Adapters:
        """Adapters (LoRA) of the renderer: load, weigh and unload them, and train your own."""
        return self._adapters

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
            for take in self._ladder.takes(order):
                takes.append(take)
                if on_take is not None:
                    on_take(take)
        return takes

    @contextmanager
    def _turn(self, cancel: threading.Event | None) -> Iterator[None]:
        """The networks for this thread alone; waiting for another thread can be cancelled."""
        refuse_while_training()
        while not self._lock.acquire(timeout=_POLL):
            stop_if(cancel)
            refuse_while_training()
        try:
            if self._freed:
                raise InputError("this engine was freed", field="engine", remedy="Load the model again.")
            yield
        finally:
            self._lock.release()
