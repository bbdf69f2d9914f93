"""Finding words in any script: whole words where words have spaces between them, any place elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from acestep_nb.writing.data import load

_LATIN = "A-Za-zÀ-ɏ"
_NOT_BEFORE = re.compile(
    r"(?:\b(?:no|not|without|zero|minus|sin|nada de|ohne|kein|keine|sans|pas de)\s+(?:[\w-]+\s+)?|[无無]|没有|不要)$",
    re.IGNORECASE,
)
_NOT_AFTER = re.compile(r"\s*(?:-?free\b|なし|無し|抜き|ではない|없는|없이|없음)", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A word found in a text: the word as written and its place."""

    word: str
    start: int
    end: int


def pattern(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern for any of the words, longest first; a plural s is allowed where letters are Latin."""
    return re.compile("|".join(_one(word) for word in sorted(words, key=len, reverse=True)), re.IGNORECASE)


def _one(word: str) -> str:
    body = re.sub(r"(?:\\-|\\ | |-)+", r"[\\s-]*", re.escape(word))
    if not re.match(f"[{_LATIN}]", word):
        return body
    return f"(?<![{_LATIN}0-9]){body}(?:e?s)?(?![{_LATIN}])"


@cache
def listed(*path: str) -> re.Pattern[str]:
    """The pattern of a list of the file ``words``, e.g. ``listed("energy", "calm")``."""
    node: Any = load("words")
    for key in path:
        node = node[key]
    return pattern(node)


def find(words: re.Pattern[str], text: str) -> Iterator[Found]:
    """Every wanted word: ``no drums`` and ``ドラムなし`` name a word only to do without it."""
    for match in words.finditer(text):
        if not negated(text, match.start(), match.end()):
            yield Found(match.group(), match.start(), match.end())


def first(words: re.Pattern[str], text: str) -> Found | None:
    """The first wanted word, or ``None``."""
    return next(find(words, text), None)


def negated(text: str, start: int, end: int) -> bool:
    """Whether the word at this place is named only to be left out."""
    return bool(_NOT_BEFORE.search(text[:start]) or _NOT_AFTER.match(text, end))


def tidied(caption: str) -> str:
    """The caption without the commas and joints that a removed word leaves."""
    text = re.sub(r"\s*([,;，、；])(?:\s*[,;，、；])+", r"\1", caption)
    text = re.sub(r"(?<=[\w)])\s+(?:in|at|en|a|with|and|y)\s*(?=[,;，、；]|$)", "", text)
    text = re.sub(r"(?<=[,;])(?=\S)", " ", re.sub(r"\s+([,;，、；])", r"\1", text))
    return re.sub(r"[ \t]{2,}", " ", text).strip(" ,;，、；")
