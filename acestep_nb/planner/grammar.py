"""Which token may come next: the form of a plan, described as data and walked token by token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from acestep_nb.codes import CODEBOOK

GENRES, CAPTION, LANGUAGE = "genres", "caption", "language"
FIELDS = ("bpm", CAPTION, "duration", GENRES, "keyscale", LANGUAGE, "timesignature")
"""The fields of a plan in the order in which they are written."""


@dataclass(frozen=True)
class PlanRequest:
    """What a plan must hold: values that are fixed, fields that are left out, and what follows the metas.

    ``fixed`` maps a field of :data:`FIELDS` to its text (``{"bpm": "92", "language": "en"}``); phase
    ``"plan"`` ends with ``</think>``, ``"understand"`` goes on with lyrics to the end of the turn.
    """

    fixed: Mapping[str, str] = field(default_factory=dict, hash=False)
    skipped: frozenset[str] = frozenset({GENRES})
    max_duration: int = 600
    phase: Literal["plan", "understand"] = "plan"


class PlanGrammar:
    """The form of plans over one tokenizer; ``vocabulary`` is the number of rows of the model's head."""

    def __init__(self, tokenizer: Any, vocabulary: int) -> None: ...

    def walk(self, request: PlanRequest) -> Walk:
        """A new walk through one plan."""


class Walk:
    """One plan while it is written; every take walks alone."""

    def forced(self) -> list[int]:
        """The tokens that alone can follow (may be none); ``advance`` through them without sampling."""

    def mask(self) -> torch.Tensor:
        """Which tokens may follow: bool ``[vocabulary]``, shared between walks: do not write into it."""

    def advance(self, token: int) -> None:
        """Take one token; ``InputError`` when it is not allowed."""

    @property
    def greedy(self) -> bool:
        """Whether the likeliest allowed token is taken whatever the temperature (a language's first token)."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to write."""


def audio_code_ids(tokenizer: Any, size: int = CODEBOOK) -> dict[int, int]:
    """The token of each code of a codebook, by code, for those that the tokenizer has."""


@dataclass(frozen=True)
class CodeCount:
    """When codes may go on and when they must end: exactly ``wanted`` of them, or as many as the model likes."""

    wanted: int | None

    def more(self, made: int) -> bool:
        """Whether another code may follow ``made`` of them."""
        return self.wanted is None or made < self.wanted

    def end(self, made: int) -> bool:
        """Whether the turn may end after ``made`` codes."""
        return self.wanted is None or made >= self.wanted
