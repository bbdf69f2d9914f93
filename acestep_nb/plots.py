"""Pictures of sound, drawn without pyplot so that they are safe in threads and callbacks."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from acestep_nb.audio import Audio
from acestep_nb.errors import InputError

_WINDOW = 4096  # samples: 12 Hz apart at 48 kHz, so that bass notes stand alone
_BANDS, _COLUMNS = 96, 320
_LOWEST = 32.7  # Hz, the C three octaves below middle C
_FLOOR = -70.0  # dB below the loudest place
_GREY = "#808890"  # readable on white and on black
_TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


class Picture(Figure):
    """A figure that every notebook shows as a small PNG with a see-through background."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        FigureCanvasAgg(self).print_png(buffer)
        small = io.BytesIO()
        # a palette keeps a saved notebook a quarter of the size, and the eye sees no difference
        Image.open(buffer).quantize(40, method=Image.Quantize.FASTOCTREE).save(small, "PNG", optimize=True)
        return small.getvalue()


def spectrogram(audio: Audio) -> Figure:
    """A picture of the sound: time in seconds across, pitch in Hz up (logarithmic), loudness in dB as colour.

    The channels are averaged; 0 dB is the loudest place, everything below −70 dB looks the same. Raises
    ``InputError`` for audio without samples.
    """
    if not audio.samples.size:
        raise InputError("audio has no samples", field="audio", allowed="at least one sample")
    figure = Picture(figsize=(7.6, 2.9), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    levels, edges = _levels(audio.samples.mean(axis=0), audio.rate)
    times = np.linspace(0, audio.duration, levels.shape[1] + 1)
    mesh = axes.pcolormesh(times, edges, levels, cmap="magma", vmin=_FLOOR, vmax=0, rasterized=True)
    axes.set_yscale("log")
    ticks = [tick for tick in _TICKS if edges[0] <= tick <= edges[-1]]
    axes.set_yticks(ticks, [f"{tick // 1000}k" if tick >= 1000 else str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("seconds")
    axes.set_ylabel("Hz")
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30)
    bar.set_label("dB")
    for part in (axes, bar.ax):
        _in_grey(part)
    return figure


def _levels(samples: npt.NDArray[np.float32], rate: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Loudness ``[band, column]`` in dB and the ``band + 1`` frequencies in Hz between the bands."""
    padded = np.pad(samples, _WINDOW // 2)
    starts = np.linspace(0, max(len(samples) - 1, 0), min(_COLUMNS, len(samples))).astype(int)
    edges = np.geomspace(_LOWEST, rate / 2, _BANDS + 1)
    spectrum_edges = np.interp(edges, np.fft.rfftfreq(_WINDOW, 1 / rate), np.arange(_WINDOW // 2 + 1))
    taper = np.hanning(_WINDOW)
    columns = []
    for start in starts:  # one window at a time: a long song need not fit into memory twice
        power = np.abs(np.fft.rfft(padded[start : start + _WINDOW] * taper)) ** 2
        total = np.interp(
            spectrum_edges, np.arange(len(power) + 1), np.concatenate([[0.0], np.cumsum(power)])
        )
        columns.append(np.diff(total) / np.diff(spectrum_edges))
    decibels = 10 * np.log10(np.maximum(np.array(columns).T, 1e-12))
    return np.maximum(decibels - decibels.max(), _FLOOR), edges


def _in_grey(axes: Any) -> None:
    axes.tick_params(colors=_GREY, labelsize=9)
    axes.xaxis.label.set_color(_GREY)
    axes.yaxis.label.set_color(_GREY)
    for side in axes.spines.values():
        side.set_visible(False)
