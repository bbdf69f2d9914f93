"""A whole training in a folder: its steps, what it keeps, and going on where it was stopped."""

from __future__ import annotations

import importlib.util
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from acestep_nb.adapters.files import write_adapter
from acestep_nb.adapters.progress import FINAL, LATEST, LOG, STATE, Trained, TrainingProgress, read_losses
from acestep_nb.adapters.training import Step, Trainer
from acestep_nb.errors import InputError
from acestep_nb.files import disk_errors, write_atomic

KEEP_SECONDS = 300.0
"""A training keeps its state at least so often, so that a crash costs no more."""
_MEAN = 20  # steps over which speed and loss are told

Tell = Callable[[TrainingProgress], None]
"""Hears how far the training is; may raise to stop it."""


def teach(
    trainer: Trainer, folder: Path, base: str, tell: Tell, preview: Callable[[int], None] | None = None
) -> Trained:
    """Train to the last step, or go on from the one that was kept in `folder`.

    `folder` gets `final/adapter`, `checkpoints/epoch_N/adapter` as often as the options say, `latest/adapter` with
    `state.safetensors`, and `log.jsonl`. Whatever stops it, an error or what `tell` raises, the steps that were
    done are kept. `preview` is called with the number of an epoch whenever one is due, and with 0 before the
    first step. `base` is the name of the checkpoint.
    Raises `InputError` when another training works in the folder, `ProjectError` when the disk is full.
    """
    with _alone(folder):
        state = folder / STATE
        if state.is_file():
            trainer.resume(state, str(state))
        _cut_log(folder, trainer.step)
        keeper = _Keeper(trainer, folder, base)
        if preview is not None and trainer.step == 0:
            preview(0)
        try:
            _steps(trainer, keeper, tell, preview)
        finally:
            keeper.close()
        with disk_errors(folder, "folder"):
            keeper.adapter(folder / FINAL)
    return Trained(folder, trainer.step, read_losses(folder))


def _steps(trainer: Trainer, keeper: _Keeper, tell: Tell, preview: Callable[[int], None] | None) -> None:
    plan, options = trainer.plan, trainer.options
    recent: deque[tuple[float, float]] = deque([(time.monotonic(), 0.0)], maxlen=_MEAN + 1)
    kept = time.monotonic()
    tell(_progress(trainer, recent))
    for step in trainer.steps():
        recent.append((time.monotonic(), step.loss))
        keeper.note(step)
        epoch, within = divmod(step.number, plan.steps_per_epoch)
        if not within and (epoch % options.save_every == 0 or step.number == plan.steps):
            keeper.adapter(keeper.folder / "checkpoints" / f"epoch_{epoch}" / "adapter")
            keeper.keep()
            kept = time.monotonic()
        elif time.monotonic() - kept > KEEP_SECONDS:
            keeper.keep()
            kept = time.monotonic()
        tell(_progress(trainer, recent))
        if preview is not None and not within and epoch % options.preview_every == 0:
            preview(epoch)
            recent.clear()  # else the speed of the steps would count the time of the take
            recent.append((time.monotonic(), step.loss))


class _Keeper:
    """Writes what a training keeps; what is written is whole or what it was before."""

    def __init__(self, trainer: Trainer, folder: Path, base: str) -> None:
        self.folder = folder
        self._trainer, self._base = trainer, base
        self._kept = trainer.step if trainer.step else -1
        self._log = (folder / LOG).open("a", encoding="utf-8")
        self._board = _board(folder / "logs", trainer.step)

    def note(self, step: Step) -> None:
        """Add a step to the logs."""
        with disk_errors(self.folder, "folder"):
            self._log.write(json.dumps({"step": step.number, "loss": step.loss, "rate": step.rate}) + "\n")
            self._log.flush()
        if self._board is not None:
            self._board.add_scalar("loss", step.loss, step.number)
            self._board.add_scalar("learning_rate", step.rate, step.number)

    def adapter(self, folder: Path) -> None:
        """Write the adapter as it is now."""
        options = self._trainer.options
        write_adapter(folder, self._trainer.tensors, options.rank, options.alpha, options.dropout, self._base)

    def keep(self) -> None:
        """Keep everything that the next step follows from."""
        if self._kept == self._trainer.step:
            return
        self.adapter(self.folder / LATEST)
        with disk_errors(self.folder, "folder"):
            write_atomic(self.folder / STATE, self._trainer.state({}))
        self._kept = self._trainer.step

    def close(self) -> None:
        """Keep what is not yet kept, and close the logs."""
        try:
            if self._trainer.step:
                self.keep()
        finally:
            self._log.close()
            if self._board is not None:
                self._board.close()


def _progress(trainer: Trainer, recent: deque[tuple[float, float]]) -> TrainingProgress:
    plan, made = trainer.plan, len(recent) - 1
    spent = recent[-1][0] - recent[0][0]
    speed = made / spent if made and spent > 0 else None
    losses = [loss for _, loss in list(recent)[1:]] if made < _MEAN else [loss for _, loss in recent]
    return TrainingProgress(
        "training",
        trainer.step,
        plan.steps,
        max(trainer.step - 1, 0) // plan.steps_per_epoch + 1,
        trainer.options.epochs,
        sum(losses) / len(losses) if losses else None,
        speed,
        None if speed is None else (plan.steps - trainer.step) / speed,
        losses[-1] if losses else None,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder for this training alone; another process is told to choose its own."""
    with disk_errors(folder, "folder"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise InputError(
                f"another training works in {folder}",
                field="folder",
                value=str(folder),
                allowed="a folder of its own",
                remedy="Wait for it, or choose another folder.",
            ) from error
    try:
        yield
    finally:
        lock.release()


def _cut_log(folder: Path, step: int) -> None:
    """Forget steps that were logged behind the one that was kept: they are made again."""
    with disk_errors(folder, "folder"):
        path = folder / LOG
        if path.is_file():
            lines = path.read_bytes().splitlines(keepends=True)[:step]
            write_atomic(path, b"".join(lines))


def _board(folder: Path, step: int) -> Any:
    """TensorBoard's writer where it is installed, else None."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)
