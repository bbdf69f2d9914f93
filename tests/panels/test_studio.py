"""The studio over a real engine with a tiny random model: press, wait, look."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest
from panel_helpers import WORDS, finish, press, said, send, until

from acestep_nb import Cancelled, InputError, ProjectError, RenderOptions, Seeds, Song, Studio


def test_one_click_makes_a_batch_and_keeps_it(studio, capsys):
    heard = []
    studio._view.bar.observe(lambda change: heard.append(change["new"]), "value")
    studio.seeds = [7, 8]
    began = time.monotonic()
    studio._view.generate.click()
    assert time.monotonic() - began < 0.5, "the press returns at once"
    assert not studio._view.stop.disabled
    finish(studio)
    assert [take.seed for take in studio.takes] == [8, 7] and studio.takes[0].song == WORDS
    assert [card["title"] for card in studio._view.grid.cards] == ["Take 2", "Take 1"]
    assert all(take.folder.is_dir() for take in studio.takes)
    assert heard == sorted(heard) and heard[-1] > 0.3, "progress moves, and forwards"
    assert not studio._view.generate.disabled and studio._view.grid.waiting == []
    assert capsys.readouterr().out == ""


def test_it_says_what_is_going_on(studio):
    words, ghosts = [], []
    studio._view.words.observe(lambda change: words.append(change["new"]), "value")
    studio._view.grid.observe(lambda change: ghosts.append(change["new"]), "waiting")
    studio.seeds = [7, 8]
    press(studio._view.generate, studio)
    assert any("rendering take 1 of 2 · step" in line for line in words)
    assert ["waiting", "waiting"] in ghosts and any("rendering" in line for lines in ghosts for line in lines)


def test_free_seeds_change_and_locked_ones_stay(studio):
    studio._form.seeds.batch.value = 1
    press(studio._view.generate, studio)
    press(studio._view.generate, studio)
    assert studio.takes[0].seed != studio.takes[1].seed and studio.seeds == (studio.takes[0].seeds,)
    studio._form.seeds.noise.lock.value = True
    press(studio._view.generate, studio)
    assert studio.takes[0].seed == studio.takes[1].seed


def test_the_code_makes_the_same_takes(studio, tiny_engine, monkeypatch):
    studio.seeds, studio.options = [7], RenderOptions(inference_steps=2)
    press(studio._view.generate, studio)
    monkeypatch.setattr("acestep_nb.Engine", type("Loader", (), {"load": lambda name: tiny_engine}))
    names: dict = {}
    exec(studio.code, names)
    assert np.array_equal(names["takes"][0].latents, studio.takes[0].latents)


def test_python_does_what_the_button_does(studio):
    studio.song, studio.seeds = WORDS, [5]
    takes = studio.generate().wait(60)
    assert [take.seed for take in takes] == [5] and [take.seed for take in studio.takes] == [5]


def test_stop_keeps_what_is_ready(studio):
    studio.seeds = range(1, 9)
    studio.options = RenderOptions(inference_steps=20)
    job = studio.generate()
    while not studio.takes:
        time.sleep(0.005)
    studio._view.stop.click()
    with pytest.raises(Cancelled):
        job.wait(30)
    assert 1 <= len(studio.takes) < 8 and "stopped" in said(studio)
    assert len(studio._view.grid.cards) == len(studio.takes) and not studio._view.generate.disabled


def test_a_new_kernel_brings_everything_back(studio, tiny_engine, tmp_path, fresh_kernel):
    studio.seeds = [7, 8]
    press(studio._view.generate, studio)
    send(studio, "star", studio.takes[1].name, on=True)
    studio._form.song.views["caption"].area.value = "not sent yet"
    studio._form.song.views["bpm"].field.value = 12
    time.sleep(0.7)
    fresh_kernel()
    again = Studio(tiny_engine, project=tmp_path / "rain", song=WORDS)
    assert again._session is not studio._session
    assert [take.name for take in again.takes] == [take.name for take in studio.takes]
    assert [card["starred"] for card in again._view.grid.cards] == [False, True]
    assert again._form.song.raw["caption"] == "not sent yet" and again._form.song.raw["bpm"] == 12
    assert again.seeds == (Seeds.of(7), Seeds.of(8)) and again._form.seeds.noise.lock.value


def test_another_song_in_the_cell_replaces_the_draft(studio, tiny_engine, tmp_path, fresh_kernel):
    studio._form.song.views["caption"].area.value = "draft"
    studio._save_draft()
    fresh_kernel()
    other = Song(caption="another")
    assert Studio(tiny_engine, project=tmp_path / "rain", song=other).song == other


def test_a_draft_from_elsewhere_does_no_harm(studio, tiny_engine, tmp_path, fresh_kernel):
    studio.history.draft = {"song": {"bpm": "x", "lyrics": 3}, "options": [], "seeds": {"text": None}}
    fresh_kernel()
    assert Studio(tiny_engine, project=tmp_path / "rain").song == Song()


def test_running_the_cell_again_shows_the_batch_that_is_under_way(studio, tiny_engine, tmp_path, monkeypatch):
    studio.seeds = [1, 2, 3, 4]
    keep, shown = studio._session._keep, threading.Event()
    monkeypatch.setattr(studio._session, "_keep", lambda *take: (keep(*take), shown.wait(60)))
    job = studio.generate()
    until(lambda: studio.takes)
    again = Studio(tiny_engine, project=tmp_path / "rain", song=WORDS)
    assert not again._view.stop.disabled and "take" in said(again._view.words)
    shown.set()
    job.wait(60)
    finish(again)
    assert [card["title"] for card in again._view.grid.cards] == ["Take 4", "Take 3", "Take 2", "Take 1"]


def test_a_wrong_knob_is_told_there_and_nothing_is_lost(studio):
    studio._form.song.views["bpm"].field.value = 12
    press(studio._view.generate, studio)
    assert "30–300" in studio._form.song.views["bpm"].error.value and studio.takes == []
    with pytest.raises(InputError):
        studio.generate()
    studio._form.song.views["bpm"].field.value = 80
    press(studio._view.generate, studio)
    assert len(studio.takes) == 2


def test_an_empty_form_says_what_is_missing(tiny_engine, tmp_path):
    empty = Studio(tiny_engine, project=tmp_path / "empty")
    press(empty._view.generate, empty)
    assert "both empty" in empty._form.song.views["caption"].error.value


def test_a_full_disk_loses_no_take(studio, monkeypatch):
    full = ProjectError("no space left", field="project", remedy="Free some space.")
    real = type(studio.history).add

    def refuse(history, take):
        raise full

    monkeypatch.setattr(type(studio.history), "add", refuse)
    studio.seeds = [7, 8]
    press(studio._view.generate, studio)
    assert "Free some space" in studio._view.message.value
    assert [card["title"] for card in studio._view.grid.cards] == ["Not kept yet", "Not kept yet"]
    monkeypatch.setattr(type(studio.history), "add", real)
    send(studio, "keep", studio._view.grid.cards[0]["id"])
    assert [take.seed for take in studio.history.takes] == [8, 7] and studio._view.message.value == ""


def test_a_mistake_of_ours_is_shown_and_written_down(studio, tiny_engine, monkeypatch):
    def fail(*_arguments, **_hooks):
        raise ZeroDivisionError("oh <no>")

    with monkeypatch.context() as patch:
        patch.setattr(tiny_engine, "generate", fail)
        press(studio._view.generate, studio)
    assert "ZeroDivisionError: oh &lt;no&gt;" in studio._view.message.value
    assert "Traceback" in studio._view.history.text
    assert "ZeroDivisionError" in (studio.history.folder / "errors.log").read_text()
    press(studio._view.generate, studio)
    assert len(studio.takes) == 2 and studio._view.message.value == ""


def test_a_damaged_checkpoint_is_told_and_can_be_mended(own_checkpoint, tmp_path):
    config = own_checkpoint / "transformer" / "config.json"
    text = config.read_text()
    config.write_text("{")
    studio = Studio(str(own_checkpoint), project=tmp_path / "p", song=WORDS)
    press(studio._view.generate, studio)
    assert "config.json" in studio._view.message.value
    config.write_text(text)
    press(studio._view.generate, studio)
    assert len(studio.takes) == 2 and "tiny" not in studio._view.message.value


def test_a_folder_that_cannot_be_one_is_refused_in_the_cell(tiny_engine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="file"):
        Studio(tiny_engine, project=tmp_path / "file")


class TestCards:
    @pytest.fixture
    def studio(self, studio, make_take):
        for seed in range(14):
            studio.history.add(make_take(seed=seed, caption=f"song {seed}"))
        studio._session.renew("songs from elsewhere")
        return studio

    def test_a_page_of_the_newest_and_a_button_for_more(self, studio):
        grid, older = studio._view.grid, studio._view.older
        assert len(grid.cards) == 12 and grid.cards[0]["title"] == "Take 14" and older.layout.display is None
        older.click()
        assert len(grid.cards) == 14 and older.layout.display == "none"

    def test_stars_are_kept_and_filter(self, studio):
        name = studio.takes[3].name
        send(studio, "star", name, on=True)
        assert studio.history.starred == {name}
        studio._view.filter.value = "starred"
        assert [card["id"] for card in studio._view.grid.cards] == [name]
        send(studio, "star", name, on=False)
        assert studio._view.grid.cards == []

    def test_reuse_fills_the_form(self, studio):
        take = studio.takes[2]
        send(studio, "reuse", take.name)
        assert (studio.song, studio.options, studio.seeds) == (take.song, take.options, (take.seeds,))
        assert studio._form.seeds.noise.lock.value

    def test_remove_can_be_undone(self, studio):
        names = [take.name for take in studio.takes]
        send(studio, "remove", names[0])
        assert [take.name for take in studio.takes] == names[1:]
        assert studio._view.undo.layout.display is None
        studio._view.undo.click()
        assert [take.name for take in studio.takes] == names and studio._view.undo.layout.display == "none"

    def test_removing_what_is_gone_is_told(self, studio):
        card = studio._view.grid.cards[0]["id"]
        studio.history.remove(studio.takes[0])
        send(studio, "remove", card)
        assert card in studio._view.message.value


def test_nothing_that_is_typed_becomes_markup(studio):
    evil = "<script>alert(1)</script>"
    studio.song = Song(caption=evil, lyrics=evil, duration=10)
    studio._view.code.value = True
    studio._form.seeds.noise.field.value = evil
    press(studio._view.generate, studio)
    studio._session.note(evil)
    shown = said(studio).replace(studio.children[0].value, "")
    assert "<script" not in shown and "&lt;script" in shown


def test_the_code_fold_follows_the_form(studio):
    studio._view.code.value = True
    studio.seeds = [7]
    assert "seeds=[7]" in studio._view.python.text
    studio._form.song.views["bpm"].field.value = 12
    assert studio._view.python.text.startswith("# bpm must be")


def test_importing_the_panel_loads_no_torch():
    import subprocess

    code = "import sys, acestep_nb; acestep_nb.Studio; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
