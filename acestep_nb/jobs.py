"""Work beside the kernel's main thread: one worker, a queue, progress, cancel."""

from __future__ import annotations

import itertools
import math
import threading
import time
import weakref
from collections.abc import Callable
from queue import PriorityQueue
from typing import TYPE_CHECKING, Any, Literal

from acestep_nb.errors import Cancelled

if TYPE_CHECKING:
    from acestep_nb.engine import Progress
    from acestep_nb.takes import Take

State = Literal["queued", "running", "done", "failed", "cancelled"]
_POLL = 0.2  # seconds; an endless wait could not be interrupted from the keyboard on Windows


class Job:
    """One piece of work on its way: its state, its progress, the takes that are ready, its error.

    `state` is "queued", "running", then "done", "failed" or "cancelled"; `error` says why a job failed.
    The listeners are called in the worker's thread; what one of them raises ends the job as its error.
    """

    def __init__(
        self,
        work: Callable[..., object],
        on_progress: Callable[[Progress], None] | None = None,
        on_take: Callable[[Take], None] | None = None,
        on_end: Callable[[Job], None] | None = None,
    ) -> None:
        self._work: Callable[..., object] | None = work
        self._on_progress = on_progress
        self._on_take = on_take
        self._on_end = on_end
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._finished = threading.Event()
        self.state: State = "queued"
        self.progress: Progress | None = None
        self.error: BaseException | None = None
        self.takes: list[Take] = []

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to this job."""
        return self._finished.is_set()

    def cancel(self) -> None:
        """Stop the job: at once if it is still queued, within one denoising step if it is running."""
        self._cancel.set()
        if self._leave_queue("cancelled"):
            self._end("cancelled", Cancelled("stopped before it began"))

    def wait(self, timeout: float | None = None) -> list[Take]:
        """The job's takes once it is done.

        Raises the job's own error (`Cancelled` when it was stopped) and `TimeoutError` when it is not
        finished after `timeout` seconds. Interrupting the kernel meanwhile cancels the job too.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not self._finished.wait(_POLL if timeout is None else min(_POLL, timeout)):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"the job is not finished after {timeout:g} s")
        except KeyboardInterrupt:
            self.cancel()
            raise
        if self.error is not None:
            raise self.error
        return self.takes

    def run(self) -> None:
        """Do the work in this thread, unless the job was cancelled before; never raises."""
        work = self._work
        if work is None or not self._leave_queue("running"):
            return
        try:
            work(on_progress=self._hear_progress, on_take=self._hear_take, cancel=self._cancel)
        except Cancelled as error:
            self._end("cancelled", error)
        except BaseException as error:  # whatever it is, somebody may be waiting for this job
            self._end("failed", error)
        else:
            self._end("done", None)

    def _leave_queue(self, state: State) -> bool:
        with self._lock:
            if self.state != "queued":
                return False
            self.state = state
            return True

    def _end(self, state: State, error: BaseException | None) -> None:
        self._work = None  # it may hold an engine or sound
        self.state, self.error = state, error
        try:
            if self._on_end is not None:
                self._on_end(self)
        except Exception as mistake:
            self.state, self.error = "failed", error or mistake
        finally:
            self._finished.set()

    def _hear_progress(self, progress: Progress) -> None:
        self.progress = progress
        if self._on_progress is not None:
            self._on_progress(progress)

    def _hear_take(self, take: Take) -> None:
        self.takes.append(take)
        if self._on_take is not None:
            self._on_take(take)


Jobs = PriorityQueue[tuple[float, int, "Job | None"]]
_LAST = (math.inf, 0, None)


class Worker:
    """A queue with one thread: jobs run one after another, those that matter most first, else as submitted."""

    def __init__(self) -> None:
        self._queue: Jobs = PriorityQueue()
        self._count = itertools.count()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._open: list[Job] = []

    def submit(
        self,
        work: Callable[..., object],
        /,
        *args: Any,
        on_progress: Callable[[Progress], None] | None = None,
        on_take: Callable[[Take], None] | None = None,
        on_end: Callable[[Job], None] | None = None,
        priority: int = 0,
        **kwargs: Any,
    ) -> Job:
        """A job that will call `work(*args, **kwargs, on_progress=…, on_take=…, cancel=…)`; returns at once.

        `Engine.generate` is such a work. `on_end` hears the job itself when it is done, failed or cancelled.
        Of the jobs that wait those with the lowest `priority` number run first.
        """

        def bound(**hooks: Any) -> object:
            return work(*args, **kwargs, **hooks)

        job = Job(bound, on_progress, on_take, on_end)
        with self._lock:
            self._open = [*(known for known in self._open if not known.finished), job]
            self._queue.put((priority, next(self._count), job))
            if self._thread is None:
                self._thread = threading.Thread(target=_serve, args=(self._queue,), daemon=True)
                self._thread.start()
                weakref.finalize(self, self._queue.put, _LAST)
        return job

    def waits(self, job: Job) -> bool:
        """Whether other work comes before this job: it is neither running nor the next to run."""
        with self._lock, self._queue.mutex:
            running = any(other.state == "running" for other in self._open)
            queued = [
                entry for entry in self._queue.queue if entry[2] is not None and entry[2].state == "queued"
            ]
            return job.state == "queued" and (running or min(queued, default=_LAST)[2] not in (job, None))

    def cancel(self) -> None:
        """Stop everything: the running job within one denoising step, the queued ones at once."""
        with self._lock:
            jobs = list(self._open)
        for job in reversed(jobs):  # the queued ones first, so that none of them starts meanwhile
            job.cancel()


def _serve(queue: Jobs) -> None:
    while (job := queue.get()[2]) is not None:
        job.run()
        del job  # its takes hold sound
