"""A project at work in this kernel: its takes, the batches on their way, and the panels that look on.

Panels come and go (a cell that is run again makes a new one); the session of a folder stays, so a new panel
shows a batch that an older one started.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acestep_nb.audio import Audio
from acestep_nb.engine import Engine, Progress
from acestep_nb.errors import AceStepError, Cancelled, ProjectError
from acestep_nb.history import History
from acestep_nb.jobs import Job, Worker
from acestep_nb.locales import _
from acestep_nb.panels.batches import AUTO, CLICK, SCORE, Again, Batch
from acestep_nb.panels.estimate import Asked, Speeds
from acestep_nb.panels.wording import error_in_words
from acestep_nb.takes import Take
from acestep_nb.work import Work

WAITING = 2
"""Batches that may wait while another is made."""
AUTO_BATCHES = 8
"""Batches that come by themselves after one press, so that a panel left alone does not fill the disk."""
_WORKER = Worker()
_TICK = 0.1  # seconds between two reports of progress: browsers need no more
_LOG_LINES = 200
_open: weakref.WeakValueDictionary[Path, Session] = weakref.WeakValueDictionary()
_open_lock = threading.Lock()
_resident: dict[str, Engine] = {}
speeds = Speeds()
"""What batches needed in this kernel, whichever project they were for."""


@dataclass(frozen=True)
class LogLine:
    """One thing that happened: local time as ``12:04``, what it was, and its traceback if it was a mistake."""

    when: str
    text: str
    details: str = ""


def session(folder: Path) -> Session:
    """The session of a project folder, opened if it is not open yet; ``ProjectError`` when it cannot be."""
    place = folder.resolve()
    with _open_lock:
        known = _open.get(place)
        if known is None or not place.is_dir():
            known = _open[place] = Session(History(folder))
        return known


def release() -> None:
    """Let the engine go that was loaded by name, so that its memory is there for another."""
    while _resident:
        _resident.popitem()[1].free()


def load(name: str, **how: Any) -> Engine:
    """The checkpoint of that name in memory, loaded as `Engine.load` is told, in place of the one there."""
    release()  # one model at a time: two may not fit into memory
    engine = _resident[name] = Engine.load(name, **how)
    return engine


def loaded(engine: Engine | str) -> Engine | None:
    """The engine of that name if it is in memory already."""
    return _resident.get(engine) if isinstance(engine, str) else engine


class Session:
    """What panels of one project share; its lock guards their state too.

    ``changed`` listeners are called without arguments, from any thread, whenever there is something new.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.lock = threading.RLock()
        self.batches: list[Batch] = []
        self.scoring: list[Job] = []
        self.thinking: Job | None = None
        self.scores_itself = True
        self.unsaved: list[Take] = []
        self.log: list[LogLine] = []
        self.problem: BaseException | None = None
        self.revision = 0
        self._loading = ""
        self._thought_of = ""
        self._told = 0.0
        self._listeners: list[Callable[[], None]] = []

    @property
    def running(self) -> bool:
        """Whether anything is made: a batch, or words by a planner."""
        return bool(self.batches) or self.thinking is not None

    @property
    def busy(self) -> bool:
        """Whether there is anything to stop: batches, words of a planner, or scores."""
        return self.running or bool(self.scoring)

    @property
    def full(self) -> bool:
        """Whether no further batch can wait; those that come by themselves make way."""
        return len([batch for batch in self.batches if not batch.auto]) > WAITING

    @property
    def queued(self) -> list[Batch]:
        """The batches that other work comes before, whichever project it is for; the next one first."""
        return [batch for batch in self.batches if batch.job is not None and _WORKER.waits(batch.job)]

    @property
    def words(self) -> str:
        """What is going on, in one line."""
        with self.lock:
            behind = len(self.queued)
            made = self.batches[0].words if len(self.batches) > behind else self._thought_of
            waiting = f"{_('batches waiting')}: {behind}" if behind else ""
            scoring = f"{_('takes to score')}: {len(self.scoring)}" if self.scoring else ""
            return " · ".join(part for part in (self._loading or made, waiting) if part) or scoring

    @property
    def waiting(self) -> list[str]:
        """What to say of each take that is still to come, the next one last."""
        with self.lock:
            return [text for batch in reversed(self.batches) for text in batch.waiting]

    @property
    def takes(self) -> list[Take]:
        """Every take of the project, newest first; before them those that could not be written."""
        kept = list(self.history.takes)
        with self.lock:
            return [*reversed(self.unsaved), *kept]

    def listen(self, changed: Callable[[], None]) -> None:
        """Call this whenever there is something new."""
        with self.lock:
            self._listeners.append(changed)

    def generate(
        self, engine: Engine | str, work: Work, again: Again | None = None, asked: Asked | None = None
    ) -> Job:
        """The job that makes these takes and keeps each as it gets ready; `again` lets more batches follow.

        With ``asked`` its time is remembered, so that those of later batches can be told.
        Batches that came by themselves make way. Raises ``AceStepError`` when enough batches wait already.
        """
        with self.lock:
            self.require_room()
            self.stop_auto()
            self.problem = None
            job = self._submit(Batch(engine, work, again, asked=asked))
        self.tell()
        return job

    def require_room(self) -> None:
        """Raise ``AceStepError`` when enough batches wait already."""
        if self.full:
            raise AceStepError(
                _("{count} batches wait already", count=WAITING),
                remedy=_("Let one of them end, or stop them."),
            )

    def think(
        self, engine: Engine | str, words: str, ask: Callable[..., Any], then: Callable[[Any], None]
    ) -> Job:
        """The job in which ``ask(engine, on_progress, cancel)`` gets words of the planner, given to ``then``."""

        def work(on_progress: Any, on_take: Any, cancel: threading.Event) -> None:
            answer = ask(self._ready(engine, cancel), on_progress=on_progress, cancel=cancel)
            with self.lock:
                then(answer)

        with self.lock:
            if self.thinking is not None:
                raise AceStepError(_("the planner is at work"), remedy=_("Wait for it, or stop it first."))
            self.problem, self._thought_of = None, words
            self.thinking = job = _WORKER.submit(work, priority=CLICK, on_end=self._thought)
        self.tell()
        return job

    def exchange(self, words: str, act: Callable[[], None]) -> Job:
        """The job in which ``act()`` loads or frees an engine; ``AceStepError`` while anything is made."""

        def work(on_progress: Any, on_take: Any, cancel: threading.Event) -> None:
            act()

        with self.lock:
            if self.busy:
                raise AceStepError(_("takes are being made"), remedy=_("Wait for them, or stop them first."))
            self.problem, self._thought_of = None, words
            self.thinking = job = _WORKER.submit(work, priority=CLICK, on_end=self._thought)
        self.tell()
        return job

    def score(self, engine: Engine | str, takes: list[Take]) -> None:
        """Score kept takes in the background; their scores appear as they get ready."""
        for take in takes:

            def work(on_progress: Any, on_take: Any, cancel: threading.Event, take: Take = take) -> None:
                self._ready(engine, cancel).score(take, cancel=cancel)

            with self.lock:
                self.scoring.append(_WORKER.submit(work, priority=SCORE, on_end=self._scored))
        self.tell()

    def let_score(self, on: bool) -> None:
        """Score new takes by itself, or not."""
        self.scores_itself = on
        self.tell()

    def stop(self) -> None:
        """Stop everything within one step; takes that are ready stay."""
        with self.lock:
            jobs = [batch.job for batch in self.batches] + [self.thinking, *self.scoring]
            if self.batches:
                self.batches[0].words = _("stopping")
        for job in reversed(jobs):
            if job is not None:
                job.cancel()
        self.tell()

    def cancel(self, batch: Batch) -> None:
        """Stop this batch alone; the others stay, and what was to follow it follows the last of them."""
        with self.lock:
            others = [other for other in self.batches if other is not batch]
            if batch in self.batches and batch.again is not None and others:
                others[-1].again, batch.again = batch.again, None
        if batch.job is not None:
            batch.job.cancel()

    def stop_auto(self) -> None:
        """Let no batch come by itself any more; one that is on its way stops, its ready takes stay."""
        with self.lock:
            for batch in list(self.batches):
                batch.again = None
                if batch.auto and batch.job is not None:
                    batch.job.cancel()
        self.tell()

    def save(self) -> None:
        """Write the takes that are not yet in the project folder; ``ProjectError`` when that fails."""
        for take in list(self.unsaved):
            self._write(take)

    def remove(self, take: Take) -> None:
        """Put a take into the project's trash; one that was never written is let go."""
        with self.lock:
            unsaved = take in self.unsaved
            if unsaved:
                self.unsaved.remove(take)
        if not unsaved:
            self.history.remove(take)

    def renew(self, text: str, error: BaseException | None = None) -> None:
        """Let every panel read the takes again, and write into the log why."""
        with self.lock:
            self.revision += 1
        self.note(text, error)

    def note(self, text: str, error: BaseException | None = None) -> None:
        """Write a line into the log; an unexpected error goes with its traceback into the project's file too."""
        details = "" if error is None else "".join(traceback.format_exception(error))
        with self.lock:
            self.log = [*self.log, LogLine(time.strftime("%H:%M"), text, details)][-_LOG_LINES:]
        if details:
            # a disk that cannot be written is no reason to lose what the panel still shows
            with (
                contextlib.suppress(OSError),
                (self.history.folder / "errors.log").open("a", encoding="utf-8") as file,
            ):
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n{details}\n")
        self.tell()

    def tell(self) -> None:
        """Let every panel know that there is something new."""
        for changed in list(self._listeners):
            changed()

    def _submit(self, batch: Batch) -> Job:
        def work(on_progress: Any, on_take: Any, cancel: threading.Event) -> None:
            self.tell()  # it waits no more
            engine = self._ready(batch.engine, cancel)
            for sound in (batch.work.source, batch.work.reference):
                if isinstance(sound, (str, Path)):  # so that the take can be made again when the file is gone
                    self.history.keep_source(Audio.load(sound))
            batch.work.carry_out(engine, on_progress=on_progress, on_take=on_take, cancel=cancel)

        batch.job = _WORKER.submit(
            work,
            on_progress=lambda progress: self._hear(batch, progress),
            on_take=lambda take: self._keep(batch, take),
            on_end=lambda job: self._end(batch, job),
            priority=AUTO if batch.auto else CLICK,
        )
        self.batches.append(batch)
        return batch.job

    def _ready(self, engine: Engine | str, cancel: threading.Event) -> Engine:
        """The engine, loaded if it is not; `Cancelled` if nobody waits for it any more."""
        if isinstance(engine, str) and engine not in _resident:
            self._loading = _("loading {name}", name=engine)
            self.tell()
            try:
                load(engine)
            finally:
                self._loading = ""
        if cancel.is_set():
            raise Cancelled(_("stopped before it began"))
        return _resident[engine] if isinstance(engine, str) else engine

    def _hear(self, batch: Batch, progress: Progress) -> None:
        now = time.monotonic()
        with self.lock:
            new = batch.hear(progress)
            if not new and now - self._told < _TICK:
                return
            self._told = now
        self.tell()

    def _keep(self, batch: Batch, take: Take) -> None:
        with self.lock:
            self.unsaved.append(take)
            batch.coming.remove(take.seed)
        try:
            batch.kept.append(self._write(take))
        except ProjectError as error:  # the take stays in memory, and the others of the batch go on
            self._trouble(error)

    def _write(self, take: Take) -> Take:
        kept = self.history.add(take)
        with self.lock:
            self.unsaved.remove(take)
        self.renew(_("kept {take}", take=kept.name))
        return kept

    def _end(self, batch: Batch, job: Job) -> None:
        with self.lock:
            self.batches.remove(batch)
            engine = loaded(batch.engine)
            if job.state == "done" and batch.asked is not None and engine is not None:
                batch.count_time()
                speeds.note(batch.asked, engine, batch.spent, job.takes)
            if job.state == "failed" and job.error is not None:
                self._trouble(job.error)
            elif job.state == "cancelled":
                began = batch.progress is not None
                told = _("stopped; takes that were ready are kept")
                self.note(told if began else _("cancelled: {batch}", batch=batch.told))
            elif batch.again is not None and batch.number < AUTO_BATCHES:
                self._submit(batch.next(batch.again))
            elif batch.again is not None:
                self.note(
                    _("{count} batches came by themselves; press Generate for more", count=AUTO_BATCHES)
                )
            if self.scores_itself:
                self.score(batch.engine, batch.kept)
            self.tell()

    def _thought(self, job: Job) -> None:
        with self.lock:
            self.thinking, self._thought_of = None, ""
            if job.state == "failed" and job.error is not None:
                self._trouble(job.error)
            self.tell()

    def _scored(self, job: Job) -> None:
        with self.lock:
            self.scoring = [other for other in self.scoring if not other.finished and other is not job]
            self.revision += 1
            if job.state == "failed" and job.error is not None:
                known = isinstance(job.error, AceStepError)
                words = _("a take could not be scored: {error}", error=error_in_words(job.error))
                self.note(words, None if known else job.error)
            self.tell()

    def _trouble(self, error: BaseException) -> None:
        with self.lock:
            self.problem = error
        self.renew(error_in_words(error), None if isinstance(error, AceStepError) else error)
