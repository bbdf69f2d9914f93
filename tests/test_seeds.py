import numpy as np
import pytest

from acestep_nb import InputError
from acestep_nb.seeds import MAX_SEED, checked_seeds, fresh_seeds, parse_seeds


def test_seeds_become_plain_ints():
    seeds = checked_seeds([0, np.int64(7), MAX_SEED])
    assert seeds == (0, 7, MAX_SEED) and all(type(seed) is int for seed in seeds)


@pytest.mark.parametrize("seeds", [[], range(9), [-1], [MAX_SEED + 1], [1.0], [True], ["7"], [None]])
def test_seeds_out_of_range_are_refused(seeds):
    with pytest.raises(InputError) as caught:
        checked_seeds(seeds)
    assert caught.value.field == "seeds" and caught.value.remedy
    assert "1–8 whole numbers 0–4,294,967,295" in str(caught.value)


@pytest.mark.parametrize("text", ["7,8", " 7 8 ", "7\n8", "7、8", "7;8,"])
def test_typed_seeds_are_parsed(text):
    assert parse_seeds(text) == (7, 8)


@pytest.mark.parametrize("text", ["", "seven", "7,-8", "7.5", "9" * 5000])
def test_typed_nonsense_is_refused(text):
    with pytest.raises(InputError, match="seeds must be"):
        parse_seeds(text)


def test_fresh_seeds_differ_and_are_usable():
    seeds = fresh_seeds(8)
    assert len(set(seeds)) == 8 and checked_seeds(seeds) == seeds
    assert fresh_seeds(8) != seeds
