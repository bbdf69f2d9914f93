"""How networks fit into a machine's memory: an arithmetic of sizes, and what is given up first when they do not.

Sizes are GiB. The arithmetic is ours: weights by their number format, what computing needs beside them, and a
margin. What a take may be at most is also held to the tables of the original (`tier`), whose makers tried them
on real cards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from acestep_nb.checkpoints.registry import data
from acestep_nb.checkpoints.weighing import Weights

Rung = Literal["batch", "tile", "offload", "int8"]
Edition = Literal["first", "later"]
LADDER: tuple[Rung, ...] = ("batch", "tile", "offload", "int8")
"""What is given up, in this order, when memory runs out at work."""
FORESEEN: tuple[Rung, ...] = ("tile", "offload", "batch", "int8")
"""The order where there is time to choose: moving networks costs seconds, fewer takes at once cost more."""
WIDE, NARROW = 512, 128
"""Latent frames that the codec works on at a time: as a rule, and where memory is short."""
MOST_TAKES, LONGEST = 8, 600
_GIB = 2**30 / 10**9  # billions of bytes
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_MARGIN = 0.5  # the driver's own, and what arithmetic forgets
_CODING = {WIDE: 3.7, NARROW: 0.95}  # measured on the codec of the published size: 7.2 MB a latent frame
_PER_TAKE = 0.3  # a minute of one take in half precision beside the transformer; the original's own figure
_TOKEN = 150e3 / 2**30  # keys and values of one token of the largest planner in half precision
_PROMPT, _TOKENS_PER_SECOND, _ROWS = (
    1000,
    5,
    2,
)  # words before the codes; with guidance each take has two rows
_INT8 = 1.1  # bytes a weight where those of the layers take one
_WIDE_SHARE = {
    "plan": 0.24,
    "read": 0.26,
    "render": 0.01,
}  # of weights outside the layers: tables of words, codes
_MPS_TOGETHER = 180  # seconds; longer takes are computed one by one there, as the original does


@dataclass(frozen=True)
class Machine:
    """What a machine offers: its `device` ("cuda", "mps" or "cpu") and the GiB of memory there.

    `free` is what nothing uses now, `bf16` whether the device computes in bfloat16 natively.
    """

    device: str
    name: str
    memory: float
    free: float
    bf16: bool = False

    @property
    def nominal(self) -> int:
        """Its memory as it is printed on the box: drivers keep a little for themselves."""
        return round(self.memory)


@dataclass(frozen=True)
class Wish:
    """What is to be loaded, and for how much music at once; None leaves it to the machine.

    `planners` are billions of parameters by name; `planner` names one of them, "" wants none.
    """

    weights: Weights
    planners: Mapping[str, float] = field(default_factory=dict)
    planner: str | None = None
    guided: bool = False
    takes: int = 1
    seconds: float = 120.0
    dtype: str | None = None
    offload: bool | None = None
    int8: bool | None = None


@dataclass(frozen=True)
class Placement:
    """How networks are held on a device; `str(placement)` says it and why.

    `offload`: networks wait in main memory while others compute. `int8`: weights of the large networks take one
    byte. `tile`: latent frames that are decoded at a time. `takes` are computed at once at most, and `seconds`
    is about the longest that fits. `needed` of `memory` GiB are used at the peak.
    """

    device: str
    dtype: str
    planner: str | None = None
    offload: bool = False
    int8: bool = False
    tile: int = WIDE
    takes: int = MOST_TAKES
    seconds: int = LONGEST
    needed: float = 0.0
    memory: float = 0.0
    reasons: tuple[str, ...] = ()

    def at_once(self, seconds: float) -> int:
        """How many takes of that length are computed together; on a CPU, which computes them alone, no matter."""
        if self.device == "cpu":
            return MOST_TAKES
        return 1 if self.device == "mps" and seconds > _MPS_TOGETHER else self.takes

    @property
    def fits(self) -> bool:
        """Whether the arithmetic says that it will work."""
        return self.needed <= self.memory

    def __str__(self) -> str:
        verdict = "fits" if self.fits else "does not fit"
        told = f"{verdict}: {self.needed:.1f} of {self.memory:.0f} GB on {self.device}"
        return "; ".join([told, *self.reasons])


@dataclass(frozen=True)
class Tier:
    """What the original allows on cards of one size; `up_to` is in whole GB, None has no end."""

    up_to: int | None
    seconds_with_planner: int
    seconds: int
    batch_with_planner: int
    batch: int
    planners: tuple[str, ...]
    recommended: str | None


def tier(memory: float, edition: Edition = "later") -> Tier:
    """The row of one of the original's two tables for that many GB: its `first` release, or `later` ones."""
    rows = [Tier(**(row | {"planners": tuple(row["planners"])})) for row in data()["tiers"][edition]]
    return next(row for row in rows if row.up_to is None or round(memory) <= row.up_to)


