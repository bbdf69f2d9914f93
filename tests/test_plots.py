"""The spectrogram: the right place for a tone, small and see-through, no pyplot."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from acestep_nb import Audio, InputError, spectrogram

RATE = 48_000


def tone(hertz: float, seconds: float = 2.0) -> Audio:
    return Audio(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE), RATE)


@pytest.mark.parametrize("hertz", [110.0, 440.0, 5000.0])
def test_a_tone_is_where_it_belongs(hertz):
    mesh = spectrogram(tone(hertz)).axes[0].collections[0]
    levels = mesh.get_array()
    edges = mesh.get_coordinates()[:, 0, 1]
    loudest = int(levels[:, levels.shape[1] // 2].argmax())
    assert edges[loudest] * 0.93 < hertz < edges[loudest + 1] * 1.07
    assert levels.max() == 0 and levels.min() >= -70


def test_time_is_in_seconds_and_pitch_in_hertz():
    figure = spectrogram(tone(440, 3.0))
    axes, bar = figure.axes
    assert axes.get_xlabel() == "seconds" and axes.get_ylabel() == "Hz" and bar.get_ylabel() == "dB"
    assert axes.get_xlim() == (0, 3.0) and axes.get_yscale() == "log"


def test_the_picture_is_small_and_has_no_background():
    noise = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 20 * RATE)), RATE)
    data = spectrogram(noise)._repr_png_()
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    assert len(data) < 24_000 and picture.getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("samples", [np.zeros((2, 10)), np.zeros((1, RATE)), np.ones((2, 1))])
def test_silence_and_specks_are_drawn_too(samples):
    assert spectrogram(Audio(samples, RATE))._repr_png_().startswith(b"\x89PNG")


def test_no_samples_no_picture():
    with pytest.raises(InputError, match="no samples"):
        spectrogram(Audio(np.zeros((2, 0)), RATE))


def test_pyplot_is_never_loaded():
    code = "import sys, acestep_nb; acestep_nb.spectrogram; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
