"""What the planner writes, read and made: metas as lines of YAML between think tags, then lyrics or codes.

Nothing here needs torch.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from acestep_nb.codes import AUDIO_CODE, codes_in
from acestep_nb.errors import InputError
from acestep_nb.song import Song, knob

FIELDS = ("bpm", "caption", "duration", "genres", "keyscale", "language", "timesignature")
"""The fields of a plan in the order in which they are written."""
_IN_SONG = {"language": "vocal_language"} | {
    name: name for name in ("bpm", "caption", "duration", "keyscale", "timesignature")
}
_WHOLE = ("bpm", "duration")
_HEADER = re.compile(r"\A#\s*Lyrics?[ \t]*(?:\n|\Z)", re.IGNORECASE)
_END_OF_TURN = re.compile(r"<\|im_end\|>\s*\Z")
_UNSAID = ("", "n/a", "none", "null", "unknown")


@dataclass(frozen=True)
class Answer:
    """What the planner wrote, taken apart: metas by field, lyrics and codes."""

    metas: Mapping[str, int | str]
    lyrics: str
    codes: tuple[int, ...]


def cot_text(metas: Mapping[str, object]) -> str:
    """The plan in words as the planner reads it before codes; fields that are ``None`` are left out.

    Genres are never among them. Lines are PyYAML's, at its usual width of 80.
    """
    said = {name: _written(name, metas[name]) for name in _IN_SONG if metas.get(name) is not None}
    # an empty mapping would be dumped as {}
    lines = yaml.dump(said, allow_unicode=True, sort_keys=True).strip() if said else ""
    return f"<think>\n{lines}\n</think>"


def parse_answer(text: str) -> Answer:
    """The answer taken apart; what is not understood is left out, so that any text can be read."""
    return Answer(_metas(_thought(text)), _lyrics(text), codes_in(text))


def known_metas(song: Song) -> dict[str, str]:
    """What the song fixes of its plan, by field of the plan: metas and language, not caption and lyrics.

    A duration counts in whole seconds; the language ``unknown`` is not known.
    """
    said = {name: getattr(song, field) for name, field in _IN_SONG.items() if name != "caption"}
    if song.duration is not None:
        said["duration"] = int(song.duration)
    if said["language"] == "unknown":
        said["language"] = None
    return {name: str(said[name]) for name in FIELDS if said.get(name) is not None}


def merged(song: Song, answer: Answer, rewritten: frozenset[str] = frozenset()) -> Song:
    """The song with its open fields filled by the planner's answer; the person's own values stay.

    Fields of the song in ``rewritten`` (``"caption"``, ``"lyrics"``) are replaced where the answer has
    something to say. Words that are too long for a song are cut at the end of a sentence or line.
    """
    said: dict[str, Any] = {_IN_SONG[name]: value for name, value in answer.metas.items() if name in _IN_SONG}
    said["lyrics"] = answer.lyrics
    changes: dict[str, Any] = {}
    for name, value in said.items():
        if name in rewritten or getattr(song, name) in (None, "", "unknown"):
            usable = _usable(name, value)
            changes |= {} if usable is None else {name: usable}
    return dataclasses.replace(song, **changes)


def shortened(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters, cut behind its last whole line, sentence, clause or word."""
    text = text.strip()
    if len(text) <= limit:
        return text
    kept = text[:limit]
    for ending in (r"\n", r"[.!?。！？](?=\s|\Z)|[。！？]", r"[,;、，]", r"\s"):
        ends = [match.end() for match in re.finditer(ending, kept)]
        if ends and ends[-1] > limit // 2:
            return kept[: ends[-1]].strip()
    return kept


def _written(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if name == "timesignature":
        value = value.removesuffix("/4")
    return int(value) if value.isdecimal() else value


def _thought(text: str) -> str:
    """What stands between the think tags; without them all that is before the first code."""
    tagged = re.search(r"<think>(.*?)</think>", text, re.DOTALL)
    if tagged:
        return tagged[1]
    code = AUDIO_CODE.search(text)
    return text[: code.start()] if code else text


def _metas(thought: str) -> dict[str, int | str]:
    fields: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in thought.split("\n"):
        if line.startswith("<"):
            continue
        if line[:1].isspace():
            lines.append(line)
        elif ":" in line:
            name, value = line.split(":", 1)
            lines = fields[name.strip().lower()] = [value]
    return {
        name: _value(name, fields[name])
        for name in FIELDS
        if name in fields and "".join(fields[name]).strip()
    }


def _value(name: str, lines: list[str]) -> int | str:
    if name == "caption":
        return " ".join(line.strip() for line in lines).strip()
    value = "\n".join(lines).strip()
    return int(value) if name in _WHOLE and re.fullmatch(r"[+-]?\d+", value) else value


def _lyrics(text: str) -> str:
    _, closed, rest = text.partition("</think>")
    rest = rest.strip()
    return _END_OF_TURN.sub("", _HEADER.sub("", rest, count=1)).strip() if closed else ""


def _usable(name: str, value: object) -> object:
    """The value as a song may have it; None when it says nothing or is out of range."""
    if str(value).strip().lower() in _UNSAID:
        return None
    if name in ("caption", "lyrics"):
        text = str(value).rstrip("\ufffd")  # half a character, where a limit of tokens cut it
        value = shortened(text, knob(Song, name).max_length or len(text))
    try:
        return getattr(Song(**{name: value}), name)  # type: ignore[arg-type]
    except InputError:
        return None
