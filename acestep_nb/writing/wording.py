"""Putting words in and taking them out: the terms of a caption, the tags of lyrics."""

from __future__ import annotations

import re
from functools import cache

from acestep_nb.writing.lyrics import Tag, parse
from acestep_nb.writing.palette import DIMENSIONS, TAGS
from acestep_nb.writing.syllables import script_of
from acestep_nb.writing.terms import find, pattern, tidied

__all__ = ["terms_in", "with_tag", "with_term", "without_term"]

_CUES = ("voice", "energy")  # groups whose tags say how, and so belong to a section that is there
_JOINTS = {"ja": "、", "zh": "，"}
_OPEN_END = re.compile(r"[,;，、；]\s*$")


def terms_in(caption: str) -> frozenset[str]:
    """The words of the palette that the caption asks for; ``no drums`` asks for none."""
    return frozenset(
        word
        for dimension in DIMENSIONS
        for word in dimension.words
        if next(find(_only(word), caption), None) is not None
    )


def with_term(caption: str, term: str) -> str:
    """The caption with the term behind it; one that is there already changes nothing."""
    text = caption.rstrip()
    if next(find(_only(term), text), None) is not None:
        return caption
    if not text or _OPEN_END.search(text):
        return f"{text} {term}".lstrip()
    return f"{text}{_JOINTS.get(script_of(text), ', ')}{term}"


def without_term(caption: str, term: str) -> str:
    """The caption without the term, wherever it is asked for, and without the commas that this leaves."""
    places = list(find(_only(term), caption))
    for place in reversed(places):
        caption = caption[: place.start] + caption[place.end :]
    return tidied(caption) if places else caption


def with_tag(lyrics: str, at: int, tag: str) -> tuple[str, int]:
    """The lyrics with the tag put in at a place, and the place where writing goes on.

    Tags of voice and energy join the tag that stands on that line, or right above an empty one:
    ``[Chorus]`` becomes ``[Chorus - raspy vocal]``. Other tags get a line of their own with a blank line
    before it; a place amid words means the line below.
    """
    at = min(max(at, 0), len(lyrics))
    if tag in _cues() and (host := _host(lyrics, at)):
        inside = host.end - 1
        addition = f" - {tag}" if host.text else tag
        return lyrics[:inside] + addition + lyrics[inside:], max(at, host.end) + len(addition)
    start = lyrics.rfind("\n", 0, at) + 1
    if lyrics[start:at].strip():  # amid words
        start = (lyrics + "\n").find("\n", at) + 1
    before, after = lyrics[:start], lyrics[start:].removeprefix("\n")
    gap = "" if tag in _cues() or not before.strip() else "\n" * (2 - _line_ends(before))
    if before and not before.endswith("\n") and not gap:
        gap = "\n"
    written = f"{before}{gap}[{tag}]\n"
    return written + after, len(written)


def _host(lyrics: str, at: int) -> Tag | None:
    """The tag that a cue at this place belongs to."""
    start = lyrics.rfind("\n", 0, at) + 1
    end = (lyrics + "\n").find("\n", at)
    if not lyrics[start:end].strip() and start:
        start, at = lyrics.rfind("\n", 0, start - 1) + 1, start - 1
    tags = [tag for tag in parse(lyrics).tags if start <= tag.start < at]
    return tags[-1] if tags else None


def _line_ends(text: str) -> int:
    return min(2, len(text) - len(text.rstrip("\n")))


@cache
def _cues() -> frozenset[str]:
    return frozenset(tag.text for group in TAGS if group.key in _CUES for tag in group.tags)


@cache
def _only(word: str) -> re.Pattern[str]:
    return pattern([word])
