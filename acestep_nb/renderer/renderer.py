"""The renderer: conditions, seeds and options in, latents out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from acestep_nb.checkpoints.loading import Models
from acestep_nb.codes import LATENT_CHANNELS
from acestep_nb.errors import InputError
from acestep_nb.kinds import Kind
from acestep_nb.locales import later
from acestep_nb.options import RenderOptions, resolved
from acestep_nb.renderer.attention import ConditionMemory, condition_memory
from acestep_nb.renderer.conditions import Condition
from acestep_nb.renderer.guard import check_latents, done_again, in_float32, is_finite, render_errors
from acestep_nb.renderer.guidance import guided
from acestep_nb.renderer.request import Rendered, Request
from acestep_nb.renderer.samplers import OnStep, denoise, mixed, retaken
from acestep_nb.renderer.schedules import Schedule, schedule


@dataclass(frozen=True)
class Renderer:
    """Turns conditions into latents with the networks of one checkpoint."""

    models: Models

    @torch.inference_mode()
    def render(self, request: Request, options: RenderOptions, on_step: OnStep) -> Rendered:
        """One take for each seed, its latents on the device of the networks.

        A seed's noise does not depend on its neighbours. The arithmetic of another batch size is near, not
        identical: on the CPU, render takes one by one for the same bits every time. Half precision that
        overflows is rendered once more in float32, and a note says so. `on_step` may raise to stop within one
        step.
        Raises `RenderError` when the result is not music, `InputError` when a control needs a source that the
        request does not have.
        """
        if options.cover_noise_strength > 0 and request.source is None:
            remedy = "Set it to 0, or rework a source."
            message = "cover_noise_strength starts from a source, and there is none"
            raise InputError(
                message, field="cover_noise_strength", value=options.cover_noise_strength, remedy=remedy
            )
        with render_errors(later("rendering")):
            self.models.residence.bring("rendering")
        network = self.models.transformer
        null = self.models.condition_encoder.null_condition_emb.to(self.models.device)
        dtype, notes = network.dtype, request.notes
        latents = render_latents(network, null, self.models.kind, request, options, on_step)
        if dtype != torch.float32 and not is_finite(latents):
            with in_float32(network, later("rendering in float32")):
                latents = render_latents(network, null, self.models.kind, request, options, on_step)
            notes = (*notes, done_again("rendered", dtype))
        check_latents(latents)
        return Rendered(latents, notes)


def render_latents(
    network: Any, null: Tensor, kind: Kind, request: Request, options: RenderOptions, on_step: OnStep
) -> Tensor:
    """Latents float32 `[take, frame, 64]`, whatever they are; `null` is the condition without words."""
    options = resolved(options, kind)
    plan = schedule(options, kind)
    frames, device = request.primary.frames, request.primary.context.device
    noise = noise_of([seeds.noise for seeds in request.seeds], frames).to(device)
    if options.retake_variance > 0:
        other = noise_of([seeds.retake for seeds in request.seeds], frames).to(device)
        noise = retaken(noise, other, options.retake_variance)
    fresh = None
    if options.infer_method == "sde":
        fresh = (drawn.to(device) for drawn in noises_of([seeds.sde for seeds in request.seeds], frames))
    return denoised(network, null, request, options, plan, noise, fresh, on_step)


def denoised(
    network: Any,
    null: Tensor,
    request: Request,
    options: RenderOptions,
    plan: Schedule,
    noise: Tensor,
    fresh: Iterator[Tensor] | None,
    on_step: OnStep,
) -> Tensor:
    """The latents of a request from noise that is given; `options` are resolved, `plan` is their schedule."""
    x = noise
    if request.source is not None and options.cover_noise_strength > 0:
        x = mixed(noise, request.source.to(noise), plan.levels[0])
    with guided_field(network, null, request, options, plan.steps) as field:
        return denoise(field, x, plan, options, on_step, fresh, request.kept, noise)


@contextmanager
def guided_field(
    network: Any, null: Tensor, request: Request, options: RenderOptions, steps: int
) -> Iterator[GuidedField]:
    """The velocity field of a request; inside, the network remembers its conditions."""
    asked = [request.primary]
    first_secondary = int(steps * options.audio_cover_strength)
    if request.secondary is not None and first_secondary < steps:
        asked.append(request.secondary)
    guides = (options.guidance_scale or 1) > 1
    with condition_memory(network, [one.hidden for one in asked], null if guides else None) as memory:
        yield GuidedField(network, asked, first_secondary, options, memory)


class GuidedField:
    """The network under the conditions of a request, with guidance; it remembers the momentum of one render."""

    def __init__(
        self,
        network: Any,
        asked: Sequence[Condition],
        first_secondary: int,
        options: RenderOptions,
        memory: ConditionMemory,
    ) -> None:
        self._network = network
        self._asked = asked
        self._first_secondary = first_secondary
        self._options = options
        self._memory = memory
        self._average: Tensor | None = None

    def predict(self, x: Tensor, t: float, step: int) -> Tensor:
        """The velocity that a step begins with."""
        return self._velocity(x, t, step, self._options.guidance)

    def correct(self, x: Tensor, t: float, step: int) -> Tensor:
        """The velocity where a step of Heun's would land: guided plainly, or by angle before the end."""
        by_angle = self._options.guidance.startswith("adg") and t > 0
        return self._velocity(x, t, step, self._options.guidance if by_angle else "cfg")

    def _velocity(self, x: Tensor, t: float, step: int, method: str) -> Tensor:
        options, scale = self._options, self._options.guidance_scale or 1.0
        number = int(len(self._asked) > 1 and step >= self._first_secondary)
        self._memory.show(number)
        condition = self._asked[number]
        with render_errors(later("rendering")):
            if scale <= 1 or not options.cfg_interval_start <= t <= options.cfg_interval_end:
                return self._ask(x, t, condition.hidden, condition.context)
            twice = torch.cat([condition.context, condition.context])
            words, null = self._ask(torch.cat([x, x]), t, condition.hidden, twice).chunk(2)
            v, self._average = guided(method, x, t, words, null, scale, self._average)
            return v

    def _ask(self, x: Tensor, t: float, hidden: Tensor, context: Tensor) -> Tensor:
        """The velocity float32 at `x`; r = t, as in training. One token will do: the rest is remembered."""
        dtype = self._network.dtype
        level = torch.full((len(x),), t, dtype=dtype, device=x.device)
        out: Tensor = self._network(
            hidden_states=x.to(dtype),
            timestep=level,
            timestep_r=level,
            encoder_hidden_states=hidden[:, :1].to(dtype),
            context_latents=context.to(dtype),
            return_dict=False,
        )[0]
        return out.float()


def noise_of(seeds: Sequence[int], frames: int) -> Tensor:
    """Starting noise float32 `[take, frame, 64]`; each take has its own generator, on the CPU."""
    return next(noises_of(seeds, frames))


def noises_of(seeds: Sequence[int], frames: int) -> Iterator[Tensor]:
    """Noise float32 `[take, frame, 64]` for one step after the other, each take from its own generator."""
    shape = (1, frames, LATENT_CHANNELS)
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    while True:
        yield torch.cat([torch.randn(shape, generator=generator) for generator in generators])
