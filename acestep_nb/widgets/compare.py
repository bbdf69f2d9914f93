"""Takes side by side at one playhead, equally loud: which of them is the better one?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from acestep_nb.audio import Audio
from acestep_nb.errors import AceStepError, InputError
from acestep_nb.levels import loudness_and_peak, matched_gains
from acestep_nb.lineage import changes, in_words
from acestep_nb.locales import _, later
from acestep_nb.marks import Marks, change_marks, read_marks
from acestep_nb.takes import Take
from acestep_nb.widgets.player import title
from acestep_nb.widgets.sounding import SILENCE
from acestep_nb.widgets.sounds import send_sound, waveform
from acestep_nb.widgets.spoken import Spoken

_STATIC = Path(__file__).parent / "static"
MOST = 8
"""Sounds that can be compared at once: one key each."""


class Compare(Spoken):
    """Up to eight takes (or plain ``Audio``) that play together, of which one is heard: ``heard`` is its number from 0.

    Keys 1–8 switch without a gap, space plays, arrows move, s stars, x rejects, d tells what differs from the take
    that was heard before; only takes of a project can be marked, and only keys that do something are named. All
    are brought to one loudness (:func:`acestep_nb.levels.matched_gains`) unless ``matched`` is off. ``labels`` name
    them otherwise than by their number; ``on_mark`` is called with the take and its new marks. Sound is sent when
    Play is first pressed, and is never stored in the notebook.
    Raises ``InputError`` for no takes and for more than eight.
    """

    _esm = _STATIC / "compare.js"
    _css = "".join((_STATIC / name).read_text("utf-8") for name in ("theme.css", "player.css", "compare.css"))
    says: ClassVar[tuple[str, ...]] = (
        later("Play"),
        later("Pause"),
        later("Position"),
        later("{now} of {length}"),
        later("Same loudness"),
        later("Hear {title} (key {key})"),
        later("Star"),
        later("Starred"),
        later("Reject"),
        later("Rejected"),
        later("{action}: {title}"),
        later("What differs"),
        later("Keys: {keys}"),
        later("1–{count} switch"),
        later("space plays"),
        later("← → move"),
        later("s star"),
        later("x reject"),
        later("d what differs"),
        SILENCE,
    )

    tracks = traitlets.List(traitlets.Dict()).tag(sync=True)
    heard = traitlets.Int(0).tag(sync=True)
    matched = traitlets.Bool(True).tag(sync=True)
    difference = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        takes: Iterable[Take | Audio],
        labels: Iterable[str] = (),
        on_mark: Callable[[Take, Marks], None] | None = None,
        **traits: Any,
    ) -> None:
        self._takes = list(takes)
        if not 1 <= len(self._takes) <= MOST:
            raise InputError(field="takes", value=len(self._takes), allowed=f"1–{MOST} takes or sounds")
        names = list(labels)
        self._titles = [
            *names,
            *(title(take, i + 1) for i, take in enumerate(self._takes) if i >= len(names)),
        ]
        self._on_mark = on_mark
        self._guard = threading.RLock()
        super().__init__(**traits)
        self.tracks = _tracks(self._takes, self._titles)
        self.on_msg(self._receive)

    @traitlets.validate("heard")
    def _within(self, proposal: Any) -> int:
        return min(max(int(proposal["value"]), 0), len(self._takes) - 1)

    def mark(self, number: int, **changes: Any) -> None:
        """Change the marks of the take of that number, as ``history.mark`` does; only of kept takes."""
        take = self._takes[number]
        if not isinstance(take, Take) or take.folder is None:
            raise InputError(
                field="take", value=self._titles[number], allowed="a take that is kept in a project"
            )
        marks = change_marks(take.folder, **changes)
        with self._guard:
            self.tracks = [
                track | _marks(take) if i == number else track for i, track in enumerate(self.tracks)
            ]
        if self._on_mark is not None:
            self._on_mark(take, marks)

    def differ(self, number: int, other: int) -> None:
        """Tell in ``difference`` what the take of that number was made with otherwise than the other."""
        one, two = self._takes[number], self._takes[other]
        if isinstance(one, Take) and isinstance(two, Take):
            told = in_words(changes(one, two))
            self.difference = f"{self._titles[other]} → {self._titles[number]}: {told}"
        else:
            self.difference = _("Only takes tell how they were made.")

    def _receive(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        kind, number = message.get("kind"), message.get("id")
        known = type(number) is int and 0 <= number < len(self._takes)
        if kind == "sound":
            send_sound(self, self._takes[number] if known else None, message.get("request"))  # type: ignore[index]
        elif known:
            self._act(str(kind), number, message)  # type: ignore[arg-type]

    def _act(self, kind: str, number: int, message: Mapping[str, Any]) -> None:
        try:
            if kind in ("starred", "rejected"):
                self.mark(number, **{kind: message.get("on")})
            elif kind == "differ" and message.get("other") in range(len(self._takes)):
                self.differ(number, message["other"])
        except AceStepError as error:
            self.difference = str(error)


def _tracks(takes: list[Take | Audio], titles: list[str]) -> list[dict[str, Any]]:
    """Each sound in plain values, its waveform as bytes 0–255; of a damaged take what is wrong with it."""
    sounds = [_sound(take) for take in takes]
    whole = [take for take, sound in zip(takes, sounds) if not sound["problem"]]
    gains = iter(matched_gains(whole))
    return [
        {
            "title": name,
            "made": isinstance(take, Take),
            "gain": 0.0 if sound["problem"] else next(gains),
            **sound,
            **_marks(take),
        }
        for take, sound, name in zip(takes, sounds, titles)
    ]


def _sound(take: Take | Audio) -> dict[str, Any]:
    try:
        loudness_and_peak(take)
        return {"duration": take.duration, "peaks": waveform(take), "problem": ""}
    except AceStepError as error:
        return {"duration": 0.0, "peaks": b"", "problem": str(error)}


def _marks(take: Take | Audio) -> dict[str, bool | None]:
    """Star and rejection; None where there is nothing to write them to."""
    if not isinstance(take, Take) or take.folder is None:
        return {"starred": None, "rejected": None}
    marks = read_marks(take.folder)
    return {"starred": marks.starred, "rejected": marks.rejected}
