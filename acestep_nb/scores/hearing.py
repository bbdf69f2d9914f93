"""Tempo and key as they are heard: from onsets and from pitch classes, and nothing learned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from acestep_nb.audio import Audio

Array = npt.NDArray[Any]

_RATE = 24_000  # Hz: what is heard here lies below 12 kHz
_HOP, _WINDOW = 240, 1024  # onsets at 100 Hz
_LONG_WINDOW = 8192  # 2.9 Hz apart: semitones stand alone from 55 Hz on
_BLOCK = 512  # windows that are in memory at a time
_BANDS = 24
_TEMPI = np.geomspace(40.0, 240.0, 720)  # bpm, 0.25 % apart
_USUAL_TEMPO, _OCTAVES = 120.0, 0.9  # where people tap along, and how far from it in octaves
_BEATS = 8
_FINE = np.linspace(0.985, 1.015, 121)
_PULSE = 0.08  # autocorrelation below which there is no beat
SILENT = 1e-6
"""Level of the strongest note up to which there is none."""
_LOWEST_NOTE, _HIGHEST_NOTE = 36, 72  # MIDI; higher up, overtones outnumber notes
_BEGINNING, _EMPHASIS = 3.0, 4.0  # seconds that count so many times: music tends to begin on its tonic
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# How well each pitch class fits a key, tonic first: the listening experiments of Krumhansl and Kessler (1982)
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


def heard_part(audio: Audio) -> Audio:
    """The mean of the channels at `_RATE`: the part of a sound that tempo and key are heard in."""
    mono = audio if len(audio.samples) == 1 else Audio(audio.samples.mean(0), audio.rate)
    return mono.resample(_RATE)


def tempo(audio: Audio, near: float | None = None) -> float | None:
    """Beats per minute, to 0.1; None where nothing repeats.

    A beat may be counted at half or double speed as well: with `near`, the asked tempo, the one next to it of
    these is given, else the one that people would rather tap.
    """
    onsets = _onsets(audio)
    if len(onsets) < 400 or not onsets.any():
        return None
    power = np.abs(np.fft.rfft(onsets, 2 * len(onsets))) ** 2
    overlap = np.arange(len(onsets), 0, -1) / len(onsets)
    similar = np.fft.irfft(power)[: len(onsets)] / overlap  # of the onsets to themselves, by lag
    similar /= similar[0]
    strength = _strength(similar, _TEMPI)
    taste = np.exp(-0.5 * (np.log2(_TEMPI / _USUAL_TEMPO) / _OCTAVES) ** 2)
    best = _TEMPI[(strength * taste).argmax()]
    if _strength(similar, np.array([best]))[0] < _PULSE:
        return None
    if near is not None:
        best *= 2.0 ** round(float(np.log2(near / best)))
    candidates = best * _FINE
    return round(float(candidates[_strength(similar, candidates, 4 * _BEATS).argmax()]), 1)


def _strength(similar: Array, tempi: Array, beats: int = _BEATS) -> Array:
    """Mean similarity at the first `beats` multiples of the beat of each tempo, as far as there is sound."""
    lags = np.arange(1, beats + 1) * (60.0 * _RATE / _HOP / tempi)[:, None]
    inside = lags < len(similar) * 0.75  # behind it too little overlaps
    values = np.interp(lags, np.arange(len(similar)), similar) * inside
    return np.asarray(values.sum(1) / np.maximum(inside.sum(1), 1))


def _onsets(audio: Audio) -> Array:
    """How much louder the bands get, at 100 Hz, its slow changes taken away: `[frame]`."""
    edges = np.geomspace(2, _WINDOW // 2, _BANDS + 1).astype(int)
    rises, last = [], None
    for power in _spectra(audio, _WINDOW, _HOP):
        levels = np.log1p(1e4 * np.add.reduceat(power, np.unique(edges), axis=1))
        rise = np.diff(levels, axis=0, prepend=levels[:1] if last is None else last)
        rises.append(np.maximum(rise, 0).mean(1))
        last = levels[-1:]
    onsets = np.concatenate(rises) if rises else np.zeros(0)
    return onsets - np.convolve(onsets, np.ones(100) / 100, "same") if len(onsets) >= 100 else onsets


def keyscale(audio: Audio) -> str | None:
    """Tonic and mode, such as `A minor`: the key whose pitch profile fits best; None where there is no pitch."""
    chroma = pitch_classes(audio)
    if chroma.max(initial=0.0) <= SILENT or np.ptp(chroma) <= 1e-3 * chroma.max():
        return None
    fits = {
        f"{NOTES[tonic]} {mode}": np.corrcoef(chroma, np.roll(profile, tonic))[0, 1]
        for mode, profile in _PROFILES.items()
        for tonic in range(12)
    }
    return max(fits, key=lambda key: float(fits[key]))


def pitch_classes(audio: Audio) -> Array:
    """How much of each of the twelve notes from C to B there is, between C2 and C5; the first 3 s count four times."""
    hertz = np.fft.rfftfreq(_LONG_WINDOW, 1 / _RATE)[1:]
    midi = 69 + 12 * np.log2(hertz / 440)
    note = np.round(midi).astype(int)
    inside = (note >= _LOWEST_NOTE) & (note <= _HIGHEST_NOTE)
    table = np.zeros((len(hertz) + 1, 12))
    near = np.exp(-0.5 * ((midi - note) / 0.2) ** 2)
    table[1:][inside, note[inside] % 12] = near[inside]
    chroma, left = np.zeros(12), round(_BEGINNING * 2 * _RATE / _LONG_WINDOW)
    for power in _spectra(audio, _LONG_WINDOW, _LONG_WINDOW // 2):
        weights = np.where(np.arange(len(power)) < left, _EMPHASIS, 1.0)
        chroma += weights @ (np.sqrt(power) @ table)
        left -= len(power)
    return chroma


def _spectra(audio: Audio, window: int, hop: int) -> Iterator[Array]:
    """Power spectra `[window, bin]` of the mean of the channels at `_RATE`, some windows at a time."""
    samples = heard_part(audio).samples[0]
    if len(samples) < window:
        return
    views = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    taper = np.hanning(window).astype(np.float32) / (window / 2)
    for start in range(0, len(views), _BLOCK):
        yield np.abs(rfft(views[start : start + _BLOCK] * taper)) ** 2
