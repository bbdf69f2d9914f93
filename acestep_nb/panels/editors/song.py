"""The song on a form, with editors for its words and a way back from whatever one press has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_nb.locales import _
from acestep_nb.panels.editors.fixing import change_between, change_of, usable
from acestep_nb.panels.editors.words import CaptionKnob, EditorKnob, LyricsKnob
from acestep_nb.panels.form import Fields
from acestep_nb.song import Song
from acestep_nb.writing import Hint, lint
from acestep_nb.writing.tidying import safe_hints, tidied_song


@dataclass(frozen=True)
class Step:
    """What one press changed: in words, and its fields before and after."""

    words: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


class SongForm(Fields[Song]):
    """The knobs of a song; caption and lyrics have editors, and the linter looks on.

    ``changed`` is called at every edit, the listeners of :meth:`listen` when the advice is new.
    """

    def __init__(self, changed: Callable[[], None], lock: threading.RLock) -> None:
        self._told_change = changed
        self._lock = lock
        self._filling = True
        self._listeners: list[Callable[[], None]] = []
        self._steps: list[Step] = []
        self.hints: tuple[Hint, ...] = ()
        super().__init__(Song, self._edited, lock, {"caption": CaptionKnob, "lyrics": LyricsKnob})
        self._filling = False
        for editor in self.editors:
            editor.on_fix = self.fix
        self.advise()

    @property
    def editors(self) -> list[EditorKnob]:
        """The editors of caption and lyrics."""
        return [view for view in self.views.values() if isinstance(view, EditorKnob)]

    @property
    def lyrics(self) -> LyricsKnob:
        """The editor of the lyrics; give it a take's ``scores`` to see them beside the lines."""
        view = self.views["lyrics"]
        assert isinstance(view, LyricsKnob)
        return view

    def listen(self, advised: Callable[[], None]) -> None:
        """Call this whenever hints or the way back are new."""
        self._listeners.append(advised)

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set the knobs that are named, all before the linter looks again."""
        with self._lock:
            self._filling = True
            try:
                super().fill(values)
            finally:
                self._filling = False
            self._edited()

    def fix(self, hint: Hint) -> None:
        """Make the hint's fix."""
        with self._lock:
            self.change(_("fixed: {hint}", hint=hint.message), change_of(hint, usable(self.raw)))

    @property
    def safe(self) -> int:
        """How many hints :meth:`fix_all` may answer."""
        return len(safe_hints(usable(self.raw), self.hints))

    def fix_all(self) -> None:
        """Make every fix that needs no second thought, as one step."""
        with self._lock:
            song = usable(self.raw)
            better = tidied_song(song)
            words = _("fixed {count} hints", count=len(lint(song)) - len(lint(better)))
            self.change(words, change_between(song, better))

    def replace(self, words: str, song: Song) -> None:
        """Let the form hold another song, as one step; fields that were wrong are filled anew too."""
        with self._lock:
            now = self.raw
            self.change(words, {name: value for name, value in song.to_dict().items() if value != now[name]})

    def change(self, words: str, values: Mapping[str, Any]) -> None:
        """Set these fields as one step that can be taken back; no fields are no step."""
        if values:
            with self._lock:
                before = {name: self.raw[name] for name in values}
                self._steps.append(Step(words, before, {}))
                self.fill(values)
                now = self.raw
                self._steps[-1] = Step(words, before, {name: now[name] for name in values})
                self._tell()

    @property
    def last(self) -> Step | None:
        """The step that :meth:`undo` takes back; None once its fields were edited by hand."""
        if not self._steps:
            return None
        now, step = self.raw, self._steps[-1]
        return step if all(now[name] == value for name, value in step.after.items()) else None

    def undo(self) -> None:
        """Take the last step back."""
        with self._lock:
            if (step := self.last) is not None:
                self._steps.pop()
                self.fill(step.before)

    def advise(self) -> None:
        """Let the linter look at the form as it stands."""
        with self._lock:
            song = usable(self.raw)
            self.hints = tuple(lint(song))
            for editor in self.editors:
                editor.advise(song, self.hints)
            self._tell()

    def _edited(self) -> None:
        if not self._filling:
            self.advise()
        self._told_change()

    def _tell(self) -> None:
        for advised in list(self._listeners):
            advised()
