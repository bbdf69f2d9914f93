"""A song to write, without an engine: caption, lyrics and metas with all the help there is."""

from __future__ import annotations

import threading

import ipywidgets

from acestep_nb.panels.editors import Advice, Helpers, SongForm
from acestep_nb.panels.text import box, style
from acestep_nb.scores.values import Scores
from acestep_nb.song import Song
from acestep_nb.writing import Hint

_METAS = ("bpm", "keyscale", "timesignature", "vocal_language", "duration")


class SongEditor(ipywidgets.VBox):
    """A panel to write a song in; read it from ``song``, and what the linter says from ``hints``.

    ``scores`` of a take of this song are drawn beside the lines of the lyrics.
    """

    def __init__(self, song: Song | None = None, *, scores: Scores | None = None) -> None:
        self.form = SongForm(lambda: None, threading.RLock())
        self.helpers, self.advice = Helpers(self.form), Advice(self.form)
        tools = box([self.helpers.box, box([], "ace-grow"), self.advice.box], "ace-row")
        editors = box([self.form["caption"], self.form["lyrics"]], "ace-two")
        metas = box([self.form[name] for name in _METAS], "ace-knobs")
        words = box([tools, editors], "ace-section")
        super().__init__([style(), words, box([metas, self.advice.list], "ace-section", "ace-metas")])
        self.add_class("ace")
        self.add_class("ace-studio")
        self.song = Song() if song is None else song
        self.scores = scores

    @property
    def song(self) -> Song:
        """The song as written; set it to fill the form. ``InputError`` when a field is wrong."""
        return self.form.value

    @song.setter
    def song(self, song: Song) -> None:
        self.form.value = song

    @property
    def hints(self) -> tuple[Hint, ...]:
        """What the linter says, as it is shown."""
        return self.form.hints

    @property
    def scores(self) -> Scores | None:
        """Scores shown beside the lines; None for none."""
        return self.form.lyrics.scores

    @scores.setter
    def scores(self, scores: Scores | None) -> None:
        self.form.lyrics.scores = scores
