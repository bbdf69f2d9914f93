"""The codec: sound to latents and back, over any network with the interface of a music VAE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from acestep_nb.audio import Audio, Samples
from acestep_nb.checkpoints.residence import Residence
from acestep_nb.codes import SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.errors import InputError, RenderError

NORMAL_PEAK = 10 ** (-1 / 20)
"""The peak that normalised sound has: -1 dBFS."""
SHORTEST_SOURCE = 1.0
"""Seconds that a sound to be reworked must have."""
_SILENCE = 1e-5  # a peak up to this (-100 dBFS) is no sound
_SILENT_SOURCE = 1e-6
_OVERLAP = 24  # latent frames on either side: what an edge changes in the published codec ends after 10


class Codec:
    """Stereo sound at 48 kHz to latents at 25 frames/s, and back.

    Long sound is worked on piece by piece, so that beside the result itself the memory stays the same. Where
    networks take turns, `residence` brings this one to the device.
    """

    def __init__(self, vae: Any, residence: Residence | None = None) -> None:
        self._vae = vae
        self._residence = residence
        if hasattr(vae, "enable_tiling"):
            vae.enable_tiling()

    def work_in(self, frames: int) -> None:
        """Work on so many latent frames at a time from now on; fewer take less memory and sound the same."""
        if hasattr(self._vae, "tile_latent_min_length"):
            self._vae.tile_latent_min_length, self._vae.tile_latent_overlap = frames, _OVERLAP
            self._vae.tile_sample_min_length = frames * SAMPLES_PER_LATENT
            self._vae.tile_sample_overlap = _OVERLAP * SAMPLES_PER_LATENT

    @torch.inference_mode()
    def decode(
        self, latents: np.ndarray | Tensor, seconds: float | None = None, normalize: bool = False
    ) -> Audio:
        """Sound of latents `[frame, 64]`, divided by its peak when that exceeds 1.

        With `seconds` the sound is exactly that long: what lies behind is cut off (padding to the renderer's
        minimum), and a last fraction of a frame that has no latent is silent. With `normalize` its peak is
        brought to -1 dBFS.
        Raises `RenderError` when the sound is not finite or is silent.
        """
        self._bring()
        z = torch.as_tensor(latents).to(self._vae.device, self._vae.dtype).T[None]
        length = z.shape[-1] * SAMPLES_PER_LATENT if seconds is None else round(seconds * SAMPLE_RATE)
        sound = np.zeros((2, length), np.float32)
        at = 0
        for piece in self._pieces(z):
            room = sound[:, at : at + piece.shape[-1]]
            room[:] = piece[0, :, : room.shape[-1]].float().cpu()
            at += piece.shape[-1]
        peak = _peak_of(sound)
        if normalize:
            sound *= np.float32(NORMAL_PEAK / peak)
        elif peak > 1:
            sound /= np.float32(peak)
        return Audio(sound, SAMPLE_RATE)

    @torch.inference_mode()
    def encode(self, audio: Audio) -> np.ndarray:
        """Latents float32 `[frame, 64]` of a sound: the most likely ones, so the same every time.

        Mono is doubled, of more channels the first two are used, a last incomplete frame is filled up with
        silence.
        """
        self._bring()
        samples = torch.from_numpy(audio.resample(SAMPLE_RATE).samples[:2])
        sound = F.pad(samples.expand(2, -1), (0, -samples.shape[-1] % SAMPLES_PER_LATENT))
        encoded = self._vae.encode(sound[None].to(self._vae.device, self._vae.dtype))
        latents: np.ndarray = encoded.latent_dist.mode()[0].T.float().cpu().numpy()
        return latents

    def _bring(self) -> None:
        if self._residence is not None:
            self._residence.bring("decoding")

    def _pieces(self, z: Tensor) -> Iterator[Tensor]:
        """The sound `[take, 2, sample]` of latents `[take, 64, frame]`, piece after piece."""
        if hasattr(self._vae, "pieces"):
            yield from self._vae.pieces(z)
        else:
            yield from _tiles(self._vae, z)


def checked_source(audio: Audio, field: str = "source") -> Audio:
    """A sound as the networks take it: stereo at 48 kHz, nothing beyond ±1.

    Mono is doubled, of more channels the first two are used.
    Raises `InputError` for a sound that is shorter than `SHORTEST_SOURCE`, silent or not finite.
    """
    if not audio.samples.size or audio.duration < SHORTEST_SOURCE:
        raise InputError(
            field=field,
            value=f"{audio.duration:g} s",
            allowed=f"a sound of {SHORTEST_SOURCE:g} s or more",
            remedy="Choose a longer one.",
        )
    if not np.isfinite(audio.samples).all():
        raise InputError(
            f"the {field} has samples that are no numbers (NaN or Inf)",
            field=field,
            value=audio,
            allowed="finite samples",
            remedy="Export it again, or choose another file.",
        )
    if audio.peak <= _SILENT_SOURCE:
        raise InputError(
            f"the {field} is silent",
            field=field,
            value=audio,
            allowed=f"a peak above {_SILENT_SOURCE:g}",
            remedy="Choose another file.",
        )
    samples = audio.resample(SAMPLE_RATE).samples[:2]
    return Audio(np.clip(np.broadcast_to(samples, (2, samples.shape[1])), -1, 1), SAMPLE_RATE)


def _tiles(vae: Any, z: Tensor) -> Iterator[Tensor]:
    """Decode in overlapping windows and keep the middle of each, where its edges are not heard."""
    window, overlap, frames = vae.tile_latent_min_length, vae.tile_latent_overlap, z.shape[-1]
    step = window - 2 * overlap if frames > window else frames
    for start in range(0, frames, step):
        end = min(start + step, frames)
        first, last = max(0, start - overlap), min(frames, end + overlap)
        sound = vae.decode(z[..., first:last]).sample
        yield sound[..., (start - first) * SAMPLES_PER_LATENT : (end - first) * SAMPLES_PER_LATENT]


def _peak_of(sound: Samples) -> float:
    """The largest sample; `RenderError` when there is none to hear, or one that is not finite."""
    peak = float(max(sound.max(initial=0), -sound.min(initial=0)))
    if not np.isfinite(peak):
        message = "the decoded sound is not finite (NaN or Inf)"
        raise RenderError(message, field="audio", remedy="Try another seed.")
    if peak <= _SILENCE:
        raise RenderError(
            "the decoded sound is silent",
            field="audio",
            value=peak,
            allowed=f"a peak above {_SILENCE:g}",
            remedy="Try another seed or other words.",
        )
    return peak
