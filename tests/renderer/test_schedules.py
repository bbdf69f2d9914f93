import itertools

import golden
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import options

from acestep_nb.kinds import KINDS
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.schedules import evaluations, schedule, timesteps

NAMES = {"infer_steps": "inference_steps"}
OUT_OF_RANGE = {"shift": (1, 5)}


def recorded(case):
    """The arguments of the original as options; what is out of our range is brought into it, as it did."""
    args = {NAMES.get(name, name): value for name, value in case["args"].items()}
    for name, (low, high) in OUT_OF_RANGE.items():
        if name in args:
            args[name] = min(max(args[name], low), high)
    if "timesteps" in args:
        # more than 20 are cut by the original too, whatever they are
        args["timesteps"] = tuple(args["timesteps"])
    return RenderOptions(**args)


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        pytest.param(kind, *param.values, id=f"{kind}-{param.id}")
        for kind in golden.document("functions/schedules.json")
        for param in golden.cases("functions/schedules.json", kind)
    ],
)
def test_recorded_schedules(kind, case):
    found = schedule(recorded(case), KINDS[kind]).levels
    assert found == pytest.approx(case["timesteps_seen_by_dit_fp32"], abs=1e-6)
    halved = torch.tensor(found).bfloat16().float()
    assert torch.allclose(halved, torch.tensor(case["timesteps_seen_by_dit_bf16"]), atol=2**-8)


def test_continuous_checkpoints_take_any_shift_and_timestep():
    found = schedule(RenderOptions(shift=2.5), KINDS["turbo-continuous"])
    assert found.levels == timesteps(8, 2.5)
    own = schedule(RenderOptions(timesteps=(0.97, 0.3, 0)), KINDS["turbo-continuous"])
    assert own.levels == (0.97, 0.3) and own.landings == own.renoised == (0.3, 0.0)


def test_without_turbo_fresh_noise_lands_on_the_even_grid():
    found = schedule(RenderOptions(inference_steps=4, shift=3), KINDS["base"])
    assert found.renoised == (0.75, 0.5, 0.25, 0.0) != found.landings
    later = schedule(RenderOptions(inference_steps=4, shift=3, cover_noise_strength=0.3), KINDS["base"])
    assert later.levels == found.levels[2:] and later.renoised == found.renoised[2:]


@given(options, st.sampled_from(sorted(KINDS)))
def test_every_schedule_falls(options, kind):
    found = schedule(options, KINDS[kind])
    assert found.steps == len(found.landings) == len(found.renoised) > 0
    assert all(1 >= a >= b > 0 for a, b in itertools.pairwise((*found.levels, found.levels[-1])))
    assert all(t >= to for t, to in zip(found.levels, found.landings))
    assert all(t >= to for t, to in zip(found.levels, found.renoised))


@pytest.mark.parametrize("steps", [1, 2, 7, 8, 20])
@pytest.mark.parametrize("shift", [1.0, 1.7, 5.0])
def test_starts_at_noise_and_falls(steps, shift):
    found = timesteps(steps, shift)
    assert len(found) == steps and found[0] == 1.0
    assert all(a > b > 0 for a, b in itertools.pairwise(found))


def test_guidance_and_heun_ask_twice():
    turbo, base = KINDS["turbo"], KINDS["base"]
    assert evaluations(RenderOptions(), turbo) == 8
    assert evaluations(RenderOptions(sampler="heun"), turbo) == 15, "the last step is a jump"
    assert evaluations(RenderOptions(inference_steps=10), base) == 20
    assert evaluations(RenderOptions(inference_steps=10, guidance_scale=1), base) == 10
    half = RenderOptions(inference_steps=10, cfg_interval_start=0.55)
    assert evaluations(half, base) == 15
