"""Rules on what the words picture: heaps of adjectives, images that change with each section, rhymes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from acestep_nb.locales import _
from acestep_nb.writing.context import Context
from acestep_nb.writing.data import load
from acestep_nb.writing.hints import Hint
from acestep_nb.writing.lyrics import Line, Section
from acestep_nb.writing.rhymes import loose, strict
from acestep_nb.writing.terms import pattern

_CHUNK = re.compile(
    r"\s*[,;，、；。.!！?？…]+\s*|\s+(?:and|&|y|e|und|et)\s+|\s+(?=[぀-ヿ一-鿿])|(?<=[぀-ヿ一-鿿])\s+"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SMALL = {
    "the",
    "a",
    "of",
    "in",
    "our",
    "my",
    "your",
    "to",
    "de",
    "del",
    "la",
    "las",
    "los",
    "el",
    "and",
    "y",
}
_ENOUGH = 3


def adjective_stacking(context: Context) -> Iterator[Hint]:
    """``adjective-stacking``: vague pictures heaped up: “neon skies, electric hearts, endless dreams”."""
    for section in context.lyrics.sections:
        rows = [(line, *_heap(line.sung)) for line in section.lines if line.sung]
        for at, (line, stacked, chunks) in enumerate(rows):
            last = line
            if at and stacked == chunks and rows[at - 1][1] == rows[at - 1][2]:
                stacked += rows[at - 1][1]
            heaped = stacked >= _ENOUGH and (stacked >= chunks - 1)
            heaped = heaped and (chunks >= _ENOUGH or stacked > _ENOUGH)
            if heaped or _run_of_adjectives(line.sung) >= _ENOUGH:
                message = _("Adjectives are heaped on vague images: keep one and tell what happens to it.")
                yield Hint("adjective-stacking", "warning", message, ("lyrics", line.start, last.end))
                break


def mixed_metaphors(context: Context) -> Iterator[Hint]:
    """``mixed-metaphors``: three sections that live in three images, such as water, fire and flight."""
    held: dict[str, Section] = {}
    for section in context.lyrics.sections:
        image = _image(section)
        if image:
            held.setdefault(image, section)
    if len(held) < _ENOUGH:
        return
    third = list(held.values())[2]
    span = ("lyrics", third.lines[0].start, third.lines[-1].end)
    message = _("One song, one image: this one goes through {images}.", images=" → ".join(held))
    yield Hint("mixed-metaphors", "warning", message, span)


def rhyme_chaos(context: Context) -> Iterator[Hint]:
    """``rhyme-chaos``: a section rhymes by a plan that its twin drops or changes."""
    planned: dict[str, str] = {}
    for section in context.lyrics.sections:
        if section.kind not in ("verse", "chorus", "other") or context.rapped(section):
            continue
        lines = [line for line in section.lines if line.sung]
        if len(lines) < 4 or len(lines) % 4:
            continue
        for at in range(0, len(lines), 4):
            plan = _plan(lines[at : at + 4], context.language)
            known = planned.setdefault(section.kind, plan) if plan != "unsure" else ""
            if known and known != plan and "AAAA" not in (known, plan):
                message = _(
                    "These lines rhyme {plan}, those before them {known}: keep to one plan.",
                    plan=plan,
                    known=known,
                )
                span = ("lyrics", lines[at].start, lines[at + 3].end)
                yield Hint("rhyme-chaos", "warning", message, span)
                return


def _heap(text: str) -> tuple[int, int]:
    """How many pieces of the line are an adjective on a noun and nothing more, and how many it has."""
    chunks = [chunk for chunk in _CHUNK.split(text) if chunk and chunk.strip()]
    return sum(_is_vague(chunk) for chunk in chunks), len(chunks)


def _is_vague(chunk: str) -> bool:
    words = [word.lower() for word in _WORD.findall(chunk) if word.lower() not in _SMALL]
    lists = load("vague_images")
    if re.match("[A-Za-zÀ-ɏ]", chunk.strip()):
        adjective = bool(words) and words[0] in lists["adjectives"]
        noun = len(words) == 2 and words[-1] in lists["nouns"] and words[0] not in _PLAIN_FIRST
        return 1 < len(words) <= 3 and (adjective or noun or bool(_other().search(chunk)))
    return len(chunk.strip()) <= 9 and bool(_other().search(chunk))


_PLAIN_FIRST = {
    "i",
    "you",
    "we",
    "he",
    "she",
    "they",
    "it",
    "no",
    "this",
    "that",
    "one",
    "two",
    "old",
    "red",
    "not",
}


def _run_of_adjectives(text: str) -> int:
    """The longest row of vague adjectives in the line."""
    adjectives = load("vague_images")["adjectives"]
    longest = run = 0
    for word in _WORD.findall(text):
        run = run + 1 if word.lower() in adjectives else 0
        longest = max(longest, run)
    return longest


@cache
def _other() -> re.Pattern[str]:
    return pattern(load("vague_images")["other"])


@cache
def _fields() -> dict[str, re.Pattern[str]]:
    return {name: _stems(words) for name, words in load("images")["fields"].items()}


def _stems(words: list[str]) -> re.Pattern[str]:
    """A pattern for whole Latin words, a star standing for any ending, and for other words in any place."""
    latin = [re.escape(word).replace(r"\*", r"\w*") for word in words if re.match("[A-Za-zÀ-ɏ]", word)]
    other = [re.escape(word) for word in words if not re.match("[A-Za-zÀ-ɏ]", word)]
    return re.compile("|".join([rf"\b(?:{'|'.join(latin)})\b", *other]), re.IGNORECASE)


def _image(section: Section) -> str | None:
    """The image that a section lives in: two or more different words of it, and more than of any other."""
    text = "\n".join(line.sung for line in section.lines)
    counts = {
        name: len({match.group().lower() for match in field.finditer(text)})
        for name, field in _fields().items()
    }
    best, second = sorted(counts, key=lambda name: -counts[name])[:2]
    return best if counts[best] >= 2 and counts[best] > counts[second] else None


def _plan(lines: list[Line], language: str) -> str:
    """``AABB`` and its like if all four lines rhyme, ``not at all`` if none nearly does, else ``unsure``."""
    ends = [line.sung for line in lines]
    pairs = {(i, j) for i in range(4) for j in range(i) if strict(ends[i], ends[j], language)}
    if len({at for pair in pairs for at in pair}) == 4:
        names: list[str] = []
        for i in range(4):
            twin = next((names[j] for j in range(i) if (i, j) in pairs), None)
            names.append(twin or "ABCD"[len(set(names))])
        return "".join(names)
    near = any(loose(ends[i], ends[j], language) for i in range(4) for j in range(i))
    return "unsure" if near or language not in ("en", "es", "de") else "not at all"
