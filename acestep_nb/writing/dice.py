"""The dice: songs of our own to begin with, free for any use, drawn by a seed."""

from __future__ import annotations

import random
from functools import cache

from acestep_nb.errors import InputError
from acestep_nb.song import Song
from acestep_nb.writing.data import load

__all__ = ["dice", "genres"]


def dice(seed: int, genre: str | None = None, language: str | None = None) -> Song:
    """A song by its seed: the same seed gives the same song, other seeds go through the whole set.

    ``genre`` (one of :func:`genres`) and ``language`` (a code; ``unknown`` for songs without words)
    narrow the choice; ``InputError`` says what there is when nothing is left.
    """
    left = [
        song
        for kind, song in _songs()
        if genre in (None, kind) and language in (None, song.vocal_language or "unknown")
    ]
    if not left:
        field, value = (
            ("genre", genre) if genre not in genres() and genre is not None else ("language", language)
        )
        known = genres() if field == "genre" else _languages(genre)
        allowed = f"one of {', '.join(known)}"
        raise InputError(field=field, value=value, allowed=allowed, remedy="Leave it out for any song.")
    turn, place = divmod(seed, len(left))
    return random.Random(turn).sample(left, len(left))[place]


def genres() -> tuple[str, ...]:
    """The genres that the dice know."""
    return tuple(dict.fromkeys(kind for kind, _ in _songs()))


def _languages(genre: str | None) -> tuple[str, ...]:
    found = (song.vocal_language or "unknown" for kind, song in _songs() if genre in (None, kind))
    return tuple(sorted(set(found)))


@cache
def _songs() -> tuple[tuple[str, Song], ...]:
    return tuple((item["genre"], Song(**item["song"])) for item in load("songs")["songs"])