def advised_planner(machine: Machine) -> str:
    """The size of planner that suits a machine, "" for none.

    Cards: below 8 GB 0.6B, up to 4 none; from 8 GB 1.7B; from 24 GB 4B. On a CPU a planner writes a song in
    minutes, so there it is 0.6B, from 16 GB on.
    """
    if machine.device == "cpu":
        return "0.6B" if machine.nominal >= 15 else ""
    steps = ((4, ""), (7, "0.6B"), (23, "1.7B"))
    return next((size for up_to, size in steps if machine.nominal <= up_to), "4B")


def fit(machine: Machine, wish: Wish) -> Placement:
    """The best placement of what is wished: nothing is given up that memory has room for.

    When nothing helps, the smaller planners and then none are tried, unless one was asked for by name; what
    still does not fit says so (`fits`).
    """
    tried = []
    for planner in _planners(machine, wish):
        both = [_placed(machine, wish, planner, dtype) for dtype in _dtypes(machine, wish)]
        tried += sorted(both, key=lambda one: one.int8)  # half the width hurts less than a quarter
    best = next((one for one in tried if one.fits), tried[-1])
    return replace(best, reasons=(*_why(machine, wish, best), *_what(best)))


def sparer(
    placement: Placement, takes: int, order: tuple[Rung, ...] = LADDER
) -> tuple[Placement, str] | None:
    """The next rung of the ladder and what it means in words; None when there is none left.

    `takes` are those that are computed at once now.
    """
    accelerator = placement.device != "cpu"
    open_rungs = {
        "batch": takes > 1 and accelerator,
        "tile": placement.tile > NARROW,
        "offload": not placement.offload and accelerator,
        "int8": not placement.int8,
    }
    for rung in order:
        if open_rungs[rung]:
            return _CLIMB[rung](placement, takes)
    return None


def needed(placement: Placement, wish: Wish, planner: float, takes: int, seconds: float) -> float:
    """GiB at the peak of planning, rendering and decoding so many takes of so many seconds."""
    wide = _BYTES[placement.dtype]
    planning = wide if placement.device == "cuda" else 4  # elsewhere the planner computes in float32
    weights = {
        "plan": planner * planning,
        "read": (wish.weights.encoders + wish.weights.text_encoder) * wide,
        "render": wish.weights.transformer * wide,
        "decode": wish.weights.codec * 4,
    }
    if placement.int8:
        for stage, share in _WIDE_SHARE.items():
            full = planning if stage == "plan" else wide
            weights[stage] *= share + (1 - share) * _INT8 / full
    tokens = takes * _ROWS * (_PROMPT + _TOKENS_PER_SECOND * seconds)
    guided = 2 if wish.guided else 1
    work = {
        "plan": tokens * _TOKEN * planning / 2 if planner else 0.0,
        "read": 0.2,
        "render": _PER_TAKE * guided * takes * max(1.0, seconds / 60) * wide / 2 * _width(wish),
        "decode": _CODING[placement.tile] * min(1.0, wish.weights.codec / 0.169),
    }
    if placement.offload:
        return _MARGIN + max(weights[stage] / _GIB + work[stage] for stage in weights)
    return _MARGIN + sum(weights.values()) / _GIB + max(work.values())


def _width(wish: Wish) -> float:
    """How wide the transformer is beside that of the 2B models; for their depth all are about as wide."""
    return float((wish.weights.transformer / 1.575) ** 0.5)


def _planners(machine: Machine, wish: Wish) -> list[str]:
    """The planners to try in turn: the one asked for, else the advised size and smaller ones, then none."""
    if wish.planner is not None:
        return [wish.planner]
    advised = {"": 0.0, "0.6B": 1.0, "1.7B": 3.0, "4B": 99.0}[advised_planner(machine)]
    suiting = [name for name, billions in wish.planners.items() if billions <= max(advised, 0.1)]
    return [*sorted(suiting, key=lambda name: -wish.planners[name]), ""]


