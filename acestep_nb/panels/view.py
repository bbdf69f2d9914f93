"""The widgets of a panel and how they are laid out; what they do is in ``studio``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from acestep_nb.history import History
from acestep_nb.locales import INTERFACE, _, language
from acestep_nb.panels.editors import Advice, Helpers
from acestep_nb.panels.grid import TakeGrid
from acestep_nb.panels.models import ModelsView
from acestep_nb.panels.opening import Opening
from acestep_nb.panels.queue import Queue
from acestep_nb.panels.selected import SelectedTake
from acestep_nb.panels.tasks import STRENGTHS, TASK_VIEWS, TRACK_TASKS
from acestep_nb.panels.text import Picks, Text, box, button, fold, shown, style, toggle
from acestep_nb.panels.work_form import WorkForm
from acestep_nb.takes import Take
from acestep_nb.widgets import CodeBlock, RegionPlayer

_METAS = ("bpm", "keyscale", "timesignature", "vocal_language", "duration")
SORTS = ("newest", "lyrics_alignment", "quality")
FILTERS = ("kept", "starred", "rejected", "all")


class View:
    """Every widget of a panel; ``boxes`` are its rows from top to bottom."""

    def __init__(
        self,
        form: WorkForm,
        helpers: Helpers,
        models: ModelsView,
        tasks: Sequence[str],
        on_task: Callable[[], None],
        on_act: Callable[[str, Take, Mapping[str, Any]], None],
        history: History,
    ) -> None:
        self.form, self.helpers, self.models, self.advice = form, helpers, models, Advice(form.song)
        self.grid = TakeGrid(on_act, tasks)
        self.wave = RegionPlayer()
        self.selected = SelectedTake(history, tasks, on_act, lambda text: self.message.say(text))
        self.boxes = [
            style(),
            self._bar(),
            self._models(),
            self._task(tasks, on_task),
            self._source(),
            self._words(),
            self._metas(),
            box([form.seeds.box], "ace-section"),
            self._run(),
            self._takes(),
            self.selected.box,
            self._foot(),
        ]

    def show_task(self) -> None:
        """Show the fields that belong to the task, and no others."""
        form, task = self.form, TASK_VIEWS[self.form.task]
        for wanted, widget in (
            (task.source, self.source),
            (task.region, form.region.box),
            (form.task in TRACK_TASKS, form.tracks.box),
            (not task.source, self.planner),
            (not task.source, self.codes),
        ):
            shown(widget, wanted)
        owned = {name: form.options[name] for name in STRENGTHS}
        owned |= {name: form.edit[name] for name in form.edit.views}
        owned |= {name: form.repaint[name] for name in form.repaint.views}
        wanted_names = {*form.strengths, *task.edit, *(form.repaint.views if task.repaint else ())}
        for name, widget in owned.items():
            shown(widget, name in wanted_names)
        shown(self.how, bool(wanted_names))

    def show_folds(self) -> None:
        """Say on each fold what it holds."""
        form = self.form
        options = form.options.raw
        steps, shift = options["inference_steps"], options["shift"]
        told = [] if steps is None else [_("{count} steps", count=steps)]
        told += [] if shift is None else [_("shift {shift}", shift=f"{shift:g}")]
        self.renderer.description = " · ".join([_("Renderer"), *told])
        none = form.planner is None
        thinks = form.planning.raw["thinking"]
        planner = _("none loaded") if none else _("thinking") if thinks else _("words only")
        self.planner.description = f"{_('Planner')} · {planner}"
        self.planner.disabled = none
        if none:
            self.planner.value = False
        self.planner.tooltip = (
            _('This engine has no planner: load one with Engine.load(…, planner="acestep-5Hz-lm-0.6B").')
            if none
            else _("How the planner thinks before the song is rendered")
        )
        chosen = form.reference.list.value
        label = next((text for text, value in form.reference.list.options if value == chosen), "")
        self.reference.description = f"{_('Reference')} · {label}"
        count = form.codes.area.value.count("<|")
        self.codes.description = f"{_('Codes')} · {count or _('none')}"

    def _bar(self) -> ipywidgets.Box:
        self.project = Text("", "ace-strong")
        self.model = Text("", "ace-chip-text")
        self.language = ipywidgets.Dropdown(
            options=[(name, code) for code, name in INTERFACE.items()],
            value=language(),
            description=_("Language of the panel"),
        )
        self.language.add_class("ace-bare")
        name = Text("acestep_nb", "ace-name")
        project = [Text(_("project"), "ace-quiet-text"), self.project]
        hint = _("What is in memory, how it fits, and what could be loaded in its place")
        self.loading = toggle(_("Models"), "ace-flat", hint=hint)
        return box([name, *project, _grow(), self.model, self.loading, self.language], "ace-bar")

    def _models(self) -> ipywidgets.Box:
        section = box([self.models.box], "ace-section")
        fold(self.loading, section)
        return section

    def _task(self, tasks: Sequence[str], on_task: Callable[[], None]) -> ipywidgets.Box:
        self.tasks = Picks({name: _(TASK_VIEWS[name].label) for name in tasks}, on_task)
        self.tasks.box.add_class("ace-tabs")
        self.reason = Text("", "ace-quiet-text")
        row = [self.tasks.box] if len(tasks) > 1 else [Text(_(TASK_VIEWS[tasks[0]].label), "ace-title")]
        return box([*row, self.reason], "ace-row", "ace-section", "ace-task")

    def _source(self) -> ipywidgets.Box:
        form = self.form
        parts = [form.source.box, self.wave, form.region.box, form.tracks.box]
        self.source = box(parts, "ace-section", "ace-source-section")
        return self.source

    def _words(self) -> ipywidgets.Box:
        tools = box([self.helpers.box, _grow(), self.advice.box], "ace-row")
        editors = box([self.form.song["caption"], self.form.song["lyrics"]], "ace-two")
        return box([tools, self.helpers.idea, editors], "ace-section")

    def _metas(self) -> ipywidgets.Box:
        form = self.form
        metas = box([form.song[name] for name in _METAS], "ace-knobs")
        plain = [form.options[name] for name in form.options.views if name not in STRENGTHS]
        owned = [form.options[name] for name in STRENGTHS]
        owned += [form.edit[name] for name in form.edit.views]
        owned += [form.repaint[name] for name in form.repaint.views]
        self.how = box(owned, "ace-knobs", "ace-how")
        planning = [form.planning[name] for name in form.planning.views if name != "negative_prompt"]
        folded = {
            "renderer": (_("How the renderer works: rarely needed"), box(plain, "ace-knobs")),
            "planner": (
                "",
                box([box(planning, "ace-knobs"), form.planning["negative_prompt"]], "ace-folded"),
            ),
            "reference": (_("A sound whose timbre the takes shall have"), form.reference.box),
            "codes": (_("The outline of the song as codes, five a second"), form.codes.box),
        }
        folds = []
        for name, (hint, content) in folded.items():
            switch = toggle("", "ace-flat", "ace-fold", hint=hint)
            fold(switch, content)
            setattr(self, name, switch)
            folds.append(switch)
        contents = [content for _hint, content in folded.values()]
        return box(
            [metas, self.advice.list, self.how, box(folds, "ace-row"), *contents], "ace-section", "ace-metas"
        )

    def _run(self) -> ipywidgets.Box:
        self.words = Text("")
        self.left = Text("", "ace-quiet-text")
        self.bar = ipywidgets.FloatProgress(min=0, max=1)
        progress = box([box([self.words, _grow(), self.left], "ace-head"), self.bar], "ace-progress")
        self.auto = toggle(
            _("AutoGen"),
            "ace-flat",
            hint=_("Let batches follow by themselves, with new seeds, until this is switched off"),
        )
        self.stop = button(_("Stop"), hint=_("Stop within one step; takes that are ready stay"))
        self.generate = button(_("Generate"), "ace-go", hint=_("Render one take for each seed"))
        self.estimate = Text("", "ace-quiet-text", "ace-numbers")
        self.queue = Queue()
        self.message = Text("", "ace-error", "ace-message-line")
        row = [self.form.seeds.batch, self.auto, progress, self.stop, self.estimate, self.generate]
        return box([box(row, "ace-row", "ace-run"), self.queue.box, self.message], "ace-section")

    def _takes(self) -> ipywidgets.Box:
        self.count = Text("", "ace-quiet-text")
        labels = (_("newest first"), _("by alignment"), _("by quality"))
        self.sort = ipywidgets.Dropdown(options=list(zip(labels, SORTS)), description=_("Sort"))
        self.sort.add_class("ace-sort")
        shows = (_("all but rejected"), _("starred"), _("rejected"), _("all"))
        self.filter = ipywidgets.Dropdown(options=list(zip(shows, FILTERS)), description=_("Show"))
        self.filter.add_class("ace-sort")
        self.comparing = toggle(
            _("Compare"), "ace-flat", hint=_("Hear the first eight takes at one playhead, equally loud")
        )
        self.compared = box([], "ace-compared")
        self.scores = toggle(
            _("Score"), "ace-flat", hint=_("Score new takes in the background, one after the other"), on=True
        )
        self.removed = Text("", "ace-quiet-text")
        self.undo = button(_("Undo"), "ace-flat", hint=_("Bring the removed take back"))
        self.older = button(_("Show older takes"), "ace-flat")
        title = box([Text(_("Takes"), "ace-title"), self.count], "ace-pair")
        trash = box([self.removed, self.undo], "ace-pair")
        head = [title, self.sort, self.filter, self.scores, self.comparing, _grow(), trash]
        return box([box(head, "ace-row"), self.compared, self.grid, self.older], "ace-section", "ace-takes")

    def _foot(self) -> ipywidgets.Box:
        self.log = Text("", "ace-quiet-text", "ace-log")
        self.details = toggle(_("Details"), "ace-flat", hint=_("What happened so far"))
        self.code = toggle(_("Code"), "ace-flat", hint=_("The Python that makes the same takes"))
        self.history = CodeBlock()
        self.python = CodeBlock()
        fold(self.details, self.history)
        fold(self.code, self.python)
        self.opening = Opening()
        row = box([self.log, _grow(), self.opening.button, self.details, self.code], "ace-row")
        return box([row, self.history, self.python], "ace-foot")


def _grow() -> ipywidgets.Box:
    return box([], "ace-grow")
