"""When the network is asked: the noise levels of the denoising steps."""

from __future__ import annotations

from dataclasses import dataclass

from acestep_nb.kinds import Kind
from acestep_nb.options import RenderOptions, nearest, resolved

TURBO_LEVELS = (
    1.0, 0.9545454545, 0.9333333333, 0.9, 0.875, 0.8571428571, 0.8333333333, 0.7692307692, 0.75, 0.6666666667,
    0.6428571429, 0.625, 0.5454545455, 0.5, 0.4, 0.375, 0.3, 0.25, 0.2222222222, 0.125,
)  # fmt: skip
"""The noise levels that turbo checkpoints have seen."""


@dataclass(frozen=True)
class Schedule:
    """Noise levels from high to low, one per step, and where each step lands.

    `landings` are the levels behind each step, the last one 0; `renoised` those that an SDE step adds noise up
    to. `jumps` says that the last step always goes straight to the data, as turbo checkpoints do.
    """

    levels: tuple[float, ...]
    renoised: tuple[float, ...]
    jumps: bool

    @property
    def landings(self) -> tuple[float, ...]:
        """The level behind each step: that of the next step, 0 after the last."""
        return (*self.levels[1:], 0.0)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.levels)


def schedule(options: RenderOptions, kind: Kind) -> Schedule:
    """The schedule of a checkpoint of that kind.

    Own timesteps override steps and shift; turbo checkpoints of the three distilled shifts use the first 20 of
    them, each brought to the nearest level of `TURBO_LEVELS`. With `cover_noise_strength` c above 0 the schedule
    starts at the level nearest to 1 - c. The SDE of checkpoints that are not turbo lands on the even grid
    whatever the shift is: so did the original.
    """
    options = resolved(options, kind)
    count, shift = options.inference_steps or 0, options.shift or 1.0
    levels = timesteps(count, shift)
    renoised = (*levels[1:], 0.0) if kind.is_turbo else (*timesteps(count, 1.0)[1:], 0.0)
    if options.timesteps is not None:
        levels = options.timesteps
        if kind.is_turbo and not kind.continuous:
            levels = tuple(nearest(t, TURBO_LEVELS) for t in levels[: len(TURBO_LEVELS)])
        renoised = (*levels[1:], 0.0)
    if options.cover_noise_strength > 0:
        first = levels.index(nearest(1 - options.cover_noise_strength, levels))
        levels, renoised = levels[first:], renoised[first:]
    return Schedule(levels, renoised, jumps=kind.is_turbo)


def evaluations(options: RenderOptions, kind: Kind) -> int:
    """How often the network is asked for one take: once a step, twice under guidance, twice by Heun's sampler.

    The rules are those of `samplers.denoise` and of the renderer's field: the last step of turbo checkpoints is one
    jump, and guidance holds from `cfg_interval_start` to `cfg_interval_end`, with a scale above 1.
    """
    used, plan = resolved(options, kind), schedule(options, kind)
    guides = (used.guidance_scale or 1.0) > 1
    count = 0
    for step, (level, landing) in enumerate(zip(plan.levels, plan.landings, strict=True)):
        jump = plan.jumps and step == plan.steps - 1
        asked = (level,) if used.sampler == "euler" or jump else (level, landing)
        count += sum(
            2 if guides and used.cfg_interval_start <= t <= used.cfg_interval_end else 1 for t in asked
        )
    return count


def timesteps(inference_steps: int, shift: float) -> tuple[float, ...]:
    """Noise levels from 1 (pure noise) downwards, one per step; the level 0 after the last step is left out.

    An even grid is pushed towards the noisy end by `shift` (Esser et al. 2024): `s * t / (1 + (s - 1) * t)`.
    With 8 steps and shift 1, 2 or 3 this gives the tables of the turbo checkpoints.
    """
    even = (1 - i / inference_steps for i in range(inference_steps))
    return tuple(shift * t / (1 + (shift - 1) * t) for t in even)
