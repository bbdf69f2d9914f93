"""A training as it goes on: its curve of losses, and a view of it that a notebook updates in place."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
from IPython.display import display
from matplotlib.figure import Figure

from acestep_nb.adapters.progress import TrainingProgress
from acestep_nb.errors import InputError
from acestep_nb.plots import Picture

_DOTS, _LINE, _GREY = "#808890", "#e8871e", "#808890"
_WINDOW = 20  # steps over which the line is the mean
_SECONDS = 1.0  # between two pictures of a view


def loss_curve(losses: Iterable[float]) -> Figure:
    """A picture of the losses of a training: a dot for each step, and the mean of the last twenty as a line.

    Noise levels differ from step to step, and so do losses: the line tells whether it learns. Raises `InputError`
    when no step was made.
    """
    values = np.array(list(losses))
    if not len(values):
        raise InputError("there are no losses: no step was made", field="losses")
    figure = Picture(figsize=(7.6, 2.6), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    steps = np.arange(1, len(values) + 1)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    begin = np.maximum(steps - _WINDOW, 0)
    axes.plot(steps, values, ".", color=_DOTS, markersize=3, alpha=0.6)
    axes.plot(steps, (sums[steps] - sums[begin]) / (steps - begin), color=_LINE, linewidth=1.8)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    axes.tick_params(colors=_GREY, labelsize=9)
    axes.xaxis.label.set_color(_GREY)
    axes.yaxis.label.set_color(_GREY)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


class TrainingView:
    """Shows a training in the cell's output, in place: how far it is in words, and the curve of its losses.

    Give it as `on_progress` to `engine.adapters.train`.
    """

    def __init__(self) -> None:
        self._words = display(display_id=True)
        self._curve = display(display_id=True)
        self._losses: list[float] = []
        self._shown = 0.0

    def __call__(self, progress: TrainingProgress) -> None:
        """Show this progress; pictures are drawn once a second at most, and at the end."""
        if progress.stage == "training" and progress.last_loss is not None:
            self._losses.append(progress.last_loss)
        last = progress.stage == "training" and progress.step == progress.steps
        if time.monotonic() - self._shown < _SECONDS and not last and progress.stage != "memory":
            return
        self._shown = time.monotonic()
        self._words.update({"text/plain": str(progress)}, raw=True)
        if self._losses:
            self._curve.update(loss_curve(self._losses))
