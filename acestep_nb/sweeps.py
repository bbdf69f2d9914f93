"""Sweeps: the same song with one thing changed at a time and the seed held, so that the ear hears what it does."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from acestep_nb.errors import InputError
from acestep_nb.history import History
from acestep_nb.knobs import Knob, knobs
from acestep_nb.lineage import value_in_words
from acestep_nb.locales import _
from acestep_nb.options import RenderOptions
from acestep_nb.seeds import Seeds, batch_seeds
from acestep_nb.song import Song
from acestep_nb.takes import Take

MOST = 64
"""Takes that one sweep makes at most."""
_DEFAULTS = RenderOptions()


class Generates(Protocol):
    """What a sweep needs of an engine."""

    def generate(self, song: Song, **how: Any) -> list[Take]:
        """One take of the song for each seed."""


@dataclass(frozen=True)
class Point:
    """One place of a sweep: what to render, and its ``label``, such as "Shift 3"."""

    label: str
    song: Song
    options: RenderOptions


@dataclass(frozen=True)
class Sweep:
    """The takes of a sweep, each with its label.

    Hear them with ``Compare(found.takes, found.labels)``, see them with ``spectrograms(dict(found))``.
    """

    labels: tuple[str, ...]
    takes: tuple[Take, ...]

    def __iter__(self) -> Iterator[tuple[str, Take]]:
        return iter(zip(self.labels, self.takes))

    def __len__(self) -> int:
        return len(self.takes)


def points(
    song: Song, options: RenderOptions, factors: Mapping[str, Iterable[Any]], grid: bool = False
) -> tuple[Point, ...]:
    """Every place of a sweep over these factors: each value of each alone, or all combinations of them.

    A factor is the name of a field of ``Song`` or ``RenderOptions`` with the values to try. Raises ``InputError``
    for another name, for no values, and for a value that its field does not take.
    """
    if not factors:
        raise InputError(
            field="factors",
            allowed="at least one field with its values",
            remedy="Write for example shift=[1, 2, 3].",
        )
    settings = [[(name, value) for value in _values(name, values)] for name, values in factors.items()]
    chosen = itertools.product(*settings) if grid else ((one,) for axis in settings for one in axis)
    return tuple(_point(song, options, dict(values)) for values in chosen)


def sweep(
    engine: Generates,
    song: Song,
    *,
    seeds: Iterable[int | Seeds] | None = None,
    options: RenderOptions = _DEFAULTS,
    grid: bool = False,
    history: History | None = None,
    on_take: Callable[[Take], None] | None = None,
    cancel: threading.Event | None = None,
    **factors: Iterable[Any],
) -> Sweep:
    """A take for each value of each factor and each seed: ``sweep(engine, song, shift=[1, 2, 3], seeds=[7])``.

    Factors are fields of ``Song`` and ``RenderOptions``; with several, one is changed at a time while the others
    stay as they are in ``song`` and ``options``, or with ``grid`` all are combined. Without ``seeds`` one is drawn
    and held. A ``history`` keeps each take as soon as it is ready; ``on_take`` hears of it. Everything is checked
    before the first take is rendered. Raises ``InputError`` as :func:`points` does and for more than ``MOST``
    takes, and what ``engine.generate`` raises; the takes that were ready are kept.
    """
    places = points(song, options, factors, grid)
    held = batch_seeds(seeds)
    if len(places) * len(held) > MOST:
        raise InputError(
            field="factors",
            value=f"{len(places) * len(held)} takes",
            allowed=f"at most {MOST} takes",
            remedy="Leave out values or seeds.",
        )
    takes: list[Take] = []

    def keep(take: Take) -> None:
        takes.append(take if history is None else history.add(take))
        if on_take is not None:
            on_take(takes[-1])

    for place in places:
        engine.generate(place.song, seeds=held, options=place.options, on_take=keep, cancel=cancel)
    return Sweep(tuple(_labels(places, held)), tuple(takes))


def _labels(places: Sequence[Point], seeds: Sequence[Seeds]) -> Iterator[str]:
    for place, own in itertools.product(places, seeds):
        yield place.label if len(seeds) == 1 else f"{place.label} · {_('seed {seed}', seed=own.noise)}"


def _values(name: str, values: Iterable[Any]) -> list[Any]:
    if name not in _rules():
        raise InputError(
            field=name,
            value=name,
            allowed=f"a field of Song or RenderOptions: {', '.join(_rules())}",
            remedy="Write for example shift=[1, 2, 3].",
        )
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InputError(
            field=name, value=values, allowed="a list of values", remedy=f"Write {name}=[{values!r}, …]."
        )
    given = list(values)
    if not given:
        raise InputError(field=name, value="an empty list", allowed="a list of values")
    return given


def _point(song: Song, options: RenderOptions, values: Mapping[str, Any]) -> Point:
    words = {name: value for name, value in values.items() if name in knobs(Song)}
    turned = {name: value for name, value in values.items() if name not in words}
    song, options = replace(song, **words), replace(options, **turned)
    fitted = {name: getattr(song if name in words else options, name) for name in values}
    return Point(" · ".join(_label(name, value) for name, value in fitted.items()), song, options)


def _label(name: str, value: Any) -> str:
    rule = _rules()[name]
    return f"{_(rule.label)} {value_in_words(value, rule)}"


def _rules() -> dict[str, Knob]:
    return knobs(Song) | knobs(RenderOptions)
