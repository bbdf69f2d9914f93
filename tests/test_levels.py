import math
from dataclasses import replace

import numpy as np
import pyloudnorm
import pytest

from acestep_nb import Audio, History
from acestep_nb.levels import TARGET, loudness_and_peak, matched_gains
from acestep_nb.scores.keeping import keep
from acestep_nb.scores.values import Scores, Signal


def noise(level: float, seconds: float = 2.0, peak: float | None = None) -> Audio:
    samples = np.random.default_rng(3).uniform(-level, level, (2, int(48_000 * seconds))).astype(np.float32)
    if peak is not None:
        samples[:, 100] = peak
    return Audio(samples, 48_000)


def after(sound: Audio, gain: float) -> float:
    """What an independent meter says of the sound with that gain."""
    return pyloudnorm.Meter(48_000).integrated_loudness(sound.samples.T * 10 ** (gain / 20))


def test_all_are_equally_loud_and_none_clips():
    sounds = [noise(0.5), noise(0.05), noise(0.02)]
    gains = matched_gains(sounds)
    assert [after(sound, gain) for sound, gain in zip(sounds, gains)] == pytest.approx([TARGET] * 3, abs=0.2)
    assert gains[0] < 0 < gains[1] < gains[2]


def test_a_peak_lowers_the_common_level():
    sounds = [noise(0.01, peak=0.5), noise(0.5)]
    gains = matched_gains(sounds)
    levels = [after(sound, gain) for sound, gain in zip(sounds, gains)]
    assert levels[0] == pytest.approx(levels[1], abs=0.2) and levels[0] < TARGET - 3
    assert 0.5 * 10 ** (gains[0] / 20) == pytest.approx(1, abs=0.01), "as loud as it can be"


def test_silence_stays_as_it_is():
    silence, short = Audio(np.zeros((2, 48_000)), 48_000), noise(0.5, seconds=0.2)
    assert matched_gains([silence, noise(0.5), short])[::2] == (0.0, 0.0)
    assert matched_gains([silence]) == (0.0,) and matched_gains([]) == ()
    assert loudness_and_peak(silence) == (None, None)


def test_a_scored_take_is_not_measured_again(tmp_path, make_take):
    take = History(tmp_path).add(replace(make_take(), audio=noise(0.5)))
    measured = loudness_and_peak(take)
    assert measured[1] == pytest.approx(20 * math.log10(0.5), abs=0.01)
    keep(take.folder, Scores("", Signal(-9.0, -1.0, 0.0, 0.0, None, None, {})))
    assert loudness_and_peak(take) == (-9.0, -1.0) != measured
    assert matched_gains([take]) == (-5.0,)
