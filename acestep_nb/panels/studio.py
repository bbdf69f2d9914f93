"""The studio, which has every task, and a panel for each task alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import ipywidgets

from acestep_nb.engine import Engine
from acestep_nb.locales import _
from acestep_nb.panels.panel import Panel
from acestep_nb.seeds import Seeds
from acestep_nb.song import Song
from acestep_nb.sweeps import Sweep, sweep
from acestep_nb.widgets.compare import MOST, Compare


class Studio(Panel):
    """Every task on one panel."""

    def sweep(
        self,
        song: Song | None = None,
        *,
        seeds: Iterable[int | Seeds] | None = None,
        grid: bool = False,
        **factors: Iterable[Any],
    ) -> ipywidgets.VBox:
        """One factor changed at a time with the seed held, to be heard side by side, each take with its label.

        ``studio.sweep(shift=[1, 2, 3], seeds=[7])``: factors are fields of ``Song`` and ``RenderOptions``, the rest
        is as on the form. Waits until the takes are made; they are kept in the project. Raises ``InputError`` as
        :func:`acestep_nb.sweeps.sweep` does, ``Cancelled`` when it is stopped.
        """
        asked, options, own = song or self.song, self.options, self._session
        made: list[Sweep] = []

        def ask(engine: Engine, on_progress: Any, cancel: threading.Event) -> Sweep:
            how = {
                "seeds": seeds,
                "options": options,
                "grid": grid,
                "history": self.history,
                "cancel": cancel,
            }
            return sweep(engine, asked, on_take=lambda take: own.renew(take.name), **how, **factors)

        own.think(self._engine, _("a sweep is rendered"), ask, made.append).wait()
        (found,) = made
        parts = [slice(start, start + MOST) for start in range(0, len(found), MOST)]
        return ipywidgets.VBox([Compare(found.takes[part], found.labels[part]) for part in parts])


class Text2Music(Panel):
    """A panel that makes songs from words."""

    offered = ("text2music",)


class Cover(Panel):
    """A panel for the outline of a sound in another style."""

    offered = ("cover",)


class Repaint(Panel):
    """A panel that makes a region of a sound anew, or goes on past its end."""

    offered = ("repaint",)


class Lego(Panel):
    """A panel that adds one track to a sound."""

    offered = ("lego",)


class Extract(Panel):
    """A panel that takes one track out of a sound."""

    offered = ("extract",)


class Complete(Panel):
    """A panel that finds the other tracks to one."""

    offered = ("complete",)
