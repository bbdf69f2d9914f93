"""The widgets of the studio and how they are laid out; what they do is in ``studio``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets

from acestep_nb.options import RenderOptions
from acestep_nb.panels.editors import Advice, Helpers, SongForm
from acestep_nb.panels.form import Fields, SeedsForm
from acestep_nb.panels.grid import TakeGrid
from acestep_nb.panels.text import Text, box, button, toggle
from acestep_nb.takes import Take
from acestep_nb.widgets import CodeBlock

_STYLE = Path(__file__).with_name("style.css")
_METAS = ("bpm", "keyscale", "timesignature", "vocal_language", "duration")


class View:
    """Every widget of a studio; ``boxes`` are its rows from top to bottom."""

    def __init__(
        self,
        edited: Callable[[], None],
        on_act: Callable[[str, Take, Mapping[str, Any]], None],
        lock: threading.RLock,
    ) -> None:
        self.song = SongForm(edited, lock)
        self.helpers = Helpers(self.song)
        self.advice = Advice(self.song)
        self.options = Fields(RenderOptions, edited, lock)
        self.seeds = SeedsForm(edited, lock)
        self.grid = TakeGrid(on_act)
        self.boxes = [
            style(),
            self._bar(),
            self._words(),
            self._metas(),
            box([self.seeds.box], "ace-section"),
            self._run(),
            self._takes(),
            self._foot(),
        ]

    def _bar(self) -> ipywidgets.Box:
        self.project = Text("", "ace-strong")
        self.model = Text("", "ace-chip-text")
        name = Text("acestep_nb", "ace-name")
        return box([name, Text("project", "ace-quiet-text"), self.project, _grow(), self.model], "ace-bar")

    def _words(self) -> ipywidgets.Box:
        tools = box([self.helpers.box, _grow(), self.advice.box], "ace-row")
        editors = box([self.song["caption"], self.song["lyrics"]], "ace-two")
        return box([tools, editors], "ace-section")

    def _metas(self) -> ipywidgets.Box:
        self.renderer = toggle("", "ace-flat", hint="How the renderer works: rarely needed")
        options = box([self.options[name] for name in self.options.views], "ace-knobs")
        fold(self.renderer, options)
        metas = box([self.song[name] for name in _METAS], "ace-knobs")
        return box([metas, self.advice.list, self.renderer, options], "ace-section", "ace-metas")

    def _run(self) -> ipywidgets.Box:
        self.words = Text("")
        self.left = Text("", "ace-quiet-text")
        self.bar = ipywidgets.FloatProgress(min=0, max=1)
        progress = box([box([self.words, _grow(), self.left], "ace-head"), self.bar], "ace-progress")
        self.stop = button("Stop", hint="Stop within one step; takes that are ready stay")
        self.generate = button("Generate", "ace-go", hint="Render one take for each seed")
        self.message = Text("", "ace-error", "ace-message-line")
        row = box([self.seeds.batch, progress, self.stop, self.generate], "ace-row", "ace-run")
        return box([row, self.message], "ace-section")

    def _takes(self) -> ipywidgets.Box:
        self.count = Text("", "ace-quiet-text")
        self.starred = toggle("Starred", "ace-flat", hint="Show only the takes that carry a star")
        self.removed = Text("", "ace-quiet-text")
        self.undo = button("Undo", "ace-flat", hint="Bring the removed take back")
        self.older = button("Show older takes", "ace-flat")
        title = box([Text("Takes", "ace-title"), self.count], "ace-pair")
        trash = box([self.removed, self.undo], "ace-pair")
        head = box([title, self.starred, _grow(), trash], "ace-row")
        return box([head, self.grid, self.older], "ace-section", "ace-takes")

    def _foot(self) -> ipywidgets.Box:
        self.log = Text("", "ace-quiet-text", "ace-log")
        self.details = toggle("Details", "ace-flat", hint="What happened so far")
        self.code = toggle("Code", "ace-flat", hint="The Python that makes the same takes")
        self.history = CodeBlock()
        self.python = CodeBlock()
        fold(self.details, self.history)
        fold(self.code, self.python)
        row = box([self.log, _grow(), self.details, self.code], "ace-row")
        return box([row, self.history, self.python], "ace-foot")


def fold(switch: ipywidgets.ToggleButton, content: ipywidgets.Widget) -> None:
    """Show the content only while the switch is on."""

    def turn(change: Mapping[str, Any]) -> None:
        content.layout.display = None if change["new"] else "none"
        switch.icon = "caret-down" if change["new"] else "caret-right"

    switch.observe(turn, "value")
    turn({"new": switch.value})


def style() -> ipywidgets.HTML:
    """The style sheet of every panel, to be shown with it."""
    sheet = ipywidgets.HTML(f"<style>{_STYLE.read_text('utf-8')}</style>")
    sheet.layout.display = "none"
    return sheet


def _grow() -> ipywidgets.Box:
    return box([], "ace-grow")
