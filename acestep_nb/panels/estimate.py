"""How long a batch will take: told from what earlier batches needed here, and from nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from acestep_nb.engine import Engine
from acestep_nb.locales import _
from acestep_nb.options import RenderOptions
from acestep_nb.plans import PlanOptions
from acestep_nb.renderer.schedules import evaluations
from acestep_nb.song import DEFAULT_DURATION
from acestep_nb.takes import Take

_REMEMBERED = 50  # batches
_MINUTES = 100.0  # seconds from which minutes are told


@dataclass(frozen=True)
class Asked:
    """What decides how long a batch takes, as the form has it.

    ``seconds`` is what the networks render for each take, None where the song's length is open. ``planning`` holds
    if the engine has a planner.
    """

    task: str
    takes: int
    seconds: float | None
    options: RenderOptions
    planning: PlanOptions


@dataclass(frozen=True)
class _Load:
    """The same in numbers that time grows with; ``same`` is what must be equal for two batches to be compared."""

    same: tuple[object, ...]
    takes: int
    seconds: float | None
    evaluations: int

    def distance(self, other: _Load) -> float:
        """How unlike two batches are that can be compared; 0 for equals."""
        ratios = (
            (self.takes, other.takes),
            (self.seconds or 1.0, other.seconds or 1.0),
            (self.evaluations, other.evaluations),
        )
        return sum(abs(math.log(one / two)) for one, two in ratios)


class Speeds:
    """What batches needed in this kernel; ``seconds`` tells what another one will, None before that can be told.

    Rendering grows with the sound and with how often the network is asked, the rest with the sound alone; the batch
    that is most like the one that is asked for gives both rates.
    """

    def __init__(self) -> None:
        self._known: list[tuple[_Load, Mapping[str, float]]] = []

    def note(self, asked: Asked, engine: Engine, spent: Mapping[str, float], takes: list[Take]) -> None:
        """Remember a batch that was made whole; ``spent`` are its seconds by stage."""
        if takes:
            lengths = [take.duration for take in takes]
            one = _load(asked, engine, sum(lengths) / len(lengths)), dict(spent)
            self._known = [*self._known, one][-_REMEMBERED:]  # a new list: another thread may be reading

    def seconds(self, asked: Asked, engine: Engine) -> float | None:
        """Seconds that the batch will take, from the press to its last take, when nothing else is made."""
        load = _load(asked, engine)
        alike = [one for one in reversed(self._known) if one[0].same == load.same]
        if not alike:
            return None
        known, spent = min(alike, key=lambda one: one[0].distance(load))
        # where the planner chooses the length, it is taken to choose as it did before
        length = (load.seconds or known.seconds or 0.0) / (known.seconds or 1.0)
        sound = load.takes / known.takes * length
        rendering = spent.get("rendering", 0.0) * load.evaluations / known.evaluations
        return sound * (rendering + sum(spent.values()) - spent.get("rendering", 0.0))


def time_in_words(seconds: float | None) -> str:
    """``about 4 s``; nothing for what is not known."""
    if seconds is None:
        return ""
    if seconds >= _MINUTES:
        return _("about {minutes} min", minutes=f"{seconds / 60:.0f}")
    return _("about {seconds} s", seconds=f"{max(seconds, 1):.0f}")


def _load(asked: Asked, engine: Engine, made: float | None = None) -> _Load:
    """The load on this engine; ``made`` is how long the takes became."""
    planning = PlanOptions.nothing() if engine.planner is None else asked.planning
    seconds = asked.seconds
    chooses = seconds is None and (planning.thinking or planning.use_cot_metas)
    if seconds is None:
        seconds = made if chooses else DEFAULT_DURATION
    how = engine.placement
    words = (planning.use_cot_metas, planning.use_cot_caption, planning.use_cot_language)
    same = (engine.name, engine.device, engine.dtype, how.offload, how.int8, engine.planner, asked.task)
    return _Load(
        (*same, chooses, planning.thinking, *words),
        asked.takes,
        seconds,
        evaluations(asked.options, engine.kind),
    )
