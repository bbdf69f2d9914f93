"""One sound large, with a region to drag and the lines that are sung."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import traitlets

from acestep_nb.audio import Audio
from acestep_nb.errors import AceStepError
from acestep_nb.locales import later
from acestep_nb.scores.values import Scores
from acestep_nb.takes import Take
from acestep_nb.widgets.sounding import SOUND_WORDS, SoundWidget, title

_STATIC = Path(__file__).parent / "static"
_FINEST, _COARSEST = 6000, 800  # bytes of a waveform
_numbers = itertools.count()
_PER_SECOND = 25  # bytes, so that a magnified waveform still shows its beats


class RegionPlayer(SoundWidget):
    """A large waveform; ``region`` is (start, end) in seconds, dragged in the browser or set here, None for none.

    A region may be looped, and its ends brought to lines or bars. Where tempo and time are known a ruler shows the
    bars, and pressing one makes it the region. Below a take that was scored stand the lines of
    its lyrics where they are sung: they follow the playback, and pressing one makes its time the region.
    """

    _esm = _STATIC / "region.js"
    _css = "".join((_STATIC / name).read_text("utf-8") for name in ("theme.css", "player.css", "region.css"))
    says: ClassVar[tuple[str, ...]] = (
        *SOUND_WORDS,
        later("Loop"),
        later("Snap the region"),
        later("no snapping"),
        later("to lines"),
        later("to bars"),
        later("Magnify"),
        later("Position in {title}; [ and ] set the ends of the region"),
        later("Position in {title}; [ and ] set the ends of the region, b takes the bar"),
        later("Press a bar for its region"),
        later("region {start}–{end} · {seconds} s"),
        later("{text}: {start} to {end}"),
    )

    sound = traitlets.Dict().tag(sync=True)
    lines = traitlets.List(traitlets.Dict()).tag(sync=True)
    region = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=None, allow_none=True).tag(
        sync=True
    )

    def __init__(
        self, sound: Take | Audio | None = None, *, scores: Scores | None = None, **traits: Any
    ) -> None:
        super().__init__(**traits)
        self.show(sound, scores=scores)

    def show(self, sound: Take | Audio | None, name: str = "", *, scores: Scores | None = None) -> None:
        """Show this sound instead, called ``name``; ``scores`` are by default those that the take keeps.

        A region that was drawn over another sound goes. A damaged take is shown with what is wrong with it.
        """
        key = "" if sound is None else getattr(sound, "name", "") or f"sound {next(_numbers)}"
        problem, length, peaks = "", 0.0, b""
        with self._guard, self.hold_sync():
            self._sounds = {} if sound is None else {key: sound}
            if key != self.sound.get("id"):
                self.region = None
            try:
                if sound is not None:
                    length, peaks = sound.duration, _peaks(sound)
                    scores = sound.scores if scores is None and isinstance(sound, Take) else scores
            except AceStepError as error:
                problem = str(error)
            heading = name or ("" if sound is None else title(sound, 1))
            told = {"id": key, "title": heading, "duration": length, "peaks": peaks, "problem": problem}
            self.sound = told | {"bar": 0.0 if problem else _bar(sound, scores)}
            self.lines = _lines(scores)


def _peaks(sound: Take | Audio) -> bytes:
    audio = sound if isinstance(sound, Audio) else sound.audio
    peaks = audio.peaks(int(min(_FINEST, max(_COARSEST, audio.duration * _PER_SECOND))))
    return np.clip(np.rint(peaks * 255), 0, 255).astype(np.uint8).tobytes()


def _bar(sound: Take | Audio | None, scores: Scores | None) -> float:
    """Seconds of a bar, by the tempo that was asked or heard; 0 when nobody knows."""
    if not isinstance(sound, Take):
        return 0.0
    tempo = sound.song.bpm or (None if scores is None else scores.signal.bpm)
    return 60 / tempo * int(sound.song.timesignature or 4) if tempo else 0.0


def _lines(scores: Scores | None) -> list[dict[str, Any]]:
    """The lines that are given time, in their order."""
    if scores is None:
        return []
    weak = scores.weak_lines
    return [
        {"text": line.text, "start": line.start, "end": line.end, "score": line.bar, "weak": line in weak}
        for line in scores.lines
        if line.end > line.start
    ]
