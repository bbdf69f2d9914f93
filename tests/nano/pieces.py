"""A plain piece of music to vary, for tests."""

from __future__ import annotations

from dataclasses import replace

from acestep_nb.nano.music import Piece, Syllable

PLAIN = Piece(
    genre="rock",
    bpm=120,
    key=0,
    mode="major",
    drums=True,
    bass=True,
    chords="piano",
    lead=None,
    voice=None,
    slots=(),
    seconds=8.0,
    seed=1,
)
LA_REST_MI = (Syllable(1, 0), None, Syllable(2, 1))  # "la", a rest, "mi"


def make_piece(**changes: object) -> Piece:
    """A rock piece of 8 s at 120 bpm in C major, with `changes`."""
    return replace(PLAIN, **changes)
