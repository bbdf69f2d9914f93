"""The region of a source: two times to type, in step with what is dragged over the waveform."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from acestep_nb.edits import REGION_ADVICE
from acestep_nb.errors import AceStepError, InputError
from acestep_nb.locales import _
from acestep_nb.panels.text import Text, box, button
from acestep_nb.panels.wording import error_in_words

_TIME = re.compile(r"(-?)(?:(\d{1,9}):)?(\d{1,9}(?:\.\d+)?)")
_SHORTEST, _LONGEST = REGION_ADVICE


def clock(seconds: float) -> str:
    """Seconds as a person reads them: 81.4 → ``1:21.4``, −3 → ``-0:03``."""
    minutes, rest = divmod(_hundredths(abs(seconds)), 6000)
    text = f"{rest / 100:05.2f}".rstrip("0").rstrip(".")
    return f"{'-' if seconds < 0 else ''}{minutes}:{text}"


def _hundredths(seconds: float) -> int:
    """Seconds in hundredths; the same sum as in js/src/dom.js, so that both show the same digits."""
    return math.floor(seconds * 100 + 0.5)


def parse_clock(text: str) -> float | None:
    """``"1:21.4"`` or ``"81.4"`` → 81.4; None for no text, ``InputError`` for what is no time."""
    if not text.strip():
        return None
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise InputError(
            field="region",
            value=text,
            allowed=_("a time in seconds, or minutes and seconds"),
            remedy=_("Write for example 81.4 or 1:21.4."),
        )
    sign, minutes, seconds = match.groups()
    value = round(int(minutes or 0) * 60 + float(seconds), 3)
    return -value if sign else value


class RegionForm:
    """From and to, each empty for the source's own end; ``changed`` hears what is typed or set."""

    def __init__(self, changed: Callable[[], None], lock: threading.RLock) -> None:
        self._changed = changed
        self._guard = lock
        self._filling = False
        self._exact: tuple[float, float] | None = None
        self.start = ipywidgets.Text(description=_("Region from"), placeholder=_("start"))
        self.end = ipywidgets.Text(description=_("Region to"), placeholder=_("end"))
        self.told = Text("", "ace-quiet-text")
        self.all = button(_("Whole source"), "ace-flat", hint=_("Take the region away"))
        self.error = Text("", "ace-error")
        pair = box([Text(_("region"), "ace-tag"), self.start, Text("–", "ace-dash"), self.end], "ace-seed")
        self.box = box([pair, self.told, self.all, self.error], "ace-row", "ace-region")
        for field in (self.start, self.end):
            field.observe(self._typed, "value")
        self.all.on_click(lambda _button: self.set(None))

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Start and end in seconds, None where the field is empty; ``InputError`` for what is no time."""
        return parse_clock(self.start.value), parse_clock(self.end.value)

    def region(self, duration: float) -> tuple[float, float] | None:
        """The region in a source of so many seconds; None when both fields are empty."""
        start, end = self.ends
        if start is None and end is None:
            return None
        if self._exact is not None and self._texts == tuple(map(clock, self._exact)):
            return self._exact
        return (0.0 if start is None else start, duration if end is None else end)

    def set(self, region: tuple[float, float] | None) -> None:
        """Show this region; while nobody types another, it holds to the last digit."""
        with self._guard:
            self._exact = region
            self._filling = True
            try:
                self.start.value, self.end.value = ("", "") if region is None else map(clock, region)
            finally:
                self._filling = False
            self._typed(None)

    @property
    def _texts(self) -> tuple[str, str]:
        return self.start.value, self.end.value

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the fields, or take it away."""
        self.error.say(error_in_words(error))
        (self.box.remove_class if error is None else self.box.add_class)("ace-wrong")

    @property
    def raw(self) -> dict[str, Any]:
        """The fields as they stand."""
        return {"start": self.start.value, "end": self.end.value}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set what ``raw`` told."""
        with self._guard:
            self.start.value, self.end.value = (str(values.get(name, "")) for name in ("start", "end"))

    def _typed(self, _change: object) -> None:
        with self._guard:
            if self._filling:
                return
            try:
                start, end = self.ends
            except AceStepError as error:
                self.told.say("")
                self.show(error)
            else:
                self.show(None)
                self.told.say("" if start is None or end is None else _length(start, end))
            self._changed()


def _length(start: float, end: float) -> str:
    """The length of the region as it is shown: from one shown end to the other."""
    seconds = (_hundredths(end) - _hundredths(start)) / 100
    if _SHORTEST <= seconds <= _LONGEST:
        return f"{seconds:g} s"
    return _(
        "{seconds} s; {shortest}–{longest} s work best",
        seconds=f"{seconds:g}",
        shortest=f"{_SHORTEST:g}",
        longest=f"{_LONGEST:g}",
    )
