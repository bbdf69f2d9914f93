import pytest

from acestep_nb import codes


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
