import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb import InputError
from acestep_nb.seeds import MAX_SEED, Seeds, batch_seeds, checked_seeds, fresh_seeds, parse_seeds


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


@given(st.integers(0, MAX_SEED))
def test_a_noise_seed_decides_the_others_unlike_itself(noise):
    seeds = Seeds.of(noise)
    assert seeds == Seeds.of(noise) and len({noise, seeds.retake, seeds.sde, seeds.reference}) == 4
    assert Seeds.of((noise + 1) % MAX_SEED).retake != seeds.retake


def test_a_batch_takes_numbers_and_records():
    own = dataclasses.replace(Seeds.of(8), retake=3)
    assert batch_seeds([7, own]) == (Seeds.of(7), own)
    assert len(batch_seeds(None)) == 1 and batch_seeds(None) != batch_seeds(None)
    for wrong in (7, [], [None], [own] * 9, "7"):
        with pytest.raises(InputError, match="seeds must be"):
            batch_seeds(wrong)


@pytest.mark.parametrize("wrong", [-1, 1.0, None, True, MAX_SEED + 1])
def test_every_seed_of_a_record_is_checked(wrong):
    with pytest.raises(InputError, match="seeds must be"):
        Seeds(1, 2, wrong, 4, 5)
