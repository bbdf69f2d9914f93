import itertools
import json

import pytest

from acestep_nb.renderer.schedules import timesteps


def test_recorded_schedules(goldens):
    for case in json.loads((goldens / "schedules.json").read_text()):
        found = timesteps(case["inference_steps"], case["shift"])
        assert found == pytest.approx(case["timesteps"], abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7, 8, 20])
@pytest.mark.parametrize("shift", [1.0, 1.7, 5.0])
def test_starts_at_noise_and_falls(steps, shift):
    found = timesteps(steps, shift)
    assert len(found) == steps and found[0] == 1.0
    assert all(a > b > 0 for a, b in itertools.pairwise(found))
