"""Small judges of sound: linear probes on spectral features, fitted on corpus pieces whose truth is known.

They hear only the decoded sound, through the codec's log bands at 50 Hz. Tempo is then measured: the probe
names one of the tempi, and the periodicity of the onsets next to it is the tempo in bpm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from acestep_nb.nano.codec import NOISE_FLOOR, band_frequencies
from acestep_nb.nano.music import (
    CHORD_INSTRUMENTS,
    GENRES,
    LEAD_INSTRUMENTS,
    MODES,
    NOTES,
    TEMPI,
    VOICES,
    VOWELS,
    Piece,
    sung,
    tempo_class,
)

BAND_RATE = 50  # Hz
REGION_HERTZ = (90, 180, 350, 700, 1300, 2500, 4500, 7500)
CHROMA_HERTZ = ((35, 130), (130, 420), (420, 1500))
VOWEL_FRAMES = 4  # band frames of one vowel decision, 80 ms
SEARCH = np.linspace(0.96, 1.04, 81)  # around a tempo of the grid, in steps of 0.1 %


@dataclass(frozen=True)
class Hearing:
    """Log bands `[frame at 50 Hz, 276]` of one piece of sound, and the piece that it should be."""

    piece: Piece
    bands: np.ndarray


ATTRIBUTES = {  # number of classes, features
    "tempo": (len(TEMPI), ("rhythm",)),
    "key": (len(MODES) * len(NOTES), ("chroma",)),
    "drums": (2, ("texture",)),
    "bass": (2, ("texture",)),
    "lead": (2, ("texture",)),
    "vocals": (2, ("texture",)),
    "chord_instrument": (len(CHORD_INSTRUMENTS), ("texture",)),
    "lead_instrument": (len(LEAD_INSTRUMENTS), ("texture",)),
    "voice": (len(VOICES), ("texture",)),
    "genre": (len(GENRES), ("rhythm", "texture")),
}


def truth(piece: Piece) -> dict[str, int | None]:
    """Class of every attribute of `piece`; None where it does not apply."""
    return {
        "tempo": tempo_class(piece.bpm),
        "key": piece.key * len(MODES) + MODES.index(piece.mode),
        "drums": int(piece.drums),
        "bass": int(piece.bass),
        "lead": int(piece.lead is not None),
        "vocals": int(piece.voice is not None),
        "chord_instrument": CHORD_INSTRUMENTS.index(piece.chords),
        "lead_instrument": LEAD_INSTRUMENTS.index(piece.lead) if piece.lead else None,
        "voice": VOICES.index(piece.voice) if piece.voice else None,
        "genre": GENRES.index(piece.genre),
    }


def vowel_truth(piece: Piece, decisions: int) -> np.ndarray:
    """Vowel of each 80-ms frame, -1 where nothing is sung: int `[decisions]`."""
    wanted = np.full(decisions, -1)
    seconds = (np.arange(decisions) + 0.5) * VOWEL_FRAMES / BAND_RATE
    for start, end, slot in sung(piece):
        syllable = piece.slots[slot]
        assert syllable is not None
        wanted[(seconds >= start + 0.04) & (seconds < end)] = syllable.vowel
    return wanted


def onsets(bands: np.ndarray) -> np.ndarray:
    """Onset strength at 50 Hz in nine regions of the spectrum and in all, of unit variance: `[frame, 10]`."""
    rise = np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0)
    region = np.digitize(band_frequencies(), REGION_HERTZ)
    curves = np.stack([rise[:, region == r].mean(1) for r in range(9)] + [rise.mean(1)], 1)
    return np.asarray((curves - curves.mean(0)) / (curves.std(0) + 0.02))


def _spectrum(curves: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """Fourier coefficients of onset curves at `hertz`: complex `[curve, len(hertz)]`."""
    seconds = (np.arange(len(curves)) + 0.5) / BAND_RATE
    return np.asarray(curves.T @ np.exp(-2j * np.pi * seconds[:, None] * hertz) / len(curves))


def features(bands: np.ndarray) -> dict[str, np.ndarray]:
    """Feature vectors of one piece of sound: rhythm, chroma, texture."""
    beats = np.array(TEMPI) / 60
    rhythm = _spectrum(onsets(bands), np.concatenate([beats / 2, beats, beats * 2, beats * 4]))
    n = len(TEMPI)
    above = np.maximum(bands - np.log(NOISE_FLOOR) - 0.5, 0)
    spread = np.quantile(above, 0.9, axis=0) - np.quantile(above, 0.3, axis=0)
    rise = np.maximum(np.diff(bands, axis=0), 0).mean(0)
    return {
        "rhythm": np.concatenate([np.abs(rhythm).ravel(), rhythm.real[:, n : 3 * n].ravel()]),
        "chroma": _chroma(bands),
        "texture": np.concatenate([above.mean(0), above.std(0), spread, rise]),
    }


def _chroma(bands: np.ndarray) -> np.ndarray:
    """Energy of each pitch class in three registers, linear and logarithmic: `[72]`."""
    hertz = band_frequencies()
    midi = 12 * np.log2(np.maximum(hertz, 20) / 440) + 69
    near = np.exp(-(((midi - np.round(midi)) / 0.25) ** 2))
    power, out = np.exp(np.minimum(bands, 6)), []
    for low, high in CHROMA_HERTZ:
        table = np.zeros((len(hertz), len(NOTES)))
        inside = (hertz >= low) & (hertz < high)
        table[inside, np.round(midi).astype(int)[inside] % 12] = near[inside]
        energy = (power @ table).mean(0)
        out += [energy / (energy.sum() + 0.3), np.log1p(np.maximum(power - NOISE_FLOOR, 0) @ table).mean(0)]
    return np.concatenate(out)


def vowel_features(bands: np.ndarray) -> np.ndarray:
    """Mean and peak-over-mean spectrum of each 80-ms frame: `[decision, 552]`."""
    above = np.maximum(bands - np.log(NOISE_FLOOR), 0)
    frames = above[: len(above) // VOWEL_FRAMES * VOWEL_FRAMES].reshape(-1, VOWEL_FRAMES, above.shape[1])
    return np.concatenate([frames.mean(1), frames.max(1) - frames.mean(1)], 1)


class Probe:
    """Multinomial logistic regression on standardised features."""

    def __init__(
        self, x: np.ndarray, y: np.ndarray, classes: int, ridge: float = 1e-3, steps: int = 250
    ) -> None:
        self.mean, self.scale = x.mean(0), x.std(0) + 1e-3
        inputs = torch.from_numpy((x - self.mean) / self.scale).float()
        wanted = torch.from_numpy(y).long()
        weight = torch.zeros(x.shape[1], classes, requires_grad=True)
        bias = torch.zeros(classes, requires_grad=True)
        optimizer = torch.optim.Adam([weight, bias], lr=0.02)
        for _ in range(steps):
            loss = F.cross_entropy(inputs @ weight + bias, wanted) + ridge * weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.weight, self.bias = weight.detach().numpy(), bias.detach().numpy()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Most likely class of each row of `x`."""
        return np.asarray((((x - self.mean) / self.scale) @ self.weight + self.bias).argmax(1))


