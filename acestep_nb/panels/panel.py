"""A panel: a form for a task, one button, and the takes that come of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets

from acestep_nb.engine import Engine
from acestep_nb.errors import AceStepError, InputError, ProjectError
from acestep_nb.history import History, project_folder
from acestep_nb.jobs import Job
from acestep_nb.kinds import TASKS
from acestep_nb.locales import _, language, propose
from acestep_nb.options import RenderOptions
from acestep_nb.panels.acts import Acts
from acestep_nb.panels.editors import Helpers
from acestep_nb.panels.models import ModelsView
from acestep_nb.panels.opening import fill
from acestep_nb.panels.session import Session, loaded, session
from acestep_nb.panels.showing import Showing
from acestep_nb.panels.view import View
from acestep_nb.panels.wording import error_in_words
from acestep_nb.panels.work_form import WorkForm
from acestep_nb.params import read_params
from acestep_nb.plans import PlanOptions
from acestep_nb.seeds import Seeds
from acestep_nb.song import Song
from acestep_nb.takes import Take
from acestep_nb.work import Work

_DRAFT_DELAY = 0.4  # seconds after the last change


class Panel(ipywidgets.VBox):
    """A form whose takes are kept in a project folder; which tasks it has is the only thing that panels differ in.

    ``engine`` is the name of a checkpoint (loaded on the first Generate), an ``Engine``, or another panel, whose
    engine and project are shared; ``project`` is a name (a folder below ``projects``) or a path; ``song`` is what
    the form holds at first.
    Run the cell again, in this kernel or a new one: takes, stars and the unsent draft are back; only another
    ``song`` than the draft began with replaces it.

    Python can do all that the panel does: set ``task``, ``song``, ``options``, ``planning``, ``seeds`` or a whole
    ``work``, ``generate()``, ``stop()``, read ``takes`` and ``code``.
    """

    offered: tuple[str, ...] = TASKS

    def __init__(
        self,
        engine: Engine | Panel | str = "nano",
        project: str | Path = "first-song",
        *,
        song: Song | None = None,
    ) -> None:
        if isinstance(engine, Panel):
            self._engine: Engine | str = engine._engine
            self._session: Session = engine._session
        else:
            self._engine = engine
            self._session = session(project_folder(project))
        self._timer: threading.Timer | None = None
        self._given = None if song is None else song.to_dict()
        propose(self.history.locale)
        super().__init__()
        self.add_class("ace")
        self.add_class("ace-studio")
        self._build()
        self._session.listen(self._refresh)

    def _build(self) -> None:
        """Make every widget, in the language of the interface, and fill the form from the draft."""
        own = self._session
        self._ready = False
        self._form = form = WorkForm(own.history, self._edited, own.lock)
        helpers = Helpers(form.song, self._think, self._why_no_planner)
        self._acts = Acts(own, form, self._choose, self._select, self._score)
        models = ModelsView(own, lambda: self._engine, self._use)
        self._view = view = View(
            form, helpers, models, self.offered, self._task_pressed, self._act, own.history
        )
        self._showing = Showing(own, form, view, self._acts)
        self._restore()
        self._connect()
        self.children = view.boxes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(project={str(self.history.folder)!r}, {len(self.history)} takes)"

    @classmethod
    def from_take(cls, take: Take, engine: Engine | Panel | str | None = None) -> Panel:
        """A panel of the take's project whose form asks for this very take again.

        ``engine`` is by default the checkpoint that made it. Raises ``InputError`` for a take that no project
        keeps, ``ProjectError`` when a sound that it was made from is not there any more.
        """
        if take.folder is None:
            raise InputError("the take is not kept", field="take", remedy="Add it to a History first.")
        panel = cls(take.checkpoint if engine is None else engine, take.folder.parents[1])
        panel._acts.reuse(take)
        return panel

    @property
    def task(self) -> str:
        """What will be made; one of those that the panel offers."""
        return self._form.task

    @task.setter
    def task(self, task: str) -> None:
        if task not in self.offered:
            raise InputError(field="task", value=task, allowed=", ".join(self.offered))
        self._choose(task)

    @property
    def song(self) -> Song:
        """The song on the form; set it to fill the form. ``InputError`` when a knob is wrong."""
        return self._form.song.value

    @song.setter
    def song(self, song: Song) -> None:
        self._form.song.value = song

    @property
    def options(self) -> RenderOptions:
        """How it will be rendered; can be set."""
        return self._form.options.value

    @options.setter
    def options(self, options: RenderOptions) -> None:
        self._form.options.value = options

    @property
    def planning(self) -> PlanOptions:
        """How the planner will think, if there is one; can be set."""
        return self._form.planning.value

    @planning.setter
    def planning(self, planning: PlanOptions) -> None:
        self._form.planning.value = planning

    @property
    def seeds(self) -> tuple[Seeds, ...]:
        """The seeds of each take; setting them (as numbers or whole records) locks them."""
        return self._form.seeds.seeds

    @seeds.setter
    def seeds(self, seeds: Iterable[int | Seeds]) -> None:
        self._form.seeds.seeds = seeds

    @property
    def work(self) -> Work:
        """Everything that the form asks for; can be set. ``InputError`` for the first thing that is wrong."""
        return self._form.work

    @work.setter
    def work(self, work: Work) -> None:
        with self._session.lock:
            self.task = work.task
            self._form.work = work

    @property
    def code(self) -> str:
        """Python that makes the takes of this form and these seeds, ready to run."""
        engine = loaded(self._engine)
        name = self._engine if isinstance(self._engine, str) else self._engine.name
        planner = None if engine is None or isinstance(self._engine, str) else engine.planner
        return self.work.script(name, planner, () if engine is None else engine.adapters.in_use)

    @property
    def history(self) -> History:
        """The project folder."""
        return self._session.history

    @property
    def models(self) -> ModelsView:
        """What is in memory, and what could be: for ``panels.Models(panel)``, which shows it in a cell of its own."""
        return self._view.models

    @property
    def takes(self) -> list[Take]:
        """The project's takes, newest first."""
        return self._session.takes

    def open_params(self, text: str | bytes) -> tuple[str, ...]:
        """Fill the form from a parameter file, the original's JSON or a take's record; tells what was left out.

        Raises ``InputError`` for text that is no such file, and for a task that the panel has not; then the form
        stays as it was.
        """
        params = read_params(text)
        with self._session.lock:
            self.task = params.task
            notes = (*params.notes, *fill(self._form, params, self.history))
        for note in notes:
            self._session.note(note)
        self._view.message.say(" ".join(notes))
        return notes

    def generate(self) -> Job:
        """Start making what the form asks for and return at once; ``job.wait()`` gives the takes.

        Two batches may wait while another is made. Raises ``InputError`` when a knob is wrong, ``AceStepError``
        when too many wait already.
        """
        form, own = self._form, self._session
        with own.lock:
            own.require_room()
            work = form.work  # what is wrong is told before new seeds are drawn
            work = replace(work, seeds=form.seeds.next())
            again = form.seeds.again if self._view.auto.value else None
            job = own.generate(self._engine, work, again, form.asked)
        self._save_draft()
        return job

    def stop(self) -> None:
        """Stop everything within one step; takes that are ready stay, and no batch follows by itself."""
        self._view.auto.value = False
        self._session.stop()

    def _restore(self) -> None:
        """Fill the form from the draft, its words from the given song unless the draft came of it."""
        form, own = self._form, self._session
        draft = self.history.draft.get(type(self).__name__)
        draft = draft if isinstance(draft, dict) else {}
        form.source.offer(self._newest())
        form.reference.offer(self._newest())
        if isinstance(values := draft.get("form"), dict):
            form.fill(values)
        if self._given is not None and self._given != draft.get("given"):
            form.song.fill(self._given)
        if len(self.history) != len(self.history.entries):
            for name, problem in self.history.unreadable.items():
                own.note(_("{take} is left out: {problem}", take=name, problem=problem))
        self._choose(form.task if form.task in self.offered else self.offered[0])

    def _newest(self) -> list[Take]:
        return self.history.page(0, 60)

    def _connect(self) -> None:
        view = self._view
        view.generate.on_click(lambda _button: self._try(self.generate))
        view.stop.on_click(lambda _button: self._try(self.stop))
        view.queue.on_cancel = lambda batch: self._try(self._session.cancel, batch)
        view.opening.on_open = lambda data: self._try(self.open_params, data)
        view.undo.on_click(lambda _button: self._try(self._acts.undo))
        view.older.on_click(lambda _button: self._try(self._showing.more))
        view.auto.observe(lambda change: change["new"] or self._try(self._session.stop_auto), "value")
        view.scores.observe(lambda change: self._session.let_score(change["new"]), "value")
        for widget in (view.filter, view.sort, view.comparing):
            widget.observe(lambda _change: self._try(self._refresh), "value")
        view.wave.observe(self._showing.dragged, "region")
        view.code.observe(lambda _change: self._show_code(), "value")
        view.language.observe(lambda change: self._speak(change["new"]), "value")
        self._refresh()
        self._edited()
        self._ready = True

    def _use(self, engine: Engine | str) -> None:
        """Work with another engine from now on."""
        self._engine = engine
        self._refresh()

    def _speak(self, code: str) -> None:
        """Show the panel in another language, now and after a restart."""
        with self._session.lock:
            self._save_draft()
            language(code)
            try:
                self.history.locale = code
            except ProjectError as error:
                self._session.note(_("the language is not kept: {error}", error=error))
            del self._showing
            self._build()

    def _refresh(self) -> None:
        """Show the session as it is now; called from any thread."""
        with self._session.lock:
            engine = loaded(self._engine)
            known = "" if engine is None else engine.planner
            if self._form.planner != known:
                self._form.planner = known
                self._view.helpers.refresh()
                self._edited()
            self._showing.refresh(engine, str(self._engine))

    def _try(self, action: Any, *arguments: Any) -> None:
        """Do what a press asks for; what goes wrong is shown where it belongs."""
        self._view.message.say("")
        try:
            action(*arguments)
        except AceStepError as error:
            self._showing.problem(error)
        except Exception as error:  # a press has no cell that could show it
            self._session.note(error_in_words(error), error)
            self._showing.problem(error)

    def _act(self, kind: str, take: Take, message: Mapping[str, Any]) -> None:
        self._try(self._acts.act, kind, take, message)

    def _select(self, take: Take) -> None:
        self._showing.select(take)

    def _score(self, take: Take) -> None:
        self._session.score(self._engine, [take])

    def _task_pressed(self) -> None:
        (task,) = self._view.tasks.value or (self._form.task,)
        if task != self._form.task:
            self._try(self._choose, task)

    def _choose(self, task: str) -> None:
        """Show the fields of a task."""
        if task not in self.offered:
            raise InputError(
                _("this panel has no task {task}", task=task),
                field="task",
                value=task,
                allowed=", ".join(self.offered),
            )
        with self._session.lock:
            self._form.task = task
            self._view.tasks.value = (task,)
            self._form.tracks.one = task in ("lego", "extract")
            self._showing.show_engine(loaded(self._engine), str(self._engine))
            self._edited()

    def _think(self, words: str, question: Any, then: Any) -> Job:
        return self._session.think(self._engine, words, question, then)

    def _why_no_planner(self) -> str:
        engine = loaded(self._engine)
        if engine is None or engine.planner is not None:
            return ""
        return _("{name} has no planner, which writes songs", name=engine.name)

    def _edited(self) -> None:
        """A knob was turned: the code follows, and the draft a moment later."""
        if not hasattr(self, "_showing"):  # the form is being made
            return
        self._form.seeds.use(self._form.used)
        self._view.show_task()
        self._view.show_folds()
        self._showing.show_source()
        self._showing.arrange()
        self._showing.show_estimate(loaded(self._engine))
        self._show_code()
        if self._ready:
            with self._session.lock:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = threading.Timer(_DRAFT_DELAY, self._save_draft)
                self._timer.daemon = True
                self._timer.start()

    def _save_draft(self) -> None:
        own = {type(self).__name__: {"given": self._given, "form": self._form.raw}}
        try:
            with self._session.lock:
                self.history.draft = {**self.history.draft, **own}
        except ProjectError as error:
            self._session.note(_("the draft is not saved: {error}", error=error))

    def _show_code(self) -> None:
        if self._view.code.value:
            try:
                self._view.python.text = self.code
            except AceStepError as error:
                self._view.python.text = f"# {error}"
