"""How noise becomes latents: integrators of the velocity field, pure functions of their arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]  # (latents x, noise level t) -> noise - data, of the shape of x
OnStep = Callable[[int], None]  # number of steps finished; may raise to stop


def euler(velocity: Velocity, noise: Tensor, timesteps: Sequence[float], on_step: OnStep) -> Tensor:
    """Latents `[take, frame, channel]` reached from `noise` by Euler steps; the last one lands on t = 0.

    `on_step` hears 0 before the first step, then the count after each one: whatever it raises ends the run
    within one step.
    """
    x = noise
    on_step(0)
    for done, (t, t_next) in enumerate(zip(timesteps, (*timesteps[1:], 0.0), strict=True), start=1):
        x = x - velocity(x, t) * (t - t_next)
        on_step(done)
    return x
