"""Plans: what the planner answers, as a value that can be looked at, changed and rendered again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from acestep_nb.codes import CODE_RATE, checked_codes
from acestep_nb.errors import InputError
from acestep_nb.knobs import (
    Knob,
    checked_number,
    checked_switch,
    checked_text,
    from_dict,
    knob_field,
    knobs,
    to_dict,
)
from acestep_nb.seeds import checked_seeds
from acestep_nb.song import Song


@dataclass(frozen=True)
class PlanOptions:
    """How the planner thinks; the defaults are the reference's.

    ``thinking`` asks for codes; the three ``use_cot_…`` switches say which words may be filled in or
    rewritten. With all four off nothing is planned.
    """

    thinking: bool = knob_field(
        True, Knob("Thinking", "Compose the song as codes before it is rendered.", switch=True)
    )
    use_cot_metas: bool = knob_field(
        True,
        Knob(
            "Fill metas",
            "Let the planner choose the tempo, key, time and duration left open.",
            switch=True,
        ),
    )
    use_cot_caption: bool = knob_field(
        True, Knob("Rewrite caption", "Let the planner write the caption anew, in more detail.", switch=True)
    )
    use_cot_language: bool = knob_field(
        True, Knob("Detect language", "Let the planner name the language if it is left open.", switch=True)
    )
    temperature: float = knob_field(
        0.85,
        Knob("Temperature", "Higher is bolder, 0 always the likeliest.", minimum=0, maximum=2, step=0.05),
    )
    cfg_scale: float = knob_field(
        2.0,
        Knob(
            "Planner guidance",
            "How strictly the caption is followed; 1 is off.",
            minimum=1,
            maximum=3,
            step=0.1,
        ),
    )
    top_k: int = knob_field(
        0, Knob("Top k", "Choose among this many tokens; 0 is off.", minimum=0, maximum=100, step=1)
    )
    top_p: float = knob_field(
        0.9,
        Knob(
            "Top p",
            "Choose among the likeliest, to this share; 0 and 1 are off.",
            minimum=0,
            maximum=1,
            step=0.01,
        ),
    )
    repetition_penalty: float = knob_field(
        1.0,
        Knob("Repetition penalty", "Above 1 says less twice; 1 is off.", minimum=1, maximum=2, step=0.05),
    )
    negative_prompt: str = knob_field(
        "", Knob("Negative prompt", "What the music should not be; needs guidance above 1.", max_length=512)
    )

    def __post_init__(self) -> None:
        for name, rule in knobs(PlanOptions).items():
            object.__setattr__(self, name, _check(rule)(name, getattr(self, name), rule))

    @classmethod
    def nothing(cls) -> PlanOptions:
        """Options under which nothing is planned."""
        return cls(thinking=False, use_cot_metas=False, use_cot_caption=False, use_cot_language=False)

    @property
    def anything(self) -> bool:
        """Whether there is anything to plan."""
        return self.thinking or self.use_cot_metas or self.use_cot_caption or self.use_cot_language

    def to_dict(self) -> dict[str, Any]:
        """The options as plain JSON values."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlanOptions:
        """The options that ``to_dict`` wrote, checked again."""
        return from_dict(cls, data)


def _check(rule: Knob) -> Callable[[str, object, Knob], object]:
    if rule.switch:
        return checked_switch
    return checked_number if rule.max_length is None else checked_text


@dataclass(frozen=True)
class Planned:
    """How a plan came about, as a take keeps it beside the song, the codes and the seed of the plan."""

    planner: str
    planner_hash: str
    options: PlanOptions
    text: str
    asked: Song | None


@dataclass(frozen=True)
class Plan:
    """A song filled in, and its codes: all that the renderer needs; change it with ``dataclasses.replace``.

    ``codes`` are 5 per second, empty when only words were planned. ``text`` is what the planner wrote
    before them, ``seed`` the planner seed it was sampled with (``None`` for a plan made by hand),
    ``planner`` and ``planner_hash`` name the model, and ``asked`` is the song before it was filled in. A code
    out of range raises ``InputError``.
    """

    song: Song
    codes: tuple[int, ...] = ()
    text: str = ""
    seed: int | None = None
    options: PlanOptions = field(default_factory=PlanOptions)
    planner: str = ""
    planner_hash: str = ""
    asked: Song | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.song, Song):
            raise InputError(field="song", value=self.song, allowed="a Song")
        object.__setattr__(self, "codes", checked_codes(self.codes))
        if self.seed is not None:
            object.__setattr__(self, "seed", checked_seeds([self.seed])[0])

    @property
    def record(self) -> Planned | None:
        """How it came about; None for a plan made by hand."""
        if self.seed is None:
            return None
        return Planned(self.planner, self.planner_hash, self.options, self.text, self.asked)

    @property
    def duration(self) -> float | None:
        """Seconds that will sound: those of the codes, or of the song where there are none."""
        return len(self.codes) / CODE_RATE if self.codes else self.song.duration

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that ``to_dict`` wrote, checked again."""
        return from_dict(cls, data)
