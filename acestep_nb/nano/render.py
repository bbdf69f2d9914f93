"""Turns the description of a piece into sound, stem by stem, and into the time grid that it follows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from acestep_nb.codes import LATENT_RATE
from acestep_nb.nano.codec import INNER_RATE as RATE
from acestep_nb.nano.instruments import Bank, bank
from acestep_nb.nano.music import (
    BEATS_PER_BAR,
    CONSONANTS,
    HABITS,
    LEAD_REGISTER,
    STEMS,
    STEPS_PER_BAR,
    VOICE_REGISTER,
    VOWELS,
    Piece,
    chord_tones,
    contour_pitches,
    contours,
    gaps,
    sung,
)

RELEASE = 480  # samples of fade at the end of a cut note
MASTER = 0.4
GAIN = {"drums": 0.55, "bass": 1.1, "chords": 0.5, "lead": 0.75, "vocals": 1.35}
ROLL = ("kick", "snare", "hat", "bass", "chords", "lead", "bass on", "chords on", "lead on", "voice on")
DRUM_CLASS = {"kick": 0, "softkick": 0, "snare": 1, "clap": 1, "rim": 1, "hat": 2, "open": 2, "ride": 2}
SPAN = {"bass": 0.9, "chords": 0.96, "lead": 0.9}  # share of the gap to the next onset that a note sounds


def render(piece: Piece) -> dict[str, np.ndarray]:
    """Sound of every stem present: float32 mono at 24 kHz, `[int(seconds * 24000)]`; the mix is their sum."""
    rng = np.random.default_rng(piece.seed)
    loudness = {stem: MASTER * GAIN[stem] * 10 ** (rng.uniform(-1.5, 1.5) / 20) for stem in STEMS}
    painters = {"drums": _drums, "bass": _bass, "chords": _chords, "lead": _lead, "vocals": _vocals}
    sounds = bank()
    out = {}
    for stem in piece.stems:
        y = np.zeros(int(piece.seconds * RATE), np.float32)
        painters[stem](y, piece, sounds, lambda: float(rng.uniform(0.85, 1.15)))
        out[stem] = y * np.float32(loudness[stem])
    return out


Touch = Callable[[], float]


def _place(y: np.ndarray, sound: np.ndarray, start: int, length: int, gain: float) -> None:
    n = min(len(sound), length, len(y) - start)
    if n <= 0:
        return
    piece = sound[:n] * np.float32(gain)
    fade = min(RELEASE, n)
    piece[n - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    y[start : start + n] += piece


def _bars(piece: Piece) -> int:
    return int(np.ceil(piece.seconds / (BEATS_PER_BAR * piece.beat)))


def _step(piece: Piece) -> float:
    return piece.beat * BEATS_PER_BAR / STEPS_PER_BAR


def _start(piece: Piece, bar: int, step: int) -> int:
    return round((bar * STEPS_PER_BAR + step) * _step(piece) * RATE)


def _drums(y: np.ndarray, piece: Piece, sounds: Bank, touch: Touch) -> None:
    for bar in range(_bars(piece)):
        for name, steps in HABITS[piece.genre].drums.items():
            for step in steps:
                soft = 0.6 if name == "hat" and step % 4 else 1.0
                _place(y, sounds.hits[name], _start(piece, bar, step), len(y), touch() * soft)


def _bass(y: np.ndarray, piece: Piece, sounds: Bank, touch: Touch) -> None:
    pattern = HABITS[piece.genre].bass
    for bar in range(_bars(piece)):
        root = 28 + (chord_tones(piece.key, piece.mode, bar)[0] - 28) % 12
        for step, gap in zip(pattern, gaps(pattern), strict=True):
            fifth = 7 if piece.genre == "jazz" and step == 8 else 0
            length = int(min(gap, 8) * _step(piece) * SPAN["bass"] * RATE)
            _place(y, sounds.notes["bass"][root + fifth], _start(piece, bar, step), length, touch())


def _chords(y: np.ndarray, piece: Piece, sounds: Bank, touch: Touch) -> None:
    pattern, notes = HABITS[piece.genre].comping, sounds.notes[piece.chords]
    for bar in range(_bars(piece)):
        voicing = [55 + (tone - 55) % 12 for tone in chord_tones(piece.key, piece.mode, bar)]
        for step, gap in zip(pattern, gaps(pattern), strict=True):
            length = int(chord_steps(piece, gap) * _step(piece) * RATE)
            gain = touch()
            for note in voicing:
                _place(y, notes[note], _start(piece, bar, step), length, gain)


def chord_steps(piece: Piece, gap: int) -> float:
    """Steps that a chord sounds before the next one; house stabs are short."""
    return 1.8 if piece.genre == "house" else gap * SPAN["chords"]


def _lead(y: np.ndarray, piece: Piece, sounds: Bank, touch: Touch) -> None:
    assert piece.lead is not None
    pattern, notes = HABITS[piece.genre].lead, sounds.notes[piece.lead]
    for bar in range(_bars(piece)):
        pitches = contour_pitches(piece.key, piece.mode, bar, LEAD_REGISTER, contours(piece)[0])
        for step, gap, pitch in zip(pattern, gaps(pattern), pitches, strict=False):
            length = int(gap * _step(piece) * SPAN["lead"] * RATE)
            _place(y, notes[pitch], _start(piece, bar, step), length, touch())


def _vocals(y: np.ndarray, piece: Piece, sounds: Bank, touch: Touch) -> None:
    assert piece.voice is not None
    for start, end, slot in sung(piece):
        syllable = piece.slots[slot]
        assert syllable is not None
        bar, beat = divmod(slot, BEATS_PER_BAR)
        pitches = contour_pitches(piece.key, piece.mode, bar, VOICE_REGISTER[piece.voice], contours(piece)[1])
        vowel = sounds.vowels[piece.voice, VOWELS[syllable.vowel]][pitches[beat]]
        consonant, gain, at = CONSONANTS[syllable.consonant], touch(), int(start * RATE)
        onset = int(0.03 * RATE) if consonant else 0
        _place(y, vowel, at + onset, int((end - start) * RATE) - onset, gain)
        if consonant:
            _place(y, sounds.consonants[consonant], at, len(y), gain)


def roll(piece: Piece, first: int, frames: int) -> np.ndarray:
    """What happens in each latent frame, from the description alone: float32 `[frame, len(ROLL)]`.

    Six columns of onsets (three drum classes, bass, chords, lead), then whether bass, chords, lead and voice
    sound. `first` is the latent frame at which the window starts.
    """
    grid = np.zeros((first + frames, len(ROLL)), np.float32)
    count = int(np.ceil(len(grid) / LATENT_RATE / (BEATS_PER_BAR * piece.beat)))
    bars = np.arange(count)[:, None] * STEPS_PER_BAR
    habits, step = HABITS[piece.genre], _step(piece)

    def onsets(steps: tuple[int, ...], column: int) -> None:
        at = ((bars + np.array(steps)).ravel() * step * LATENT_RATE + 1e-6).astype(int)
        grid[at[at < len(grid)], column] = 1

    def sounding(steps: tuple[int, ...], lengths: list[float], column: int) -> None:
        for start, length in zip(steps, lengths, strict=True):
            for at in (bars[:, 0] + start) * step:
                grid[round(at * LATENT_RATE) : round((at + length * step) * LATENT_RATE), column] = 1

    if piece.drums:
        for name, steps in habits.drums.items():
            onsets(steps, DRUM_CLASS[name])
    if piece.bass:
        onsets(habits.bass, 3)
        sounding(habits.bass, [min(gap, 8) * SPAN["bass"] for gap in gaps(habits.bass)], 6)
    onsets(habits.comping, 4)
    sounding(habits.comping, [chord_steps(piece, gap) for gap in gaps(habits.comping)], 7)
    if piece.lead:
        onsets(habits.lead, 5)
        sounding(habits.lead, [gap * SPAN["lead"] for gap in gaps(habits.lead)], 8)
    for start, end, _ in sung(piece):
        grid[round(start * LATENT_RATE) : round(end * LATENT_RATE), 9] = 1
    return grid[first:]