class Judges:
    """One probe an attribute, and one for vowels."""

    def __init__(self, heard: list[Hearing]) -> None:
        rows = [features(h.bands) for h in heard]
        truths = [truth(h.piece) for h in heard]
        self.probes = {}
        for name, (classes, _) in ATTRIBUTES.items():
            known = [i for i, row in enumerate(truths) if row[name] is not None]
            x = np.stack([self._inputs(rows[i], name) for i in known])
            self.probes[name] = Probe(x, np.array([truths[i][name] for i in known]), classes)
        vowels = [
            (vowel_features(h.bands), vowel_truth(h.piece, len(h.bands) // VOWEL_FRAMES))
            for h in heard
            if h.piece.voice
        ]
        x, y = (np.concatenate(parts) for parts in zip(*vowels, strict=True))
        self.vowels = Probe(x[y >= 0], y[y >= 0], len(VOWELS), ridge=1e-4, steps=300)

    def _inputs(self, row: dict[str, np.ndarray], attribute: str) -> np.ndarray:
        return np.concatenate([row[name] for name in ATTRIBUTES[attribute][1]])

    def __call__(self, bands: np.ndarray) -> dict[str, int]:
        """The class heard for every attribute."""
        row = features(bands)
        return {name: int(probe(self._inputs(row, name)[None])[0]) for name, probe in self.probes.items()}

    def bpm(self, bands: np.ndarray, heard: int) -> float:
        """Measured tempo next to entry `heard` of TEMPI, in bpm."""
        candidates = TEMPI[heard] * SEARCH
        hertz = np.concatenate([candidates / 60 * multiple for multiple in (1, 2, 4)])
        strength = np.abs(_spectrum(onsets(bands), hertz)).sum(0).reshape(3, -1).sum(0)
        return float(candidates[strength.argmax()])


def verdict(judges: Judges, heard: Hearing, asked: Piece | None = None) -> dict[str, float]:
    """Each attribute of `heard` against `asked` (default: its own piece): 1 right, 0 wrong; vowels a share.

    `octave` is 1.0 where the tempo is wrong by a factor of two.
    """
    piece = asked or heard.piece
    found, wanted = judges(heard.bands), truth(piece)
    out = {name: float(found[name] == value) for name, value in wanted.items() if value is not None}
    bpm = judges.bpm(heard.bands, found["tempo"])
    out["tempo"] = float(abs(bpm / piece.bpm - 1) <= 0.04)
    out["octave"] = float(any(abs(bpm * factor / piece.bpm - 1) <= 0.04 for factor in (0.5, 2.0)))
    vowels = vowel_truth(piece, len(heard.bands) // VOWEL_FRAMES)
    if (vowels >= 0).any():
        said = judges.vowels(vowel_features(heard.bands)[vowels >= 0])
        out["vowels"] = float((said == vowels[vowels >= 0]).mean())
    return out
