"""The seeds of a panel: a lock for each kind of chance, drawn anew where it is free."""

from __future__ import annotations

import threading
import time

import pytest

from acestep_nb import InputError, Seeds, Song
from acestep_nb.panels.seeds import SeedsForm
from acestep_nb.work import Work

WORDS = Song(caption="x")


def make(*kinds: str) -> SeedsForm:
    form = SeedsForm(lambda: None, threading.RLock())
    form.use(kinds)
    return form


def noises(seeds: tuple[Seeds, ...]) -> list[int]:
    return [own.noise for own in seeds]


def test_free_seeds_are_drawn_anew_and_shown():
    form = make()
    first, second = form.next(), form.next()
    assert len(first) == len(second) == 2 and not set(noises(first)) & set(noises(second))
    assert form.seeds == second and form.noise.field.value == ", ".join(map(str, noises(second)))
    assert second == tuple(Seeds.of(own.noise) for own in second)


def test_typing_a_seed_locks_that_kind():
    form = make("planner")
    form.noise.field.value = "7, 8, 9"
    assert form.noise.lock.value and form.noise.lock.description == "locked" and not form.all.value
    assert form.batch.value is None and not form.fields["planner"].lock.value
    first, second = form.next(), form.next()
    assert noises(first) == noises(second) == [7, 8, 9]
    assert not {own.planner for own in first} & {own.planner for own in second}


def test_a_locked_kind_stays_while_the_noise_changes():
    form = make("planner", "sde")
    form.fields["planner"].field.value = "4711"
    first, second = form.next(), form.next()
    assert {own.planner for own in (*first, *second)} == {4711}
    assert noises(first) != noises(second) and first[0].sde != second[0].sde
    assert first[0].sde == Seeds.of(first[0].noise).sde


def test_fewer_numbers_than_takes_are_used_by_turns():
    form = make("reference")
    form.seeds = [1, 2, 3, 4]
    form.fields["reference"].field.value = "9, 10"
    assert [own.reference for own in form.seeds] == [9, 10, 9, 10]


def test_chance_that_plays_no_part_follows_the_noise():
    form = make("planner")
    form.fields["planner"].field.value = "5"
    form.use(())
    form.noise.field.value = "7"
    assert form.seeds == (Seeds.of(7),) and form.fields["planner"].box.layout.display == "none"
    form.use(("planner",))
    assert form.seeds[0].planner == 5 and form.fields["planner"].box.layout.display is None


def test_whole_records_come_back_as_they_were_given():
    form = make("planner", "sde", "reference", "retake")
    given = (Seeds(1, 2, 3, 4, 5), Seeds(6, 7, 8, 9, 10))
    form.seeds = given
    assert form.seeds == form.next() == given and form.all.value


def test_lock_all_locks_and_frees_every_kind():
    form = make("planner", "sde")
    form.all.value = True
    assert form.next() == form.next()
    form.all.value = False
    assert form.next() != form.next()
    form.all.value = True
    form.fields["sde"].lock.value = False
    assert not form.all.value


def test_batches_that_follow_have_new_noise_and_what_was_locked_at_the_press():
    form = make("planner", "sde")
    form.fields["planner"].field.value = "5"
    work = Work(song=WORDS, seeds=form.next())
    again = form.again
    form.fields["planner"].lock.value = False
    following = again(work)
    assert not set(noises(following.seeds)) & set(noises(work.seeds))
    assert {own.planner for own in following.seeds} == {5}
    assert not {own.sde for own in following.seeds} & {own.sde for own in work.seeds}


def test_the_batch_cuts_and_fills_up():
    form = make()
    form.seeds = [7, 8]
    form.batch.value = 4
    assert noises(form.seeds)[:2] == [7, 8] and len(form.seeds) == 4
    form.batch.value = 1
    assert form.seeds == (Seeds.of(7),) and form.noise.lock.value


def test_new_noise_is_drawn_even_when_locked():
    form = make()
    form.seeds = [7, 8]
    form.new.click()
    assert noises(form.seeds) != [7, 8] and len(form.seeds) == 2 and form.noise.lock.value


@pytest.mark.parametrize("kind", ["noise", "sde"])
@pytest.mark.parametrize("text", ["", "x", "-1", "4294967296", "1.5", "1 2 3 4 5 6 7 8 9", "<b>"])
def test_wrong_seeds_are_told_below(kind, text):
    form = make("sde")
    form.fields[kind].field.value = text
    assert "seeds must be" in form.error.value and "<b>" not in form.error.value
    with pytest.raises(InputError):
        form.next()
    form.fields[kind].field.value = "7"
    assert not form.error.value


def test_setting_wrong_seeds_raises():
    form = make()
    with pytest.raises(InputError):
        form.seeds = range(9)


def test_a_draft_holds_text_and_locks():
    form, other = make("planner"), make("planner")
    form.noise.field.value, form.fields["planner"].field.value = "7, eight", "3"
    form.fields["planner"].lock.value = False
    other.fill(form.raw)
    assert other.raw == form.raw and other.error.value


def test_presses_from_two_threads_do_not_look_like_typing(monkeypatch):
    form = make()
    tell = form.noise.field.notify_change

    def slowly(change):
        time.sleep(0.005)
        tell(change)

    monkeypatch.setattr(form.noise.field, "notify_change", slowly)
    others = [threading.Thread(target=form.new.click) for _ in range(4)]
    for thread in others:
        thread.start()
    for _ in range(4):
        form.next()
    for thread in others:
        thread.join()
    assert not form.noise.lock.value
