"""How two velocities, with the words and without, become one that follows the words more.

Pure functions of velocities `[take, frame, channel]`. A guidance `scale` of 1 is the velocity with the words.
"""

from __future__ import annotations

import torch
from torch import Tensor

APG_MOMENTUM = -0.75
APG_NORM = 2.5  # most that the difference may have over a channel's frames
_PI = 3.14  # as the original has it
_ANGLES = {"adg": _PI / 6, "adg_w_norm": _PI / 3, "adg_wo_clip": None}  # radians
_NEVER_PARALLEL, _SMALL_SINE, _EPSILON, _LEAST_WEIGHT = 1 - 1e-6, 1e-3, 1e-8, 1e-3


def guided(
    method: str, x: Tensor, t: float, words: Tensor, null: Tensor, scale: float, average: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The velocity under a guidance method of `RenderOptions`, and the running average for the next step."""
    if method == "apg":
        average = with_momentum(words - null, average)
        return apg(words, average, scale), average
    if method == "cfg":
        return cfg(words, null, scale), average
    return adg(x, t, words, null, scale, method), average


def cfg(words: Tensor, null: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022): the difference, `scale` times."""
    return null + scale * (words - null)


def with_momentum(difference: Tensor, average: Tensor | None) -> Tensor:
    """The difference with the running average of the steps before, which counts negative."""
    return difference if average is None else difference + APG_MOMENTUM * average


def apg(words: Tensor, difference: Tensor, scale: float, dim: int = 1) -> Tensor:
    """Adaptive projected guidance (Sadat et al. 2024): only what is perpendicular to `words` is added.

    `difference` is cut to a norm of 2.5; norms and angles are taken over `dim` (1: over time, per channel).
    """
    norm = torch.linalg.vector_norm(difference, dim=dim, keepdim=True)
    limited = _precise(difference * torch.clamp(APG_NORM / norm, max=1))
    along = torch.nn.functional.normalize(_precise(words), dim=dim)
    perpendicular = limited - (limited * along).sum(dim, keepdim=True) * along
    return words + (scale - 1) * perpendicular.to(words.dtype)


def adg(x: Tensor, t: float, words: Tensor, null: Tensor, scale: float, method: str = "adg") -> Tensor:
    """Angle-based dynamic guidance: the data that `words` points at is turned away from that of `null`.

    The angle is taken per frame, over channels. `adg` turns by at most 30°, `adg_w_norm` by at most 60° and
    brings each channel back to its norm over time, `adg_wo_clip` turns without a limit.
    """
    weight, limit = max(scale - 1, 0.0) + _LEAST_WEIGHT, _ANGLES[method]
    data, other = _precise(x - t * words), _precise(x - t * null)
    cosine = torch.nn.functional.cosine_similarity(data, other, dim=-1).unsqueeze(-1)
    angle = cosine.clamp(-_NEVER_PARALLEL, _NEVER_PARALLEL).acos()
    turned = weight * angle if limit is None else (weight * angle).clamp(-limit, limit)
    difference = data - other
    share = (difference * other).sum(-1, keepdim=True) / (other.square().sum(-1, keepdim=True) + _EPSILON)
    perpendicular = difference - share * other
    sine = angle.sin()
    found = turned.cos() * data + perpendicular * torch.where(sine > _SMALL_SINE, turned.sin() / sine, weight)
    if method == "adg_w_norm":
        norm = torch.linalg.vector_norm(found, dim=1, keepdim=True)
        found = found * torch.linalg.vector_norm(data, dim=1, keepdim=True) / norm
    return (x - found.to(x.dtype)) / t


def _precise(x: Tensor) -> Tensor:
    """In double precision where the device has it: small angles need it."""
    return x if x.device.type == "mps" else x.double()
