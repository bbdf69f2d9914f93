"""The take that a person is at: large, with a region, its lines, what changed since its parent, and its ways on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from acestep_nb import lineage
from acestep_nb.errors import AceStepError
from acestep_nb.exports import FORMATS, export
from acestep_nb.history import History
from acestep_nb.locales import _, later
from acestep_nb.panels.acts import MORE
from acestep_nb.panels.text import Text, box, button, fold, shown, toggle
from acestep_nb.panels.wording import error_in_words
from acestep_nb.takes import Take
from acestep_nb.widgets.alignment import AlignmentMap
from acestep_nb.widgets.region import RegionPlayer
from acestep_nb.widgets.sounding import title

_WAYS = {
    "repaint": later("Repaint region"),
    "extend": later("Extend +{seconds} s"),
    "cover": later("Cover"),
    "lego": later("Lego"),
    "extract": later("Extract"),
    "complete": later("Complete"),
    "reference": later("Use as reference"),
}


class SelectedTake:
    """``box`` shows a take; ``on_act`` hears ``(kind, take, message)`` as from a card."""

    def __init__(
        self,
        history: History,
        tasks: Sequence[str],
        on_act: Callable[[str, Take, Mapping[str, Any]], None],
        said: Callable[[str], None],
    ) -> None:
        self._history, self._on_act, self._said = history, on_act, said
        self.take: Take | None = None
        self._scored = self._filling = False
        self.changes = Text("", "ace-quiet-text")
        self.wave = RegionPlayer()
        self.map = AlignmentMap()
        self.lines = toggle(
            _("Alignment"), "ace-flat", hint=_("How each line is sung; press one for its region")
        )
        hint = _("What this take was made from, and what was made of it")
        self.family = toggle(_("Lineage"), "ace-flat", hint=hint)
        self.tree = ipywidgets.HTML()
        self.tree.add_class("ace-quiet-text")
        fold(self.family, self.tree)
        offered = {*tasks, "reference", *(["extend"] if "repaint" in tasks else [])}
        self.ways = {
            way: button(_(label, seconds=f"{MORE:g}") if "{" in label else _(label))
            for way, label in _WAYS.items()
            if way in offered
        }
        self.score = button(
            _("Score"), hint=_("Hear how well the lyrics are sung, and what tempo and key sound")
        )
        self.reuse = button(_("Reuse"), hint=_("Let the form ask for this very take again"))
        self.reject = toggle(_("Reject"), hint=_("Heard, and not wanted: the list leaves it out"))
        self.note = ipywidgets.Text(
            description=_("Note"), placeholder=_("what to remember about this take"), continuous_update=False
        )
        self.note.add_class("ace-note")
        self.format = ipywidgets.Dropdown(options=list(FORMATS), description=_("File type"))
        self.format.add_class("ace-sort")
        self.export = button(_("Export"), hint=_("Write the take into the exports folder of the project"))
        self.exported = Text("", "ace-quiet-text")
        row = box([*self.ways.values(), self.reuse, self.score], "ace-row")
        out = box([self.note, self.reject, self.format, self.export, self.exported], "ace-row")
        folds = box([self.lines, self.family], "ace-row")
        parts = [self.changes, self.wave, row, out, folds, self.map, self.tree]
        self.box = box(parts, "ace-section", "ace-at")
        self._connect()
        self.show(None)

    def show(self, take: Take | None) -> None:
        """Show this take; the same one again only when it has been scored meanwhile."""
        scores = None
        if take is not None:
            try:
                scores = take.scores
            except AceStepError:  # damaged scores are none: the take can be scored again
                scores = None
            self._show_marks(take)
            self._show_family(take)
        self.scores = scores
        known = self.take is not None and take is not None and self.take.name == take.name
        if known and self._scored == (scores is not None):
            return
        region = self.wave.region if known else None
        self.take, self._scored = take, scores is not None
        self.wave.show(take, scores=scores)
        self.wave.region = region
        self.map.show(scores)
        shown(self.lines, scores is not None and scores.alignment is not None)
        shown(self.score, scores is None)
        self.changes.say("" if take is None else self._about(take))
        self.exported.say("")

    def _about(self, take: Take) -> str:
        parent = self._history.parent(take)
        if parent is None:
            return ""
        changed = lineage.in_words(lineage.changes(take, parent))
        return _("child of {parent}; changed: {changes}", parent=title(parent, 0), changes=changed)

    def _show_marks(self, take: Take) -> None:
        self._filling = True
        try:
            marks = self._history.marks(take)
            self.reject.value, self.note.value = marks.rejected, marks.note
        finally:
            self._filling = False

    def _show_family(self, take: Take) -> None:
        tree = self._history.lineage(take)
        self.tree.value = tree.html
        shown(self.family, len(tree.rows) > 1)
        if len(tree.rows) < 2:
            self.family.value = False

    def _mark(self, **changes: Any) -> None:
        if self.take is not None and not self._filling:
            self._act("mark", changes)

    def _connect(self) -> None:
        for way, own in self.ways.items():
            own.on_click(lambda _button, way=way: self._send(way))
        self.reuse.on_click(lambda _button: self._act("reuse", {}))
        self.score.on_click(lambda _button: self._act("score", {}))
        self.export.on_click(lambda _button: self._export())
        self.reject.observe(lambda change: self._mark(rejected=change["new"]), "value")
        self.note.observe(lambda change: self._mark(note=change["new"]), "value")
        self.map.observe(self._line_chosen, "region")
        self.lines.observe(lambda _change: self._show_map(), "value")
        self._show_map()

    def _show_map(self) -> None:
        shown(self.map, self.lines.value)
        self.lines.icon = "caret-down" if self.lines.value else "caret-right"

    def _line_chosen(self, change: Any) -> None:
        if change["new"] is not None:
            self.wave.region = change["new"]

    def _send(self, way: str) -> None:
        self._act("send", {"to": way, "region": self.wave.region})

    def _act(self, kind: str, message: Mapping[str, Any]) -> None:
        if self.take is not None:
            self._on_act(kind, self.take, message)

    def _export(self) -> None:
        if self.take is None:
            return
        try:
            files = export(self.take, self._history.folder / "exports", self.format.value)
        except AceStepError as error:
            self._said(error_in_words(error))
        else:
            self.exported.say(", ".join(str(file) for file in files))
