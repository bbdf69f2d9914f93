"""A take to keep and a small codec, for tests and for the other processes that they start."""

from __future__ import annotations

import numpy as np

from acestep_nb import Audio, RenderOptions, Song, Take
from acestep_nb.seeds import Seeds


def make_take(seed: int = 7, caption: str = "rainy night", seconds: float = 0.2, **more: object) -> Take:
    """A take of seeded noise."""
    random = np.random.default_rng(abs(seed))
    return Take(
        song=Song(caption=caption, lyrics="[Verse]\nla la"),
        options=RenderOptions(),
        seeds=Seeds.of(seed),
        checkpoint="nano",
        checkpoint_hash="sha256:0",
        dtype="float32",
        device="cpu",
        versions={"acestep_nb": "0"},
        timings={"render": 0.5},
        audio=Audio(random.uniform(-0.5, 0.5, (2, int(48_000 * seconds))), 48_000),
        latents=random.standard_normal((int(25 * seconds), 64)).astype(np.float32),
        **more,
    )


def build_oobleck():
    """A small random codec of the published class, with its rates and channels."""
    import torch
    from diffusers import AutoencoderOobleck

    torch.manual_seed(1)
    return AutoencoderOobleck(
        encoder_hidden_size=128,  # its mean and scale: 64 channels each
        downsampling_ratios=[2, 4, 4, 6, 10],
        channel_multiples=[1, 1, 1, 1, 1],
        decoder_channels=4,
        decoder_input_channels=64,
        sampling_rate=48_000,
    )
