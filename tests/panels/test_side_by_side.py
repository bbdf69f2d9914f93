"""Takes side by side, marks, sweeps, another language, and how much a page is sent."""

from __future__ import annotations

import json

import pytest
from ipywidgets import Widget
from panel_helpers import WORDS, press, said, send

from acestep_nb import AceStepError, Cancelled, InputError, RenderOptions, Studio, locales
from acestep_nb.locales import language

SHORT = RenderOptions(inference_steps=1)


@pytest.fixture
def takes(studio, make_take):
    """A studio with ten takes."""
    for seed in range(10):
        studio.history.add(make_take(seed=seed, caption=f"song {seed}"))
    studio._session.renew("songs from elsewhere")
    return studio


def widgets(widget: Widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets(child)


def test_the_first_eight_are_compared_and_marked_there(takes):
    view = takes._view
    view.comparing.value = True
    (compare,) = view.compared.children
    assert [track["title"] for track in compare.tracks] == [f"Take {number}" for number in range(10, 2, -1)]
    compare._receive(compare, {"kind": "starred", "id": 1, "on": True}, [])
    assert [card["starred"] for card in view.grid.cards][:3] == [False, True, False]
    assert view.compared.children == (compare,), "what is heard plays on"
    compare._receive(compare, {"kind": "rejected", "id": 0, "on": True}, [])
    assert view.grid.cards[0]["title"] == "Take 9"
    view.comparing.value = False
    assert view.compared.children == ()


def test_a_rejected_take_leaves_the_list_and_can_be_found(takes):
    view, name = takes._view, takes.takes[0].name
    send(takes, "select", name)
    view.selected.note.value = "drums <late>"
    view.selected.reject.value = True
    marks = takes.history.marks(takes.takes[0])
    assert (marks.rejected, marks.note) == (True, "drums <late>")
    assert name not in [card["id"] for card in view.grid.cards]
    view.filter.value = "rejected"
    (card,) = view.grid.cards
    assert card["id"] == name and card["facts"][0] == "rejected" and card["facts"][-1] == "drums <late>"
    send(takes, "star", name, on=True)
    assert not takes.history.marks(takes.takes[0]).rejected and not view.selected.reject.value


def test_a_sweep_changes_one_factor_and_keeps_its_takes(studio):
    studio.options = SHORT
    found = studio.sweep(shift=[1, 2], seeds=[7])
    (compare,) = found.children
    assert [track["title"] for track in compare.tracks] == ["Shift 1", "Shift 2"]
    assert [take.options.shift for take in reversed(studio.takes)] == [1, 2]
    assert {take.seed for take in studio.takes} == {7} and studio.takes[0].song.caption == WORDS.caption
    with pytest.raises(InputError):
        studio.sweep(shift=[99])
    assert len(studio._view.grid.cards) == 2 and not studio._session.busy


def test_the_panel_speaks_another_language_at_a_press(takes):
    takes._form.song.views["bpm"].field.value = 91
    takes.task = "repaint"
    try:
        takes._view.language.value = "ja"
        view = takes._view
        assert view.generate.description != "Generate" and view.language.value == "ja"
        assert takes.song.bpm == 91 and takes.task == "repaint" and len(view.grid.cards) == 10
        assert takes.children == tuple(view.boxes)
        assert view.tasks.buttons["repaint"].description in said(takes) or view.tasks.buttons["repaint"].value
        takes._session.note("still listening")
        assert "still listening" in view.log.value
    finally:
        language("en")
    takes._view.language.value = "en"
    assert takes._view.generate.description == "Generate"


def test_a_new_kernel_speaks_the_language_that_was_chosen(
    studio, tiny_engine, tmp_path, fresh_kernel, monkeypatch
):
    monkeypatch.setattr(locales, "_chosen", "")
    studio._view.language.value = "zh"
    fresh_kernel()
    locales._chosen = ""
    again = Studio(tiny_engine, project=tmp_path / "rain")
    assert again._view.language.value == "zh" and again._view.generate.description != "Generate"
    fresh_kernel()
    language("en")
    assert Studio(tiny_engine, project=tmp_path / "rain")._view.language.value == "en", "a cell has the word"


def test_a_page_of_a_hundred_takes_is_light(studio, make_take):
    for seed in range(100):
        studio.history.add(make_take(seed=seed, seconds=1))
    studio._showing._limit = 100
    studio._session.renew("songs from elsewhere")
    send(studio, "select", studio.takes[0].name)
    assert len(studio._view.grid.cards) == 100
    sent = 0
    for widget in widgets(studio):
        state = {name: value for name, value in widget.get_state().items() if name not in ("_esm", "_css")}
        sent += len(
            json.dumps(state, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))
        )
    assert sent < 2_000_000, sent


def test_words_of_a_planner_that_fail_are_told(studio):
    def ask(engine, on_progress, cancel):
        raise AceStepError("the planner is lost for words")

    job = studio._session.think(studio._engine, "thinking", ask, lambda _song: None)
    with pytest.raises(AceStepError):
        job.wait(60)
    assert "lost for words" in studio._view.message.value and not studio._session.busy


def test_words_of_a_planner_can_be_stopped(studio):
    def ask(engine, on_progress, cancel):
        cancel.wait(60)
        raise Cancelled("stopped")

    job = studio._session.think(studio._engine, "the planner writes", ask, lambda _song: None)
    assert "the planner writes" in studio._view.words.value and not studio._view.stop.disabled
    with pytest.raises(AceStepError, match="at work"):
        studio._session.think(studio._engine, "again", ask, lambda _song: None)
    press(studio._view.stop, studio)
    assert job.state == "cancelled" and isinstance(studio, Studio)
