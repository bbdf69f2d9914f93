"""What can be measured on any sound: loudness, peak, clipping, silence, tempo, key and balance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft
from scipy.signal import lfilter

from acestep_nb.audio import Audio
from acestep_nb.errors import InputError
from acestep_nb.scores.hearing import heard_part, keyscale, tempo
from acestep_nb.scores.values import BANDS, Signal

_FULL_SCALE, _RUN = 0.999, 3  # a clipped place: so many samples in a row at full scale
_SILENCE, _SILENCE_WINDOW = -60.0, 0.05  # dBFS, seconds
_WEIGHTED_RATE = 48_000  # Hz; the standard gives its two filters, a shelf and a high pass, at this rate
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_WEIGHTING = tuple(np.convolve(shelf, high_pass) for shelf, high_pass in zip(_SHELF, _HIGH_PASS))
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0  # LUFS; LU below the mean of what is above the first
_WINDOW, _BLOCK = 8192, 64


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
    mono = Audio(samples.mean(0), audio.rate)
    low = heard_part(mono)
    return Signal(
        loudness=loudness(audio),
        peak=None if audio.peak == 0 else round(20 * float(np.log10(audio.peak)), 2),
        clipped=_clipped(samples),
        silent=_silent(samples, audio.rate),
        bpm=tempo(low, asked_bpm),
        keyscale=keyscale(low),
        balance=_balance(mono.samples[0], audio.rate),
    )


def loudness(audio: Audio) -> float | None:
    """Integrated loudness in LUFS by ITU-R BS.1770-4; None for silence or less than 0.4 s.

    Each of the first two channels is weighted as ears weight it, cut into blocks of 0.4 s every 0.1 s, and the
    blocks above −70 LUFS and above 10 below their mean are averaged.
    """
    sound = Audio(audio.samples[:2], audio.rate).resample(_WEIGHTED_RATE).samples
    step = _WEIGHTED_RATE // 10
    steps = sound.shape[1] // step
    if steps < 4:
        return None
    weighted = lfilter(*_WEIGHTING, sound[:, : steps * step].astype(np.float64))
    tenths = np.einsum("cst,cst->s", *[weighted.reshape(len(sound), steps, step)] * 2) / step
    blocks = np.convolve(tenths, np.full(4, 0.25), "valid")
    loud = blocks[blocks > _power(_ABSOLUTE_GATE)]
    if loud.size:
        loud = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return round(-0.691 + 10 * float(np.log10(loud.mean())), 2) if loud.size else None


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


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


def _balance(mono: npt.NDArray[np.float32], rate: int) -> dict[str, float]:
    """Share of the energy in each of `BANDS`, from windows that follow one another; zeros for silence."""
    padded = np.pad(mono, (0, -len(mono) % _WINDOW)).reshape(-1, _WINDOW)
    taper, power = np.hanning(_WINDOW).astype(np.float32), np.zeros(_WINDOW // 2 + 1)
    for start in range(0, len(padded), _BLOCK):
        power += (np.abs(rfft(padded[start : start + _BLOCK] * taper)) ** 2).sum(0)
    hertz = np.fft.rfftfreq(_WINDOW, 1 / rate)
    inside = {name: (hertz >= low) & (hertz < high) for name, (low, high) in BANDS.items()}
    total = sum(float(power[band].sum()) for band in inside.values())
    return {
        name: round(float(power[band].sum()) / total, 4) if total > 0 else 0.0
        for name, band in inside.items()
    }
