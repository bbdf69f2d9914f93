"""The grammar of the synthetic music: what a piece is made of and where every sound of it falls.

One regular grammar, so that a small network can learn it: the downbeat is at 0 s, 4/4, one chord a bar, one
progression of four bars a mode, one pattern a genre, and one lyric token a beat (a syllable is sung, a line
end or a tag rests). Everything about a piece follows from its description; `render.py` only places sounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BEATS_PER_BAR = 4
STEPS_PER_BEAT = 4
STEPS_PER_BAR = BEATS_PER_BAR * STEPS_PER_BEAT
BARS_PER_ROUND = 4
TEMPI = tuple(58.0 * 1.05**i for i in range(25))  # bpm; any asked tempo in between is within 2.5 % of one
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MODES = ("major", "minor")
SCALE = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
PROGRESSION = {"major": (0, 4, 5, 3), "minor": (0, 5, 2, 6)}  # scale degree of each bar
STEMS = ("drums", "bass", "chords", "lead", "vocals")
GENRES = ("rock", "house", "hiphop", "jazz", "ballad", "pop")
CHORD_INSTRUMENTS = ("piano", "organ", "guitar", "synth")
LEAD_INSTRUMENTS = ("flute", "brass", "strings")
VOICES = ("female", "male")
CONSONANTS = ("", "l", "m", "n", "t", "k", "s")
VOWELS = ("a", "i", "u", "e", "o")
TRACK_OF = {
    "drums": "drums", "bass": "bass", "vocals": "vocals",
    "piano": "keyboard", "organ": "keyboard", "guitar": "guitar", "synth": "synth",
    "flute": "woodwinds", "brass": "brass", "strings": "strings",
}  # fmt: skip


@dataclass(frozen=True)
class Habits:
    """What a genre does when nobody says otherwise, and its patterns in sixteenth steps of a bar."""

    bpm: int
    chords: str
    rhythm_section: bool
    drums: dict[str, tuple[int, ...]]
    bass: tuple[int, ...]
    comping: tuple[int, ...]
    lead: tuple[int, ...]


EIGHTHS = tuple(range(0, 16, 2))
HABITS = {
    "rock": Habits(120, "guitar", True, {"kick": (0, 8, 10), "snare": (4, 12), "hat": EIGHTHS},
                   EIGHTHS, (0, 4, 8, 12), (0, 4, 6, 8, 12)),
    "house": Habits(126, "synth", True, {"kick": (0, 4, 8, 12), "clap": (4, 12), "open": (2, 6, 10, 14)},
                    (2, 6, 10, 14), (2, 6, 10, 14), (0, 3, 6, 8, 11, 14)),
    "hiphop": Habits(90, "organ", True, {"kick": (0, 3, 8, 11), "clap": (4, 12), "hat": tuple(range(16))},
                     (0, 3, 8, 11), (0, 8), (0, 6, 8, 14)),
    "jazz": Habits(140, "piano", True, {"ride": (0, 4, 7, 8, 12, 15), "softkick": (0, 8), "rim": (4, 12)},
                   (0, 4, 8, 12), (2, 8, 14), (0, 3, 4, 7, 8, 11, 12)),
    "ballad": Habits(76, "piano", False, {"softkick": (0, 8), "rim": (4, 12), "hat": (0, 4, 8, 12)},
                     (0, 8), (0, 4, 8, 12), (0, 4, 8, 12)),
    "pop": Habits(108, "guitar", True, {"kick": (0, 6, 8), "clap": (4, 12), "hat": EIGHTHS},
                  (0, 6, 8, 14), (0, 6, 8, 14), (0, 4, 8, 10)),
}  # fmt: skip
SLOW_BPM, FAST_BPM = 72, 150
DEFAULT_KEY = {"major": 0, "minor": 9}  # C major, A minor
LEAD_CONTOURS = ((2, 3, 4, 3, 2, 1, 2), (4, 3, 2, 3, 4, 5, 4))  # positions in the chord tones of the register
VOCAL_CONTOURS = ((1, 2, 3, 2), (3, 2, 1, 2))  # one for each beat of the bar
LEAD_REGISTER = (67, 92)
VOICE_REGISTER = {"female": (60, 77), "male": (48, 65)}


@dataclass(frozen=True)
class Syllable:
    """One sung syllable: indices into CONSONANTS and VOWELS."""

    consonant: int
    vowel: int


@dataclass(frozen=True)
class Piece:
    """The whole description of one synthetic piece; equal descriptions sound equal."""

    genre: str
    bpm: int
    key: int  # pitch class of the tonic, C = 0
    mode: str
    drums: bool
    bass: bool
    chords: str
    lead: str | None
    voice: str | None
    slots: tuple[Syllable | None, ...]  # one a beat from 0 s; None rests
    seconds: float
    seed: int

    @property
    def tempo(self) -> float:
        """The tempo that sounds, in bpm: the entry of TEMPI nearest to `bpm`."""
        return TEMPI[tempo_class(self.bpm)]

    @property
    def beat(self) -> float:
        """Seconds per beat."""
        return 60.0 / self.tempo

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems that sound."""
        present = {
            "drums": self.drums,
            "bass": self.bass,
            "chords": True,
            "lead": self.lead,
            "vocals": self.voice,
        }
        return tuple(name for name in STEMS if present[name])

    @property
    def keyscale(self) -> str:
        """The key as it is asked for, such as `C# minor`."""
        return f"{NOTES[self.key]} {self.mode}"

    def track(self, stem: str) -> str:
        """The track name that instructions use for `stem`."""
        return TRACK_OF[{"chords": self.chords, "lead": self.lead}.get(stem) or stem]


