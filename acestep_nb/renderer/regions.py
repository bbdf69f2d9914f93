"""Seconds to frames: where a region lies in a source, and how far the source is to be lengthened for it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acestep_nb.audio import Audio, Samples
from acestep_nb.codes import SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.errors import InputError

REFERENCE_SECONDS = 30
"""Length of a reference: what the timbre encoder was trained on."""
_SEGMENT = REFERENCE_SECONDS // 3 * SAMPLE_RATE
_SILENCE = 1e-6  # samples up to this are no sound


@dataclass(frozen=True)
class Window:
    """A region in the source once that is lengthened by `before` and `after` samples of silence.

    `first` is the first latent frame to be made new, `end` the one behind the last, out of `frames`.
    """

    before: int
    after: int
    first: int
    end: int
    frames: int

    @property
    def region(self) -> tuple[int, int]:
        """First frame to be made new, and the one behind the last."""
        return self.first, self.end

    def mask(self) -> npt.NDArray[np.bool_]:
        """True where a frame is to be made new: bool `[frame]`."""
        frames = np.arange(self.frames)
        return (frames >= self.first) & (frames < self.end)

    def lengthened(self, samples: Samples) -> Samples:
        """The source `[channel, sample]` with the silence before and after it."""
        return np.pad(samples, ((0, 0), (self.before, self.after)))


def window(start: float, end: float | None, samples: int) -> Window:
    """Where the region from `start` to `end` seconds lies in a source of `samples` at 48 kHz.

    None ends it with the source. Before 0 and behind the end the source gets longer (outpainting). Seconds are
    rounded down to frames as in the original, but one frame is made new at least.
    Raises `InputError` for a region that ends before it starts or does not meet the source.
    """
    length = samples / SAMPLE_RATE
    end = length if end is None else end
    if not start < end:
        raise InputError(
            field="region",
            value=f"{start:g}–{end:g} s",
            allowed="one that ends after it starts",
            remedy="Give the later second last.",
        )
    if start > length or end < 0:
        raise InputError(
            field="region",
            value=f"{start:g}–{end:g} s",
            allowed=f"one that meets the source, 0–{length:g} s",
            remedy=f"Start it at {length:g} s or earlier, end it at 0 s or later.",
        )
    before, after = round(max(0.0, -start) * SAMPLE_RATE), round(max(0.0, end - length) * SAMPLE_RATE)
    frames = -(-(before + samples + after) // SAMPLES_PER_LATENT)
    shift = max(0.0, -start)
    first = min(_frame(start + shift), frames - 1)
    return Window(before, after, first, max(first + 1, min(_frame(end + shift), frames)), frames)


def reference_clip(audio: Audio, seed: int) -> Audio | None:
    """30 s out of a sound to take the timbre from, or None when it is silent.

    A shorter sound is repeated; 10 s come from each third, from places that `seed` draws, so that a long song
    is heard all through. `audio` is stereo at 48 kHz.
    """
    samples = audio.samples
    if not samples.size or np.abs(samples).max() <= _SILENCE:
        return None
    samples = np.tile(samples, -(-3 * _SEGMENT // samples.shape[1]))
    length = samples.shape[1]
    third, draw = length // 3, random.Random(seed)
    ends = (third, 2 * third, length)
    starts = [
        at * third + draw.randint(0, max(0, end - at * third - _SEGMENT)) for at, end in enumerate(ends)
    ]
    return Audio(np.concatenate([samples[:, at : at + _SEGMENT] for at in starts], axis=1), SAMPLE_RATE)


def _frame(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE // SAMPLES_PER_LATENT)
