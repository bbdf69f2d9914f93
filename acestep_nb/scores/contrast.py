"""A listening test: does the music get likelier when the renderer is told the lyrics?

Noise is mixed into the take and the renderer asked to take it out again, once with the lyrics and once without.
Where the lyrics are sung it does better with them; where something else is sung, or nothing, it does worse. This
needs no attention heads and hears what is sung, not only where a voice should be; it costs two steps of a render.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acestep_nb.codes import LATENT_RATE
from acestep_nb.renderer.conditions import Condition
from acestep_nb.renderer.guard import check_finite
from acestep_nb.scores.attention import noised

LEVEL = 0.7
"""Share of noise: so much that words are no longer heard through it, so little that their places are."""


@torch.inference_mode()
def errors(network: Any, condition: Condition, latents: Tensor) -> npt.NDArray[np.float32]:
    """Squared error of the velocity under each row of the condition: float32 `[row, frame]`, the noise the same."""
    mixed, noise, t = noised(latents.to(network.device, torch.float32), (LEVEL,) * condition.takes)
    dtype = condition.hidden.dtype
    velocity = network(
        hidden_states=mixed.to(dtype),
        timestep=t.to(dtype),
        timestep_r=t.to(dtype),
        encoder_hidden_states=condition.hidden,
        context_latents=condition.context,
        return_dict=False,
    )[0]
    check_finite(velocity)
    wanted = noise - latents.to(noise)
    error: npt.NDArray[np.float32] = (velocity.float() - wanted).square().mean(-1).cpu().numpy()
    return error


def heard(
    told: npt.NDArray[np.float32], untold: npt.NDArray[np.float32], spans: list[tuple[float, float]]
) -> float | None:
    """How much the lyrics help within `spans` (start and end in seconds), −1 to 1; None where these are empty.

    (error without − error with) / (error without + error with): 0 where they make no difference.
    """
    inside = np.zeros(len(told), dtype=bool)
    for start, end in spans:
        inside[round(start * LATENT_RATE) : round(end * LATENT_RATE)] = True
    with_them, without = float(told[inside].sum()), float(untold[inside].sum())
    return round((without - with_them) / (without + with_them), 4) if with_them + without > 0 else None
