"""A closed-form spectral codec with the interface of a music VAE: stereo 48 kHz to 25 Hz latents and back.

Encoding: mid channel at 24 kHz -> short-time spectrum (Hann 1920, hop 480) -> 276 log-magnitude bands
(single bins up to 1.5 kHz, then geometric) -> two neighbouring frames stacked (552 numbers every 40 ms) ->
64 principal components, half whitened. Decoding: the inverse projection, then fast Griffin-Lim (Perraudin
et al. 2013) for the phase. The projection is fitted on the corpus by `fit`; nothing here is trained by
gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import Tensor

INNER_RATE = 24_000
WINDOW = 1920
HOP = 480
FRAMES_PER_LATENT = 2
BANDS = 276
LINEAR_BINS = 121
BINS = WINDOW // 2 + 1
NOISE_FLOOR = 0.12
MOMENTUM = 0.6
HEADROOM = 0.1  # of the loudest a band was in the corpus, in nepers
PHASE_SEED = 0
BLOCK = 1500  # frames at 50 Hz that are decoded at once: half a minute
LOOKAHEAD = 50  # frames at the end of a block that only help those before them
CONTEXT = 16  # frames whose phases a block takes over from the one before


def band_edges() -> np.ndarray:
    """First bin of each band, and one past the last bin: int64 `[BANDS + 1]`."""
    linear = np.arange(LINEAR_BINS)
    wanted = np.geomspace(LINEAR_BINS, BINS, BANDS - LINEAR_BINS + 1)
    edges = np.concatenate([linear, np.round(wanted).astype(int)])
    for i in range(1, len(edges)):
        edges[i] = max(edges[i], edges[i - 1] + 1)
    edges[-1] = BINS
    return edges


def band_frequencies() -> np.ndarray:
    """Centre of each band in Hz: float `[BANDS]`."""
    edges = band_edges()
    return (edges[:-1] + edges[1:] - 1) / 2 * INNER_RATE / WINDOW


@dataclass(frozen=True)
class Encoding:
    """What `encode` returns; the codec is deterministic, so a sample is the mode."""

    latents: Tensor  # [take, channel, frame]

    def mode(self) -> Tensor:
        """The latents."""
        return self.latents

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """The latents, whatever the generator."""
        return self.latents


@dataclass(frozen=True)
class EncoderOutput:
    """What a VAE of diffusers returns."""

    latent_dist: Encoding


class SpectralCodec(ModelMixin, ConfigMixin):
    """Stereo sound `[take, 2, sample]` at 48 kHz to latents `[take, 64, frame]` at 25 Hz, and back.

    The stereo image is not kept: the mid channel is coded and both outputs carry it.
    """

    @register_to_config
    def __init__(
        self,
        sampling_rate: int = 48_000,
        audio_channels: int = 2,
        latent_channels: int = 64,
        griffin_lim_iterations: int = 24,
    ) -> None:
        super().__init__()
        stacked = BANDS * FRAMES_PER_LATENT
        self.register_buffer("mean", torch.zeros(stacked))
        self.register_buffer("analysis", torch.zeros(stacked, latent_channels))
        self.register_buffer("synthesis", torch.zeros(latent_channels, stacked))
        self.register_buffer("ceiling", torch.zeros(BANDS))
        edges = band_edges()
        pool = torch.zeros(BINS, BANDS)
        for band, (first, end) in enumerate(pairwise(edges)):
            pool[first:end, band] = 1 / (end - first)
        self.register_buffer("pool", pool, persistent=False)
        self.register_buffer("spread", _band_to_bin(edges), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=True), persistent=False)
        self.register_buffer("half_band", _half_band(), persistent=False)

    @property
    def hop_length(self) -> int:
        """Samples at 48 kHz per latent frame."""
        return HOP * FRAMES_PER_LATENT * self.config.sampling_rate // INNER_RATE

    def encode(self, x: Tensor) -> EncoderOutput:
        """Latents of `x` `[take, 2, sample]`; the last incomplete frame is dropped."""
        mono = self.halve(x.mean(1))
        count = mono.shape[-1] // HOP // FRAMES_PER_LATENT * FRAMES_PER_LATENT
        starts = range(0, count, BLOCK)
        blocks = [self.project(self._bands_between(mono, at, min(at + BLOCK, count))) for at in starts]
        return EncoderOutput(Encoding(torch.cat(blocks, dim=1).transpose(1, 2)))

    def decode(self, z: Tensor) -> DecoderOutput:
        """Sound `[take, 2, frame * 1920]` of latents `z` `[take, 64, frame]`."""
        return DecoderOutput(sample=torch.cat(list(self._mono_pieces(z)), -1)[:, None].expand(-1, 2, -1))

    def pieces(self, z: Tensor) -> Iterator[Tensor]:
        """The same sound as `decode` gives, half a minute or less at a time, `[take, 2, sample]` each."""
        for mono in self._mono_pieces(z):
            yield mono[:, None].expand(-1, 2, -1)

    def _mono_pieces(self, z: Tensor) -> Iterator[Tensor]:
        """The sound of latents at 48 kHz, `[take, sample]`, in blocks whose phases go on from one to the next.

        A block begins inside the one before and keeps its phases there, so that both are the same sound where
        one is cut and the other goes on. The end of a block is thrown away: it did not hear what follows.
        """
        z = z.transpose(1, 2).float()
        frames, start, cut = z.shape[1] * FRAMES_PER_LATENT, 0, 0
        draws = [torch.Generator().manual_seed(PHASE_SEED) for _ in z]
        known = [torch.zeros(0, BINS, dtype=torch.complex64, device=z.device)] * len(z)
        while cut < frames:
            end = min(start + BLOCK, frames)
            settled = end if end == frames else end - LOOKAHEAD
            seam = end if end == frames else settled - CONTEXT // 2
            bands = self.unproject(z[:, start // FRAMES_PER_LATENT : end // FRAMES_PER_LATENT])
            mono = torch.empty(len(z), (seam - cut) * HOP * 2, device=z.device)
            for i, own in enumerate(bands):
                wave, phase = self._griffin_lim(self._magnitude(own), draws[i], known[i])
                mono[i] = self._double(wave[None])[0, 2 * HOP * (cut - start) : 2 * HOP * (seam - start)]
                known[i] = phase[settled - CONTEXT - start : settled - start].clone()
            del bands, own, wave, phase  # what the next block needs in memory
            yield mono
            start, cut = settled - CONTEXT, seam

    def log_bands(self, mono: Tensor) -> Tensor:
        """Log-magnitude bands `[take, frame at 50 Hz, BANDS]` of mono sound `[take, sample]` at 24 kHz."""
        return self.bands_of(self.spectrum(mono))

    def _bands_between(self, mono: Tensor, first: int, end: int) -> Tensor:
        """Log-magnitude bands of the frames from `first` to `end`, heard with what lies around them."""
        reach = WINDOW // HOP // 2
        before = min(reach, first)
        return self.log_bands(mono[:, (first - before) * HOP : (end + reach) * HOP])[
            :, before : before + end - first
        ]

    def spectrum(self, mono: Tensor) -> Tensor:
        """Complex spectrum `[..., frame, BINS]` of mono sound `[..., sample]` at 24 kHz.

        Frame i is centred on sample (i + 1/2) * HOP.
        """
        frames = mono.shape[-1] // HOP
        pad = (WINDOW - HOP) // 2
        padded = F.pad(mono[..., : frames * HOP], (pad, pad))
        return torch.fft.rfft(padded.unfold(-1, WINDOW, HOP) * self.window)

    def bands_of(self, spectrum: Tensor) -> Tensor:
        """Log-magnitude bands of a complex spectrum `[..., frame at 50 Hz, BINS]`."""
        return torch.log(torch.sqrt(spectrum.abs().square() @ self.pool) + NOISE_FLOOR)

    def project(self, bands: Tensor) -> Tensor:
        """Log bands `[take, frame at 50 Hz, BANDS]` to latents `[take, frame, 64]`."""
        frames = bands.shape[1] // FRAMES_PER_LATENT
        stacked = bands[:, : frames * FRAMES_PER_LATENT].reshape(len(bands), frames, -1)
        return (stacked - self.mean) @ self.analysis

    def unproject(self, latents: Tensor) -> Tensor:
        """Latents `[take, frame, 64]` to log bands `[take, frame at 50 Hz, BANDS]`."""
        return (latents @ self.synthesis + self.mean).reshape(len(latents), -1, BANDS)

    def fit(self, stacked: Tensor) -> float:
        """Fits the projection to stacked log bands `[n, 552]`; returns the share of variance it keeps."""
        mean = stacked.mean(0)
        centred = (stacked - mean).double()
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        kept = self.config.latent_channels
        top, basis = values.flip(0)[:kept], vectors.flip(1)[:, :kept]
        gain = top**-0.25
        gain = gain / (top * gain**2).mean().sqrt()
        self.mean.copy_(mean)
        self.analysis.copy_(basis * gain)
        self.synthesis.copy_((basis / gain).T)
        self.ceiling.copy_(stacked.reshape(-1, BANDS).amax(0) + HEADROOM)
        return float(top.sum() / values.sum())

    def _waveform(self, spectrum: Tensor) -> Tensor:
        """Least-squares inverse of `spectrum` for one take: `[frame, BINS]` to `[frame * HOP]`."""
        frames, overlap = len(spectrum), WINDOW // HOP
        pieces = (torch.fft.irfft(spectrum, n=WINDOW) * self.window).reshape(frames, overlap, HOP)
        weights = self.window.square().reshape(overlap, HOP)
        total = pieces.new_zeros(frames + overlap - 1, HOP)
        weight = pieces.new_zeros(frames + overlap - 1, HOP)
        for k in range(overlap):
            total[k : k + frames] += pieces[:, k]
            weight[k : k + frames] += weights[k]
        pad = (WINDOW - HOP) // 2
        return (total / weight.clamp(min=1e-3)).reshape(-1)[pad : pad + frames * HOP]

    def _magnitude(self, bands: Tensor) -> Tensor:
        """Magnitude of each bin; no band gets louder than it was in the corpus, so that a stray latent is no burst."""
        return (torch.exp(bands.minimum(self.ceiling) @ self.spread) - NOISE_FLOOR).clamp(min=0)

    def _griffin_lim(self, magnitude: Tensor, draw: torch.Generator, known: Tensor) -> tuple[Tensor, Tensor]:
        """Sound `[sample]` and phases `[frame, BINS]` of a magnitude; the first phases are `known` and stay."""
        turn = torch.rand(magnitude.shape, generator=draw).to(magnitude.device) * 2 * torch.pi
        phase = torch.polar(torch.ones_like(turn), turn)
        phase[: len(known)] = known
        previous: Tensor | float = 0.0
        for _ in range(self.config.griffin_lim_iterations):
            spectrum = self.spectrum(self._waveform(magnitude * phase)[None])[0]
            estimate = spectrum + MOMENTUM * (spectrum - previous)
            previous = spectrum
            phase = estimate / estimate.abs().clamp(min=1e-6)
            phase[: len(known)] = known
        return self._waveform(magnitude * phase), phase

    def halve(self, x: Tensor) -> Tensor:
        """48 kHz to 24 kHz: `[take, sample]` to `[take, sample // 2]`."""
        reach = self.half_band.shape[-1] // 2
        return F.conv1d(F.pad(x[:, None], (reach, reach)), self.half_band, stride=2)[:, 0, : x.shape[-1] // 2]

    def _double(self, x: Tensor) -> Tensor:
        """24 kHz to 48 kHz: `[take, sample]` to `[take, sample * 2]`."""
        reach = self.half_band.shape[-1] // 2
        full = F.conv_transpose1d(x[:, None], self.half_band * 2, stride=2, output_padding=1)[:, 0]
        return full[:, reach : reach + 2 * x.shape[-1]]


def _band_to_bin(edges: np.ndarray) -> Tensor:
    """Linear interpolation from band centres to bins: `[BANDS, BINS]`."""
    centres = (edges[:-1] + edges[1:] - 1) / 2
    bins = np.arange(BINS)
    left = np.clip(np.searchsorted(centres, bins) - 1, 0, BANDS - 2)
    share = np.clip((bins - centres[left]) / (centres[left + 1] - centres[left]), 0, 1)
    spread = np.zeros((BANDS, BINS), np.float32)
    spread[left, bins] = 1 - share
    spread[left + 1, bins] += share
    return torch.from_numpy(spread)


def _half_band(reach: int = 47) -> Tensor:
    """Low-pass to halve and double the rate: Kaiser-windowed sinc `[1, 1, 2 * reach + 1]`."""
    n = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = (
        torch.special.sinc(n / 2)
        / 2
        * torch.kaiser_window(len(n), periodic=False, beta=8.0, dtype=torch.float64)
    )
    return (kernel / kernel.sum()).float()[None, None]
