"""The scores' benchmark, small: nano sings what it is given, and every figure is there."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from acestep_nb import Line, Scores, Song, cli
from acestep_nb.bench import PARTS, scores
from acestep_nb.bench.scores import CHECKPOINT, REST, Sheet, measure
from acestep_nb.checkpoints import find
from acestep_nb.nano.evaluate import held_out
from acestep_nb.nano.music import sung
from acestep_nb.nano.tokenizer import build


@pytest.fixture(scope="module")
def tokenizer():
    return build()


@pytest.fixture(scope="module")
def sheets(tokenizer):
    songs = [(song, piece) for song, piece in held_out(30) if piece.voice]
    found = [Sheet(tokenizer, song, piece) for song, piece in songs]
    return [sheet for sheet in found if len(sheet.whole_lines) > 1]


@pytest.fixture(scope="module")
def figures():
    """Three takes, so that one unlucky one does not decide."""
    told, began = [], time.perf_counter()
    found = measure(told.append, takes=3, pairs=1, lengths=(10.0,))
    assert told == ["cost of scoring 10 s", *(f"song {number} of 3" for number in (1, 2, 3))]
    return json.loads(json.dumps(found)) | {"spent": time.perf_counter() - began}


def test_nano_sings_what_it_is_given(figures):
    """Right words beat shuffled ones, the line that was left out is the worst, and onsets are where they are."""
    truth = figures["truth"]
    assert truth["takes"] == 3 and truth["right_beats_shuffled"] == 1 and truth["deleted_line_found"] >= 0.6
    assert 0 < truth["chance"] <= 0.5 and truth["found_target"] == 0.8
    assert truth["onset_error_s"] <= truth["onset_target_s"] == 0.25


def test_every_figure_of_the_cost_is_there(figures):
    [cost] = figures["cost"]
    assert 0 < cost["score_s"] < cost["render_s"] < figures["spent"] and cost["score_s"] < cost["listen_s"]
    assert cost["share"] == pytest.approx(cost["score_s"] / cost["render_s"], abs=0.002)
    assert cost["share_with_listening"] > cost["share"] and cost["target"] == 0.15
    assert figures["benchmark"] in PARTS and figures["checkpoint"] == find(CHECKPOINT).name


def test_a_line_is_left_out_without_moving_the_others(sheets, tokenizer):
    for sheet in sheets:
        row = sheet.rows[sheet.whole_lines[0]]
        poorer = Song(caption="x", lyrics=sheet.without(sheet.whole_lines[0]))
        left = Sheet(tokenizer, poorer, sheet.piece).texts
        assert [*left[: row.start], *left[row.stop :]] == [
            *sheet.texts[: row.start],
            *sheet.texts[row.stop :],
        ]
        assert set(left[row]) == {REST, "\n"} and len(left) == len(sheet.texts)


def test_lines_are_reordered_and_none_is_lost(sheets):
    for sheet in sheets:
        lines = [line for line in "".join(sheet.texts).split("\n") if line]
        other = sheet.reordered(np.random.default_rng(0)).split("\n")
        assert sorted(other) == sorted(lines) and other != lines


def test_the_onsets_of_the_truth_have_no_error(sheets):
    for sheet in sheets:
        starts = {slot: start for start, _, slot in sung(sheet.piece)}
        firsts = [
            next((starts[slot] for slot in range(row.start, row.stop) if slot in starts), 0.0)
            for row in sheet.rows
        ]
        for late in (0.0, 0.5):
            lines = tuple(Line("", first + late, first + 1, 0.5) for first in firsts)
            errors = sheet.onset_errors(Scores("", None, lines=lines))
            assert len(errors) == len(sheet.whole_lines) and np.allclose(errors, late)


def test_the_command_line_prints_the_figures(capsys, monkeypatch):
    monkeypatch.setattr(scores, "measure", lambda on_progress: {"benchmark": "scores"})
    assert cli.main(["bench", "scores", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"benchmark": "scores"}
