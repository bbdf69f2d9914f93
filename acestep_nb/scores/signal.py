"""What can be measured on any sound: loudness, peak, clipping, silence, tempo, key and balance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pyloudnorm import Meter

from acestep_nb.audio import Audio
from acestep_nb.errors import InputError
from acestep_nb.scores.hearing import keyscale, tempo
from acestep_nb.scores.values import BANDS, Signal

_FULL_SCALE, _RUN = 0.999, 3  # a clipped place: so many samples in a row at full scale
_SILENCE, _SILENCE_WINDOW = -60.0, 0.05  # dBFS, seconds
_SHORTEST_LOUDNESS = 0.4  # seconds; the standard's block
_WINDOW = 8192


def signal_facts(audio: Audio, asked_bpm: float | None = None) -> Signal:
    """The facts of a sound; `asked_bpm` picks between a tempo and its half or double.

    Raises `InputError` for audio without samples or with samples that are not numbers.
    """
    samples = audio.samples
    if not samples.size or not np.isfinite(samples).all():
        raise InputError(
            "this sound cannot be measured",
            field="audio",
            value=f"{samples.shape[1]} samples",
            allowed="at least one sample, all of them numbers",
            remedy="Give another sound.",
        )
    return Signal(
        loudness=_loudness(audio),
        peak=None if audio.peak == 0 else round(20 * float(np.log10(audio.peak)), 2),
        clipped=_clipped(samples),
        silent=_silent(samples, audio.rate),
        bpm=tempo(audio, asked_bpm),
        keyscale=keyscale(audio),
        balance=_balance(samples, audio.rate),
    )


def _loudness(audio: Audio) -> float | None:
    if audio.duration < _SHORTEST_LOUDNESS:
        return None
    loudness = Meter(audio.rate).integrated_loudness(audio.samples[:2].T.astype(np.float64))
    return round(float(loudness), 2) if np.isfinite(loudness) else None


def _clipped(samples: npt.NDArray[Any]) -> float:
    full = np.abs(samples) >= _FULL_SCALE
    starts = full[:, : full.shape[1] - _RUN + 1].copy()
    for i in range(1, _RUN):
        starts &= full[:, i : full.shape[1] - _RUN + 1 + i]
    inside = np.zeros_like(full)
    for i in range(_RUN):
        inside[:, i : i + starts.shape[1]] |= starts
    return round(float(inside.mean()), 6)


def _silent(samples: npt.NDArray[Any], rate: int) -> float:
    length = min(max(1, round(rate * _SILENCE_WINDOW)), samples.shape[1])
    whole = samples[:, : samples.shape[1] // length * length].reshape(len(samples), -1, length)
    power = np.square(whole, dtype=np.float64).mean((0, 2))
    return round(float((power < 10 ** (_SILENCE / 10)).mean()), 4)


def _balance(samples: npt.NDArray[Any], rate: int) -> dict[str, float]:
    """Share of the energy in each of `BANDS`, from windows that follow one another; zeros for silence."""
    mono = samples.mean(0)
    power = np.zeros(_WINDOW // 2 + 1)
    for start in range(0, len(mono), _WINDOW):
        piece = mono[start : start + _WINDOW]
        power += np.abs(np.fft.rfft(piece * np.hanning(len(piece)), _WINDOW)) ** 2
    hertz = np.fft.rfftfreq(_WINDOW, 1 / rate)
    inside = {name: (hertz >= low) & (hertz < high) for name, (low, high) in BANDS.items()}
    total = sum(float(power[band].sum()) for band in inside.values())
    return {
        name: round(float(power[band].sum()) / total, 4) if total > 0 else 0.0
        for name, band in inside.items()
    }
