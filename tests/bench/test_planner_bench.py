"""The planner's benchmark, small: both sides write the same, and every figure is there."""

import json

from acestep_nb.bench import PARTS
from acestep_nb.bench.planner import CODEBOOK, FIRST_CODE, VOCABULARY, Size, large_tokenizer, measure
from acestep_nb.planner.grammar import audio_code_ids

SMALL = Size(width=64, layers=2, heads=2, head_dim=32)


def test_both_sides_write_the_same_and_are_measured():
    told = []
    figures = measure(told.append, SMALL, codes=8, pairs=2)
    assert figures["agrees"] and len(figures["ratios"]) == 2 and told
    assert figures["ours_codes_per_s"] > 0 < figures["theirs_codes_per_s"]
    assert 0 < figures["grammar"]["ms_per_step"] < figures["grammar"]["step_ms"]
    assert figures["memory"]["share_of_bandwidth"] > 0
    assert json.loads(json.dumps(figures)) == figures and figures["benchmark"] in PARTS


def test_the_made_up_tokenizer_is_as_large_as_the_released_one():
    tokenizer = large_tokenizer()
    assert len(tokenizer) == VOCABULARY
    assert audio_code_ids(tokenizer) == {code: FIRST_CODE + code for code in range(CODEBOOK)}


def test_the_size_counts_its_weights():
    import torch

    network = SMALL.network(torch.device("cpu"), torch.float32)
    counted = sum(weight.numel() for weight in network.parameters())
    assert abs(SMALL.weights - counted) < 0.01 * counted
