"""Batches that wait, batches that come by themselves, and scores in the background."""

from __future__ import annotations

import threading

import pytest
from panel_helpers import WORDS, finish, press, said, until

from acestep_nb import AceStepError, Cancelled, RenderOptions, Studio
from acestep_nb.panels import session as sessions
from acestep_nb.work import Work

SHORT = RenderOptions(inference_steps=1)


@pytest.fixture
def slow(studio):
    """The studio of a kernel whose worker has something else to do until it is let go."""
    go = threading.Event()
    worker = sessions._WORKER
    job = worker.submit(lambda **hooks: go.wait(60))
    studio.options = SHORT
    yield studio, go
    go.set()
    job.wait(60)


def test_two_batches_wait_and_are_made_in_order(slow):
    studio, go = slow
    jobs = []
    for seed in (1, 2, 3):
        studio.seeds = [seed]
        assert not studio._view.generate.disabled
        jobs.append(studio.generate())
    assert studio._view.generate.disabled and "batches waiting: 3" in studio._view.words.value
    assert studio._view.grid.waiting == ["waiting"] * 3
    before = studio.seeds
    with pytest.raises(AceStepError, match="2 batches wait"):
        studio.generate()
    assert studio.seeds == before, "a press that is refused draws no seeds"
    go.set()
    finish(studio)
    assert [take.seed for take in reversed(studio.takes)] == [1, 2, 3]
    assert all(job.state == "done" for job in jobs) and not studio._view.generate.disabled


