"""What is told beside Generate: how long it will take, from what earlier batches needed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from panel_helpers import press, said

from acestep_nb import RenderOptions, Song
from acestep_nb.kinds import KINDS
from acestep_nb.panels import session as sessions
from acestep_nb.panels.estimate import Asked, Speeds, time_in_words
from acestep_nb.plans import PlanOptions

PLACEMENT = SimpleNamespace(offload=False, int8=False)
TURBO = SimpleNamespace(
    name="one", device="cpu", dtype="float32", planner=None, kind=KINDS["turbo"], placement=PLACEMENT
)
BASE = SimpleNamespace(**{**vars(TURBO), "name": "base", "kind": KINDS["base"]})
THINKS = SimpleNamespace(**{**vars(TURBO), "planner": "lm"})
SPENT = {"planning": 2.0, "rendering": 8.0, "decoding": 4.0}


def asked(**changes: object) -> Asked:
    plain = {"task": "text2music", "takes": 2, "seconds": 10.0}
    return Asked(**{**plain, "options": RenderOptions(), "planning": PlanOptions(), **changes})


def takes(seconds: float = 10.0) -> list[SimpleNamespace]:
    return [SimpleNamespace(duration=seconds)] * 2


def known(engine: SimpleNamespace = TURBO, made: float = 10.0, **changes: object) -> Speeds:
    speeds = Speeds()
    speeds.note(asked(**changes), engine, SPENT, takes(made))
    return speeds


def test_nothing_is_told_before_there_was_a_batch_of_the_kind():
    assert Speeds().seconds(asked(), TURBO) is None and time_in_words(None) == ""
    speeds = known()
    assert speeds.seconds(asked(), BASE) is None
    assert speeds.seconds(asked(task="cover"), TURBO) is None


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 14.0),
        ({"takes": 4}, 28.0),
        ({"seconds": 30.0}, 42.0),
        ({"options": RenderOptions(inference_steps=4)}, 10.0),
        ({"options": RenderOptions(timesteps=(0.9, 0.5))}, 8.0),
        ({"options": RenderOptions(guidance_scale=7)}, 14.0),  # turbo checkpoints have none
    ],
)
def test_time_follows_the_settings(changes, seconds):
    assert known().seconds(asked(**changes), TURBO) == pytest.approx(seconds)


def test_a_planner_that_is_switched_off_or_on_is_another_thing():
    speeds = known(THINKS)
    assert speeds.seconds(asked(), THINKS) == pytest.approx(14.0)
    assert speeds.seconds(asked(planning=PlanOptions.nothing()), THINKS) is None
    open_length = known(THINKS, made=20.0, seconds=None)
    assert open_length.seconds(asked(seconds=None), THINKS) == pytest.approx(14.0), "as long as before"
    assert open_length.seconds(asked(seconds=20.0), THINKS) is None
    without = known(made=30.0, seconds=None)
    assert without.seconds(asked(seconds=15.0), TURBO) == pytest.approx(7.0), "the length was the default"


def test_the_batch_that_is_most_alike_tells():
    speeds = known()
    speeds.note(asked(takes=8), TURBO, {"rendering": 16.0}, takes())
    assert speeds.seconds(asked(takes=7), TURBO) == pytest.approx(14.0)
    speeds.note(asked(), TURBO, {"rendering": 1.0}, takes())
    assert speeds.seconds(asked(), TURBO) == pytest.approx(1.0), "of equals the newest"


def test_seconds_and_minutes_in_words():
    assert [time_in_words(seconds) for seconds in (0.2, 4.4, 99, 200)] == [
        "about 1 s",
        "about 4 s",
        "about 99 s",
        "about 3 min",
    ]


def test_the_studio_tells_after_the_first_batch_and_follows_the_knobs(studio, monkeypatch):
    monkeypatch.setattr(sessions.speeds, "_known", Speeds()._known)
    told = studio._view.estimate
    studio.options, studio.seeds = RenderOptions(inference_steps=1), [1]
    assert told.value == ""
    press(studio._view.generate, studio)
    assert "about" in said(told) and " s" in said(told)
    [(load, spent)] = sessions.speeds._known
    assert load.takes == 1 and load.seconds == 10 and load.evaluations == 1
    assert {"rendering", "decoding"} <= spent.keys() and sum(spent.values()) > 0
    sessions.speeds._known[0] = load, {"rendering": 3.0, "decoding": 1.0}
    studio.options = RenderOptions(inference_steps=5)
    assert "about 16 s" in said(told)
    studio.seeds = [1, 2]
    assert "about 32 s" in said(told)
    studio.song = Song(caption="rain", lyrics="[Verse]\nla", duration=20)
    assert "about 64 s" in said(told)
    studio._form.song.views["duration"].value = 9999
    assert told.value == "", "what is wrong has no time"
    assert "Duration must be" in said(studio._form.song.views["duration"].error), "its knob tells"


def test_each_panel_tells_of_its_own_task(studio, monkeypatch):
    monkeypatch.setattr(sessions.speeds, "_known", Speeds()._known)
    studio.options, studio.seeds = RenderOptions(inference_steps=1), [1]
    press(studio._view.generate, studio)
    [take] = studio.takes
    studio._acts.send(take, "repaint", (2.0, 5.0))
    assert studio._view.estimate.value == ""
    press(studio._view.generate, studio)
    assert "about" in said(studio._view.estimate)
    for start, end in (("nonsense", "5"), ("5", "2"), ("2", "18000000"), ("2", "9" * 5000), ("9" * 400, "")):
        studio._form.region.start.value, studio._form.region.end.value = start, end
        assert studio._view.estimate.value == "", (start, end)
    studio._form.region.set((2.0, 5.0))
    assert "about" in said(studio._view.estimate)
    studio._form.source.sound = None
    assert studio._view.estimate.value == "", "the source is still to be chosen"


def test_a_source_that_cannot_be_read_has_no_length(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(sessions.speeds, "_known", Speeds()._known)
    studio.options, studio.seeds = RenderOptions(inference_steps=1), [1]
    press(studio._view.generate, studio)
    studio._acts.send(studio.takes[0], "cover", None)
    press(studio._view.generate, studio)
    assert "about" in said(studio._view.estimate)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    studio._form.source.sound = tmp_path / "broken.wav"
    assert studio._view.estimate.value == "" and studio._form.asked is None
