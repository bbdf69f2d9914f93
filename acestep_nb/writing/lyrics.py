"""Lyrics as the model reads them: sections, their tags, and lines with what is sung, backed, loud or held."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from acestep_nb.writing.data import load
from acestep_nb.writing.terms import pattern

__all__ = ["Line", "Lyrics", "Section", "Tag", "parse", "sung_part"]

_TAG = re.compile(r"\[([^\[\]\n]*)\]|【([^【】\n]*)】|［([^［］\n]*)］")
_BACKING = re.compile(r"\(([^()\n]*)\)|（([^（）\n]*)）")
_JOINT = re.compile(r"\s+[-–—&+]+\s*|\s*[-–—&+]+\s+|\s*[|,:;/，、；：()（）]\s*")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_HELD = re.compile(r"([aeiouyáéíóúàèìòùäöü])\1{2,}|[ー〜～]{2,}|([ぁぃぅぇぉァィゥェォ])\2+", re.IGNORECASE)


@dataclass(frozen=True)
class Tag:
    """A bracket of the lyrics: ``[Chorus - anthemic]`` has the name ``Chorus`` and one modifier.

    ``kind`` is the kind of section it opens (``verse``, ``chorus``, ``solo``, …), else ``voice``,
    ``energy`` or ``other``; ``start`` and ``end`` enclose the brackets in the lyrics.
    """

    text: str
    name: str
    modifiers: tuple[str, ...]
    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Line:
    """A line of words; ``start`` and ``end`` enclose ``text`` in the lyrics.

    ``sung`` is the lead's part, ``backing`` what stands in parentheses; ``loud`` tells capitals, and
    ``held`` are the words with a repeated vowel.
    """

    text: str
    sung: str
    backing: tuple[str, ...]
    loud: bool
    held: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Section:
    """A part of the song: its opening tag (``None`` before the first), further tags (``cues``), lines.

    ``spaced`` says whether a blank line, or nothing, stands before it.
    """

    tag: Tag | None
    cues: tuple[Tag, ...]
    lines: tuple[Line, ...]
    spaced: bool
    start: int
    end: int

    @property
    def kind(self) -> str:
        """The kind of the opening tag, ``other`` without one."""
        return self.tag.kind if self.tag else "other"

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The opening tag and the cues, in the order in which they are written."""
        return ((self.tag,) if self.tag else ()) + self.cues


@dataclass(frozen=True)
class Lyrics:
    """Lyrics in sections, in the order in which they are written."""

    sections: tuple[Section, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines of words."""
        return tuple(line for section in self.sections for line in section.lines)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """All tags."""
        return tuple(tag for section in self.sections for tag in section.tags)


def parse(lyrics: str) -> Lyrics:
    """The sections of the lyrics with places of everything; any text can be parsed."""
    drafts: list[_Draft] = []
    blank, start = True, 0
    for raw in lyrics.split("\n"):
        line = _line(raw, start)
        tags = list(_tags(raw, start))
        before = bool(line and tags and line.start < tags[0].start)  # words, then a tag
        if line and before:
            _add_line(drafts, line, blank)
        for tag in tags:
            if not drafts or _opens(tag, blank and not before, drafts[-1]):
                drafts.append(_Draft(tag.start, blank))
            drafts[-1].tags.append(tag)
            blank = False
        if line and not before:
            _add_line(drafts, line, blank)
        blank = not raw.strip()
        start += len(raw) + 1
    return Lyrics(tuple(draft.section() for draft in drafts))


def sung_part(text: str) -> str:
    """The text without tags and without backing vocals."""
    return _BACKING.sub(" ", _TAG.sub(" ", text)).strip()


class _Draft:
    def __init__(self, start: int, spaced: bool) -> None:
        self.start, self.spaced = start, spaced
        self.tags: list[Tag] = []
        self.lines: list[Line] = []

    def section(self) -> Section:
        opener = self.tags[0] if self.tags and self.tags[0].start == self.start else None
        cues = tuple(self.tags[1:] if opener else self.tags)
        end = max([tag.end for tag in self.tags] + [line.end for line in self.lines])
        return Section(opener, cues, tuple(self.lines), self.spaced, self.start, end)


def _add_line(drafts: list[_Draft], line: Line, blank: bool) -> None:
    if not drafts:
        drafts.append(_Draft(line.start, blank))
    drafts[-1].lines.append(line)


def _opens(tag: Tag, blank: bool, before: _Draft) -> bool:
    """Whether a tag begins a section: cues of voice and energy never do, players' tags after words do."""
    if tag.kind in ("voice", "energy"):
        return False
    if tag.kind == "other":
        return blank
    return blank or bool(before.lines) or tag.kind not in ("instrumental", "solo", "interlude")


def _tags(raw: str, start: int) -> Iterator[Tag]:
    for match in _TAG.finditer(raw):
        text = next(group for group in match.groups() if group is not None).strip()
        parts = [part.strip() for part in _JOINT.split(text) if part.strip()]
        name = parts[0] if parts else ""
        yield Tag(text, name, tuple(parts[1:]), _kind(name), start + match.start(), start + match.end())


def _line(raw: str, start: int) -> Line | None:
    blanked = _TAG.sub(lambda match: " " * len(match.group()), raw)
    text = blanked.strip()
    if not text:
        return None
    first = start + len(blanked) - len(blanked.lstrip())
    backing = tuple(next(filter(None, groups), "").strip() for groups in _BACKING.findall(text))
    cased = [char for char in text if char.lower() != char.upper()]
    return Line(
        text=text,
        sung=sung_part(text),
        backing=tuple(part for part in backing if part),
        loud=len(cased) > 1 and all(char.isupper() for char in cased),
        held=tuple(word for word in _WORD.findall(text) if _HELD.search(word)),
        start=first,
        end=first + len(text),
    )


@cache
def _kind(name: str) -> str:
    best: tuple[int, str] = (0, "")
    for kind, words in load("tags")["sections"].items():
        for match in pattern(words).finditer(name):
            best = max(best, (len(match.group()), kind))
    if best[1]:
        return best[1]
    groups = {group["key"]: [tag for tag, _ in group["tags"]] for group in load("tags")["groups"]}
    for key in ("voice", "energy"):
        if pattern(groups[key]).search(name) or _VOICE_WORDS.search(name):
            return key if pattern(groups[key]).search(name) else "voice"
    return "other"


_VOICE_WORDS = pattern(
    ["vocal", "vocals", "voice", "sung", "rap", "whisper", "belting", "scream", "growl", "choir", "ad-libs"]
)
