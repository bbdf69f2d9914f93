"""Fixes that can be made without asking: they keep what the writer wants and only say it where it is heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from acestep_nb.song import Song
from acestep_nb.writing.hints import Hint
from acestep_nb.writing.linter import lint

__all__ = ["SAFE", "safe_hints", "tidied_song"]

SAFE = ("metas-in-caption", "stacked-tags", "missing-blank-line")
"""Rules whose fixes move or space what is there; those of other rules choose another tempo, key or style."""


def safe_hints(song: Song, hints: Iterable[Hint]) -> list[Hint]:
    """Those of the song's hints whose fix needs no second thought and changes something."""
    return [hint for hint in hints if hint.id in SAFE and hint.fix is not None and hint.fix(song) != song]


def tidied_song(song: Song) -> Song:
    """The song with the safe fixes made: all at once, and one by one where together they answer no hint."""
    hints = lint(song)
    while True:
        for better in _attempts(song, safe_hints(song, hints)):
            left = lint(better)
            if len(left) < len(hints):
                song, hints = better, left
                break
        else:
            return song


def _attempts(song: Song, hints: list[Hint]) -> Iterator[Song]:
    fixes = [hint.fix for hint in hints if hint.fix is not None]
    together = song
    for fix in fixes:
        together = fix(together)
    if fixes:
        yield together
    for fix in fixes:
        yield fix(song)
