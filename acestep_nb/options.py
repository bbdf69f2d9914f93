"""How a song is rendered: every control of the denoising loop, its range stated here and only here."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from acestep_nb.errors import InputError
from acestep_nb.kinds import Kind
from acestep_nb.knobs import (
    Knob,
    checked_choice,
    checked_number,
    checked_switch,
    from_dict,
    knob_field,
    knobs,
    refused,
    to_dict,
)
from acestep_nb.locales import _

TURBO_SHIFTS = (1.0, 2.0, 3.0)
"""The shifts that turbo checkpoints were distilled at; another one is brought to the nearest of them."""


def _share(label: str, words: str, optional: bool = False) -> Knob:
    return Knob(label, words, minimum=0, maximum=1, step=0.05, optional=optional)


@dataclass(frozen=True)
class RenderOptions:
    """How the renderer turns a song into latents; ``None`` takes the default of the checkpoint.

    Values are checked when the options are made; one out of range raises ``InputError``. What a checkpoint
    makes of them says :func:`resolved`.
    """

    inference_steps: int | None = knob_field(
        None,
        Knob(
            "Steps",
            "Denoising steps; more take longer. Turbo models want 8, others about 50.",
            minimum=1,
            maximum=200,
            step=1,
            optional=True,
        ),
    )
    shift: float | None = knob_field(
        None,
        Knob(
            "Shift",
            "Higher spends more of the steps on the outline.",
            minimum=1,
            maximum=5,
            step=0.1,
            optional=True,
        ),
    )
    guidance_scale: float | None = knob_field(
        None,
        Knob(
            "Guidance",
            "How strongly the words pull; 1 is off. Turbo models have none to be added.",
            minimum=1,
            maximum=15,
            step=0.1,
            optional=True,
        ),
    )
    guidance: str = knob_field(
        "apg",
        Knob(
            "Guidance method",
            "How the pull of the words is added to each step.",
            choices=("apg", "adg", "adg_w_norm", "adg_wo_clip", "cfg"),
            choice_labels=("APG", "ADG", "ADG, same norm", "ADG, unclipped", "CFG"),
        ),
    )
    cfg_interval_start: float = knob_field(
        0.0, _share("Guidance until", "Lowest noise level with guidance; 0 guides to the end.")
    )
    cfg_interval_end: float = knob_field(
        1.0, _share("Guidance from", "Highest noise level with guidance; 1 guides from the first step.")
    )
    sampler: str = knob_field(
        "euler",
        Knob(
            "Sampler",
            "Heun asks the model twice a step and follows curves better.",
            choices=("euler", "heun"),
            choice_labels=("Euler", "Heun"),
        ),
    )
    infer_method: str = knob_field(
        "ode",
        Knob(
            "Method",
            "ODE follows one path; SDE adds fresh noise at every step.",
            choices=("ode", "sde"),
            choice_labels=("ODE", "SDE"),
        ),
    )
    timesteps: tuple[float, ...] | None = knob_field(
        None,
        Knob(
            "Timesteps",
            "Own noise levels, falling, such as 0.97, 0.76, 0.5, 0.28; they override steps and shift.",
            minimum=0,
            maximum=1,
            max_items=201,
            optional=True,
        ),
    )
    audio_cover_strength: float = knob_field(
        1.0, _share("Cover strength", "Share of the steps that follow the source or the codes.")
    )
    cover_noise_strength: float = knob_field(
        0.0, _share("Start from source", "0 starts from noise; higher starts nearer to the source.")
    )
    retake_variance: float = knob_field(
        0.0, _share("Variation", "How much of the noise is drawn anew from the retake seed.")
    )
    velocity_norm_threshold: float = knob_field(
        0.0,
        Knob(
            "Velocity limit",
            "Most that a step may move, as a multiple of what is there; 0 is off.",
            minimum=0,
            maximum=10,
            step=0.1,
        ),
    )
    velocity_ema_factor: float = knob_field(
        0.0,
        Knob(
            "Velocity smoothing",
            "Share of the step before in every step; 0 is off.",
            minimum=0,
            maximum=0.9,
            step=0.05,
        ),
    )
    normalize: bool = knob_field(True, Knob("Normalise", "Bring the loudest moment to −1 dBFS.", switch=True))

    def __post_init__(self) -> None:
        for name, rule in knobs(RenderOptions).items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), rule))
        if self.cfg_interval_start > self.cfg_interval_end:
            raise InputError(
                field="cfg_interval_start",
                value=self.cfg_interval_start,
                allowed=_("at most cfg_interval_end ({value})", value=f"{self.cfg_interval_end:g}"),
                remedy=_("Noise levels fall from 1 to 0: guidance begins at the end of the interval."),
            )
        if self.sampler == "heun" and self.infer_method == "sde":
            raise InputError(
                field="sampler",
                value=self.sampler,
                allowed=_("euler with the sde method"),
                remedy=_('Use infer_method="ode" with Heun.'),
            )

    def to_dict(self) -> dict[str, Any]:
        """The options as plain JSON values."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RenderOptions:
        """The options that ``to_dict`` wrote, checked again."""
        return from_dict(cls, data)


def resolved(options: RenderOptions, kind: Kind) -> RenderOptions:
    """The options as a checkpoint of that kind uses them: no step count, shift or scale is left open.

    Turbo checkpoints get no guidance, and those of the three distilled shifts the nearest of these. Own
    timesteps stay as they are. Resolving twice changes nothing.
    """
    shift = kind.shift if options.shift is None else options.shift
    scale = kind.guidance_scale if options.guidance_scale is None else options.guidance_scale
    return replace(
        options,
        inference_steps=options.inference_steps or kind.inference_steps,
        shift=nearest(shift, TURBO_SHIFTS) if kind.is_turbo and not kind.continuous else shift,
        guidance_scale=1.0 if kind.is_turbo else scale,
    )


def replaced(options: RenderOptions, kind: Kind) -> tuple[str, ...]:
    """What a checkpoint of that kind does otherwise than asked, one sentence each, for a take's notes."""
    used = resolved(options, kind)
    return tuple(
        f"{name} {getattr(options, name):g} was not used: {kind.name} checkpoints take {getattr(used, name):g}"
        for name in ("shift", "guidance_scale")
        if getattr(options, name) not in (None, getattr(used, name))
    )


def nearest(value: float, allowed: Iterable[float]) -> float:
    """The nearest of the allowed values; of two equally near ones the first."""
    return min(allowed, key=lambda candidate: abs(candidate - value))


def _checked(name: str, value: object, rule: Knob) -> object:
    if rule.choices:
        return checked_choice(name, value, rule)
    if rule.switch:
        return checked_switch(name, value, rule)
    return _timesteps(name, value, rule) if rule.max_items else checked_number(name, value, rule)


def _timesteps(name: str, value: object, rule: Knob) -> tuple[float, ...] | None:
    """Falling noise levels without the zeros at the end, which are implied; nothing left is None."""
    if value is None:
        return None
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise refused(name, value, rule, _("Give them as a list, such as [0.97, 0.76, 0.5, 0.28]."))
    levels = [float(checked_number(name, item, replace(rule, optional=False)) or 0) for item in value]
    if len(levels) > (rule.max_items or 0):
        raise refused(name, f"{len(levels)} of them", rule, _("Leave some out."))
    while levels and levels[-1] == 0:
        levels.pop()
    if any(before <= after for before, after in itertools.pairwise(levels)):
        raise refused(
            name, value, rule, _("Write them from noisy (1) to clean (0), each below the one before.")
        )
    return tuple(levels) or None
