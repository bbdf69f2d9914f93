"""How lyric tokens and frames of music belong together, read from cross-attention; plain numpy.

Attention arrives as probabilities `[head, token, frame]` of the selected heads, one row for each token of the
lyrics and 12.5 frames a second. Two readings are made of it. The *score* asks how well the lyrics are sung
(`measure`); the *timing* sharpens the same attention and asks when (`timing`). Both walk one monotone path
through tokens and frames (`warp`). The formulas are those of ACE-Step 1.5, so that numbers can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.special import softmax

Matrix = npt.NDArray[Any]

FRAMES_PER_SECOND = 12.5
HEARD = 0.1
"""Energy above which a token counts as heard somewhere."""
_FAINT = 0.01
_BACKWARD = 9.0  # frames that a token's centre may lie before the one of the token in front of it
SUBTRACTED = 2.0
"""How many medians are taken off before times are read."""
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Measure:
    """How well tokens are sung in order: four numbers 0–1 and the path that they were read along.

    `coverage` is the share of sung tokens that are heard at all, `monotonicity` the share of neighbours that
    come in order, `confidence` the mean energy along the path; `score` is coverage² · monotonicity² ·
    confidence. A good take is well below 1, so compare takes of one song only.
    """

    coverage: float
    monotonicity: float
    confidence: float
    path: Matrix

    @property
    def score(self) -> float:
        """Coverage² · monotonicity² · confidence, rounded to four digits."""
        return round(min(max(self.coverage**2 * self.monotonicity**2 * self.confidence, 0.0), 1.0), 4)


def energy(attention: Matrix, width: int = 1) -> Matrix:
    """The mean of the heads stretched to 0–1: float32 `[token, frame]`; all zeros where nothing stands out.

    `width` frames of median filter calm a noisy reading; 1 changes nothing.
    """
    mean = smooth(attention.mean(0, dtype=np.float32), width)
    low, high = mean.min(), mean.max()
    if high - low <= _TINY:
        return np.zeros_like(mean)
    return np.asarray((mean - low) / (high - low), dtype=np.float32)


def smooth(matrix: Matrix, width: int) -> Matrix:
    """Median over `width` frames (an odd number), the edges mirrored; 1 changes nothing."""
    if width <= 1 or matrix.shape[-1] <= width // 2:
        return matrix
    size = (1,) * (matrix.ndim - 1) + (width,)
    return np.asarray(median_filter(matrix, size=size, mode="mirror"))


def warp(cost: Matrix) -> Matrix:
    """The cheapest monotone path through `cost` `[token, frame]`: int64 `[step, 2]` of (token, frame).

    It leads from the first token and frame to the last ones, one token, one frame or both at a time. Ties go as
    in the original, and the sums with them: both where that is strictly cheapest, else one token where that is,
    else one frame (which, where both and one token are alike, may be dearer). Cells on one antidiagonal do not
    depend on each other, so each is one step of numpy.
    """
    tokens, frames = cost.shape
    moves = np.empty((tokens, frames), dtype=np.uint8)  # 0 both, 1 one token, 2 one frame
    flipped = cost[:, ::-1]
    nowhere = np.full(tokens + 1, np.inf)
    corner, before = nowhere.copy(), nowhere  # sums two antidiagonals back and one; token i is at i + 1
    corner[0] = 0.0  # outside the first cell: the way in
    for d in range(tokens + frames - 1):
        first, end = max(0, d - frames + 1), min(tokens, d + 1)
        both, token, frame = corner[first:end], before[first:end], before[first + 1 : end + 1]
        move = np.where((both < token) & (both < frame), 0, np.where((token < both) & (token < frame), 1, 2))
        rows = np.arange(first, end)
        moves[rows, d - rows] = move
        sums = nowhere.copy()
        way = np.choose(move, (both, token, frame))
        sums[first + 1 : end + 1] = flipped.diagonal(frames - 1 - d) + way
        corner, before = before, sums
    return _walk_back(moves)


def _walk_back(moves: Matrix) -> Matrix:
    token, frame = moves.shape[0] - 1, moves.shape[1] - 1
    path = [(token, frame)]
    while token or frame:
        move = moves[token, frame]
        token -= int(move != 2)
        frame -= int(move != 1)
        path.append((token, frame))
    return np.array(path[::-1], dtype=np.int64)


def sung_tokens(texts: Sequence[str]) -> Matrix:
    """Which tokens are sung, bool `[token]`: all but those from a `[` to its `]`, both included."""
    sung, inside = np.ones(len(texts), dtype=bool), False
    for i, text in enumerate(texts):
        inside = inside or "[" in text
        sung[i] = not inside
        inside = inside and "]" not in text
    return sung


def measure(energy: Matrix, sung: Matrix) -> Measure:
    """The measure of all tokens along their own path; `sung` is bool `[token]`."""
    path = warp(-(energy.astype(np.float32) ** 2))
    return Measure(
        coverage=_coverage(energy, sung),
        monotonicity=_monotonicity(energy, sung),
        confidence=float(energy[path[:, 0], path[:, 1]].mean(dtype=np.float64)),
        path=path,
    )


def line_score(energy: Matrix, sung: Matrix, path: Matrix, rows: slice) -> float:
    """The score of the tokens `rows` alone, along their part of the path of the whole."""
    part, kept = energy[rows], sung[rows]
    on = path[(path[:, 0] >= rows.start) & (path[:, 0] < rows.stop)]
    confidence = float(energy[on[:, 0], on[:, 1]].mean(dtype=np.float64))
    return Measure(_coverage(part, kept), _monotonicity(part, kept), confidence, on).score


def _coverage(energy: Matrix, sung: Matrix) -> float:
    return float((energy[sung].max(1) > HEARD).mean()) if sung.any() else 1.0


def _monotonicity(energy: Matrix, sung: Matrix) -> float:
    weights = np.where(energy[sung] > _FAINT, energy[sung], 0.0).astype(np.float64)
    total = weights.sum(1)
    valid = total > _TINY
    centres = (weights[valid] @ np.arange(energy.shape[1])) / total[valid]
    return float((np.diff(centres) >= -_BACKWARD).mean()) if len(centres) > 1 else 1.0


def sharpen(attention: Matrix, subtracted: float = SUBTRACTED, width: int = 1) -> Matrix:
    """Attention made ready for timing: `[token, frame]`, peaks where a token alone is attended to.

    Softmax both ways (of what are probabilities already, as the original does), `subtracted` medians taken off
    over frames and then over tokens, squared, standardised over everything, and averaged over the heads.
    """
    peaks = softmax(attention, axis=-1) * softmax(attention, axis=-2)
    for axis in (-1, -2):
        peaks = np.maximum(peaks - subtracted * np.median(peaks, axis=axis, keepdims=True), 0)
    peaks = peaks**2
    peaks = (peaks - peaks.mean()) / (peaks.std() + _TINY)
    return np.asarray(smooth(peaks, width).mean(0))


def token_times(path: Matrix, tokens: int, seconds: float) -> Matrix:
    """Start and end of each token in seconds, `[token, 2]`: its first and last frame on the path.

    `seconds` is the length of one frame. A token that the path leaves out stands at the end of the last one.
    """
    times = np.zeros((tokens, 2))
    previous = 0.0
    for token in range(tokens):
        frames = path[path[:, 0] == token, 1]
        times[token] = (frames[0] * seconds, frames[-1] * seconds) if len(frames) else previous
        previous = times[token, 1]
    return times
