"""What an engine does when memory runs out: it gives something up and tries again, until nothing is left to give."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from acestep_nb.checkpoints.fit import LADDER, Placement, Rung, sparer
from acestep_nb.errors import RenderError
from acestep_nb.renders import Order, Progress, Renders

if TYPE_CHECKING:
    from acestep_nb.checkpoints.residence import Work
    from acestep_nb.planner.planner import Planner
    from acestep_nb.takes import Take

T = TypeVar("T")
EIGHT_BITS = "made with weights of 8 bits"
SPARED = "memory ran out: {}"
_PLANNING: tuple[Rung, ...] = ("batch", "offload", "int8")  # nothing is decoded there
_SINGLE: tuple[Rung, ...] = ("tile", "offload", "int8")


class Ladder:
    """The rungs that an engine has taken, as its `placement`, and work that takes more of them when it must.

    What was given up stays given up, for the next song may be as large; load the engine again to start afresh.
    """

    def __init__(self, placement: Placement, renders: Renders, planner: Planner | None) -> None:
        self.placement = placement
        self._renders = renders
        self._residence = renders.models.residence
        self._residence.add("planning", [None if planner is None else planner.network])
        renders.codec.work_in(placement.tile)
        if placement.int8:
            clean_up()  # the wide weights are gone, but not yet their memory

    def takes(self, order: Order) -> Iterator[Take]:
        """The takes of an order, as many at once as there is room for; their notes say what was given up."""
        done, notes = 0, order.notes
        while done < len(order.seeds):
            seconds = max(words.seconds for words in order.words)
            count = min(self.placement.at_once(seconds), len(order.seeds) - done)
            standing = (EIGHT_BITS,) if self.placement.int8 else ()
            try:
                for take in self._renders.takes(
                    _part(replace(order, notes=(*standing, *notes)), done, count)
                ):
                    done += 1
                    yield take
                continue
            except RenderError as error:
                lower = self._lower(error, count, LADDER)
            clean_up()  # only out here nothing holds on to what the failed work had made
            notes = (*notes, self._climb(*lower))

    def plans(
        self, seeds: Sequence[int], write: Callable[[Sequence[int]], list[T]]
    ) -> tuple[list[T], tuple[str, ...]]:
        """What `write` makes of the seeds, as many at once as there is room for, and what was given up."""
        made: list[T] = []
        notes: tuple[str, ...] = ()
        while len(made) < len(seeds):
            some = seeds[len(made) : len(made) + self.placement.at_once(0)]
            try:
                self._bring("planning")
                made += write(some)
                continue
            except RenderError as error:
                lower = self._lower(error, len(some), _PLANNING)
            clean_up()
            notes = (*notes, self._climb(*lower))
        return made, notes

    def work(self, kind: Work, do: Callable[[], T]) -> T:
        """What `do` gives, which is for one take alone and begins with that kind of work."""
        while True:
            try:
                self._bring(kind)
                return do()
            except RenderError as error:
                lower = self._lower(error, 1, _SINGLE)
            clean_up()
            self._climb(*lower)

    def _bring(self, kind: Work) -> None:
        from acestep_nb.renderer.guard import render_errors

        with render_errors(kind):
            self._residence.bring(kind)

    def _lower(self, error: RenderError, takes: int, rungs: tuple[Rung, ...]) -> tuple[Placement, str]:
        """The next rung after an error; raises it when it is about something else, or there is no rung left."""
        lower = sparer(self.placement, takes, rungs) if error.field == "memory" else None
        if lower is None:
            raise error
        return lower

    def _climb(self, lower: Placement, words: str) -> str:
        """Give up what that placement does without, and tell it in words."""
        before, self.placement = self.placement, lower
        if self.placement.tile != before.tile:
            self._renders.codec.work_in(self.placement.tile)
        if self.placement.offload and not before.offload:
            self._residence.take_turns()
        if self.placement.int8 and not before.int8:
            self._take_a_byte()
        return SPARED.format(words)

    def _take_a_byte(self) -> None:
        from acestep_nb.checkpoints.int8 import quantize
        from acestep_nb.checkpoints.loading import TO_INT8

        chosen = [getattr(self._renders.models, name) for name in TO_INT8]
        for kind in ("reading", "rendering", "planning"):
            for network in self._residence.at_home(kind):
                if kind == "planning" or network in chosen:
                    quantize(network)
        self._renders.conditioner.forget()
        clean_up()


def _part(order: Order, done: int, count: int) -> Order:
    """The order of `count` of the takes behind those that are done; its progress is told as that of the whole."""
    total = len(order.seeds)
    if count == total:
        return order
    own = slice(done, done + count)
    part = replace(order, seeds=order.seeds[own], words=order.words[own])
    listener = order.on_progress
    if listener is None:
        return part

    def tell(progress: Progress) -> None:
        overall = (done + progress.fraction * count) / total
        number = progress.take + done if progress.take else 0
        listener(replace(progress, take=number, takes=total, overall=overall))

    return replace(part, on_progress=tell)


def clean_up() -> None:
    """Give memory that nothing holds any more back to the device."""
    import torch

    gc.collect()
    if sys.platform == "linux":  # where the C library else keeps for itself what was freed
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
