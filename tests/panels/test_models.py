"""The models panel: what is in memory, how another one would fit, loading it and letting it go."""

from __future__ import annotations

import shutil
import threading
import time

import pytest

from acestep_nb import AceStepError, Engine, InputError
from acestep_nb.checkpoints.locate import FOLDER_VARIABLE
from acestep_nb.checkpoints.registry import models
from acestep_nb.history import History
from acestep_nb.panels import session as sessions
from acestep_nb.panels.models import ModelsView, missing_in_words
from acestep_nb.panels.session import Session, loaded
from acestep_nb.placing import memory


class Owner:
    """A panel as far as models go: it has an engine or the name of one."""

    def __init__(self, tmp_path, engine) -> None:
        self.session = Session(History(tmp_path / "project"))
        self.engine = engine
        self.view = ModelsView(self.session, lambda: self.engine, self.use)
        self.session.listen(self.view.refresh)

    def use(self, engine) -> None:
        self.engine = engine

    def press(self, button) -> None:
        button.click()
        deadline = time.monotonic() + 60
        while self.session.busy:
            assert time.monotonic() < deadline, "the job does not end"
            time.sleep(0.01)
        self.view.refresh()


@pytest.fixture
def names(tiny_checkpoint, tmp_path, monkeypatch):
    """A folder of checkpoints with two whole ones and one whose download was cut."""
    folder = tmp_path / "checkpoints"
    for name in ("one", "two"):
        shutil.copytree(tiny_checkpoint, folder / name)
    shutil.copytree(tiny_checkpoint, folder / "cut")
    next((folder / "cut" / "transformer").glob("*.safetensors")).unlink()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    yield folder
    sessions.release()


def choose(owner: Owner, **choices) -> None:
    for name, value in choices.items():
        owner.view._choices[name].value = value
    for thread in threading.enumerate():
        if thread.name.startswith("fit "):
            thread.join(60)


def test_the_checkpoints_here_can_be_chosen_but_broken_ones_cannot(names, tmp_path):
    view = Owner(tmp_path, "one").view
    offered = [value for _label, value in view._choices["checkpoint"].options]
    assert {"one", "two", "nano"} <= set(offered) and "cut" not in offered
    assert view.choice == ("one", {}) and view.free.disabled
    assert {view._choices[name].label for name in ("planner", "device", "dtype", "offload")} == {"Auto"}
    assert "nothing is loaded yet" in view.told.value


def test_another_model_is_loaded_in_place_of_the_one_there(names, tmp_path):
    owner = Owner(tmp_path, "one")
    owner.press(owner.view.load)
    first = loaded("one")
    assert first is not None
    assert (
        "one · cpu · float32 · no planner" in owner.view.told.value and "fits" in owner.view.placement.value
    )
    choose(owner, checkpoint="two", dtype="bfloat16", planner="no")
    assert owner.view.choice == ("two", {"dtype": "bfloat16", "planner": False})
    owner.press(owner.view.load)
    assert owner.engine == "two" and loaded("one") is None and loaded("two").dtype == "bfloat16"
    assert "two · cpu · bfloat16" in owner.view.told.value
    with pytest.raises(InputError, match="freed"), first._turn(None):
        pass


def test_memory_is_freed_and_told(names, tmp_path):
    owner = Owner(tmp_path, "one")
    owner.press(owner.view.load)
    assert "memory" in owner.view.memory.value and 0 < owner.view.meter.value <= 1
    owner.press(owner.view.free)
    assert loaded("one") is None and owner.engine == "one" and owner.view.free.disabled


def test_an_engine_that_was_given_is_freed_and_stays_known_by_its_name(names, tmp_path):
    given = Engine.load("one")
    owner = Owner(tmp_path, given)
    assert "one · cpu" in owner.view.told.value
    owner.press(owner.view.free)
    assert owner.engine == "one"
    with pytest.raises(InputError, match="freed"), given._turn(None):
        pass


def test_how_it_will_fit_is_told_before_it_is_loaded(names, tmp_path):
    owner = Owner(tmp_path, "one")
    choose(owner, checkpoint="two")
    assert "fits: " in owner.view.fit.value and loaded("two") is None
    choose(owner, device="cuda")
    if "fits" not in owner.view.fit.value:
        assert "device must be one that torch can use here" in owner.view.fit.value


def test_a_folder_can_be_named_and_a_wrong_one_is_told(names, tmp_path):
    owner = Owner(tmp_path, "one")
    owner.press(owner.view.load)
    there = loaded("one")
    choose(owner, checkpoint="", path="no/where")
    owner.press(owner.view.load)
    assert "no/where" in owner.view.message.value
    assert owner.engine == "one" and loaded("one") is there, "what cannot be loaded costs nothing"
    choose(owner, path=str(names / "two"))
    owner.press(owner.view.load)
    assert owner.engine == str(names / "two") and "two · cpu" in owner.view.told.value
    choose(owner, path="")
    owner.press(owner.view.load)
    assert "no folder is named" in owner.view.message.value


def test_nothing_is_exchanged_while_takes_are_made(names, tmp_path):
    owner = Owner(tmp_path, "one")
    going = threading.Event()
    owner.session.exchange("busy", lambda: going.wait(30))
    owner.view.load.click()
    assert "takes are being made" in owner.view.message.value
    with pytest.raises(AceStepError, match="stop"):
        owner.session.exchange("busy too", lambda: None)
    going.set()
    while owner.session.busy:
        time.sleep(0.01)
    assert loaded("one") is None


def test_what_is_published_and_not_here_is_named_with_its_size():
    told = missing_in_words([])
    wanted = [own for own in models() if own.role in ("renderer", "planner") and own.layout == "original"]
    assert len(told.splitlines()) == 1 + len(wanted) >= 10
    assert "acestep-v15-turbo · 4.8 GB" in told and "acestep-nb download" in told


def test_memory_is_counted_in_gib():
    used, whole = memory()
    assert 0 < used < whole < 100_000
    assert memory("cpu")[1] == pytest.approx(whole, rel=0.01)
