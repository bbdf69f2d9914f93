"""The planner's benchmark, small: both sides write the same, and every figure is there."""

import json
from dataclasses import replace
from types import SimpleNamespace

import torch

from acestep_nb.bench import PARTS, planner
from acestep_nb.bench.planner import CODEBOOK, FIRST_CODE, VOCABULARY, Size, large_tokenizer, measure
from acestep_nb.planner.grammar import audio_code_ids

SMALL = Size(width=64, layers=2, heads=2, head_dim=32)


def test_both_sides_write_the_same_and_are_measured():
    told = []
    figures = measure(told.append, SMALL, codes=8, pairs=2)
    assert figures["agrees"] and len(figures["ratios"]) == figures["pairs"] == 2
    assert "run 2 of 2: theirs, take 4 of 4" in told and "run 1 of 2: ours, code 0 of 8" in told
    assert figures["ours_codes_per_s"] > 0 < figures["theirs_codes_per_s"]
    assert 0 < figures["grammar"]["ms_per_step"] < figures["grammar"]["step_ms"]
    assert figures["memory"]["share_of_bandwidth"] > 0
    assert json.loads(json.dumps(figures)) == figures and figures["benchmark"] in PARTS


def test_a_slow_machine_runs_fewer_pairs_of_a_smaller_model(monkeypatch):
    monkeypatch.setattr(planner, "_RACE_SECONDS", 0.0)
    cpu, told = torch.device("cpu"), []
    sizes = [SMALL, replace(SMALL, layers=1)]
    race, size, agrees = planner._racers(sizes, cpu, torch.float32, 4, told.append)
    assert size.layers == race.network.config.num_hidden_layers == 1 and agrees
    assert sum("making a model" in words for words in told) == 2
    assert {name: len(runs) for name, runs in planner._raced(race, 3, told.append).items()} == {
        "ours": 1,
        "theirs": 1,
    }


def test_memory_decides_which_sizes_are_tried(monkeypatch):
    for gigabytes, layers in ((16, [28, 14, 7, 3]), (6, [14, 7, 3]), (1, [3])):
        free = SimpleNamespace(available=gigabytes * 1e9)
        monkeypatch.setattr(planner.psutil, "virtual_memory", lambda free=free: free)
        sizes = planner._fitting(torch.device("cpu"), torch.float32)
        assert [size.layers for size in sizes] == layers


def test_the_made_up_tokenizer_is_as_large_as_the_released_one():
    tokenizer = large_tokenizer()
    assert len(tokenizer) == VOCABULARY
    assert audio_code_ids(tokenizer) == {code: FIRST_CODE + code for code in range(CODEBOOK)}


def test_the_size_counts_its_weights():
    network = SMALL.network(torch.device("cpu"), torch.float32)
    counted = sum(weight.numel() for weight in network.parameters())
    assert abs(SMALL.weights - counted) < 0.01 * counted
