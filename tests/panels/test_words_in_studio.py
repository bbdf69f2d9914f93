"""Help with writing, inside a studio over real engines with tiny random models."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from panel_helpers import WORDS, finish, press, said
from planners import build_planner

from acestep_nb import Engine, Studio
from acestep_nb.panels import Models
from acestep_nb.panels.session import release
from acestep_nb.planner.planner import Planner
from acestep_nb.scores.values import Line, Scores, Signal
from acestep_nb.writing import dice

SIGNAL = Signal(-14.0, -1.0, 0.0, 0.0, 76.0, "A minor", {})


@pytest.fixture
def thinker(tiny_models, tmp_path):
    """An engine with a planner."""
    import torch

    folder = build_planner(tmp_path / "planner")
    return Engine(tiny_models, Planner.load(folder, torch.device("cpu"), torch.float32))


def seed_in(text: str) -> int:
    return int(re.findall(r"seed (\d+)", text)[-1])


def test_the_planner_puts_a_song_in_form_at_a_press(thinker, tmp_path):
    studio = Studio(thinker, project=tmp_path / "form", song=WORDS)
    helpers = studio._view.helpers
    assert not helpers.format.disabled
    press(helpers.format, studio)
    formed = studio.song
    assert formed == thinker.format_song(WORDS, seed=seed_in(said(helpers.box))) != WORDS
    helpers.undo.click()
    assert studio.song == WORDS


def test_the_planner_makes_a_song_of_an_idea(thinker, tmp_path):
    studio = Studio(thinker, project=tmp_path / "idea", song=WORDS)
    helpers = studio._view.helpers
    helpers.simple.value = True
    helpers.query.value, helpers.language.value = "a soft love song", "ja"
    press(helpers.write, studio)
    seed = seed_in(said(helpers.box))
    assert studio.song == thinker.create_song("a soft love song", vocal_language="ja", seed=seed)


def test_a_studio_without_a_planner_says_why_it_cannot_write(studio):
    helpers = studio._view.helpers
    assert helpers.format.disabled and helpers.write.disabled and "planner" in helpers.format.tooltip
    helpers.dice.click()
    assert studio.song in [dice(seed) for seed in range(66)]
    helpers.undo.click()
    assert studio.song == WORDS


def test_scores_of_the_selected_take_stand_beside_its_lines(studio, monkeypatch):
    studio.seeds = [7]
    press(studio._view.generate, studio)
    (take,) = studio.takes
    lines = studio._form.song.lyrics.area
    assert {line["score"] for line in lines.advice["lines"]} == {None}
    sung = (Line("[Verse]", 0, 1), Line("la la la", 1, 9, 0.75))
    monkeypatch.setattr(
        type(take), "scores", property(lambda _take: Scores(WORDS.lyrics, SIGNAL, lines=sung))
    )
    studio._showing.select(take)
    assert [line["score"] for line in lines.advice["lines"]] == [None, 0.75]
    studio._showing.select(None)
    assert {line["score"] for line in lines.advice["lines"]} == {None}


def test_filling_the_form_with_a_fault_shows_its_fix(studio):
    studio.song = replace(WORDS, caption="rainy night ballad with piano, 90 bpm")
    caption = studio._form.song.views["caption"]
    keys = [hint["key"] for hint in caption.area.advice["hints"]]
    caption.area._handle_custom_msg({"kind": "fix", "key": keys[0]}, [])
    assert studio.song.caption == "rainy night ballad with piano" and studio.song.bpm == WORDS.bpm


def test_another_model_takes_over_where_one_was(own_checkpoint, tmp_path):
    studio = Studio(str(own_checkpoint), project=tmp_path / "models", song=WORDS)
    studio._view.scores.value = False
    panel = Models(studio)
    try:
        press(panel.view.load, studio)
        assert "own · cpu · float32" in said(panel)
        panel.view._choices["dtype"].value = "bfloat16"
        press(panel.view.load, studio)
        assert "own · cpu · bfloat16" in said(panel) and "bfloat16" in said(studio._view.boxes[1])
        studio.seeds = [7]
        press(studio._view.generate, studio)
        assert studio.takes[0].dtype == "bfloat16"
        press(panel.view.free, studio)
        assert "nothing is loaded yet" in said(panel)
        press(studio._view.generate, studio)
        assert len(studio.takes) == 2, "what was freed is loaded again when it is needed"
    finally:
        finish(studio)
        release()
