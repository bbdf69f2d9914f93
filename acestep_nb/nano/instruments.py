"""Every note, hit and sung vowel of the corpus, synthesised once and only placed afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import butter, lfilter

from acestep_nb.nano.codec import INNER_RATE as RATE
from acestep_nb.nano.music import CONSONANTS, VOICE_REGISTER, VOWELS

SEED = 0
LEVEL = 0.1  # root mean square of a sustained tone
FORMANTS = {"a": (800, 1250, 2600), "i": (280, 2400, 3100), "u": (320, 750, 2300), "e": (480, 1950, 2650),
            "o": (480, 900, 2500)}  # fmt: skip
VOICE_SCALE = {"female": 1.17, "male": 1.0}


@dataclass(frozen=True)
class Timbre:
    """An additive instrument: partials fall as h ** -slope and die at `decay` a second, high ones faster."""

    partials: int
    slope: float
    decay: float
    attack: float
    seconds: float
    register: tuple[int, int]
    vibrato: float = 0.0
    detune: float = 0.0
    sub_octave: float = 0.0
    breath: float = 0.0


TIMBRES = {
    "bass": Timbre(10, 1.4, 2.0, 0.005, 2.0, (28, 52)),
    "piano": Timbre(14, 1.3, 2.2, 0.003, 2.6, (48, 80)),
    "organ": Timbre(6, 0.35, 0.0, 0.02, 4.4, (48, 80), sub_octave=0.5),
    "guitar": Timbre(16, 0.9, 3.6, 0.002, 2.6, (48, 80)),
    "synth": Timbre(22, 0.85, 0.0, 0.09, 4.4, (48, 80), detune=0.006),
    "flute": Timbre(4, 2.0, 0.0, 0.05, 2.2, (60, 92), vibrato=0.006, breath=0.12),
    "brass": Timbre(16, 0.55, 0.2, 0.06, 2.2, (60, 92), vibrato=0.003),
    "strings": Timbre(18, 1.0, 0.0, 0.12, 2.2, (60, 92), vibrato=0.009, detune=0.003),
}


@dataclass(frozen=True)
class Bank:
    """Sounds by name, float32 mono at 24 kHz: `notes[instrument][midi]`, `hits[name]`,
    `vowels[voice, vowel][midi]`, `consonants[letter]`."""

    notes: dict[str, dict[int, np.ndarray]]
    hits: dict[str, np.ndarray]
    vowels: dict[tuple[str, str], dict[int, np.ndarray]]
    consonants: dict[str, np.ndarray]


@lru_cache(maxsize=1)
def bank() -> Bank:
    """The one bank of the corpus; building takes a few seconds."""
    rng = np.random.default_rng(SEED)
    return Bank(
        notes={
            name: {m: _tone(m, timbre, rng) for m in range(*timbre.register)}
            for name, timbre in TIMBRES.items()
        },
        hits=_hits(rng),
        vowels={
            (voice, vowel): {m: _vowel(m, vowel, VOICE_SCALE[voice], rng) for m in range(*register)}
            for voice, register in VOICE_REGISTER.items()
            for vowel in VOWELS
        },
        consonants={letter: _consonant(letter, rng) for letter in CONSONANTS if letter},
    )


def _hertz(midi: float) -> float:
    return float(440.0 * 2 ** ((midi - 69) / 12))


def _phase(hertz: float, t: np.ndarray, vibrato: float, rate: float) -> np.ndarray:
    wobble = vibrato * np.sin(2 * np.pi * rate * t) / (2 * np.pi * rate)
    return 2 * np.pi * hertz * (t + wobble)


def _levelled(y: np.ndarray, span: int) -> np.ndarray:
    return (y / np.sqrt((y[:span] ** 2).mean() + 1e-9) * LEVEL).astype(np.float32)


def _band_noise(rng: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    b, a = butter(2, [2 * low / RATE, min(0.98, 2 * high / RATE)], "band")
    return np.asarray(lfilter(b, a, rng.standard_normal(n)))


def _tone(midi: int, timbre: Timbre, rng: np.random.Generator) -> np.ndarray:
    n = int(timbre.seconds * RATE)
    t = np.arange(n) / RATE
    hertz = _hertz(midi)
    voices = (-timbre.detune, timbre.detune) if timbre.detune else (0.0,)
    y = np.zeros(n)
    for spread in voices:
        phase = _phase(hertz * (1 + spread), t, timbre.vibrato, 5.2)
        for h in range(1, timbre.partials + 1):
            if hertz * h > RATE * 0.46:
                break
            fall = np.exp(-timbre.decay * (1 + 0.25 * (h - 1)) * t)
            y += h**-timbre.slope * fall * np.sin(h * phase + rng.uniform(0, 2 * np.pi))
    if timbre.sub_octave:
        y += timbre.sub_octave * np.sin(0.5 * _phase(hertz, t, 0.0, 5.2))
    if timbre.breath:
        y += timbre.breath * _band_noise(rng, n, hertz, 2.5 * hertz)
    return _levelled(y * np.minimum(1, t / timbre.attack), RATE // 2)


def _vowel(midi: int, vowel: str, scale: float, rng: np.random.Generator) -> np.ndarray:
    n = int(1.1 * RATE)
    t = np.arange(n) / RATE
    hertz = _hertz(midi)
    phase = _phase(hertz, t, 0.006, 5.6)
    y = np.zeros(n)
    for h in range(1, int(5500 / hertz) + 1):
        peaks = zip(FORMANTS[vowel], (90, 110, 160), (1.0, 0.8, 0.35), strict=True)
        gain = sum(a / (1 + ((hertz * h - f * scale) / width) ** 2) for f, width, a in peaks)
        y += (gain + 0.004) * h**-0.25 * np.sin(h * phase + rng.uniform(0, 2 * np.pi))
    return _levelled(y * np.minimum(1, t / 0.03), n)


def _consonant(letter: str, rng: np.random.Generator) -> np.ndarray:
    n = int(0.06 * RATE)
    t = np.arange(n) / RATE
    hiss = {"t": (3500, 9000), "k": (1400, 3200), "s": (5500, 11500)}
    hum = {"l": 350, "m": 220, "n": 280}
    if letter in hiss:
        envelope = np.hanning(n) if letter == "s" else np.exp(-t * 70)
        y = _band_noise(rng, n, *hiss[letter]) * envelope * 0.5
    else:
        y = np.sin(2 * np.pi * hum[letter] * t) * np.hanning(n) * 0.12
    return y.astype(np.float32)


def _hits(rng: np.random.Generator) -> dict[str, np.ndarray]:
    n = int(0.3 * RATE)
    t = np.arange(n) / RATE

    def burst(low: float, high: float, decay: float) -> np.ndarray:
        return _band_noise(rng, n, low, high) * np.exp(-t * decay)

    def sweep(hertz: float, extra: float, speed: float, decay: float) -> np.ndarray:
        return np.sin(2 * np.pi * (hertz * t + extra / speed * (1 - np.exp(-speed * t)))) * np.exp(-t * decay)

    kick = sweep(50, 110, 25, 12)
    kick[:200] += 0.3 * rng.standard_normal(200) * np.linspace(1, 0, 200)
    hits = {
        "kick": 0.75 * kick,
        "softkick": 0.5 * sweep(55, 40, 20, 16),
        "snare": 0.45 * np.sin(2 * np.pi * 190 * t) * np.exp(-t * 22) + 0.9 * burst(900, 9000, 18),
        "clap": 1.2 * burst(1100, 3500, 22),
        "hat": 0.55 * burst(7000, 11800, 55),
        "open": 0.6 * burst(6000, 11800, 14),
        "ride": 0.3 * burst(4500, 11000, 10) + 0.05 * np.sin(2 * np.pi * 5300 * t) * np.exp(-t * 8),
        "rim": 0.5 * np.sin(2 * np.pi * 1700 * t) * np.exp(-t * 70) + 0.3 * burst(1500, 5000, 60),
    }
    return {name: y.astype(np.float32) for name, y in hits.items()}
