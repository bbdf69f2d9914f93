import golden
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb import codes
from acestep_nb.errors import InputError


def test_rates_follow_from_each_other():
    assert codes.SAMPLES_PER_LATENT == 1920
    assert codes.LATENTS_PER_CODE == 5
    assert codes.LATENT_RATE * codes.SAMPLES_PER_LATENT == codes.SAMPLE_RATE


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [(20, 500), (10, 250), (10.02, 250), (10.06, 252), (600, 15_000), (2, 50), (0, 2), (10.1, 252)],
)
def test_latent_frames_round_in_the_references_order(seconds, frames):
    assert codes.latent_frames(seconds) == frames


WRITTEN = "<|audio_code_7|><|audio_code_42|>"
some_codes = st.lists(st.integers(0, codes.CODEBOOK - 1), max_size=40).map(tuple)


@given(some_codes)
def test_codes_are_written_and_read_back(made):
    assert codes.parse_codes(codes.format_codes(made)) == made == codes.checked_codes(list(made))


def test_spaces_and_commas_may_stand_between_codes():
    assert codes.parse_codes(" <|audio_code_7|>,\n<|audio_code_42|> ") == (7, 42)
    assert codes.parse_codes("") == ()


@pytest.mark.parametrize(
    "text", ["7, 42", "<|audio_code_-1|>", "<|audio_code_7|", f"{WRITTEN} la", "<|audio_code_64000|>"]
)
def test_text_that_is_not_only_codes(text):
    with pytest.raises(InputError, match="codes"):
        codes.parse_codes(text)


@pytest.mark.parametrize("made", [[64_000], [-1], [1.5], [True], ["7"], [None], WRITTEN, 7, None])
def test_what_is_no_codes(made):
    with pytest.raises(InputError, match="0–63999"):
        codes.checked_codes(made)


def test_a_checkpoint_may_have_a_codebook_of_its_own():
    assert codes.checked_codes(np.array([4095]), 4096) == (4095,)
    with pytest.raises(InputError, match="0–4095"):
        codes.parse_codes("<|audio_code_4096|>", 4096)


@pytest.mark.parametrize("case", golden.cases("functions/conditioning_masks.json", "parse_audio_codes"))
def test_recorded_texts_hold_the_same_codes(case):
    assert list(codes.codes_in(case["text"])) == case["codes"]


def test_codes_are_cut_by_seconds():
    made = tuple(range(50))
    assert codes.code_count(10) == 50 and codes.code_count(10.19) == 50
    assert codes.slice_codes(made, 1, 2) == (5, 6, 7, 8, 9)
    assert codes.slice_codes(made, 9, 99) == made[45:]
    assert codes.slice_codes(made, -3, 0.2) == made[:1]


@pytest.mark.parametrize("region", [(2, 2), (3, 1), (10, 12), (-2, -1)])
def test_a_region_without_codes(region):
    with pytest.raises(InputError, match="region"):
        codes.slice_codes(range(50), *region)


def test_codes_are_repeated_up_to_a_length():
    assert codes.repeat_codes((1, 2, 3), 1.4) == (1, 2, 3, 1, 2, 3, 1)
    assert codes.repeat_codes((1, 2, 3), 0.4) == (1, 2)
    with pytest.raises(InputError, match="at least one"):
        codes.repeat_codes((), 3)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: codes.slice_codes([1] * 9, float("nan"), 1), "region"),
        (lambda: codes.slice_codes([1] * 9, 0, "1"), "region"),
        (lambda: codes.slice_codes([1, -1], 0, 1), "codes"),
        (lambda: codes.repeat_codes([1], float("inf")), "seconds"),
        (lambda: codes.repeat_codes([1], 1e12), "seconds"),
        (lambda: codes.repeat_codes([1], -5), "seconds"),
        (lambda: codes.repeat_codes("1", 5), "codes"),
        (lambda: codes.mix_codes([1], [2], "half"), "share"),
        (lambda: codes.mix_codes([1], [2], float("nan")), "share"),
        (lambda: codes.format_codes([-1]), "codes"),
    ],
)
def test_what_cannot_be_cut_repeated_or_mixed(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field


@given(some_codes, some_codes, st.floats(0, 1))
def test_a_mix_lies_between(first, second, share):
    length = min(len(first), len(second))
    mixed = codes.checked_codes(codes.mix_codes(first, second, share))
    assert len(mixed) == length
    assert codes.mix_codes(first, second, 0) == first[:length]
    assert codes.mix_codes(first, second, 1) == second[:length]
    for a, b, between in zip(first, second, mixed):
        for low, x, high in zip(digits(a), digits(between), digits(b)):
            assert min(low, high) <= x <= max(low, high)


def digits(code):
    return np.unravel_index(code, codes.CODE_LEVELS[::-1])[::-1]


def test_a_mix_takes_each_digit_half_way():
    assert codes.mix_codes([0], [4 + 8 * 2], levels=(8, 8)) == (2 + 8 * 1,)
    with pytest.raises(InputError, match="share"):
        codes.mix_codes([0], [1], 1.5)
    with pytest.raises(InputError, match="0–63,") as caught:
        codes.mix_codes([64], [0], levels=(8, 8))
    assert caught.value.value == 64
