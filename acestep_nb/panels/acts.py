"""What the buttons of a take do: reuse it, send it to a task, extend it, mark it, put it away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from acestep_nb.edits import Source
from acestep_nb.errors import ProjectError
from acestep_nb.history import History
from acestep_nb.locales import _
from acestep_nb.panels.session import Session
from acestep_nb.panels.tasks import TASK_VIEWS, EditOptions
from acestep_nb.panels.work_form import WorkForm
from acestep_nb.sources import Sounding
from acestep_nb.takes import Take
from acestep_nb.work import Work

MORE = 30.0
"""Seconds that Extend adds, and seconds before the end that are heard for it."""


class Acts:
    """The buttons of takes over a form; ``choose`` shows a task, ``select`` a take, ``score`` scores one."""

    def __init__(
        self,
        session: Session,
        form: WorkForm,
        choose: Callable[[str], None],
        select: Callable[[Take], None],
        score: Callable[[Take], None],
    ) -> None:
        self._session, self._form = session, form
        self._choose, self._select, self._score = choose, select, score
        self.removed: Take | None = None

    def act(self, kind: str, take: Take, message: Mapping[str, Any]) -> None:
        """Do what a button asks; kinds that are not known are let be."""
        to, region = str(message.get("to")), message.get("region")
        actions: dict[str, Callable[[], None]] = {
            "star": lambda: self._mark(take, {"starred": bool(message.get("on"))}),
            "mark": lambda: self._mark(take, message),
            "reuse": lambda: self.reuse(take),
            "remove": lambda: self._remove(take),
            "keep": self._session.save,
            "select": lambda: self._select(take),
            "score": lambda: self._score(take),
            "send": lambda: self.send(take, to, tuple(region) if region else None),
        }
        if kind in actions:
            actions[kind]()

    def reuse(self, take: Take) -> None:
        """Let the form ask for this very take again, its seeds locked."""
        edit = take.edit
        source = None if edit is None else sounding(self._session.history, edit.sources[0])
        referred = take.reference
        reference = None if referred is None else sounding(self._session.history, referred)
        work = Work.of(take, source, reference)
        with self._session.lock:
            self._choose(work.task)
            self._form.work = work
        self._session.note(
            _("the form holds {take} again, its seeds locked", take=take.name or _("the take"))
        )

    def send(self, take: Take, to: str, region: tuple[float, float] | None = None) -> None:
        """Let a take be the source of a task (with a region of it), or the reference; ``extend`` goes on with it."""
        form = self._form
        with self._session.lock:
            if to == "reference":
                form.reference.sound = take
                return
            if to not in (*TASK_VIEWS, "extend"):
                return
            self._choose("repaint" if to == "extend" else to)
            form.source.sound = take
            form.song.value = take.song
            if to == "extend":
                end = take.duration
                form.edit.value = EditOptions(context=MORE, step=MORE)
                form.region.set((end, end + MORE))
            else:
                form.region.set(region)

    def undo(self) -> None:
        """Bring the take that was removed last back."""
        if self.removed is not None:
            name = self.removed.name
            self._session.history.restore(name)
            self.removed = None
            self._session.renew(_("{take} is back", take=name))

    def _mark(self, take: Take, changes: Mapping[str, Any]) -> None:
        self._session.history.mark(take, **changes)
        self._session.renew(_("marked {take}", take=take.name))

    def _remove(self, take: Take) -> None:
        self._session.remove(take)
        self.removed = take if take.name else None
        self._session.renew(_("removed {take}", take=take.name or _("a take that was not kept")))


def sounding(history: History, record: Source) -> Sounding:
    """The sound of that record: the take of that name, else the file that the project keeps."""
    try:
        return history.get(record.name)
    except ProjectError:
        return history.source(record)
