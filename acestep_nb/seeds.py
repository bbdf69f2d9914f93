"""Seeds: one whole number per take, as many as there are takes in a batch."""

from __future__ import annotations

import numbers
import re
import secrets
from collections.abc import Iterable

from acestep_nb.errors import InputError
from acestep_nb.knobs import Knob

MAX_SEED = 2**32 - 1
BATCH = Knob("Batch", "Takes rendered at once, each with its own seed.", minimum=1, maximum=8, step=1)
SEEDS = Knob(
    "Seeds",
    "One number per take, such as 7, 8; the same seed gives the same take again.",
    minimum=0,
    maximum=MAX_SEED,
    step=1,
)
_ALLOWED = f"{BATCH.minimum:g}–{BATCH.maximum:g} whole numbers {SEEDS.words(unit='')}"


def checked_seeds(seeds: Iterable[object]) -> tuple[int, ...]:
    """The seeds as plain ints, or ``InputError`` when one is out of range or there are too many."""
    if not isinstance(seeds, Iterable):
        raise _refused(seeds)
    given = tuple(seeds)
    if not BATCH.minimum <= len(given) <= BATCH.maximum:  # type: ignore[operator]
        raise _refused(f"{len(given)} of them")
    return tuple(_checked(seed) for seed in given)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds typed as text: ``"7, 8"`` → ``(7, 8)``; commas, spaces and line ends separate."""
    words = [word for word in re.split(r"[\s,;、，]+", text.strip()) if word]
    return checked_seeds(int(word) if re.fullmatch(r"\d{1,12}", word) else word for word in words)


def fresh_seeds(count: int) -> tuple[int, ...]:
    """So many random seeds, all different."""
    seeds: set[int] = set()
    while len(seeds) < count:
        seeds.add(secrets.randbelow(MAX_SEED + 1))
    return tuple(seeds)


def _checked(seed: object) -> int:
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= int(seed) <= MAX_SEED:  # type: ignore[call-overload]
        raise _refused(seed)
    return int(seed)  # type: ignore[call-overload, no-any-return]


def _refused(value: object) -> InputError:
    return InputError(field="seeds", value=value, allowed=_ALLOWED, remedy="Write for example 7, 8.")
