"""What captions and tags are made of: the dimensions of a caption and the tags that songs are built with."""

from __future__ import annotations

from dataclasses import dataclass

from acestep_nb.writing.data import load

__all__ = ["DIMENSIONS", "TAGS", "Dimension", "PaletteTag", "TagGroup"]


@dataclass(frozen=True)
class Dimension:
    """One side from which a caption can describe music, with words to choose from."""

    key: str
    label: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class PaletteTag:
    """A tag as it stands between brackets, and what it asks for."""

    text: str
    meaning: str


@dataclass(frozen=True)
class TagGroup:
    """Tags of one kind: sections, dynamics, players, endings, voice or energy."""

    key: str
    label: str
    tags: tuple[PaletteTag, ...]


DIMENSIONS = tuple(
    Dimension(item["key"], item["label"], tuple(item["words"])) for item in load("dimensions")["dimensions"]
)
TAGS = tuple(
    TagGroup(item["key"], item["label"], tuple(PaletteTag(*tag) for tag in item["tags"]))
    for item in load("tags")["groups"]
)
