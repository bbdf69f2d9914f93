"""A project at work in this kernel: its takes, the batch under way, and the panels that look on.

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

from acestep_nb.engine import Engine, Progress
from acestep_nb.errors import AceStepError, Cancelled, ProjectError
from acestep_nb.history import History
from acestep_nb.jobs import Job, Worker
from acestep_nb.options import RenderOptions
from acestep_nb.song import Song
from acestep_nb.takes import Take

_WORKER = Worker()
_TICK = 0.1  # seconds between two reports of progress: browsers need no more
_LOG_LINES = 200
_SURE = 0.15  # share of the work after which the time left is told
_open: weakref.WeakValueDictionary[Path, Session] = weakref.WeakValueDictionary()
_open_lock = threading.Lock()
_resident: dict[str, Engine] = {}


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
        self.job: Job | None = None
        self.words = ""
        self.fraction = 0.0
        self.left: float | None = None
        self.coming: list[int] = []
        self.progress: Progress | None = None
        self.unsaved: list[Take] = []
        self.log: list[LogLine] = []
        self.problem: BaseException | None = None
        self.revision = 0
        self._began = 0.0
        self._told = 0.0
        self._listeners: list[Callable[[], None]] = []

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self.job is not None

    @property
    def waiting(self) -> list[str]:
        """What to say of each take that is still to come, the next one last: that is where it will appear."""
        with self.lock:
            progress = self.progress
            if progress is None:
                return ["waiting"] * len(self.coming)
            step = f"{progress.stage} · step {progress.step} of {progress.steps}"
            rendered = len(self.coming) if progress.take == 0 else 1
            return [*["waiting"] * (len(self.coming) - rendered), *[step] * min(rendered, len(self.coming))]

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
        self, engine: Engine | str, song: Song, seeds: tuple[int, ...], options: RenderOptions
    ) -> Job:
        """The job that renders these takes and keeps each as it gets ready; one at a time."""
        with self.lock:
            self.require_idle()
            self.words, self.fraction, self.left = "waiting for the engine", 0.0, None
            self.problem = self.progress = None
            self.coming = list(seeds)
            self.job = _WORKER.submit(
                self._work,
                engine,
                song,
                seeds,
                options,
                on_progress=self._hear,
                on_take=self._keep,
                on_end=self._end,
            )
            job = self.job
        self.tell()
        return job

    def require_idle(self) -> None:
        """Raise ``AceStepError`` while a batch is under way."""
        if self.job is not None:
            raise AceStepError("a batch is being rendered", remedy="Wait for it, or stop it first.")

    def stop(self) -> None:
        """Stop the batch within one step; takes that are ready stay."""
        with self.lock:
            job = self.job
            self.words = "stopping"
        if job is not None:
            job.cancel()
            self.tell()

    def save(self) -> None:
        """Write the takes that are not yet in the project folder; ``ProjectError`` when that fails."""
        for take in list(self.unsaved):
            kept = self.history.add(take)
            with self.lock:
                self.unsaved.remove(take)
            self.renew(f"kept {kept.name}")

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

    def _work(
        self, engine: Engine | str, song: Song, seeds: tuple[int, ...], options: RenderOptions, **hooks: Any
    ) -> None:
        if isinstance(engine, str):
            engine = self._load(engine)
        if hooks["cancel"].is_set():
            raise Cancelled("stopped before it began")
        engine.generate(song, seeds=seeds, options=options, **hooks)

    def _load(self, name: str) -> Engine:
        if name not in _resident:
            self.words = f"loading {name}"
            self.tell()
            _resident.clear()  # one model at a time: two may not fit into memory
            _resident[name] = Engine.load(name)
        return _resident[name]

    def _hear(self, progress: Progress) -> None:
        now = time.monotonic()
        with self.lock:
            if not self.fraction:
                self._began = now
            before, self.progress = self.progress, progress
            self.words, self.fraction = str(progress), progress.fraction
            spent = now - self._began
            self.left = spent * (1 - self.fraction) / self.fraction if self.fraction > _SURE else None
            same = before is not None and (before.stage, before.take) == (progress.stage, progress.take)
            if same and now - self._told < _TICK:
                return
            self._told = now
        self.tell()

    def _keep(self, take: Take) -> None:
        with self.lock:
            self.unsaved.append(take)
            self.coming.remove(take.seed)
        try:
            self.save()
        except ProjectError as error:  # the take stays in memory, and the others of the batch go on
            self._trouble(error)

    def _end(self, job: Job) -> None:
        with self.lock:
            self.job, self.coming, self.left, self.words = None, [], None, ""
            if job.state == "failed" and job.error is not None:
                self._trouble(job.error)
            elif job.state == "cancelled":
                self.note("stopped; takes that were ready are kept")
            self.tell()

    def _trouble(self, error: BaseException) -> None:
        with self.lock:
            self.problem = error
        self.renew(in_words(error), None if isinstance(error, AceStepError) else error)


def in_words(error: BaseException) -> str:
    """An error as one line: our own errors speak for themselves, others with their kind."""
    return str(error) if isinstance(error, AceStepError) else f"{type(error).__name__}: {error}"
