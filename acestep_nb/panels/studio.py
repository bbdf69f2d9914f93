"""The studio: words, metas and seeds on a form, one button, and the takes that come of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets

from acestep_nb.engine import Engine
from acestep_nb.errors import AceStepError, ProjectError
from acestep_nb.history import History, project_folder
from acestep_nb.jobs import Job
from acestep_nb.options import RenderOptions
from acestep_nb.panels.python import python
from acestep_nb.panels.session import in_words, loaded, session
from acestep_nb.panels.view import View
from acestep_nb.song import Song
from acestep_nb.takes import Take
from acestep_nb.widgets.player import title

_PAGE = 12  # cards at a time
_DRAFT_DELAY = 0.4  # seconds after the last change


class Studio(ipywidgets.VBox):
    """A panel that turns words into takes and keeps them in a project folder.

    ``engine`` is the name of a checkpoint (loaded on the first Generate) or an ``Engine``; ``project`` is a name
    (a folder below ``projects``) or a path; ``song`` is what the form holds at first.
    Run the cell again, in this kernel or a new one: takes, stars and the unsent draft are back; only another
    ``song`` than the draft began with replaces it.

    Python can do all that the panel does: set ``song``, ``options`` and ``seeds``, ``generate()``, ``stop()``,
    read ``takes`` and ``code``.
    """

    def __init__(
        self, engine: Engine | str = "nano", project: str | Path = "first-song", *, song: Song | None = None
    ) -> None:
        self._engine = engine
        self._session = session(project_folder(project))
        self._limit = _PAGE
        self._drawn: object = None
        self._problem: BaseException | None = None
        self._removed: Take | None = None
        self._timer: threading.Timer | None = None
        self._given = None if song is None else song.to_dict()
        self._ready = False
        self._view = view = View(self._edited, self._act, self._session.lock)
        super().__init__(view.boxes)
        self.add_class("ace")
        self.add_class("ace-studio")
        self._restore()
        self._connect()
        self._refresh()

    def __repr__(self) -> str:
        return f"Studio(project={str(self.history.folder)!r}, {len(self.takes)} takes)"

    @property
    def song(self) -> Song:
        """The song on the form; set it to fill the form. ``InputError`` when a knob is wrong."""
        return self._view.song.value

    @song.setter
    def song(self, song: Song) -> None:
        self._view.song.value = song

    @property
    def options(self) -> RenderOptions:
        """How it will be rendered; can be set."""
        return self._view.options.value

    @options.setter
    def options(self, options: RenderOptions) -> None:
        self._view.options.value = options

    @property
    def seeds(self) -> tuple[int, ...]:
        """The noise seeds, one per take; setting them locks them."""
        return self._view.seeds.seeds

    @seeds.setter
    def seeds(self, seeds: Iterable[int]) -> None:
        self._view.seeds.seeds = seeds

    @property
    def code(self) -> str:
        """Python that makes the takes of this form and these seeds, ready to run."""
        name = self._engine if isinstance(self._engine, str) else self._engine.name
        return python(name, self.song, self.seeds, self.options)

    @property
    def history(self) -> History:
        """The project folder."""
        return self._session.history

    @property
    def takes(self) -> list[Take]:
        """The project's takes, newest first."""
        return self._session.takes

    def generate(self) -> Job:
        """Start rendering what the form asks for and return at once; ``job.wait()`` gives the takes.

        Raises ``InputError`` when a knob is wrong, ``AceStepError`` while a batch is under way.
        """
        with self._session.lock:
            self._session.require_idle()
            song, options = self.song, self.options
            song.require_words()
            job = self._session.generate(self._engine, song, self._view.seeds.next(), options)
        self._save_draft()
        return job

    def stop(self) -> None:
        """Stop within one step; takes that are ready stay."""
        self._session.stop()

    def _restore(self) -> None:
        """Fill the form from the draft, its words from the given song unless the draft came of it."""
        view, draft = self._view, self.history.draft
        view.options.value = RenderOptions()
        for form, part in ((view.song, "song"), (view.options, "options"), (view.seeds, "seeds")):
            if isinstance(values := draft.get(part), dict):
                form.fill(values)
        if self._given is not None and self._given != draft.get("given"):
            view.song.fill(self._given)
        for name, problem in self.history.unreadable.items():
            self._session.note(f"{name} is left out: {problem}")

    def _connect(self) -> None:
        view = self._view
        view.generate.on_click(lambda _button: self._try(self.generate))
        view.stop.on_click(lambda _button: self._try(self.stop))
        view.undo.on_click(lambda _button: self._try(self._undo))
        view.older.on_click(lambda _button: self._try(self._more))
        view.starred.observe(lambda _change: self._try(self._refresh), "value")
        view.code.observe(lambda _change: self._show_code(), "value")
        self._session.listen(self._refresh)
        self._edited()
        self._ready = True

    def _try(self, action: Any, *arguments: Any) -> None:
        """Do what a press asks for; what goes wrong is shown where it belongs."""
        self._view.message.say("")
        try:
            action(*arguments)
        except AceStepError as error:
            self._show_problem(error)
        except Exception as error:  # a press has no cell that could show it
            self._session.note(in_words(error), error)
            self._show_problem(error)

    def _act(self, kind: str, take: Take, message: Mapping[str, Any]) -> None:
        actions = {
            "star": lambda: self._star(take, bool(message.get("on"))),
            "reuse": lambda: self._reuse(take),
            "remove": lambda: self._remove(take),
            "keep": self._session.save,
        }
        if kind in actions:
            self._try(actions[kind])

    def _star(self, take: Take, on: bool) -> None:
        (self.history.star if on else self.history.unstar)(take)
        self._session.renew(f"{'starred' if on else 'took the star from'} {take.name}")

    def _reuse(self, take: Take) -> None:
        with self._session.lock:
            self.song, self.options, self.seeds = take.song, take.options, [take.seed]
        self._session.note(f"the form holds {take.name or 'the take'} again, its seed locked")

    def _remove(self, take: Take) -> None:
        self._session.remove(take)
        self._removed = take if take.name else None
        self._session.renew(f"removed {take.name or 'a take that was not kept'}")

    def _undo(self) -> None:
        if self._removed is not None:
            name = self._removed.name
            self.history.restore(name)
            self._removed = None
            self._session.renew(f"{name} is back")

    def _more(self) -> None:
        self._limit += _PAGE
        self._refresh()

    def _edited(self) -> None:
        """A knob was turned: the code follows, and the draft a moment later."""
        options = self._view.options.raw
        steps, shift = options["inference_steps"], options["shift"]
        told = ("" if steps is None else f" · {steps} steps") + (
            "" if shift is None else f" · shift {shift:g}"
        )
        self._view.renderer.description = f"Renderer{told}"
        self._show_code()
        if self._ready:
            with self._session.lock:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = threading.Timer(_DRAFT_DELAY, self._save_draft)
                self._timer.daemon = True
                self._timer.start()

    def _save_draft(self) -> None:
        view = self._view
        forms = {"song": view.song, "options": view.options, "seeds": view.seeds}
        draft = {part: form.raw for part, form in forms.items()}
        try:
            self.history.draft = {"given": self._given, **draft}
        except ProjectError as error:
            self._session.note(f"the draft is not saved: {error}")

    def _show_code(self) -> None:
        if self._view.code.value:
            try:
                self._view.python.text = self.code
            except AceStepError as error:
                self._view.python.text = f"# {error}"

    def _show_problem(self, error: BaseException) -> None:
        """Put an error under the knob it names, else into the line below the buttons."""
        view, field = self._view, getattr(error, "field", None)
        knob = view.seeds if field == "seeds" else view.song.views.get(field) or view.options.views.get(field)
        if knob is not None and isinstance(error, AceStepError):
            knob.show(error)
        else:
            view.message.say(in_words(error))

    def _refresh(self) -> None:
        """Show the session as it is now; called from any thread."""
        session = self._session
        with session.lock:
            self._show_progress()
            self._show_log()
            state = (session.revision, self._view.starred.value, self._limit)
            if state != self._drawn:
                self._drawn = state
                self._show_takes()
            if session.problem is not self._problem:
                self._problem = session.problem
                if self._problem is not None:
                    self._show_problem(self._problem)

    def _show_progress(self) -> None:
        view, session = self._view, self._session
        engine = loaded(self._engine)
        if engine is None:
            view.model.say(Path(str(self._engine)).name)
        else:
            view.model.say(f"{engine.name} · {engine.device} · {engine.dtype}")
        view.words.say(session.words)
        view.left.say("" if session.left is None else f"{session.left:.0f} s left")
        view.bar.value = session.fraction
        view.bar.layout.visibility = None if session.running else "hidden"
        view.generate.disabled, view.stop.disabled = session.running, not session.running
        view.grid.waiting = session.waiting

    def _show_log(self) -> None:
        view, log = self._view, self._session.log
        view.log.say(f"{log[-1].when} {log[-1].text}" if log else str(self.history.folder))
        lines = [f"{line.when} {line.text}\n{line.details}".strip() for line in log]
        view.history.text = "\n".join(lines) or "nothing has happened yet"

    def _show_takes(self) -> None:
        view, starred, takes = self._view, self.history.starred, self.takes
        view.project.say(self.history.folder.resolve().name)
        shown = [take for take in takes if take.name in starred] if view.starred.value else takes
        view.grid.show_project(shown[: self._limit], starred)
        view.count.say(str(len(takes) or ""))
        view.older.layout.display = None if len(shown) > self._limit else "none"
        removed = self._removed
        view.undo.layout.display = None if removed is not None else "none"
        view.removed.say("" if removed is None else f"{title(removed, 0)} is in the trash")
