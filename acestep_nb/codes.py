"""Rates of sound, latents and codes, each derived from the others."""

from __future__ import annotations

SAMPLE_RATE = 48_000
"""Audio samples per second."""
LATENT_RATE = 25
"""Latent frames per second."""
CODE_RATE = 5
"""Codes per second."""
LATENT_CHANNELS = 64
"""Numbers in one latent frame."""
SAMPLES_PER_LATENT = SAMPLE_RATE // LATENT_RATE
LATENTS_PER_CODE = LATENT_RATE // CODE_RATE
MIN_LATENT_FRAMES = 128
"""The renderer never sees fewer frames (5.12 s); shorter requests are padded, then cut."""

_SHORTEST = 0.1


def latent_frames(seconds: float) -> int:
    """Number of whole latent frames in a duration, which is first rounded to 0.1 s.

    The order of rounding (tenths, then samples, then frames) is the reference's, so that lengths agree
    with it frame by frame; no minimum of ``MIN_LATENT_FRAMES`` is applied here.
    """
    samples = int(max(_SHORTEST, round(seconds, 1)) * SAMPLE_RATE)
    return samples // SAMPLES_PER_LATENT
