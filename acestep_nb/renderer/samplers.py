"""How noise becomes latents: the steps of the denoising loop, pure functions of their arguments.

Latents and velocities are `[take, frame, channel]`; a velocity is noise - data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from acestep_nb.options import RenderOptions
from acestep_nb.renderer.request import Kept
from acestep_nb.renderer.schedules import Schedule

OnStep = Callable[[int], None]  # number of steps finished; may raise to stop


class Field(Protocol):
    """The velocity at latents `x` and noise level `t` in a step; Heun's second look may guide otherwise."""

    def predict(self, x: Tensor, t: float, step: int) -> Tensor:
        """The velocity that a step begins with."""

    def correct(self, x: Tensor, t: float, step: int) -> Tensor:
        """The velocity where a step of Heun's would land."""


def denoise(
    field: Field,
    x: Tensor,
    schedule: Schedule,
    options: RenderOptions,
    on_step: OnStep,
    fresh: Iterator[Tensor] | None = None,
    kept: Kept | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """The latents that the field leads to from `x`, which lies at the first level of the schedule.

    `fresh` gives the noise of each SDE step. Where `kept` is given the source is put back into the first steps
    under `noise`, the one that the render began with, and blended in at the end. `on_step` hears 0 before the
    first step, then the count after each one: whatever it raises ends the run within one step.
    """
    before: Tensor | None = None
    injections = 0 if kept is None else round(kept.injection_ratio * schedule.steps)
    on_step(0)
    stations = zip(schedule.levels, schedule.landings, schedule.renoised, strict=True)
    for step, (t, landing, renoised) in enumerate(stations):
        v = limited(field.predict(x, t, step), x, options.velocity_norm_threshold)
        before = v = smoothed(v, before, options.velocity_ema_factor)
        jump = schedule.jumps and step == schedule.steps - 1
        if fresh is not None and not jump:
            landing = renoised
            x = sde(x, v, t, landing, next(fresh) if landing > 0 else torch.zeros_like(x))
        elif options.sampler == "heun" and not jump:
            x = heun(x, v, field.correct(euler(x, v, t, landing), landing, step), t, landing)
        else:
            x = euler(x, v, t, landing)
        if kept is not None and noise is not None and step < injections and not jump:
            x = torch.where(kept.mask[..., None], mixed(noise, kept.latents, landing), x)
        on_step(step + 1)
    return x if kept is None else blended(x, kept)


def euler(x: Tensor, v: Tensor, t: float, landing: float) -> Tensor:
    """One straight step from level `t` to `landing`; landing on 0 is a jump to the data."""
    return x - v * (t - landing)


def heun(x: Tensor, v: Tensor, v_landing: Tensor, t: float, landing: float) -> Tensor:
    """One step along the mean of the velocities at its two ends."""
    return x - (v + v_landing) / 2 * (t - landing)


def sde(x: Tensor, v: Tensor, t: float, landing: float, fresh: Tensor) -> Tensor:
    """A jump to the data, then fresh noise up to the level `landing`."""
    return mixed(fresh, x - v * t, landing)


def mixed(noise: Tensor, data: Tensor, t: float) -> Tensor:
    """Data under noise of level `t`."""
    return t * noise + (1 - t) * data


def limited(v: Tensor, x: Tensor, threshold: float) -> Tensor:
    """The velocity of each take, no longer than `threshold` times its latents; 0 leaves it as it is."""
    if threshold == 0:
        return v
    norms = [torch.linalg.vector_norm(a, dim=(1, 2), keepdim=True) for a in (x, v)]
    return v * torch.clamp(threshold * norms[0] / norms[1], max=1)


def smoothed(v: Tensor, before: Tensor | None, factor: float) -> Tensor:
    """The velocity with a share of the step before; 0 leaves it as it is."""
    return v if before is None or factor == 0 else (1 - factor) * v + factor * before


def retaken(noise: Tensor, other: Tensor, variance: float) -> Tensor:
    """Noise turned towards other noise, of the same loudness; 1 is the other alone."""
    angle = variance * math.pi / 2
    return math.cos(angle) * noise + math.sin(angle) * other


def blended(x: Tensor, kept: Kept) -> Tensor:
    """The latents with the source outside the region, faded in over `crossfade_frames` at each edge."""
    if kept.crossfade_frames == 0:
        return x
    new = _share_of_new(kept.mask, kept.crossfade_frames)[..., None].to(x)
    return new * x + (1 - new) * kept.latents


def _share_of_new(mask: Tensor, frames: int) -> Tensor:
    """How much of each frame `[take, frame]` is new: 1 in the region, falling over `frames` outside it."""
    share = (~mask).float()
    for row, stays in zip(share, mask):
        inside = (~stays).nonzero().flatten().tolist()
        if not inside:
            continue
        first, behind = inside[0], inside[-1] + 1
        left, right = min(frames, first), min(frames, len(row) - behind)
        row[first - left : first] = torch.linspace(0, 1, left + 2)[1:-1].to(row)
        row[behind : behind + right] = torch.linspace(1, 0, right + 2)[1:-1].to(row)
    return share
