import pytest
import torch

from acestep_nb.renderer.samplers import euler
from acestep_nb.renderer.schedules import timesteps


def test_straight_paths_are_followed_exactly():
    noise, data = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    for steps in (1, 5):
        found = euler(lambda x, t: noise - data, noise, timesteps(steps, 3.0), lambda done: None)
        assert torch.allclose(found, data)


def test_last_step_jumps_to_the_data_that_the_velocity_points_at():
    seen = []

    def velocity(x, t):
        seen.append((x, t))
        return torch.sin(x) + t

    found = euler(velocity, torch.ones(1, 2, 3), (1.0, 0.3), lambda done: None)
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
        euler(velocity, torch.ones(1, 1, 1), (1.0, 0.7, 0.5, 0.2), on_step)
    assert told == [0, 1, 2] and asked == [1.0, 0.7]
