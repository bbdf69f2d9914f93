"""Fixes that can be made without asking: they keep what the writer wants and only say it where it is heard."""

from __future__ import annotations

from dataclasses import dataclass

from acestep_nb.song import Song
from acestep_nb.writing.hints import Hint
from acestep_nb.writing.linter import lint

__all__ = ["SAFE", "Tidied", "is_safe", "tidied_song"]

SAFE = ("metas-in-caption", "stacked-tags", "missing-blank-line")
"""Rules whose fixes move or space what is there; those of other rules choose another tempo, key or style."""


@dataclass(frozen=True)
class Tidied:
    """A song put in order and the hints that this answered."""

    song: Song
    answered: tuple[Hint, ...]


def is_safe(hint: Hint) -> bool:
    """Whether the hint's fix needs no second thought."""
    return hint.fix is not None and hint.id in SAFE


def tidied_song(song: Song) -> Tidied:
    """The song with every safe fix made that leaves fewer hints than before, one after another."""
    answered: list[Hint] = []
    hints = lint(song)
    while found := _step(song, hints):
        hint, song, hints = found
        answered.append(hint)
    return Tidied(song, tuple(answered))


def _step(song: Song, hints: list[Hint]) -> tuple[Hint, Song, list[Hint]] | None:
    for hint in hints:
        if hint.fix is not None and is_safe(hint):
            better = hint.fix(song)
            left = lint(better)
            if len(left) < len(hints):
                return hint, better, left
    return None
