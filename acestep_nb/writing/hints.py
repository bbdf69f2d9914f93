"""What the linter answers: a hint says what the guide would advise, where, and how to put it right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from acestep_nb.errors import InputError
from acestep_nb.song import Song

__all__ = ["SEVERITIES", "Fix", "Hint", "changed", "replaced"]

SEVERITIES = ("info", "warning", "error")

Fix = Callable[[Song], Song]
"""A song put right: a pure function, which leaves alone what it does not find."""


@dataclass(frozen=True)
class Hint:
    """One piece of advice on a song.

    ``id`` names the rule, ``severity`` is ``info``, ``warning`` or ``error``, ``span`` is
    ``(field of the song, start, end)`` in characters (0, 0 for a field that is no text), and ``fix``
    makes a better song of the song, or is ``None`` where only the writer can.
    """

    id: str
    severity: str
    message: str
    span: tuple[str, int, int]
    fix: Fix | None = field(default=None, compare=False)


def replaced(name: str, old: str, new: str, start: int) -> Fix:
    """A fix that writes ``new`` for the ``old`` nearest to ``start`` in the text field ``name``."""

    def fix(song: Song) -> Song:
        text: str = getattr(song, name)
        places = [place for place in range(len(text)) if text.startswith(old, place)]
        if not places:
            return song
        place = min(places, key=lambda at: abs(at - start))
        return _or_same(song, **{name: text[:place] + new + text[place + len(old) :]})

    return fix


def changed(**values: object) -> Fix:
    """A fix that sets these fields."""
    return lambda song: _or_same(song, **values)


def _or_same(song: Song, **values: object) -> Song:
    """The song with these values, or as it was if they no longer fit (a caption grown too long)."""
    try:
        return replace(song, **values)  # type: ignore[arg-type]
    except InputError:
        return song
