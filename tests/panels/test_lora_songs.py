"""The songs of a dataset in a panel: heard, corrected, labelled and saved, and the training heard as it goes on."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers_songs import write_songs
from panel_helpers import said, until
from planners import build_planner

from acestep_nb import Engine
from acestep_nb.adapters.dataset import INSTRUMENTAL, Dataset
from acestep_nb.panels import Lora
from acestep_nb.panels.songs import PAGE


def words(text) -> str:
    return re.sub("<[^>]*>", "", text.value)


def drawn(table):
    """The cards, once every waveform is read."""
    table._drawing.join(60)
    return table.cards.cards


@pytest.fixture
def panel(tiny_models, tmp_path):
    panel = Lora(Engine(tiny_models))
    panel.songs.value, panel.out.value = str(write_songs(tmp_path / "songs")), str(tmp_path / "lora")
    return panel


@pytest.fixture
def table(panel):
    panel.look.click()
    assert panel.table.box.layout.display is None
    return panel.table


def test_ten_songs_at_a_time_whose_sound_is_sent_when_it_is_played(panel, tmp_path, monkeypatch):
    write_songs(tmp_path / "songs", count=13, seconds=1)
    panel.look.click()
    table, sent = panel.table, []
    cards = drawn(table)
    assert [card["title"] for card in cards] == sorted(f"song{n}.wav" for n in range(13))[:PAGE]
    assert all(len(card["peaks"]) == 400 and not card["problem"] for card in cards)
    assert cards[0]["facts"] == ["100 bpm", "A minor"] and cards[0]["caption"] == "piano ballad 0"
    assert "13 songs" in words(table.count) and words(table.pages) == "1–10 of 13" and table.back.disabled
    table.on.click()
    assert len(drawn(table)) == 3 and words(table.pages) == "11–13 of 13" and table.on.disabled
    monkeypatch.setattr(table.cards, "send", lambda content, buffers=(): sent.append((content, buffers)))
    table.cards._handle_custom_msg({"kind": "sound", "id": "12", "request": 1}, [])
    [(content, [sound])] = sent
    assert content["kind"] == "sound" and bytes(sound).startswith(b"fLaC")
    table.back.click()
    assert len(drawn(table)) == PAGE


def test_a_file_that_is_no_sound_is_told_on_its_card(table, tmp_path):
    (tmp_path / "songs" / "song1.wav").write_bytes(b"no sound")
    table.show(table.dataset)
    problems = [card["problem"] for card in drawn(table)]
    assert problems[0] == problems[2] == "" and "cannot be read as sound" in problems[1]


def test_what_is_typed_is_taken_over_and_saved_as_the_exchanged_json(panel, table):
    table.cards._handle_custom_msg({"kind": "edit", "id": str(drawn(table)[1]["id"])}, [])
    assert table.editor.layout.display is None and words(table.title) == "song1.wav"
    form = table.form.views
    form["caption"].value, form["bpm"].value, form["keyscale"].value = "slow strings", 64, None
    assert form["lyrics"].box.layout.display == "none"
    table.instrumental.value = False
    form["lyrics"].value, form["vocal_language"].value = "[Verse]\nover the sea", "en"
    table.tag.value = "zyx"
    saved = panel.table.path.value
    table.save.click()
    back = Dataset.load(saved)
    sample = back.samples[1]
    assert (sample.caption, sample.bpm, sample.keyscale) == ("slow strings", 64, "")
    assert (sample.lyrics, sample.language) == ("[Verse]\nover the sea", "en") and sample.labeled
    assert not sample.is_instrumental and back.captions[1] == "zyx, slow strings"
    assert back == table.dataset and set(json.loads(Path(saved).read_text("utf-8"))) == {
        "metadata",
        "samples",
    }
    assert panel.songs.value == saved and table.box.layout.display is None
    assert next(card for card in drawn(table) if card["id"] == "1")["caption"] == "slow strings"
    table.instrumental.value = True
    assert table.dataset.samples[1].lyrics == INSTRUMENTAL


def test_lyrics_come_back_when_a_song_sings_after_all(table):
    table.open(0)
    assert not table.instrumental.value and table.form.raw["lyrics"] == "[Verse]\nla la la"
    table.instrumental.value = True
    assert table.dataset.samples[0].lyrics == INSTRUMENTAL
    table.instrumental.value = False
    assert table.dataset.samples[0].lyrics == "[Verse]\nla la la"


def test_a_wrong_value_is_told_under_its_field_and_not_taken_over(table):
    table.open(0)
    before = table.dataset
    table.form.views["bpm"].value = 999
    assert "30–300" in words(table.form.views["bpm"].error) and table.dataset == before
    table.open(1)
    assert words(table.title) == "song0.wav" and "Correct the marked field" in words(table.message)
    table.save.click()
    assert not (before.folder / "dataset.json").exists()
    table.form.views["bpm"].value = 90
    table.open(1)
    assert words(table.title) == "song1.wav" and words(table.message) == ""
    assert table.dataset.samples[0].bpm == 90 and table.dataset.samples[1] == before.samples[1]


def test_songs_that_stay_are_not_taken_from_the_page_while_one_is_edited(table):
    drawn(table)
    shown = []
    table.cards.observe(lambda change: shown.append(len(change["new"])), "cards")
    table.open(1)
    table.form.views["caption"].value = "bells"
    assert set(shown) == {3}, "a card that goes takes its sound with it"


def test_a_hint_on_a_caption_is_fixed_at_a_press(table):
    table.open(2)
    form = table.form
    form.views["caption"].value = "piano ballad, 90 bpm"
    hint = next(hint for hint in form.hints if hint.span[0] == "caption" and hint.fix is not None)
    form.fix(hint)
    sample = table.dataset.samples[2]
    assert "bpm" not in sample.caption and sample.caption == form.raw["caption"]


def test_what_cannot_be_saved_is_told_under_its_field(table, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path in (" ", str(tmp_path / "file" / "x.json")):
        table.path.value = path
        table.save.click()
        assert words(table.errors["dataset"]) or words(table.message)
    table.path.value = str(tmp_path / "new" / "x.json")
    table.save.click()
    assert (tmp_path / "new" / "x.json").is_file() and "<span" not in table.errors["dataset"].value


def test_other_songs_take_the_place_of_those_that_are_shown(panel, table):
    panel.songs.value = "elsewhere"
    assert table.dataset is None and table.box.layout.display == "none"
    panel.look.click()
    assert "elsewhere" in words(panel.errors["songs"])


def test_without_a_planner_nothing_is_labelled_and_the_panel_says_why(table):
    assert table.label.disabled and "planner" in words(table.why)


def test_songs_are_labelled_while_a_person_goes_on_writing(tiny_checkpoint, tmp_path, monkeypatch):
    thinking = Engine.load(tiny_checkpoint, device="cpu", planner=build_planner(tmp_path / "planner"))
    codes_of, wait = thinking.codes, threading.Event()

    def few(audio, cancel=None):
        wait.wait(60)
        return tuple(code % 60 for code in codes_of(audio, cancel=cancel))

    monkeypatch.setattr(thinking, "codes", few)  # the tiny planner knows but 65 of them
    panel = Lora(thinking)
    panel.songs.value = str(write_songs(tmp_path / "songs"))
    panel.look.click()
    table = panel.table
    bare = [replace(sample, labeled=False, bpm=None) for sample in table.dataset.samples]
    table.show(replace(table.dataset, samples=tuple(bare)))
    assert not table.label.disabled and "not labelled" in said(table.box)
    table.label.click()
    thread = table.thread
    assert table.label.disabled and table.stop.layout.display is None
    table.open(1)
    table.form.views["caption"].value = "mine"
    wait.set()
    thread.join(120)
    assert [sample.labeled for sample in table.dataset.samples] == [True] * 3
    assert [sample.caption for sample in table.dataset.samples] == [
        "piano ballad 0",
        "mine",
        "piano ballad 2",
    ]
    assert table.dataset.samples[1].bpm is None and not table.label.disabled
    assert all("not labelled" not in card["facts"] for card in drawn(table))


def test_a_training_is_heard_as_it_goes_on_and_compared_when_it_is_done(panel, table):
    quick = {"rank": 4, "alpha": 8, "epochs": 6, "learning_rate": 0.05, "preview_every": 1}
    for name, value in quick.items():
        panel.knobs[name].value = value
    table.open(0)
    table.form.views["caption"].value = "bells"  # what is shown is what is learned, saved or not
    panel.train.click()
    until(lambda: panel.previews.cards, what="the first preview")
    assert panel.previews.cards[0]["title"] == "before the first step"
    panel.thread.join(300)
    assert words(panel.message) == ""
    titles = [card["title"] for card in panel.previews.cards]
    assert titles == ["before the first step", *(f"after epoch {n}" for n in (4, 5, 6))]
    takes = panel.previews.takes
    assert {take.song.caption for take in takes} == {"bells"} and {take.seed for take in takes} == {7}
    [compare] = panel.comparison.children
    assert [track["title"] for track in compare.tracks] == ["Scale 0", "Scale 0.5", "Scale 1"]
    without, half, whole = (take.latents for take in compare._takes)
    assert np.array_equal(without, takes[0].latents) and np.array_equal(whole, takes[-1].latents)
    assert not np.array_equal(without, half) and not np.array_equal(half, whole)
    assert len(panel.engine.adapters) == 0 and "step 18/18" in words(panel.told)
