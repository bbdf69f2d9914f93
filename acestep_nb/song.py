"""What is asked: a song in words. Every range is stated here and only here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acestep_nb.errors import InputError
from acestep_nb.knobs import (
    Knob,
    checked_number,
    checked_text,
    from_dict,
    knob,
    knob_field,
    knobs,
    refused,
    to_dict,
)
from acestep_nb.languages import LANGUAGES
from acestep_nb.locales import _

__all__ = ["DEFAULT_DURATION", "Knob", "Song", "knob", "knobs"]

DEFAULT_DURATION = 30.0
"""Seconds rendered when the song leaves its duration open and no planner fills it in."""

KEYSCALES = tuple(
    f"{tonic}{accidental} {mode}"
    for tonic in "CDEFGAB"
    for accidental in ("", "#", "b")
    for mode in ("major", "minor")
)
_METERS = {"2": "2/4", "3": "3/4", "4": "4/4", "6": "6/8"}
_KEYSCALE = re.compile(r"([A-G])\s*([#b]?)\s*(major|maj|minor|min|m|)", re.IGNORECASE)


@dataclass(frozen=True)
class Song:
    """A song as it is asked for: caption, lyrics, language and metas; ``None`` lets the model decide.

    Values are checked and brought to one spelling when the song is made (``"Am"`` becomes
    ``"A minor"``, ``"6/8"`` becomes ``"6"``, a duration is rounded to 0.1 s); a value out of range
    raises ``InputError``. ``Song()`` is a blank form; change a song with ``dataclasses.replace``.
    """

    caption: str = knob_field(
        "",
        Knob("Caption", "The music in words: genre, mood, instruments, timbre, era, voice.", max_length=512),
    )
    lyrics: str = knob_field(
        "",
        Knob(
            "Lyrics",
            "The words to sing, with [Verse] and [Chorus] tags; [Instrumental] for none.",
            max_length=4096,
        ),
    )
    vocal_language: str | None = knob_field(
        None,
        Knob(
            "Language",
            "The language that is sung.",
            choices=tuple(LANGUAGES),
            choice_labels=tuple(f"{code} · {name}" for code, name in LANGUAGES.items()),
            optional=True,
        ),
    )
    bpm: int | None = knob_field(
        None, Knob("Tempo", "Beats per minute.", unit="bpm", minimum=30, maximum=300, step=1, optional=True)
    )
    keyscale: str | None = knob_field(
        None, Knob("Key", "Tonic and mode, such as A minor or F# major.", choices=KEYSCALES, optional=True)
    )
    timesignature: str | None = knob_field(
        None,
        Knob(
            "Time",
            "Beats in a bar.",
            choices=tuple(_METERS),
            choice_labels=tuple(_METERS.values()),
            optional=True,
        ),
    )
    duration: float | None = knob_field(
        None,
        Knob("Duration", "Length of the song.", unit="s", minimum=10, maximum=600, step=0.1, optional=True),
    )

    def __post_init__(self) -> None:
        ranges = knobs(Song)
        normalised = {
            "caption": checked_text("caption", self.caption, ranges["caption"]),
            "lyrics": checked_text("lyrics", self.lyrics, ranges["lyrics"]),
            "vocal_language": _language(self.vocal_language, ranges["vocal_language"]),
            "bpm": checked_number("bpm", self.bpm, ranges["bpm"]),
            "keyscale": _keyscale(self.keyscale, ranges["keyscale"]),
            "timesignature": _timesignature(self.timesignature, ranges["timesignature"]),
            "duration": _tenths(checked_number("duration", self.duration, ranges["duration"])),
        }
        for name, value in normalised.items():
            object.__setattr__(self, name, value)

    def require_words(self) -> None:
        """Raise ``InputError`` when caption and lyrics are both blank: there is nothing to render."""
        if not self.caption.strip() and not self.lyrics.strip():
            raise InputError(
                _("caption and lyrics are both empty"),
                field="caption",
                value=self.caption,
                allowed=_("a few words about the music, unless there are lyrics"),
                remedy=_("Write a caption such as “warm piano ballad”."),
            )

    def to_dict(self) -> dict[str, Any]:
        """The song as plain JSON values."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Song:
        """The song that ``to_dict`` wrote, checked again."""
        return from_dict(cls, data)


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _tenths(seconds: float | None) -> float | None:
    return None if seconds is None else round(float(seconds), 1)


def _language(value: object, rule: Knob) -> str | None:
    if _blank(value):
        return None
    code = str(value).strip().lower()
    if code not in rule.choices:
        raise refused("vocal_language", value, rule, _("Use a code such as en, ja or zh, or leave it empty."))
    return code


def _keyscale(value: object, rule: Knob) -> str | None:
    """One spelling for a key: ``a♭ Major`` → ``Ab major``, ``Em`` → ``E minor``, ``C`` → ``C major``."""
    if _blank(value):
        return None
    text = unicodedata.normalize("NFKC", str(value)).strip().replace("♯", "#").replace("♭", "b")
    match = _KEYSCALE.fullmatch(text)
    if match is None:
        raise _no_such_key(value)
    tonic, accidental, mode = match.groups()
    minor = mode == "m" or mode.lower().startswith("min")
    return f"{tonic.upper()}{accidental.lower()} {'minor' if minor else 'major'}"


def _no_such_key(value: object) -> InputError:
    return InputError(
        field="keyscale",
        value=value,
        allowed=_("a tonic A–G with #, b or nothing, then major or minor, or empty"),
        remedy=_("Write for example A minor, F# major or Am."),
    )


def _timesignature(value: object, rule: Knob) -> str | None:
    if _blank(value):
        return None
    text = unicodedata.normalize("NFKC", str(value)).strip().replace(" ", "")
    for beats, written in _METERS.items():
        if text in (beats, written):
            return beats
    raise refused("timesignature", value, rule, _("Write for example 4/4, 3/4 or 6/8."))
