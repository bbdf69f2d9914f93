"""Seeds: one whole number per take, as many as there are takes in a batch."""

from __future__ import annotations

import hashlib
import numbers
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, fields

from acestep_nb.errors import InputError
from acestep_nb.knobs import Knob
from acestep_nb.locales import _

MAX_SEED = 2**32 - 1
BATCH = Knob("Batch", "Takes rendered at once, each with its own seed.", minimum=1, maximum=8, step=1)
SEEDS = Knob(
    "Seeds",
    "One number per take, such as 7, 8; the same seed gives the same take again.",
    minimum=0,
    maximum=MAX_SEED,
    step=1,
)


@dataclass(frozen=True)
class Seeds:
    """Every seed of one take: whole numbers 0–4,294,967,295, each for one kind of chance.

    ``noise`` is where the denoising starts, ``retake`` the noise that is mixed into it by ``retake_variance``,
    ``sde`` the fresh noise of the steps of the SDE method, ``reference`` the choice of segments out of a
    reference audio, ``planner`` what a language model writes. ``Seeds.of(7)`` derives the others from the
    noise seed; for another variation of the same take write ``dataclasses.replace(take.seeds, retake=3)``.
    """

    noise: int
    retake: int
    sde: int
    reference: int
    planner: int

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(getattr(self, field.name)))

    @classmethod
    def of(cls, noise: int) -> Seeds:
        """The seeds of a take of which only the noise seed was given: the same ones every time."""
        others = (field.name for field in fields(cls) if field.name != "noise")
        return cls(noise, **{name: derived(noise, name) for name in others})


def derived(seed: int, purpose: str) -> int:
    """Another seed made from this one, unlike that of any other purpose."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:4], "big")


def batch_seeds(seeds: Iterable[int | Seeds] | None) -> tuple[Seeds, ...]:
    """The seeds of each take of a batch, of which numbers and records may be given; None draws one."""
    if seeds is None:
        return (Seeds.of(fresh_seeds(1)[0]),)
    if not isinstance(seeds, Iterable):
        raise _refused(seeds)
    given = tuple(seeds)
    noises = checked_seeds(seed.noise if isinstance(seed, Seeds) else seed for seed in given)
    return tuple(
        seed if isinstance(seed, Seeds) else Seeds.of(noise)
        for seed, noise in zip(given, noises, strict=True)
    )


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
    allowed = _(
        "{batch} whole numbers {range}",
        batch=f"{BATCH.minimum:g}–{BATCH.maximum:g}",
        range=SEEDS.words(unit=""),
    )
    return InputError(field="seeds", value=value, allowed=allowed, remedy=_("Write for example 7, 8."))
