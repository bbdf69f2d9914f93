"""A small version of the benchmark: both sides agree, and the figures hang together. Speed itself is not tested."""

import json

import pytest
import torch

from acestep_nb import cli
from acestep_nb.bench import PARTS, figures_of, renderer
from acestep_nb.bench.modules import Size, random_models
from acestep_nb.bench.renderer import SETTINGS, Race, matmul_peak, measure
from acestep_nb.errors import InputError
from acestep_nb.options import RenderOptions

SMALL = Size(width=64, layers=3, head_dim=16)


@pytest.fixture(scope="module")
def figures():
    told = []
    found = measure(told.append, SMALL, pairs=1, lengths=(10.0,), lyric_tokens=120)
    assert told == [f"{setting.name}, 10 s" for setting in SETTINGS]
    return json.loads(json.dumps(found))


def test_both_sides_agree_and_every_figure_is_there(figures):
    results = figures["results"]
    assert [result["setting"] for result in results] == [setting.name for setting in SETTINGS]
    for result in results:
        assert result["agrees"] and 0 < result["difference"] < 1e-3
        assert result["ratio"] == pytest.approx(result["ours_s"] / result["theirs_s"], abs=0.01)
        assert 0 < result["share_of_peak"] < 1.5 and result["step_gflops_per_s"] > 0
    assert figures["lyric_tokens"] == 120 and figures["width"] == 64


def test_a_cover_asks_the_network_once_a_step_where_the_pipeline_asks_twice():
    cover = next(setting for setting in SETTINGS if setting.options.audio_cover_strength < 1)
    race, asked = Race(random_models(SMALL, cover.kind), cover, 10.0, 50), []
    race.models.transformer.register_forward_hook(lambda *call: asked.append(1))
    race.ours(cover.options)
    ours = len(asked)
    race.theirs(cover.options)
    assert (ours, len(asked) - ours) == (8, 16)


def test_what_is_raced_is_music_in_numbers():
    """Not silence, nor noise that came through unchanged."""
    race = Race(random_models(SMALL, "turbo"), SETTINGS[0], 10.0, 50)
    latents = race.ours(RenderOptions())
    assert latents.shape == (2, 250, 64) and latents.std() > 0.1
    assert not torch.allclose(latents[0], latents[1], atol=0.1)


def test_the_peak_is_that_of_a_matrix_product():
    assert matmul_peak(128, 3) > 1e7


def test_the_command_line_prints_the_figures(capsys, monkeypatch):
    small = measure(lambda words: None, SMALL, pairs=1, lengths=(10.0,), lyric_tokens=20)
    monkeypatch.setattr(renderer, "measure", lambda on_progress: small)
    assert cli.main(["bench", "renderer", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(small))


def test_an_unknown_part_is_told(capsys):
    with pytest.raises(InputError, match=f"part must be one of {', '.join(PARTS)}"):
        figures_of("kitchen", print)
    assert cli.main(["bench", "kitchen", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["field"] == "part"
