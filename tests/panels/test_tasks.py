"""Every task on its panel: what is asked becomes takes, whose code makes the same takes in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from panel_helpers import WORDS, press, send, upload

from acestep_nb import Audio, InputError, PlanOptions, RenderOptions, RepaintOptions, Seeds, Song, panels
from acestep_nb.kinds import COMMON_TASKS, TASKS
from acestep_nb.panels import Repaint, Studio
from acestep_nb.panels.tasks import TASK_VIEWS
from acestep_nb.work import Work

SHORT = RenderOptions(inference_steps=2)
SINGLE = (panels.Text2Music, panels.Cover, panels.Repaint, panels.Lego, panels.Extract, panels.Complete)


@pytest.fixture
def all_tasks(tiny_engine, monkeypatch):
    """The tiny engine as one that was trained for everything."""
    monkeypatch.setattr(type(tiny_engine), "kind", replace(tiny_engine.kind, tasks=TASKS))
    return tiny_engine


@pytest.fixture
def source(studio, all_tasks):
    """A studio with one take."""
    studio.options, studio.seeds = SHORT, [7]
    press(studio._view.generate, studio)
    return studio


def fill(studio: Studio, task: str) -> None:
    """Ask for a task, as a person would."""
    form = studio._form
    studio.task, studio.options, studio.seeds = task, SHORT, [3, 4]
    if TASK_VIEWS[task].source:
        form.source.list.value = studio.takes[-1].name
    if task in ("repaint", "lego"):
        form.region.start.value, form.region.end.value = "0:02", "0:06.5"
    if task in ("lego", "extract", "complete"):
        form.tracks.picks.buttons["drums"].value = True
        form.tracks.picks.buttons["bass"].value = True
    if task == "repaint":
        form.repaint.views["repaint_mode"].list.value = "conservative"
    if task == "cover":
        form.edit.views["quantize"].tick.value = False
        form.options.views["audio_cover_strength"].slider.value = 0.5


@pytest.mark.parametrize("task", TASKS)
def test_every_task_makes_takes(source, task):
    fill(source, task)
    work = source.work
    press(source._view.generate, source)
    assert source._view.message.value == "" and len(source.takes) == 3
    take = source.takes[0]
    assert (take.task, take.seeds, take.song.caption) == (task, Seeds.of(4), "rainy night")
    if task != "text2music":
        assert take.parent == source.takes[-1].name and take.edit.region == work.region
        assert (
            take.edit.tracks
            == work.tracks
            == {"complete": ("bass", "drums")}.get(task, ("bass",) if task in ("lego", "extract") else ())
        )
    if task == "cover":
        assert not take.edit.quantize and take.options.audio_cover_strength == 0.5
    if task == "repaint":
        assert take.edit.repaint == RepaintOptions("conservative")


@pytest.mark.parametrize("task", TASKS)
def test_a_take_fills_the_form_that_makes_it_again(source, all_tasks, task, tmp_path):
    fill(source, task)
    source.options = replace(SHORT, infer_method="sde", audio_cover_strength=0.25)
    source.seeds = [Seeds(1, 2, 3, 4, 5)]
    press(source._view.generate, source)
    take = source.takes[0]
    other = Studio.from_take(take, all_tasks)
    assert other.task == task and other.history.folder == source.history.folder
    other._view.scores.value = False
    work = other.work
    press(other._view.generate, other)
    again = other.takes[0]
    assert again.name != take.name and np.array_equal(again.latents, take.latents)
    assert (again.edit, again.seeds, again.options) == (take.edit, take.seeds, take.options)
    if task != "text2music":  # which says on its take that nothing was planned
        assert work == Work.of(take, source.takes[-1])


def test_a_region_with_many_digits_comes_back_exactly(source):
    region = (1 / 3, 7.123456789)
    (take,) = Work(
        song=WORDS, seeds=(Seeds.of(1),), task="repaint", source=source.takes[0], region=region, options=SHORT
    ).carry_out(source._engine)
    kept = source.history.add(take)
    assert Studio.from_take(kept, source._engine).work.region == region


@pytest.mark.parametrize("panel", SINGLE)
def test_each_task_alone_shares_the_project_of_a_studio(source, panel):
    (task,) = panel.offered
    alone = panel(source, song=WORDS)
    assert alone.history is source.history and alone.task == task
    assert len(alone._view.grid.cards) == 1
    with pytest.raises(InputError):
        alone.task = "cover" if task != "cover" else "repaint"
    fill_source = TASK_VIEWS[task].source
    assert (alone._view.source.layout.display is None) == fill_source


def test_a_panel_works_over_an_engine_alone(tiny_engine, tmp_path):
    sound = Audio(np.random.default_rng(0).uniform(-0.3, 0.3, (2, 48_000 * 4)).astype(np.float32), 48_000)
    path = sound.save(tmp_path / "my song.wav")
    panel = Repaint(tiny_engine, project=tmp_path / "p", song=WORDS)
    panel._view.scores.value = False
    panel._form.source.list.value = "file"
    panel._form.source.path.value = str(path)
    assert panel._view.wave.sound["duration"] == 4 and panel._view.wave.sound["title"] == "my song.wav"
    panel._form.region.start.value = "2"
    panel.options, panel.seeds = SHORT, [1]
    assert panel.work.region == (2.0, 4.0)
    press(panel._view.generate, panel)
    take = panel.takes[0]
    assert take.edit.sources[0].name == "my song.wav"
    path.unlink()
    assert Repaint.from_take(take, tiny_engine).work.source.parent == panel.history.folder / "sources"


def test_a_task_that_was_not_trained_is_shown_with_the_reason(tiny_engine, tmp_path, monkeypatch):
    monkeypatch.setattr(type(tiny_engine), "kind", replace(tiny_engine.kind, tasks=COMMON_TASKS))
    studio = Studio(tiny_engine, project=tmp_path / "p")
    assert studio._view.tasks.buttons["lego"].disabled and not studio._view.tasks.buttons["cover"].disabled
    assert "was not trained for: Lego, Extract, Complete" in studio._view.reason.value


def test_a_knob_that_counts_is_to_be_seen(source):
    """A strength is hidden where it does nothing, unless it is not at its default."""
    knob = source._form.options["audio_cover_strength"].layout
    assert source.task == "text2music" and knob.display == "none"
    fill(source, "cover")
    assert knob.display is None
    source.task = "lego"
    assert knob.display is None and source._form.options["cover_noise_strength"].layout.display == "none"
    source.options = SHORT
    assert knob.display == "none"
    source.task = "text2music"
    source._form.codes.area.value = "<|audio_code_1|>"
    assert knob.display is None and source.work.source is None


def test_what_is_missing_is_told_where_it_belongs(source):
    form = source._form
    for task, place in (("cover", form.source), ("repaint", form.region), ("lego", form.tracks)):
        source.task = task
        form.source.sound = None if task == "cover" else source.takes[0]
        press(source._view.generate, source)
        assert place.error.value and source._view.message.value == "", task
    source.task = "repaint"
    form.region.start.value = "one <b>"
    assert "a time in seconds" in form.region.error.value and "<b>" not in form.region.error.value
    form.source.list.value, form.source.path.value = "file", "/nowhere/x.wav"
    press(source._view.generate, source)
    assert "sound file" in form.source.error.value


def test_the_planner_is_folded_away_with_the_reason_when_there_is_none(studio):
    assert studio._view.planner.disabled and "no planner" in studio._view.planner.tooltip
    assert studio.work.planning is None and "planning" not in studio.code
    assert studio.planning == PlanOptions()


def test_an_upload_becomes_a_source_of_the_project(source, tmp_path):
    source.task = "cover"
    data = source.takes[0].flac_bytes()
    upload(source._form.source.upload, "../../My <Song>.flac", data)
    chosen = source._form.source.sound
    assert chosen == source.history.folder / "uploads" / "my-song.flac" and chosen.read_bytes() == data
    upload(source._form.source.upload, "other.flac", b"no sound")
    assert "sound file" in source._form.source.error.value and source._form.source.sound == chosen


class TestSending:
    def test_a_card_is_sent_to_a_task_with_its_words(self, source):
        take = source.takes[0]
        source.song = Song(caption="something else")
        for task in TASKS[1:]:
            send(source, "send", take.name, to=task)
            assert source.task == task and source._form.source.sound.name == take.name
            assert source.song == take.song and source._view.source.layout.display is None
        send(source, "send", take.name, to="reference")
        assert source.task == "complete" and source._form.reference.sound.name == take.name
        assert source.work.reference.name == take.name and "reference" in source._form.used
        send(source, "send", take.name, to="nowhere")
        assert source.task == "complete"

    def test_extend_goes_on_past_the_end(self, source):
        take = source.takes[0]
        send(source, "send", take.name, to="extend")
        source.options, source.seeds = SHORT, [1]
        press(source._view.generate, source)
        longer = source.takes[0]
        assert longer.duration == pytest.approx(take.duration + 30, abs=0.05) and longer.parent == take.name
        ours, theirs = take.audio.samples, longer.audio.samples
        assert np.array_equal(ours[:, :400_000], theirs[:, :400_000])

    def test_the_region_over_the_selected_take_goes_along(self, source):
        take = source.takes[0]
        send(source, "select", take.name)
        selected = source._view.selected
        assert selected.take.name == take.name and source._view.grid.selected == take.name
        selected.wave.region = (2.0, 5.0)
        selected.ways["repaint"].click()
        assert source.task == "repaint" and source.work.region == (2.0, 5.0)
        assert source._view.wave.region == (2.0, 5.0)
        source._view.wave.region = (3.0, 6.25)
        assert source._form.region.start.value == "0:03" and source.work.region == (3.0, 6.25)
        source._form.region.end.value = "0:12"
        assert source._view.wave.region == (3.0, 12.0)
        source._form.region.all.click()
        assert source._view.wave.region is None

    def test_what_changed_since_the_parent_is_told(self, source):
        fill(source, "repaint")
        press(source._view.generate, source)
        send(source, "select", source.takes[0].name)
        told = source._view.selected.changes.value
        assert "child of Take 1" in told and "Region" in told and "Task" in told

    def test_a_selected_take_is_exported_and_scored(self, source):
        take = source.takes[0]
        send(source, "select", take.name)
        selected = source._view.selected
        selected.format.value = "wav"
        selected.export.click()
        assert (source.history.folder / "exports" / f"{take.name}.wav").stat().st_size > 1000
        selected.format.value = "lrc"
        selected.export.click()
        assert source._view.message.value
        press(selected.score, source)
        assert source.takes[0].scores is not None and selected.score.layout.display == "none"

    def test_a_take_that_is_removed_is_selected_no_more(self, source):
        name = source.takes[0].name
        send(source, "select", name)
        send(source, "remove", name)
        assert source._view.selected.take is None and source._view.selected.box.layout.display == "none"


def test_the_whole_form_is_in_the_draft(source, tiny_engine, fresh_kernel):
    fill(source, "lego")
    source._form.codes.area.value = "<|audio_code_1|> x"
    source._save_draft()
    before = source._form.raw
    folder = source.history.folder
    alone = Repaint(source)
    alone.song = Song(caption="of the other panel")
    alone._save_draft()
    fresh_kernel()
    again = Studio(tiny_engine, project=folder)
    assert again._form.raw == before and again.task == "lego"


FRESH = """
import json, sys, numpy, acestep_nb
for task, code in json.load(sys.stdin).items():
    names = {}
    exec(code, names)
    numpy.save(task, names["takes"][0].latents)
    names["takes"][0].audio.save(task + ".flac")
"""


def test_the_code_of_every_task_makes_the_same_take_bit_for_bit_in_a_fresh_process(tmp_path):
    """On nano itself, which knows every task."""
    studio = Studio("nano", project=tmp_path / "p", song=replace(WORDS, duration=10))
    studio._view.scores.value = False
    studio.options, studio.seeds = SHORT, [7]
    press(studio._view.generate, studio)
    codes, takes = {}, {}
    for task in TASKS:
        fill(studio, task)
        studio.seeds = [9]
        studio._form.reference.sound = studio.takes[-1]
        codes[task] = studio.code
        press(studio._view.generate, studio)
        takes[task] = studio.takes[0]
    subprocess.run(
        [sys.executable, "-c", FRESH], input=json.dumps(codes), text=True, check=True, cwd=tmp_path
    )
    for task, take in takes.items():
        assert take.task == task and np.array_equal(np.load(tmp_path / f"{task}.npy"), take.latents)
        made = tmp_path / f"{task}.flac"
        assert made.read_bytes() == (take.folder / "audio.flac").read_bytes()
