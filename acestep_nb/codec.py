"""The codec: sound to latents and back, over any network with the interface of a music VAE."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from acestep_nb.audio import Audio
from acestep_nb.codes import SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.errors import RenderError

_SILENCE = 1e-5  # a peak up to this (-100 dBFS) is no sound


class Codec:
    """Stereo sound at 48 kHz to latents at 25 frames/s, and back.

    Long sound is worked on in overlapping tiles when the network knows how to (`enable_tiling`).
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        if hasattr(vae, "enable_tiling"):
            vae.enable_tiling()

    @torch.inference_mode()
    def decode(self, latents: np.ndarray | Tensor, seconds: float | None = None) -> Audio:
        """Sound of latents `[frame, 64]`, divided by its peak when that exceeds 1.

        With `seconds` the sound is exactly that long: what lies behind is cut off (padding to the renderer's
        minimum), and a last fraction of a frame that has no latent is silent.
        Raises `RenderError` when the sound is not finite or is silent.
        """
        z = torch.as_tensor(latents).to(self._vae.device, self._vae.dtype)
        sound = self._vae.decode(z.T[None]).sample[0].float().cpu()
        if seconds is not None:
            samples = round(seconds * SAMPLE_RATE)
            sound = F.pad(sound[:, :samples], (0, max(0, samples - sound.shape[-1])))
        return Audio(_at_most_full_scale(sound).numpy(), SAMPLE_RATE)

    @torch.inference_mode()
    def encode(self, audio: Audio) -> np.ndarray:
        """Latents float32 `[frame, 64]` of a sound: the most likely ones, so the same every time.

        Mono is doubled, of more channels the first two are used, a last incomplete frame is filled up with
        silence.
        """
        samples = torch.from_numpy(audio.resample(SAMPLE_RATE).samples[:2])
        sound = F.pad(samples.expand(2, -1), (0, -samples.shape[-1] % SAMPLES_PER_LATENT))
        encoded = self._vae.encode(sound[None].to(self._vae.device, self._vae.dtype))
        latents: np.ndarray = encoded.latent_dist.mode()[0].T.float().cpu().numpy()
        return latents


def _at_most_full_scale(sound: Tensor) -> Tensor:
    if not torch.isfinite(sound).all():
        message = "the decoded sound is not finite (NaN or Inf)"
        raise RenderError(message, field="audio", remedy="Try another seed.")
    peak = sound.abs().max() if sound.numel() else torch.zeros(())
    if peak <= _SILENCE:
        raise RenderError(
            "the decoded sound is silent",
            field="audio",
            value=float(peak),
            allowed=f"a peak above {_SILENCE:g}",
            remedy="Try another seed or other words.",
        )
    return sound / peak if peak > 1 else sound
