"""Machines from no card at all to 141 GB, and what is promised of each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb.checkpoints.fit import (
    FORESEEN,
    LADDER,
    LONGEST,
    MOST_TAKES,
    NARROW,
    WIDE,
    Machine,
    Placement,
    Wish,
    advised_planner,
    fit,
    needed,
    sparer,
    tier,
)
from acestep_nb.checkpoints.registry import model, models
from acestep_nb.checkpoints.weighing import Weights
from acestep_nb.errors import InputError
from acestep_nb.placing import foreseen, wish_of

# device, name, GiB that are free, bfloat16; then turbo and xl-sft as they are placed there: number format,
# planner, what was given up, takes at once, longest song. Float32 where bfloat16 is not native, never float16.
MACHINES = [
    ("cuda", "a driver and no card", 0, True, "unfit", "unfit"),
    ("cuda", "GT 1030 2GB", 1.9, False, "unfit", "unfit"),
    ("cuda", "GTX 1650 4GB", 3.8, False, "fp32 none tiled offload int8 x1 150s", "unfit"),
    ("cuda", "RTX 3050 4GB", 3.8, True, "bf16 none tiled offload int8 x1 330s", "unfit"),
    ("cuda", "GTX 1060 6GB", 5.9, False, "fp32 0.6B tiled offload int8 x1 360s", "unfit"),
    ("cuda", "RTX 2060 6GB", 5.8, False, "fp32 0.6B tiled offload int8 x1 360s", "unfit"),
    ("cuda", "RTX 4050 6GB", 5.8, True, "bf16 0.6B tiled offload x1 450s", "unfit"),
    ("cuda", "GTX 1080 8GB", 7.9, False, "fp32 1.7B tiled offload int8 x2 480s", "unfit"),
    ("cuda", "RTX 2070 8GB", 7.8, False, "fp32 1.7B tiled offload int8 x2 480s", "unfit"),
    (
        "cuda",
        "RTX 3070 8GB",
        7.8,
        True,
        "bf16 1.7B tiled offload x2 480s",
        "bf16 1.7B tiled offload int8 x1 180s",
    ),
    (
        "cuda",
        "RTX 3080 10GB",
        9.8,
        True,
        "bf16 1.7B tiled offload x2 480s",
        "bf16 1.7B tiled offload int8 x2 300s",
    ),
    (
        "cuda",
        "GTX 1080 Ti 11GB",
        11.0,
        False,
        "fp32 1.7B tiled offload x2 450s",
        "fp32 1.7B tiled offload int8 x1 180s",
    ),
    (
        "cuda",
        "K80 12GB",
        11.2,
        False,
        "fp32 1.7B tiled offload x2 480s",
        "fp32 1.7B tiled offload int8 x1 180s",
    ),
    ("cuda", "RTX 3060 12GB", 11.8, True, "bf16 1.7B tiled x2 300s", "bf16 1.7B tiled offload x1 210s"),
    ("cuda", "RTX 4070 12GB", 11.7, True, "bf16 1.7B tiled x2 300s", "bf16 1.7B tiled offload x1 210s"),
    (
        "cuda",
        "T4 15GB",
        14.6,
        False,
        "fp32 1.7B tiled offload x4 480s",
        "fp32 1.7B tiled offload int8 x2 270s",
    ),
    (
        "cuda",
        "P100 16GB",
        15.9,
        False,
        "fp32 1.7B tiled offload x4 480s",
        "fp32 1.7B tiled offload int8 x2 330s",
    ),
    (
        "cuda",
        "V100 16GB",
        15.8,
        False,
        "fp32 1.7B tiled offload x4 480s",
        "fp32 1.7B tiled offload int8 x2 330s",
    ),
    ("cuda", "RTX 4060 Ti 16GB", 15.6, True, "bf16 1.7B x4 480s", "bf16 1.7B tiled offload x3 450s"),
    ("cuda", "RTX 5080 16GB", 15.5, True, "bf16 1.7B x4 480s", "bf16 1.7B tiled offload x3 420s"),
    ("cuda", "RTX 4000 Ada 20GB", 19.7, True, "bf16 1.7B x8 480s", "bf16 1.7B x2 270s"),
    ("cuda", "A10 22GB", 22.0, True, "bf16 1.7B x8 480s", "bf16 1.7B x3 420s"),
    ("cuda", "L4 22GB", 22.2, True, "bf16 1.7B x8 480s", "bf16 1.7B x3 420s"),
    ("cuda", "RTX 3090 24GB", 23.6, True, "bf16 4B x8 600s", "bf16 4B x2 240s"),
    ("cuda", "RTX 4090 24GB", 23.6, True, "bf16 4B x8 600s", "bf16 4B x2 240s"),
    (
        "cuda",
        "Quadro RTX 6000 24GB",
        23.7,
        False,
        "fp32 4B tiled offload x8 600s",
        "fp32 4B tiled offload x1 210s",
    ),
    ("cuda", "V100 32GB", 31.7, False, "fp32 4B x3 360s", "fp32 4B tiled offload x4 480s"),
    ("cuda", "RTX 5090 32GB", 31.4, True, "bf16 4B x8 600s", "bf16 4B x6 600s"),
    ("cuda", "A100 40GB", 39.4, True, "bf16 4B x8 600s", "bf16 4B x8 600s"),
    ("cuda", "A6000 48GB", 47.5, True, "bf16 4B x8 600s", "bf16 4B x8 600s"),
    ("cuda", "L40S 48GB", 44.5, True, "bf16 4B x8 600s", "bf16 4B x8 600s"),
    ("cuda", "A100 80GB", 79.2, True, "bf16 4B x8 600s", "bf16 4B x8 600s"),
    ("cuda", "H100 80GB", 79.2, True, "bf16 4B x8 600s", "bf16 4B x8 600s"),
    ("cuda", "H200 141GB", 139.8, True, "bf16 4B x8 600s", "bf16 4B x8 600s"),
    ("mps", "M1 8GB", 5.3, True, "bf16 0.6B tiled offload x1 360s", "unfit"),
    ("mps", "M2 16GB", 10.7, True, "fp32 1.7B tiled offload x2 420s", "bf16 1.7B tiled offload x1 120s"),
    ("mps", "M3 24GB", 16.0, True, "fp32 1.7B tiled offload x4 480s", "bf16 1.7B tiled offload x3 450s"),
    ("mps", "M3 Pro 36GB", 27.0, True, "fp32 4B tiled offload x8 600s", "fp32 4B tiled offload x2 330s"),
    ("mps", "M2 Max 64GB", 48.0, True, "fp32 4B x8 600s", "fp32 4B x2 300s"),
    ("mps", "M2 Ultra 192GB", 144.0, True, "fp32 4B x8 600s", "fp32 4B x8 600s"),
    ("cpu", "Binder 2GB", 2.0, True, "unfit", "unfit"),
    ("cpu", "CPU 4GB", 3.8, True, "unfit", "unfit"),
    ("cpu", "CPU 8GB", 7.7, True, "bf16 none tiled x1 180s", "unfit"),
    ("cpu", "Colab CPU 13GB", 12.7, True, "bf16 none x1 600s", "fp32 none tiled int8 x1 120s"),
    ("cpu", "CPU 16GB", 15.5, True, "bf16 0.6B x1 600s", "fp32 0.6B tiled int8 x1 180s"),
    ("cpu", "CPU 32GB", 31.2, True, "fp32 0.6B x1 600s", "fp32 0.6B x1 180s"),
    ("cpu", "CPU 64GB", 62.7, True, "fp32 0.6B x1 600s", "fp32 0.6B x1 600s"),
]


def machine(device="cuda", memory=24.0, bf16=True):
    return Machine(device, "some", memory, memory, bf16)


def told(placement: Placement) -> str:
    """A placement as the table writes it."""
    if not placement.fits:
        return "unfit"
    given_up = {
        "tiled": placement.tile == NARROW,
        "offload": placement.offload,
        "int8": placement.int8,
    }
    dtype = {"float32": "fp32", "bfloat16": "bf16"}[placement.dtype]
    words = [dtype, placement.planner or "none", *(word for word, done in given_up.items() if done)]
    return " ".join([*words, f"x{placement.takes}", f"{placement.seconds}s"])


@pytest.mark.parametrize(
    ("device", "name", "memory", "bf16", "turbo", "xl"), MACHINES, ids=[row[1] for row in MACHINES]
)
def test_what_each_machine_is_promised(device, name, memory, bf16, turbo, xl):
    own = Machine(device, name, memory, memory, bf16)
    assert (told(foreseen(own, "turbo")), told(foreseen(own, "xl-sft"))) == (turbo, xl)


def test_the_table_is_as_wide_as_the_world():
    assert len(MACHINES) >= 40 and {row[0] for row in MACHINES} == {"cuda", "mps", "cpu"}


@pytest.mark.parametrize(
    ("memory", "planners"),
    [(3.9, [""]), (6, ["0.6B", ""]), (7, ["0.6B", ""]), (8, ["1.7B"]), (12, ["1.7B"]), (16, ["1.7B"]),
     (20, ["1.7B", "4B"]), (24, ["1.7B", "4B"]), (80, ["1.7B", "4B"])],
)  # fmt: skip
def test_the_guides_planner_for_each_card(memory, planners):
    """Below 8 GB none or 0.6B, from 8 to 16 GB 1.7B, above 1.7B or 4B."""
    assert advised_planner(machine(memory=memory)) in planners


@pytest.mark.parametrize(
    ("renderer", "planner", "memory"),
    [
        ("turbo", "", 8),  # the fastest
        ("turbo", "0.6B", 8),
        ("turbo", "1.7B", 12),  # for every day
        ("sft", "1.7B", 16),  # for detail
        ("sft", "4B", 24),
        ("base", "1.7B", 16),  # for special tasks, and to fine-tune
    ],
)
def test_the_guides_combinations_fit_whole(renderer, planner, memory):
    placement = foreseen(machine(memory=memory), renderer, planner)
    assert placement.fits and not placement.int8 and (placement.planner or "") == planner
    assert placement.dtype == "bfloat16"


def test_the_guides_smallest_card():
    """Below 4 GB: turbo, no planner, networks in main memory."""
    placement = foreseen(machine(memory=3.8), "turbo")
    assert placement.fits and placement.planner is None and placement.offload


FIRST = [(4, 180, 180, 1, 1, ""), (6, 360, 360, 1, 1, ""), (8, 240, 360, 1, 2, "0.6B"), (12, 240, 360, 2, 4, "0.6B"),
         (14, 240, 360, 2, 4, "0.6B 1.7B"), (16, 480, 480, 4, 8, "0.6B 1.7B 4B"), (23, 480, 480, 4, 8, "0.6B 1.7B 4B"),
         (24, 600, 600, 8, 8, "0.6B 1.7B 4B"), (141, 600, 600, 8, 8, "0.6B 1.7B 4B")]  # fmt: skip
LATER = [(4, 240, 360, 1, 1, "", None), (6, 480, 600, 1, 1, "", None), (8, 480, 600, 2, 2, "0.6B", "0.6B"),
         (12, 480, 600, 2, 4, "0.6B", "0.6B"), (15, 480, 600, 4, 4, "0.6B 1.7B", "1.7B"),
         (16, 480, 600, 4, 8, "0.6B 1.7B", "1.7B"), (20, 480, 480, 8, 8, "0.6B 1.7B 4B", "1.7B"),
         (24, 600, 600, 8, 8, "0.6B 1.7B 4B", "4B")]  # fmt: skip


@pytest.mark.parametrize("row", FIRST, ids=str)
def test_the_first_table_of_the_original(row):
    memory, *expected = row
    known = tier(memory, "first")
    lengths, batches = (known.seconds_with_planner, known.seconds), (known.batch_with_planner, known.batch)
    assert [*lengths, *batches, " ".join(known.planners)] == expected


@pytest.mark.parametrize("row", LATER, ids=str)
def test_the_later_table_of_the_original(row):
    memory, *expected = row
    known = tier(memory)
    lengths, batches = (known.seconds_with_planner, known.seconds), (known.batch_with_planner, known.batch)
    assert [*lengths, *batches, " ".join(known.planners), known.recommended] == expected


@pytest.mark.parametrize("row", MACHINES, ids=[row[1] for row in MACHINES])
def test_no_card_is_promised_more_than_the_original_allows(row):
    device, name, memory, bf16, *_ = row
    if device == "cpu":
        return
    placement, known = foreseen(Machine(device, name, memory, memory, bf16), "turbo"), tier(memory)
    planned = placement.planner is not None
    assert placement.takes <= (known.batch_with_planner if planned else known.batch)
    assert placement.seconds <= (known.seconds_with_planner if planned else known.seconds)


@given(
    st.sampled_from(["cuda", "mps", "cpu"]),
    st.floats(0, 200),
    st.booleans(),
    st.sampled_from([known.name for known in models() if known.role == "renderer"]),
    st.sampled_from([None, "", "0.6B", "1.7B", "4B"]),
)
def test_a_promise_is_kept_and_more_memory_never_hurts(device, memory, bf16, name, planner):
    own, larger = (Machine(device, "any", size, size, bf16) for size in (memory, memory * 1.5 + 1))
    placement = foreseen(own, name, planner)
    assert placement.dtype in ("float32", "bfloat16") and (bf16 or placement.dtype == "float32")
    assert placement.fits == (placement.needed <= placement.memory)
    assert 1 <= placement.takes <= MOST_TAKES and 30 <= placement.seconds <= LONGEST
    if planner is not None:
        assert (placement.planner or "") == planner
    if placement.fits:
        assert foreseen(larger, name, planner).fits


def test_what_others_use_is_not_there():
    busy = Machine("cuda", "some", 24, 9, True)
    assert foreseen(busy, "turbo").offload and not foreseen(replace(busy, free=24), "turbo").offload


def test_wishes_are_kept():
    wish = wish_of(model("turbo"))
    large = machine(memory=80)
    assert fit(large, replace(wish, int8=True, offload=True)).int8
    assert fit(large, replace(wish, offload=True)).offload and not fit(large, wish).offload
    assert fit(large, replace(wish, dtype="float32")).dtype == "float32"
    small = fit(machine(memory=4), replace(wish, int8=False, offload=False))
    assert not (small.int8 or small.offload or small.fits)
    assert not fit(machine("cpu", 64), replace(wish, offload=True)).offload  # there is nowhere else to wait


def test_planners_that_are_not_here_are_not_placed():
    wish = replace(wish_of(model("turbo")), planners={"acestep-5Hz-lm-0.6B": 0.66})
    placement = fit(machine(memory=24), wish)
    assert placement.planner == "acestep-5Hz-lm-0.6B" and "0.6B planner, the largest of those here" in str(
        placement
    )
    assert fit(machine(memory=24), replace(wish, planners={})).planner is None


def test_it_says_why():
    assert str(foreseen(machine(memory=12), "turbo")).startswith(
        "fits: 11.1 of 12 GB on cuda; 1.7B planner because"
    )
    older = str(foreseen(machine(memory=14.6, bf16=False), "turbo"))
    assert "float32 because this GPU has no bfloat16" in older and "take turns" in older
    assert "bfloat16 because" in str(foreseen(machine("cpu", 12), "turbo"))
    assert "weights of 8 bits" in str(foreseen(machine(memory=4), "turbo"))
    none = str(foreseen(machine(memory=2), "xl-base"))
    assert none.startswith("does not fit") and "use a smaller model" in none


def test_a_small_checkpoint_fits_anywhere():
    nano = Wish(Weights(0.006, 0.0011, 0.0013, 0.00001))
    for own in (machine("cpu", 1.0), machine(memory=1.5, bf16=False), machine("mps", 4.0)):
        placement = fit(own, nano)
        assert placement.fits and placement.dtype != "float16" and not placement.int8


def test_long_takes_are_alone_on_mps():
    placement = foreseen(machine("mps", 48), "turbo")
    assert (placement.at_once(180), placement.at_once(181)) == (8, 1)
    assert foreseen(machine(memory=80), "turbo").at_once(600) == 8
    assert foreseen(machine("cpu", 64), "turbo").at_once(600) == MOST_TAKES


def rungs(placement, takes, order):
    while (lower := sparer(placement, takes, order)) is not None:
        if lower[0].takes < takes:
            takes = lower[0].takes
        placement = lower[0]
        yield lower[1]


def test_the_ladder_from_top_to_bottom():
    top = Placement("cuda", "bfloat16")
    assert list(rungs(top, 4, LADDER)) == [
        "2 at once",
        "one at a time",
        "decoded in smaller pieces",
        "networks took turns on the device",
        "weights of 8 bits",
    ]
    assert next(rungs(top, 4, FORESEEN)) == "decoded in smaller pieces"
    assert list(rungs(replace(top, device="cpu"), 4, LADDER)) == [
        "decoded in smaller pieces",
        "weights of 8 bits",
    ]


def test_every_rung_needs_less():
    wish, placement, takes = wish_of(model("turbo")), Placement("cuda", "bfloat16", tile=WIDE), 4
    before = needed(placement, wish, 1.85, takes, 240.0)
    while (lower := sparer(placement, takes)) is not None:
        placement = lower[0]
        takes = min(takes, placement.takes)
        now = needed(placement, wish, 1.85, takes, 240.0)
        assert now <= before
        before = now


def test_a_name_that_is_not_known():
    with pytest.raises(InputError, match="turbo-max"):
        foreseen(machine(), "turbo-max")
