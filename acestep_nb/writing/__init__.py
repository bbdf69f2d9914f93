"""Writing songs well: what captions and tags are made of, what lyrics hold, and a linter for both.

``lint(song)`` gives the guide's advice as hints, many with a fix; ``parse`` reads lyrics, ``syllables``
counts a line, ``dice`` throws an example. Needs no torch and no widgets.
"""

from __future__ import annotations

from acestep_nb.writing.dice import dice
from acestep_nb.writing.hints import Hint
from acestep_nb.writing.linter import lint
from acestep_nb.writing.lyrics import Line, Lyrics, Section, Tag, parse
from acestep_nb.writing.palette import DIMENSIONS, TAGS, Dimension, PaletteTag, TagGroup
from acestep_nb.writing.syllables import syllables

__all__ = [
    "DIMENSIONS",
    "TAGS",
    "Dimension",
    "Hint",
    "Line",
    "Lyrics",
    "PaletteTag",
    "Section",
    "Tag",
    "TagGroup",
    "dice",
    "lint",
    "parse",
    "syllables",
]
