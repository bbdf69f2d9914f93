"""How a LoRA is trained: every control of it, its range stated here and only here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_nb.errors import InputError
from acestep_nb.knobs import (
    Knob,
    checked_choice,
    checked_number,
    checked_switch,
    from_dict,
    knob_field,
    knobs,
    to_dict,
)
from acestep_nb.seeds import MAX_SEED

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")
TARGETS = (*ATTENTION, *FEED_FORWARD)
"""The projections that an adapter may change, as exchanged files name them."""
RECIPES = ("discrete", "logit-normal")
_CONDITION_DROPOUT = {"discrete": 0.0, "logit-normal": 0.15}


@dataclass(frozen=True)
class LoraOptions:
    """How a LoRA is trained; values are checked when the options are made.

    `recipe` says at which noise levels: "discrete" at the eight of a turbo checkpoint at `shift`,
    "logit-normal" around 0.4 (`sigmoid(n - 0.4)` of a normal n); None takes what suits the checkpoint.
    `condition_dropout` is how often a song is shown without its words, so that guidance keeps working; None is
    0.15 for "logit-normal" and 0 for "discrete".
    """

    rank: int = knob_field(
        64, Knob("Rank", "Size of the adapter: more remembers more.", minimum=1, maximum=256, step=1)
    )
    alpha: float = knob_field(
        128.0,
        Knob("Alpha", "Strength: the change is multiplied by alpha / rank.", minimum=1, maximum=512),
    )
    dropout: float = knob_field(
        0.1, Knob("Dropout", "Share of the adapter's inputs left out at a step.", minimum=0, maximum=0.5)
    )
    targets: tuple[str, ...] = ATTENTION
    recipe: str | None = knob_field(
        None, Knob("Noise levels", "At which noise levels it learns.", choices=RECIPES, optional=True)
    )
    shift: float = knob_field(
        3.0, Knob("Shift", "Shift of the eight levels of the discrete recipe.", minimum=1, maximum=5)
    )
    condition_dropout: float | None = knob_field(
        None,
        Knob(
            "Words left out",
            "Share of steps that show a song without its words.",
            minimum=0,
            maximum=0.9,
            optional=True,
        ),
    )
    learning_rate: float = knob_field(
        1e-4, Knob("Learning rate", "Length of the steps.", minimum=1e-7, maximum=1e-1)
    )
    epochs: int = knob_field(
        500, Knob("Epochs", "How often every song is heard.", minimum=1, maximum=10_000, step=1)
    )
    batch_size: int = knob_field(1, Knob("Batch", "Songs heard at once.", minimum=1, maximum=64, step=1))
    accumulation: int = knob_field(
        1, Knob("Accumulation", "Batches heard before each step.", minimum=1, maximum=64, step=1)
    )
    save_every: int = knob_field(
        50, Knob("Keep every", "Epochs between adapters that are kept.", minimum=1, maximum=10_000, step=1)
    )
    preview_every: int = knob_field(
        0,
        Knob("Preview every", "Epochs between preview takes; 0 is none.", minimum=0, maximum=10_000, step=1),
    )
    gradient_checkpointing: bool = knob_field(
        False,
        Knob("Gradient checkpointing", "Needs far less memory and a third more time.", switch=True),
    )
    seed: int = knob_field(
        42, Knob("Seed", "The same seed learns the same.", minimum=0, maximum=MAX_SEED, step=1)
    )

    def __post_init__(self) -> None:
        for name, rule in knobs(LoraOptions).items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), rule))
        object.__setattr__(self, "targets", _targets(self.targets))

    def recipe_for(self, is_turbo: bool) -> str:
        """The recipe that is used with a checkpoint of that kind."""
        return self.recipe or ("discrete" if is_turbo else "logit-normal")

    def condition_dropout_for(self, is_turbo: bool) -> float:
        """The share of steps without words that is used with a checkpoint of that kind."""
        if self.condition_dropout is not None:
            return self.condition_dropout
        return _CONDITION_DROPOUT[self.recipe_for(is_turbo)]

    def to_dict(self) -> dict[str, Any]:
        """The options as plain JSON values."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LoraOptions:
        """The options that ``to_dict`` wrote, checked again."""
        return from_dict(cls, data)


def _checked(name: str, value: object, rule: Knob) -> object:
    if rule.choices:
        return None if value is None else checked_choice(name, value, rule)
    return checked_switch(name, value, rule) if rule.switch else checked_number(name, value, rule)


def _targets(targets: object) -> tuple[str, ...]:
    given = tuple(targets) if isinstance(targets, Iterable) and not isinstance(targets, str) else (targets,)
    if not given or set(given) - set(TARGETS):
        raise InputError(
            field="targets",
            value=targets,
            allowed=f"some of {', '.join(TARGETS)}",
            remedy=f"The usual ones are {', '.join(ATTENTION)}.",
        )
    return tuple(name for name in TARGETS if name in given)