def _placed(machine: Machine, wish: Wish, planner: str, dtype: str) -> Placement:
    """The first placement down the ladder that fits, or the last one."""
    billions = wish.planners.get(planner, 0.0)
    room = min(machine.memory, machine.free)
    placement = Placement(
        device=machine.device,
        dtype=dtype,
        planner=planner or None,
        offload=bool(wish.offload) and machine.device != "cpu",
        int8=bool(wish.int8),
        memory=room,
    )
    order = tuple(rung for rung in FORESEEN if getattr(wish, rung, None) is None)
    takes = wish.takes
    while True:
        need = partial(needed, placement, wish, billions)
        placement = replace(placement, needed=need(takes, wish.seconds))
        lower = None if placement.fits else sparer(placement, takes, order)
        if lower is None:
            return _limited(machine, placement, need)
        if lower[0].takes < takes:
            takes = lower[0].takes
        placement = lower[0]


def _limited(machine: Machine, placement: Placement, need: Callable[[int, float], float]) -> Placement:
    """The placement with how much music it can make at once: by the arithmetic, and by the original's table."""
    row = tier(machine.memory)
    planned = placement.planner is not None
    most = row.batch_with_planner if planned else row.batch
    longest = row.seconds_with_planner if planned else row.seconds
    if machine.device == "cpu":
        most, longest = 1, LONGEST
    takes = next((n for n in range(most, 1, -1) if need(n, 120.0) <= placement.memory), 1)
    seconds = next((s for s in range(longest, 30, -30) if need(1, s) <= placement.memory), 30)
    return replace(placement, takes=takes, seconds=seconds)


def _dtypes(machine: Machine, wish: Wish) -> tuple[str, ...]:
    """The number formats to try: bfloat16 where the device computes in it; float32 else, for float16 overflows as
    soon as there are lyrics. MPS and CPU compute in float32, too, unless only half the width fits.
    """
    if wish.dtype is not None:
        return (wish.dtype,)
    if machine.device == "cuda":
        return ("bfloat16",) if machine.bf16 else ("float32",)
    return ("float32", "bfloat16") if machine.bf16 else ("float32",)


def _why(machine: Machine, wish: Wish, placement: Placement) -> list[str]:
    """Which planner and number format were chosen, and why."""
    reasons = []
    if wish.planners and wish.planner is None:
        advised, chosen = advised_planner(machine), (placement.planner or "").removeprefix("acestep-5Hz-lm-")
        where = f"{machine.nominal} GB of {'main memory' if machine.device == 'cpu' else 'video memory'}"
        if chosen == advised:
            reasons.append(f"{chosen or 'no'} planner because that suits {where}")
        else:
            best = f"{chosen} planner, the largest" if chosen else "no planner: none"
            reasons.append(f"{best} of those here that suits {where}")
    if wish.dtype is None and placement.dtype == "float32" and machine.device == "cuda":
        reasons.append(
            "float32 because this GPU has no bfloat16, and float16 overflows when there are lyrics"
        )
    if wish.dtype is None and placement.dtype == "bfloat16" and machine.device != "cuda":
        reasons.append("bfloat16 because float32 would need more memory than is free")
    return reasons


def _what(placement: Placement) -> list[str]:
    """What was given up for memory."""
    told = []
    if placement.offload:
        told.append("networks take turns on the device")
    if placement.int8:
        told.append("weights of 8 bits")
    if not placement.fits:
        told.append("use a smaller model, a shorter song, or another machine")
    return told


def _climb_batch(placement: Placement, takes: int) -> tuple[Placement, str]:
    fewer = takes // 2
    return replace(placement, takes=fewer), f"{fewer} at once" if fewer > 1 else "one at a time"


_CLIMB: dict[Rung, Callable[[Placement, int], tuple[Placement, str]]] = {
    "batch": _climb_batch,
    "tile": lambda placement, _: (replace(placement, tile=NARROW), "decoded in smaller pieces"),
    "offload": lambda placement, _: (replace(placement, offload=True), "networks took turns on the device"),
    "int8": lambda placement, _: (replace(placement, int8=True), "weights of 8 bits"),
}