def tempo_class(bpm: int) -> int:
    """Index into TEMPI of the tempo that `bpm` is played at; beyond the grid, its nearest octave inside."""
    value = float(bpm)
    while value < TEMPI[0] / 1.025:
        value *= 2
    while value > TEMPI[-1] * 1.025:
        value /= 2
    return int(np.argmin(np.abs(np.log(np.array(TEMPI) / value))))


def chord_root(piece_key: int, mode: str, bar: np.ndarray | int) -> np.ndarray:
    """Pitch class of the chord in each `bar`."""
    degree = np.array(PROGRESSION[mode])[np.asarray(bar) % BARS_PER_ROUND]
    return (piece_key + np.array(SCALE[mode])[degree]) % 12


def chord_tones(key: int, mode: str, bar: int) -> tuple[int, int, int]:
    """Pitch classes of root, third and fifth of the chord in `bar`."""
    degree = PROGRESSION[mode][bar % BARS_PER_ROUND]
    scale = SCALE[mode]
    root, third, fifth = ((key + scale[(degree + step) % 7]) % 12 for step in (0, 2, 4))
    return root, third, fifth


def contour_pitches(
    key: int, mode: str, bar: int, register: tuple[int, int], contour: tuple[int, ...]
) -> list[int]:
    """MIDI notes of a melodic contour over the chord tones of `bar` that lie in `register`."""
    tones = chord_tones(key, mode, bar)
    ladder = [note for note in range(*register) if note % 12 in tones]
    return [ladder[position] for position in contour]


def contours(piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lead and vocal contours that the seed of the piece picks."""
    return LEAD_CONTOURS[piece.seed % 2], VOCAL_CONTOURS[piece.seed // 2 % 2]


def gaps(steps: tuple[int, ...]) -> tuple[int, ...]:
    """Steps from each onset of a bar pattern to the next one (or to the end of the bar)."""
    return tuple(after - step for step, after in zip(steps, (*steps[1:], STEPS_PER_BAR), strict=True))


def sung(piece: Piece) -> list[tuple[float, float, int]]:
    """Start and end in seconds and slot index of every syllable that is sung before the piece ends."""
    if piece.voice is None:
        return []
    length = min(piece.beat * 0.9, 1.0)
    return [
        (slot * piece.beat, min(slot * piece.beat + length, piece.seconds), slot)
        for slot, syllable in enumerate(piece.slots)
        if syllable is not None and slot * piece.beat < piece.seconds - 0.05
    ]
