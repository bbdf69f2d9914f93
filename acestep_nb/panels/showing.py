"""Brings a session's state onto a panel: progress, log, takes, and what the checkpoint can do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acestep_nb.audio import Audio
from acestep_nb.engine import Engine
from acestep_nb.errors import AceStepError
from acestep_nb.locales import _
from acestep_nb.marks import Marks
from acestep_nb.panels import estimate
from acestep_nb.panels.acts import Acts
from acestep_nb.panels.session import Session, speeds
from acestep_nb.panels.tasks import TASK_VIEWS
from acestep_nb.panels.text import shown
from acestep_nb.panels.view import View
from acestep_nb.panels.wording import error_in_words
from acestep_nb.panels.work_form import WorkForm
from acestep_nb.sources import Sounding
from acestep_nb.takes import Take
from acestep_nb.widgets.compare import MOST, Compare
from acestep_nb.widgets.sounding import title

_PAGE = 12  # cards at first
_LISTED = 60  # takes to choose a source from


class Showing:
    """What a panel shows of its session; only what is new is drawn."""

    def __init__(self, session: Session, form: WorkForm, view: View, acts: Acts) -> None:
        self._session, self._form, self._view, self._acts = session, form, view, acts
        self._limit = _PAGE
        self._drawn: object = None
        self._compared: list[str] = []
        self._problem: BaseException | None = None
        self._sounding: Sounding | None = None
        self._filling = False

    def refresh(self, engine: Engine | None, name: str) -> None:
        """Show the session as it is now, and the engine, of which only the name is known until it is loaded."""
        session, view = self._session, self._view
        self._show_progress()
        self.show_engine(engine, name)
        self.show_estimate(engine)
        self._show_log()
        state = (session.revision, view.filter.value, view.sort.value, view.comparing.value, self._limit)
        if state != self._drawn:
            self._drawn = state
            self._show_takes()
        if session.problem is not self._problem:
            self._problem = session.problem
            if self._problem is not None:
                self.problem(self._problem)

    def select(self, take: Take | None) -> None:
        """Show this take large, unless it stands above already as the source."""
        name = "" if take is None else take.name
        self._view.grid.selected = name
        self._view.selected.show(take if name else None)
        self._form.song.lyrics.scores = self._view.selected.scores
        self.arrange()

    def arrange(self) -> None:
        """Show one large waveform of a take, not two."""
        form = self._form
        twice = TASK_VIEWS[form.task].source and form.source.list.value == self._view.grid.selected
        shown(self._view.selected.box, bool(self._view.grid.selected) and not twice)

    def show_source(self) -> None:
        """Show the sound that is chosen as the source, and the region over it."""
        form, wave = self._form, self._view.wave
        try:
            sound = form.source.sound if TASK_VIEWS[form.task].source else None
            if sound != self._sounding:
                self._sounding, form.seconds = sound, 0.0
                self._filling = True
                read = Audio.load(sound) if isinstance(sound, Path) else sound
                wave.show(read, sound.name if isinstance(sound, Path) else "")
                form.seconds = 0.0 if read is None else read.duration
        except AceStepError as error:
            form.source.show(error)
        finally:
            self._filling = False
        try:
            region = form.region.region(form.seconds)
        except AceStepError:  # told under the field
            region = None
        usable = region is not None and region[0] < region[1]
        wave.region = region if usable and TASK_VIEWS[form.task].region else None

    def dragged(self, change: Mapping[str, Any]) -> None:
        """The region was drawn over the waveform."""
        if not self._filling and change["new"] is not None:
            self._form.region.set(change["new"])

    def more(self) -> None:
        """Show twice as many takes: a press sends all cards, and their sum stays in proportion to what is shown."""
        self._limit *= 2
        self._session.tell()

    def problem(self, error: BaseException) -> None:
        """Put an error under the knob it names, else into the line below the buttons."""
        knob = self._form.view_of(getattr(error, "field", None))
        if knob is not None and isinstance(error, AceStepError):
            knob.show(error)
        else:
            self._view.message.say(error_in_words(error))

    def _show_progress(self) -> None:
        view, session = self._view, self._session
        batch = session.batches[0] if session.batches else None
        left = None if batch is None else batch.left
        view.words.say(session.words)
        view.left.say("" if left is None else _("{seconds} s left", seconds=f"{left:.0f}"))
        if batch is not None:
            view.bar.value = batch.fraction
        view.bar.layout.visibility = None if session.running else "hidden"
        view.generate.disabled, view.stop.disabled = session.full, not session.busy
        view.queue.show(session.queued)
        view.grid.waiting = session.waiting
        view.scores.value = session.scores_itself

    def show_engine(self, engine: Engine | None, name: str) -> None:
        """Tell what is loaded, and which tasks it cannot do."""
        view = self._view
        if view.loading.value:
            view.models.refresh()
        if engine is None:
            view.model.say(Path(name).name)
            view.reason.say(_(TASK_VIEWS[self._form.task].help))
            return
        planner = [] if engine.planner is None else [engine.planner]
        view.model.say(" · ".join([engine.name, *planner, engine.device, engine.dtype]))
        missing = [task for task in view.tasks.buttons if task not in engine.kind.tasks]
        for task, own in view.tasks.buttons.items():
            own.disabled = task in missing and task != self._form.task
        labels = ", ".join(_(TASK_VIEWS[task].label) for task in missing)
        view.reason.say(
            _(
                "{name} was not trained for: {tasks}. Load a base checkpoint for them.",
                name=engine.name,
                tasks=labels,
            )
            if missing
            else _(TASK_VIEWS[self._form.task].help)
        )

    def show_estimate(self, engine: Engine | None) -> None:
        """Tell how long what is on the form will take, once that is known."""
        seconds = None
        if engine is not None:
            with contextlib.suppress(AceStepError):  # what is wrong is told under its knob
                asked = self._form.asked
                seconds = None if asked is None else speeds.seconds(asked, engine)
        self._view.estimate.say(estimate.time_in_words(seconds))

    def _compare(self, takes: list[Take]) -> None:
        """Put these takes side by side; what is heard now plays on while they stay the same."""
        names = [take.name for take in takes]
        if names != self._compared:
            self._compared = names
            self._view.compared.children = [Compare(takes, on_mark=self._marked)] if takes else []

    def _marked(self, take: Take, _marks: Marks) -> None:
        self._session.renew(_("marked {take}", take=take.name))

    def _show_log(self) -> None:
        view, log = self._view, self._session.log
        view.log.say(f"{log[-1].when} {log[-1].text}" if log else str(self._session.history.folder))
        lines = [f"{line.when} {line.text}\n{line.details}".strip() for line in log]
        view.history.text = "\n".join(lines) or _("nothing has happened yet")

    def _show_takes(self) -> None:
        view, session, history = self._view, self._session, self._session.history
        view.project.say(history.folder.resolve().name)
        page = history.page(0, self._limit + 1, by=view.sort.value, show=view.filter.value)
        unsaved = list(reversed(session.unsaved))
        view.grid.show_project([*unsaved, *page[: self._limit]], history.entries)
        self._compare(page[:MOST] if view.comparing.value else [])
        view.count.say(str(len(history) + len(unsaved) or ""))
        shown(view.older, len(page) > self._limit)
        newest = history.page(0, _LISTED)
        for sound in (self._form.source, self._form.reference):
            sound.offer(newest)
        at = view.grid.selected
        self.select(history.get(at) if at in {entry.name for entry in history.entries} else None)
        removed = self._acts.removed
        shown(view.undo, removed is not None)
        view.removed.say("" if removed is None else _("{take} is in the trash", take=title(removed, 0)))
