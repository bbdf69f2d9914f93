"""The planner's opinion in numbers: how much likelier codes make the words that were asked; plain numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

SENSITIVITY = 0.5
"""Default scale of `pmi_score`: smaller spreads takes further apart."""
TOP = 10
CAPTION, LYRICS = "caption", "lyrics"
METAS = ("bpm", "duration", "genres", "keyscale", "language", "timesignature")
WEIGHTS = {CAPTION: 0.5, LYRICS: 0.3, "metas": 0.2}


def pmi_score(pmi: float, sensitivity: float = SENSITIVITY) -> float:
    """0–1 from a difference of mean log-probabilities, with the codes and without: 0.5 where they tell nothing."""
    return 1.0 / (1.0 + math.exp(min(max(-pmi / sensitivity, -700.0), 700.0)))


def recall(ranks: npt.NDArray[Any], top: int = TOP) -> float:
    """0–1 from the ranks (0 is the most likely) of the true tokens: 1, 0.9, 0.8 … each, 0 from rank `top` on."""
    return float(np.maximum(1 - ranks / top, 0).mean()) if ranks.size else 0.0


def overall(conditions: Mapping[str, float]) -> float | None:
    """The weighted mean of caption 0.5, lyrics 0.3 and all metas together 0.2; weights of what is missing go
    to the others. None without any condition.
    """
    metas = [value for name, value in conditions.items() if name not in (CAPTION, LYRICS)]
    groups = {name: conditions[name] for name in (CAPTION, LYRICS) if name in conditions}
    if metas:
        groups["metas"] = sum(metas) / len(metas)
    total = sum(WEIGHTS[name] for name in groups)
    return sum(WEIGHTS[name] * value for name, value in groups.items()) / total if groups else None
