import gc
import threading
import time
import weakref

import pytest

from acestep_nb.errors import Cancelled, InputError
from acestep_nb.jobs import Worker


def short(value=1, *, on_progress, on_take, cancel):
    on_progress("half")
    on_take(value)


def patient(*, on_progress, on_take, cancel):
    on_take("ready")
    assert cancel.wait(10)
    raise Cancelled("stopped")


def broken(*, on_progress, on_take, cancel):
    on_take("ready")
    raise InputError(field="bpm", value=12, allowed="30–300")


@pytest.fixture
def worker():
    return Worker()


def until(holds):
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_job_runs_in_another_thread_and_tells(worker):
    told, threads = [], []
    job = worker.submit(
        short, 5, on_progress=told.append, on_take=lambda take: threads.append(threading.current_thread())
    )
    assert job.wait(10) == [5]
    assert (job.state, job.progress, told, job.error, job.finished) == ("done", "half", ["half"], None, True)
    assert threads[0] is not threading.current_thread() and threads[0].daemon


def test_jobs_run_in_order_one_at_a_time(worker):
    order = []
    jobs = [worker.submit(short, n, on_take=order.append) for n in range(5)]
    jobs[-1].wait(10)
    assert order == list(range(5))


def test_an_error_is_raised_where_the_job_is_waited_for(worker):
    ended = []
    job = worker.submit(broken, on_end=ended.append)
    with pytest.raises(InputError, match="bpm"):
        job.wait(10)
    assert job.state == "failed" and job.takes == ["ready"] and ended == [job]
    assert worker.submit(short).wait(10) == [1]


def test_cancel_stops_the_running_job_and_keeps_its_takes(worker):
    job = worker.submit(patient)
    until(lambda: job.takes)
    job.cancel()
    with pytest.raises(Cancelled):
        job.wait(10)
    assert job.state == "cancelled" and job.takes == ["ready"]


def test_cancel_takes_a_job_out_of_the_queue(worker):
    ended = []
    first, second = worker.submit(patient), worker.submit(short, on_end=ended.append)
    second.cancel()
    second.cancel()
    assert second.state == "cancelled" and second.finished and ended == [second]
    first.cancel()
    with pytest.raises(Cancelled):
        second.wait(10)
    assert worker.submit(short, 3).wait(10) == [3] and second.takes == []


def test_cancel_of_the_worker_stops_everything(worker):
    jobs = [worker.submit(patient), worker.submit(short), worker.submit(short)]
    until(lambda: jobs[0].takes)
    worker.cancel()
    until(lambda: all(job.finished for job in jobs))
    assert [job.state for job in jobs] == ["cancelled"] * 3


def test_waiting_has_a_limit(worker):
    job = worker.submit(patient)
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        job.wait(0.05)
    assert not job.finished
    job.cancel()


def test_interrupting_the_wait_cancels_the_job(worker, monkeypatch):
    job = worker.submit(patient)

    def interrupted(timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(job._finished, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        job.wait()
    monkeypatch.undo()
    with pytest.raises(Cancelled):
        job.wait(10)


@pytest.mark.parametrize("listener", ["on_progress", "on_take", "on_end"])
def test_a_broken_listener_fails_the_job_and_not_the_worker(worker, listener):
    def mistake(heard):
        raise KeyError("listener")

    job = worker.submit(short, **{listener: mistake})
    with pytest.raises(KeyError):
        job.wait(10)
    assert job.state == "failed"
    assert worker.submit(short).wait(10) == [1]


def test_even_an_exit_ends_only_the_job(worker):
    def leave(**hooks):
        raise SystemExit

    with pytest.raises(SystemExit):
        worker.submit(leave).wait(10)
    assert worker.submit(short).wait(10) == [1]


def test_nothing_is_kept_alive(worker):
    class Sound:
        pass

    sound = Sound()
    held = weakref.ref(sound)
    worker.submit(short, sound).wait(10)
    del sound
    worker.submit(short).wait(10)
    gc.collect()
    assert held() is None


def test_the_thread_ends_with_its_worker():
    worker = Worker()
    worker.submit(short).wait(10)
    thread = worker._thread
    del worker
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_a_job_waits_while_other_work_comes_before_it(worker):
    hold, begun, seen = threading.Event(), threading.Event(), []

    def first(**hooks):
        begun.set()
        hold.wait(10)

    running = worker.submit(first, on_end=lambda job: seen.extend(map(worker.waits, jobs)))
    assert begun.wait(10)
    jobs = [worker.submit(short, priority=priority) for priority in (2, 0, 1)]
    assert not worker.waits(running) and all(map(worker.waits, jobs))
    jobs[1].cancel()
    assert not worker.waits(jobs[1])
    hold.set()
    jobs[0].wait(10)
    assert seen == [True, False, False], "the next to run waits no more, nor one that was cancelled"
    assert not any(map(worker.waits, jobs))


def test_what_matters_more_overtakes_what_waits(worker):
    order = []
    hold = threading.Event()
    first = worker.submit(lambda **hooks: hold.wait(10))
    jobs = [
        worker.submit(lambda name=name, **hooks: order.append(name), priority=priority)
        for name, priority in (("auto", 2), ("score", 1), ("click", 0), ("second click", 0))
    ]
    hold.set()
    for job in (first, *jobs):
        job.wait(10)
    assert order == ["click", "second click", "score", "auto"]
