"""The adapters' panel does what `engine.adapters` does, and tells what is wrong where it is pressed."""

from __future__ import annotations

import re
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
from helpers_songs import write_songs
from panel_helpers import said

from acestep_nb import Engine, RenderOptions, Song, Studio
from acestep_nb.panels import Lora


def latents_of(engine):
    options = RenderOptions(inference_steps=2)
    return engine.generate(Song(caption="piano", duration=10), seeds=[7], options=options)[0].latents


def words(text) -> str:
    return re.sub("<[^>]*>", "", text.value)


@pytest.fixture
def engine(tiny_models):
    engine = Engine(tiny_models)
    yield engine
    engine.adapters.unload()


@pytest.fixture
def panel(engine, tmp_path):
    panel = Lora(engine)
    panel.songs.value, panel.out.value = str(write_songs(tmp_path / "songs")), str(tmp_path / "lora")
    for name, value in {"rank": 4, "alpha": 8, "epochs": 2, "learning_rate": 0.05}.items():
        panel.knobs[name].value = value
    return panel


def train(panel) -> None:
    panel.train.click()
    panel.thread.join(120)
    assert not panel.thread.is_alive() and not panel.train.disabled and panel.stop.layout.display == "none"


def test_songs_are_learned_loaded_weighed_muted_and_taken_out(panel, engine):
    before = latents_of(engine)
    train(panel)
    assert words(panel.message) == "" and "step 6/6" in words(panel.told)
    assert bytes(panel.curve.value).startswith(b"\x89PNG") and panel.curve.layout.display is None
    panel.load.click()
    [row] = panel.rows.children
    on, scale, out = row.children
    whole = latents_of(engine)
    assert on.value and scale.value == 1 and not np.array_equal(before, whole)
    scale.value = 0.5
    assert engine.adapters[on.description].scale == 0.5 and not np.array_equal(whole, latents_of(engine))
    on.value = False
    assert np.array_equal(before, latents_of(engine))
    out.click()
    assert panel.rows.children == () and len(engine.adapters) == 0


def test_the_code_of_a_studio_loads_the_adapters_that_are_at_work(panel, engine, tmp_path):
    train(panel)
    panel.load.click()
    adapter = engine.adapters.change(next(iter(engine.adapters)).name, scale=0.25)
    studio = Studio(engine, project=tmp_path / "rain", song=Song(caption="piano"))
    line = f'engine.adapters.load(\n    "{adapter.source}",\n    name="{adapter.name}",\n    scale=0.25,\n)'
    assert line in studio.code and studio.code.index(line) < studio.code.index("engine.generate")
    engine.adapters.change(adapter.name, on=False)
    assert "adapters" not in studio.code


def test_stopped_and_gone_on_with(panel):
    panel.knobs["epochs"].value = 2000
    panel.train.click()
    while "step 2/" not in words(panel.told) and panel.thread.is_alive():
        panel.thread.join(0.01)
    assert panel.train.disabled and panel.stop.layout.display is None
    panel.stop.click()
    panel.thread.join(60)
    assert "stopped" in words(panel.told) and (Path(panel.out.value) / "state.safetensors").is_file()
    panel.train.click()
    while "step " not in words(panel.told) and panel.thread.is_alive():
        panel.thread.join(0.01)
    assert int(re.search(r"step (\d+)/", words(panel.told))[1]) >= 2
    panel.stop.click()
    panel.thread.join(60)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda panel: setattr(panel.knobs["rank"], "value", 0), "Rank must be 1–256"),
        (lambda panel: setattr(panel.songs, "value", " "), "name the songs"),
        (lambda panel: setattr(panel.songs, "value", "nowhere"), "nowhere is not there"),
        (lambda panel: setattr(panel.songs, "value", "nowhere.json"), "nowhere.json is not there"),
    ],
)
def test_what_cannot_be_trained_is_told_under_its_field(panel, change, told):
    change(panel)
    panel.train.click()
    if panel.thread is not None:
        panel.thread.join(60)
    assert told in said(panel) and words(panel.message) == "" and not panel.train.disabled


def test_what_cannot_be_loaded_is_told(panel, tmp_path):
    panel.source.value = str(tmp_path)
    panel.load.click()
    assert "adapter_config.json" in words(panel.errors["adapter"]) and panel.rows.children == ()


def test_a_number_tells_its_range_when_the_mouse_rests_on_it(panel):
    rank = panel.knobs["rank"]
    told = rank.tooltip if rank.has_trait("tooltip") else rank.description_tooltip  # ipywidgets 8 and 7
    assert "1–256" in told


def test_nothing_of_the_panel_stands_in_the_way_of_the_notebook(panel):
    own = {name for name, value in vars(Lora).items() if callable(value) or isinstance(value, property)}
    assert {name for name in own if hasattr(ipywidgets.VBox, name)} == {"__init__"} and "Lora(" in repr(panel)
