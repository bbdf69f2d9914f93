"""A song as the rules see it: its lyrics parsed, its language known, its syllables counted, each once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from acestep_nb.song import Song
from acestep_nb.writing.data import load
from acestep_nb.writing.lyrics import Line, Lyrics, Section, parse
from acestep_nb.writing.syllables import script_of, syllables
from acestep_nb.writing.terms import first, listed

_COMMON = {
    "en": "the and you i to of my in is it that me your on for we not with be was",
    "es": "el la que de y en un los no se por con mi tu me para una del las te",
    "fr": "le la les de et je tu est dans un une des ne pas mon ton que sur pour avec",
    "de": "der die das und ich du ist nicht ein eine mit auf den dem zu mein dein wir im von",
    "it": "il la di e che un non mi per una sono con ti lo del le ma si nel mio",
    "pt": "o a de que e do da em um não uma meu se com os no você na por eu",
}
_RAPPED = re.compile(
    r"(?<![a-z])(?:rap|rapped|spoken|spoken word|recitation)(?![a-z])|ラップ|说唱|랩", re.IGNORECASE
)
_NO_WORD = re.compile(r"[\W_ー〜]+")
_VOCALISE = re.compile(
    r"(?:(?:o+h+|a+h+|u+h+|h?m+|la+|na+|da+|hey+|ye+a+h+|wo+ah*|who+a+|du+|doo|ooh+|eh|ay|yo|oi|sha|ba|tra|hey|ho)"
    r"|[啊哦噢喔啦呀嘿哎呜ラらナなアあオおウうイェー〜ッっ]|[라나아오우예워])(?:[\s,!.…~、，。！-]+|(?=[^a-z])|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Measured:
    """A line with the lead's syllables, and with those of its backing vocals too (``full``)."""

    line: Line
    count: int
    full: int


@dataclass(frozen=True)
class Context:
    """The song with what every rule wants to know of it."""

    song: Song

    @cached_property
    def lyrics(self) -> Lyrics:
        """The parsed lyrics."""
        return parse(self.song.lyrics)

    @cached_property
    def sung(self) -> tuple[Line, ...]:
        """Lines with words, those of bare ah and la-la left out."""
        return tuple(line for line in self.lyrics.lines if is_sung(line) and not is_vocalise(line))

    @cached_property
    def language(self) -> str:
        """The song's language, guessed from the words where it is left open."""
        chosen = self.song.vocal_language
        if chosen and chosen != "unknown":
            return chosen
        return guessed_language(" ".join(line.sung for line in self.lyrics.lines))

    @cached_property
    def pace(self) -> Mapping[str, Any] | None:
        """The language's usual lengths of lines, or ``None`` for one whose syllables are only estimates."""
        languages: dict[str, Mapping[str, Any]] = load("pace")["languages"]
        return languages.get(self.language)

    @cached_property
    def measured(self) -> tuple[tuple[Section, tuple[Measured, ...]], ...]:
        """Sections that are sung, each with its lines and their syllables."""
        sections = []
        for section in self.lyrics.sections:
            lines = [line for line in section.lines if is_sung(line) and not is_vocalise(line)]
            counted = tuple(self._measure(line) for line in lines)
            if counted:
                sections.append((section, counted))
        return tuple(sections)

    def rapped(self, section: Section) -> bool:
        """Whether the section is spoken or rapped: its lines may be longer."""
        inside = any(_RAPPED.search(tag.text) for tag in section.tags)
        return inside or bool(
            _RAPPED.search(self.song.caption) and section.kind in ("verse", "other", "bridge")
        )

    @cached_property
    def caption_evolves(self) -> bool:
        """Whether the caption tells a course of events."""
        return first(listed("evolution"), self.song.caption) is not None

    def _measure(self, line: Line) -> Measured:
        count = _counted(line.sung, self.language)
        return Measured(line, count, count + sum(_counted(part, self.language) for part in line.backing))


def is_sung(line: Line) -> bool:
    """Whether the lead sings words on this line."""
    return any(char.isalnum() for char in line.sung)


def is_vocalise(line: Line) -> bool:
    """Whether the line is made of ah, la-la and the like only."""
    return not _NO_WORD.sub("", _VOCALISE.sub("", line.sung))


def guessed_language(text: str) -> str:
    """``ja``, ``ko`` or ``zh`` by the script, else the language with most of its small words here."""
    script = script_of(text)
    if script != "en":
        return script
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    scores = {code: sum(words[word] for word in common.split()) for code, common in _COMMON.items()}
    best = max(scores, key=lambda code: scores[code])
    return best if scores[best] else "en"


def _counted(text: str, language: str) -> int:
    script = script_of(text)
    foreign = script == "en" and language in ("zh", "yue", "ja", "ko")
    return syllables(text, "en" if foreign else language)
