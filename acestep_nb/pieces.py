"""In which pieces a sound is reworked, and how a piece is put back: plain arithmetic over samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from acestep_nb.audio import Samples
from acestep_nb.codes import SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.edits import LONGEST, Edit
from acestep_nb.errors import InputError

_ROUNDING = 1e-4  # seconds that are no time: resampling moves an end by a sample


@dataclass(frozen=True)
class Piece:
    """One stretch that is rendered at once.

    ``window`` is the first sample that the network hears and the one behind the last, in the sound as it is
    when the piece's turn comes; it begins on a latent frame. ``region`` is (start, end) in seconds from there,
    None where all is made new; before 0 and behind the end the window gets longer.
    """

    window: tuple[int, int]
    region: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """Length of the window when the piece is done."""
        heard = (self.window[1] - self.window[0]) / SAMPLE_RATE
        start, end = self.region or (0.0, heard)
        return max(heard, end) - min(0.0, start)


def pieces_of(edit: Edit, samples: int) -> tuple[Piece, ...]:
    """The pieces, in their order, of an edit over a source of so many samples at 48 kHz.

    Raises ``InputError`` for a region that does not touch the source, and for a piece that is too long to be
    rendered at once.
    """
    if edit.region is not None:
        _check_touches(edit.region, samples / SAMPLE_RATE)
    pieces = stretches(edit.region, samples, edit.context, edit.step)
    for piece in pieces:
        _check_length(piece)
    return pieces


def stretches(
    region: tuple[float, float] | None, samples: int, context: float | None, step: float | None
) -> tuple[Piece, ...]:
    """The pieces of such a region of a source of so many samples, whatever their length; None is all of it."""
    if region is None:
        return (Piece((0, samples)),)
    if step is not None and context is not None:
        return tuple(_steps(region, samples, context, step))
    return (_around(region, samples, context),)


def length_of(pieces: tuple[Piece, ...], samples: int) -> float:
    """Seconds that the sound has when all pieces are done."""
    begin, end = pieces[-1].window
    return (begin + max(0, samples - end)) / SAMPLE_RATE + pieces[-1].seconds


def splice(source: Samples, new: Samples, region: tuple[int, int], crossfade: int) -> Samples:
    """The new sound inside the region, the source's own samples outside; all ``[channel, sample]``.

    ``region`` and ``crossfade`` are in samples. Over ``crossfade`` samples outside each edge the two blend in a
    straight line; behind them the source stays to the bit.
    """
    length = source.shape[1]
    start, end = max(0, region[0]), min(length, region[1])
    spliced = source.copy()
    spliced[:, start:end] = new[:, start:end]
    before, after = min(crossfade, start), min(crossfade, length - end)
    for first, ramp in ((start - before, _ramp(before)), (end, _ramp(after)[::-1])):
        part = slice(first, first + len(ramp))
        spliced[:, part] = source[:, part] * (1 - ramp) + new[:, part] * ramp
    return spliced


def _ramp(length: int) -> Samples:
    """From just above 0 to just below 1."""
    return np.linspace(0, 1, length + 2, dtype=np.float32)[1:-1]


def _around(region: tuple[float, float], samples: int, context: float | None) -> Piece:
    """The region with so many seconds of the source on either side."""
    if context is None:
        return _piece((0, samples), region)
    start = _frame_before(region[0] - context)
    end = min(
        samples, math.ceil((region[1] + context) * SAMPLE_RATE / SAMPLES_PER_LATENT) * SAMPLES_PER_LATENT
    )
    return _piece((start, end), region)


def _steps(region: tuple[float, float], samples: int, context: float, step: float) -> list[Piece]:
    """A region that goes past the end, in equal steps; each begins as far before the end as the region does."""
    length = samples / SAMPLE_RATE
    overlap, more = length - region[0], region[1] - length
    count = max(1, math.ceil(more / step - _ROUNDING))
    ends = [round((length + more * number / count) * SAMPLE_RATE) for number in range(count + 1)]
    pieces = []
    for end, next_end in pairwise(ends):
        start = end / SAMPLE_RATE - overlap
        pieces.append(_piece((_frame_before(start - context), end), (start, next_end / SAMPLE_RATE)))
    return pieces


def _frame_before(seconds: float) -> int:
    """The sample on which the latent frame of this second begins, 0 at the least."""
    return max(0, math.floor(seconds * SAMPLE_RATE / SAMPLES_PER_LATENT + _ROUNDING)) * SAMPLES_PER_LATENT


def _piece(window: tuple[int, int], region: tuple[float, float]) -> Piece:
    """The piece with a region that is given in seconds of the whole; what rounding left behind the end is cut."""
    heard, offset = (window[1] - window[0]) / SAMPLE_RATE, window[0] / SAMPLE_RATE
    return Piece(window, (min(region[0] - offset, heard), max(region[1] - offset, 0.0)))


def _check_touches(region: tuple[float, float], length: float) -> None:
    start, end = region
    if start > length + _ROUNDING or end < -_ROUNDING:
        raise InputError(
            field="region",
            value=f"{start:g}–{end:g} s",
            allowed=f"one that meets the source, 0–{length:g} s",
            remedy=f"Start it at {length:g} s or earlier to continue, end it at 0 s or later to lead in.",
        )


def _check_length(piece: Piece) -> None:
    if piece.seconds > LONGEST + _ROUNDING:
        raise InputError(
            f"{piece.seconds:,.1f} s are too long to be rendered at once",
            field="source",
            value=f"{piece.seconds:.1f} s",
            allowed=f"{LONGEST:g} s or less, region included",
            remedy="Cut it, or repaint a region of it with context=30.",
        )
