import pytest
import torch

from acestep_nb.kinds import KINDS
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.request import Kept
from acestep_nb.renderer.samplers import blended, denoise, heun, limited, retaken, smoothed
from acestep_nb.renderer.schedules import Schedule, schedule


class Told:
    """A velocity field made of a function of latents and level."""

    def __init__(self, velocity):
        self.velocity = velocity

    def predict(self, x, t, step):
        return self.velocity(x, t)

    def correct(self, x, t, step):
        return self.velocity(x, t)


def run(velocity, x, levels, on_step=lambda done: None, jumps=True, options=None, **more):
    plan = Schedule(levels, (*levels[1:], 0.0), jumps)
    return denoise(Told(velocity), x, plan, options or RenderOptions(), on_step, **more)


@pytest.mark.parametrize("sampler", ["euler", "heun"])
@pytest.mark.parametrize("steps", [1, 5])
def test_straight_paths_are_followed_exactly(sampler, steps):
    noise, data = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    options = RenderOptions(inference_steps=steps, sampler=sampler)
    for kind in KINDS.values():
        plan = schedule(options, kind)
        found = denoise(Told(lambda x, t: noise - data), noise, plan, options, lambda done: None)
        assert torch.allclose(found, data)


def test_noise_that_is_added_again_is_forgotten_when_the_data_is_known():
    torch.manual_seed(0)
    noise, data = torch.randn(2, 2, 3, 4, dtype=torch.float64).unbind()
    fresh = iter(torch.randn(9, 2, 3, 4, dtype=torch.float64))
    asked = RenderOptions(infer_method="sde")
    found = run(lambda x, t: (x - data) / t, noise, (1.0, 0.7, 0.2), options=asked, fresh=fresh)
    assert torch.allclose(found, data)


def test_heun_follows_curves_better_than_euler():
    """x' = x from level 1 to 0 has a known end: x(0) = x(1) / e."""
    start, levels = torch.ones(1, 1, 1), tuple(1 - i / 8 for i in range(8))
    ends = [
        run(lambda x, t: x, start, levels, jumps=False, options=RenderOptions(sampler=name)).item()
        for name in ("euler", "heun")
    ]
    errors = [abs(end - 1 / torch.e) for end in ends]
    assert errors[1] < errors[0] / 10


def test_heun_takes_the_mean_of_both_ends():
    x, v, landing = torch.tensor([[[3.0]]]), torch.tensor([[[1.0]]]), torch.tensor([[[5.0]]])
    assert heun(x, v, landing, 0.75, 0.25).item() == 3 - 3 * 0.5


def test_last_step_jumps_to_the_data_that_the_velocity_points_at():
    seen = []

    def velocity(x, t):
        seen.append((x, t))
        return torch.sin(x) + t

    found = run(velocity, torch.ones(1, 2, 3), (1.0, 0.3))
    x, t = seen[-1]
    assert torch.allclose(found, x - t * (torch.sin(x) + t))


def test_steps_are_told_and_may_stop():
    told, asked = [], []

    def on_step(done):
        told.append(done)
        if done == 2:
            raise KeyError("enough")

    def velocity(x, t):
        asked.append(t)
        return x

    with pytest.raises(KeyError):
        run(velocity, torch.ones(1, 1, 1), (1.0, 0.7, 0.5, 0.2), on_step)
    assert told == [0, 1, 2] and asked == [1.0, 0.7]


def test_a_velocity_is_limited_take_by_take():
    x = torch.ones(2, 3, 4)
    v = torch.stack([torch.full((3, 4), 5.0), torch.full((3, 4), 0.5)])
    found = limited(v, x, 2.0)
    assert torch.allclose(found[0], torch.full((3, 4), 2.0)) and torch.equal(found[1], v[1])
    assert torch.equal(limited(v, x, 0), v)


def test_smoothing_takes_a_share_of_the_step_before():
    v, before = torch.ones(1, 1, 1), torch.full((1, 1, 1), 5.0)
    assert smoothed(v, before, 0.25).item() == 2 and smoothed(v, before, 0) is v
    assert smoothed(v, None, 0.25) is v


def test_mixed_noise_is_as_loud_as_noise():
    torch.manual_seed(0)
    one, other = torch.randn(2, 1, 5000, 4).unbind()
    assert torch.equal(retaken(one, other, 0), one) and torch.allclose(
        retaken(one, other, 1), other, atol=1e-6
    )
    assert retaken(one, other, 0.4).std().item() == pytest.approx(1, abs=0.02)


def kept(frames, region, crossfade, ratio=1.0):
    mask = torch.ones(1, frames, dtype=torch.bool)
    mask[:, region] = False
    return Kept(torch.zeros(1, frames, 1), mask, ratio, crossfade)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (slice(4, 6), [0, 0, 1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3, 0, 0]),
        (slice(1, 3), [1 / 2, 1, 1, 2 / 3, 1 / 3, 0, 0, 0, 0, 0]),
        (slice(0, 10), [1] * 10),
        (slice(0, 0), [0] * 10),
    ],
)
def test_the_source_is_faded_in_outside_the_region(region, expected):
    found = blended(torch.ones(1, 10, 1), kept(10, region, 2))
    assert found.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_without_a_crossfade_nothing_is_blended():
    x = torch.ones(1, 10, 1)
    assert blended(x, kept(10, slice(4, 6), 0)) is x


@pytest.mark.parametrize(("ratio", "injected"), [(0.0, 0), (0.5, 2), (0.7, 3), (1.0, 3)])
def test_the_source_is_put_back_under_the_same_noise(ratio, injected):
    """Of four steps the last one is a jump, after which nothing is put back."""
    noise, levels, seen = torch.full((1, 4, 1), 8.0), (1.0, 0.75, 0.5, 0.25), []

    def velocity(x, t):
        seen.append((t, x.flatten().tolist()))
        return torch.full_like(x, 100.0)

    run(velocity, noise, levels, kept=kept(4, slice(1, 3), 0, ratio), noise=noise)
    put_back = [x[0] == x[3] == 8 * t for t, x in seen[1:]]
    assert put_back == [True] * injected + [False] * (3 - injected)
    assert all(x[1] == x[2] == 8 - 100 * (1 - t) for t, x in seen)