def test_many_presses_at_once_fill_the_queue_and_no_more(slow):
    studio, go = slow
    studio.seeds = [7]
    presses = [threading.Thread(target=studio._view.generate.click) for _ in range(8)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert "2 batches wait" in said(studio)
    go.set()
    finish(studio)
    assert len(studio.takes) == 3


def test_stop_stops_those_that_wait_too(slow):
    studio, go = slow
    jobs = [studio.generate(), studio.generate()]
    studio._view.stop.click()
    go.set()
    for job in jobs:
        with pytest.raises(Cancelled):
            job.wait(60)
    finish(studio)
    assert studio.takes == [] and "cancelled: Text to music · rainy night · 2 takes" in said(studio)


def test_a_waiting_batch_is_cancelled_alone(slow):
    studio, go = slow
    jobs = []
    for seeds in ([1], [2, 3], [4]):
        studio.seeds = seeds
        jobs.append(studio.generate())
    rows = studio._view.queue.box.children
    assert [said(row).count("rainy night · 2 takes") for row in rows] == [0, 1, 0]
    assert "rainy night · 1 take" in said(rows[2]) and studio._view.generate.disabled
    rows[1].children[-1].click()
    assert jobs[1].state == "cancelled" and len(studio._view.queue.box.children) == 2
    assert not studio._view.generate.disabled, "there is room for another"
    go.set()
    finish(studio)
    assert [take.seed for take in reversed(studio.takes)] == [1, 4]
    assert studio._view.queue.box.layout.display == "none"


def test_a_late_press_means_the_batch_that_was_seen(slow):
    studio, go = slow
    first = studio.generate()
    studio.seeds = [2]
    second = studio.generate()
    _row, row = studio._view.queue.box.children
    press_second = row.children[-1]
    go.set()
    first.wait(60)
    second.wait(60)
    finish(studio)
    press_second.click()
    assert second.state == "done" and len(studio.takes) == 3, "it is over, nothing else is hurt"


def test_only_a_batch_that_waits_has_a_row(slow, monkeypatch):
    studio, go = slow
    at_work, on = threading.Event(), threading.Event()
    made = Work.carry_out

    def held(work, engine, **hooks):
        at_work.set()
        on.wait(60)
        return made(work, engine, **hooks)

    monkeypatch.setattr(Work, "carry_out", held)
    studio.seeds = [1]
    first = studio.generate()
    assert len(studio._view.queue.box.children) == 1, "the worker has other work before it"
    go.set()
    assert at_work.wait(60) and not studio._view.queue.box.children
    studio.seeds = [2]
    studio.generate()
    [_row] = studio._view.queue.box.children
    assert "batches waiting: 1" in said(studio._view.words)
    on.set()
    first.wait(60)
    until(lambda: not studio._view.queue.box.children, what="the second batch's turn")
    finish(studio)
    assert [take.seed for take in reversed(studio.takes)] == [1, 2]


def test_what_follows_the_newest_batch_follows_the_one_that_remains(slow, monkeypatch):
    monkeypatch.setattr(sessions, "AUTO_BATCHES", 1)
    studio, go = slow
    studio.seeds = [1]
    studio._view.auto.value = True
    studio.generate()
    studio.seeds = [2]
    newest = studio.generate()
    _row, row = studio._view.queue.box.children
    row.children[-1].click()
    assert newest.state == "cancelled" and studio._view.auto.value
    go.set()
    finish(studio)
    seeds = [take.seed for take in reversed(studio.takes)]
    assert len(seeds) == 2 and seeds[0] == 1 and seeds[1] not in (1, 2)


def test_batches_follow_by_themselves_with_new_seeds_until_they_are_told(studio):
    studio.options, studio.seeds = SHORT, [7]
    studio._view.auto.value = True
    studio.generate()
    studio.song = WORDS.__class__(caption="typed meanwhile")
    until(lambda: len(studio.takes) >= 3, what="takes that follow")
    studio._view.auto.value = False
    finish(studio)
    takes = studio.takes
    assert len({take.seed for take in takes}) == len(takes) and takes[-1].seed == 7
    assert {take.song.caption for take in takes} == {"rainy night"}, "what was asked at the press holds"
    assert studio.seeds[0].noise == 7, "the form keeps what the person sees"


def test_stop_ends_what_follows(studio):
    studio.options, studio._view.auto.value = SHORT, True
    studio.generate()
    until(lambda: studio.takes, what="a take")
    studio._view.stop.click()
    finish(studio)
    assert not studio._view.auto.value and not studio._session.batches


def test_a_press_goes_before_what_follows_by_itself(studio, monkeypatch):
    monkeypatch.setattr(sessions, "AUTO_BATCHES", 50)
    studio.options, studio.seeds, studio._view.auto.value = SHORT, [1], True
    studio.generate().wait(60)
    until(lambda: any(batch.auto for batch in studio._session.batches), what="the next batch")
    auto = studio._session.batches[0].job
    studio._view.auto.value, studio.seeds = False, [2]
    job = studio.generate()
    job.wait(60)
    assert auto.finished and studio._session.batches == []


def test_batches_that_follow_come_to_an_end(studio, monkeypatch):
    monkeypatch.setattr(sessions, "AUTO_BATCHES", 2)
    studio.options, studio.seeds, studio._view.auto.value = SHORT, [1], True
    press(studio._view.generate, studio)
    assert len(studio.takes) == 3 and "2 batches came by themselves" in said(studio)


def test_new_takes_are_scored_in_the_background_and_can_be_sorted(studio):
    studio.options, studio.seeds = SHORT, [1, 2, 3]
    studio._view.scores.value = True
    press(studio._view.generate, studio)
    scores = {take.name: take.scores for take in studio.takes}
    assert all(scores.values()), studio._view.history.text
    by_name = {card["id"]: card["scores"] for card in studio._view.grid.cards}
    for name, own in scores.items():
        known = [] if own.lyrics_alignment is None else [["lyrics", own.lyrics_alignment]]
        assert [score for score in by_name[name] if score[0] == "lyrics"] == known
    studio._view.sort.value = "lyrics_alignment"
    values = [dict(card["scores"]).get("lyrics", -1) for card in studio._view.grid.cards]
    assert values == sorted(values, reverse=True)


def test_scoring_that_fails_is_noted_and_nothing_else(studio, tiny_engine, monkeypatch):
    def fail(*_arguments, **_named):
        raise AceStepError("no ears")

    monkeypatch.setattr(type(tiny_engine), "score", fail)
    studio.options, studio._view.scores.value = SHORT, True
    press(studio._view.generate, studio)
    assert "no ears" in studio._view.history.text and studio._view.message.value == ""


def test_another_panel_of_the_project_can_stop_the_scoring(studio, tiny_engine, tmp_path):
    other = Studio(tiny_engine, project=tmp_path / "rain")
    studio._view.scores.value = True
    other._view.scores.value = False
    assert not studio._session.scores_itself
