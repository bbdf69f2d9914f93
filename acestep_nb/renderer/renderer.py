"""The renderer: words and seeds in, latents out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from acestep_nb.checkpoints.loading import Models
from acestep_nb.codes import LATENT_CHANNELS
from acestep_nb.options import RenderOptions
from acestep_nb.renderer import conditions
from acestep_nb.renderer.conditions import Condition
from acestep_nb.renderer.guard import check_latents, render_errors
from acestep_nb.renderer.samplers import OnStep, Velocity, euler
from acestep_nb.renderer.schedules import timesteps
from acestep_nb.song import Song


@dataclass(frozen=True)
class Renderer:
    """Turns songs into latents with the networks of one checkpoint."""

    models: Models

    @torch.inference_mode()
    def condition(self, songs: Sequence[Song]) -> Condition:
        """What the network is told about a batch with one take for each song."""
        with render_errors("reading the words"):
            return conditions.text2music(self.models, songs)

    @torch.inference_mode()
    def render(
        self, condition: Condition, seeds: Sequence[int], options: RenderOptions, on_step: OnStep
    ) -> Tensor:
        """Latents float32 `[take, frame, 64]`, one take for each seed, on the device of the networks.

        A seed's noise does not depend on its neighbours. The arithmetic of another batch size is near, not
        identical: on the CPU, render takes one by one for the same bits every time.
        Raises `RenderError` when the result is not music; `on_step` may raise to stop within one step.
        """
        noise = noise_of(seeds, condition.frames).to(condition.context.device)
        levels = timesteps(options.inference_steps, options.shift)
        latents = euler(velocity_field(self.models.transformer, condition), noise, levels, on_step)
        check_latents(latents)
        return latents


def velocity_field(network: Any, condition: Condition) -> Velocity:
    """The network under a condition, as a function of latents and noise level; r = t, as in training."""

    def velocity(x: Tensor, t: float) -> Tensor:
        level = torch.full((condition.takes,), t, dtype=network.dtype, device=x.device)
        with render_errors("rendering"):
            out: Tensor = network(
                hidden_states=x.to(network.dtype),
                timestep=level,
                timestep_r=level,
                encoder_hidden_states=condition.hidden,
                context_latents=condition.context,
                return_dict=False,
            )[0]
        return out.float()

    return velocity


def noise_of(seeds: Sequence[int], frames: int) -> Tensor:
    """Starting noise float32 `[take, frame, 64]`; each take has its own generator, on the CPU."""
    shape = (1, frames, LATENT_CHANNELS)
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    return torch.cat([torch.randn(shape, generator=generator) for generator in generators])
