"""What comes from elsewhere: parameter files that fill the form, and takes that takes were made from."""

from __future__ import annotations

import json

import pytest
from panel_helpers import said, upload

from acestep_nb import Edit, History, InputError, RenderOptions, RepaintOptions, Seeds, Song
from acestep_nb.edits import Source


def choose(studio, record: object) -> None:
    """Choose a file in the browser."""
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    upload(studio._view.opening.button, "params.json", data)


def test_the_originals_parameters_fill_the_form(studio):
    record = {"caption": "drums", "bpm": 92, "keyscale": "Am", "seed": 11, "shift": 2, "thinking": False}
    assert studio.open_params(json.dumps(record)) == ()
    assert studio.song == Song("drums", bpm=92, keyscale="A minor") and studio.options == RenderOptions(
        shift=2
    )
    assert studio.seeds == (Seeds.of(11),) and not studio.planning.thinking


def test_what_cannot_be_taken_over_is_told(studio):
    choose(studio, {"caption": "drums", "bpm": 12, "task_type": "cover", "src_audio": "/nowhere/a.flac"})
    assert studio.task == "cover" and studio._form.song.raw["caption"] == "drums"
    told = said(studio._view.message)
    assert "bpm 12" in told and "/nowhere/a.flac" in told
    assert any("bpm 12" in line.text for line in studio._session.log)


def test_a_repaint_is_opened_with_its_source(studio, make_take, tmp_path):
    source = studio.history.add(make_take())
    edit = Edit(
        task="repaint",
        sources=(Source.of(source.audio, source.name),),
        region=(0.0, 0.1),
        repaint=RepaintOptions("conservative"),
    )
    assert studio.open_params(make_take(seed=9, edit=edit).to_json()) == ()
    work = studio.work
    assert (work.task, work.source.name, work.region) == ("repaint", source.name, (0.0, 0.1))
    assert work.repaint == edit.repaint and work.seeds == (Seeds.of(9),)
    file = tmp_path / "a.wav"
    source.audio.save(file)
    record = {
        "task_type": "repaint",
        "src_audio": str(file),
        "repainting_start": 0.05,
        "reference_audio": str(file),
    }
    assert studio.open_params(json.dumps(record)) == ()
    assert studio._form.source.sound == file == studio._form.reference.sound
    assert studio._form.region.ends == (0.05, 0.2), "to the end of the source"


def test_what_is_no_file_of_parameters_changes_nothing(studio):
    studio.song = Song("as it was")
    choose(studio, b"{")
    assert "parameters cannot be read" in said(studio._view.message)
    assert studio.song == Song("as it was")
    with pytest.raises(InputError):
        studio.open_params("[]")


def test_the_same_file_can_be_opened_again(studio):
    choose(studio, {"caption": "one"})
    studio.song = Song("two")
    choose(studio, {"caption": "one"})
    assert studio.song.caption == "one" and len(History(studio.history.folder)) == 0


def test_the_selected_take_shows_what_it_comes_from(studio, make_take):
    first = studio.history.add(make_take(seed=1))
    child = studio.history.add(make_take(seed=2, parent=first.name))
    alone = studio.history.add(make_take(seed=3, caption="<b>"))
    chosen = studio._view.selected
    for take, family in ((first, True), (child, True), (alone, False)):
        studio._session.renew("more takes")
        studio._select(take)
        assert (chosen.family.layout.display != "none") == family
        assert (first.name in chosen.tree.value) == (child.name in chosen.tree.value) == family
    assert "<b>" not in chosen.tree.value
