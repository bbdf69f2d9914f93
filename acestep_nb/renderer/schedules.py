"""When the network is asked: the noise levels of the denoising steps."""

from __future__ import annotations


def timesteps(inference_steps: int, shift: float) -> tuple[float, ...]:
    """Noise levels from 1 (pure noise) downwards, one per step; the level 0 after the last step is left out.

    An even grid is pushed towards the noisy end by `shift` (Esser et al. 2024): `s * t / (1 + (s - 1) * t)`.
    With 8 steps and shift 1, 2 or 3 this gives the tables of the turbo checkpoints.
    """
    even = (1 - i / inference_steps for i in range(inference_steps))
    return tuple(shift * t / (1 + (shift - 1) * t) for t in even)
