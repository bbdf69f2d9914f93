"""Pictures of sound, drawn without pyplot so that they are safe in threads and callbacks."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from PIL import Image

from acestep_nb.audio import Audio
from acestep_nb.errors import InputError
from acestep_nb.knobs import checked_kind
from acestep_nb.lineage import one_line
from acestep_nb.scores.alignment import FRAMES_PER_SECOND
from acestep_nb.scores.lyrics import rows_of_lines
from acestep_nb.scores.values import Scores, numbers

_WINDOW = 4096  # samples: 12 Hz apart at 48 kHz, so that bass notes stand alone
_BANDS, _COLUMNS = 96, 320
_LOWEST = 32.7  # Hz, the C three octaves below middle C
_FLOOR = -70.0  # dB below the loudest place
GREY = "#808890"  # readable on white and on black
_PATH, _BAR, _BEST, _WEAK = "#4cc9f0", "#808890", "#e8871e", "#c2410c"
_FONTS = (  # for Japanese, Chinese and Korean, as Linux, macOS and Windows bring them along
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Hiragino Sans", "PingFang SC",
    "Apple SD Gothic Neo", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip
_LABEL = 32  # letters of a line or name beside a picture
_TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


class Picture(Figure):
    """A figure that every notebook shows as a small PNG with a see-through background."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            # letters that no installed font has are drawn as boxes; a page of warnings would not help
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
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
    bar = figure.colorbar(draw_spectrogram(axes, audio), ax=axes, pad=0.01, aspect=30)
    bar.set_label("dB")
    axes.set_xlabel("seconds")
    in_grey(bar.ax)
    return figure


def draw_spectrogram(axes: Any, audio: Audio) -> Any:
    """The mesh of `spectrogram`, drawn on axes that are there already."""
    levels, edges = _levels(audio.samples.mean(axis=0), audio.rate)
    times = np.linspace(0, audio.duration, levels.shape[1] + 1)
    mesh = axes.pcolormesh(times, edges, levels, cmap="magma", vmin=_FLOOR, vmax=0, rasterized=True)
    axes.set_yscale("log")
    ticks = [tick for tick in _TICKS if edges[0] <= tick <= edges[-1]]
    axes.set_yticks(ticks, [f"{tick // 1000}k" if tick >= 1000 else str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylabel("Hz")
    in_grey(axes)
    return mesh


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


def in_grey(axes: Any) -> None:
    """Ticks and labels that can be read on white and on black, without a frame."""
    axes.tick_params(colors=GREY, labelsize=9)
    axes.xaxis.label.set_color(GREY)
    axes.yaxis.label.set_color(GREY)
    for side in axes.spines.values():
        side.set_visible(False)


def alignment_map(scores: Scores) -> Figure:
    """A picture of how lyrics and music belong together: seconds across, lyrics down, energy as colour.

    The line over it is the path that score and map are read along. At the right a bar for each line tells how
    well it is sung, 0–1; those of weak lines are hatched. Raises `InputError` for scores without an alignment;
    their notes say why there is none.
    """
    found = checked_kind("scores", scores, Scores).alignment
    if found is None or not scores.lines:
        raise InputError(
            f"these scores have no alignment: {'; '.join(scores.notes)}",
            field="scores",
            allowed="scores of a take with words to sing",
            remedy="Score a take whose lyrics have words.",
        )
    rows = rows_of_lines(found.texts)
    height = min(max(0.28 * len(rows), 1.6), 8.0) + 0.7
    figure = Picture(figsize=(7.6, height), dpi=100, layout="constrained", facecolor="none")
    chart, bars = figure.subplots(1, 2, sharey=True, width_ratios=(5, 1))
    tokens, frames = found.energy.shape
    extent = (0, frames / FRAMES_PER_SECOND, tokens, 0)
    chart.imshow(
        found.energy, aspect="auto", extent=extent, cmap="magma", vmin=0, vmax=1, interpolation="nearest"
    )
    steps = (found.path + 0.5) / (1, FRAMES_PER_SECOND)
    chart.plot(steps[:, 1], steps[:, 0], color=_PATH, linewidth=1.2)
    chart.set_xlabel("seconds")
    centres = [(row.start + row.stop) / 2 for row in rows]
    chart.set_yticks(centres, [shortened(line.text) for line in scores.lines], **any_script())
    values, weak = [line.bar or 0.0 for line in scores.lines], scores.weak_lines
    colours, hatches = zip(*((_WEAK, "///") if line in weak else (_BAR, "") for line in scores.lines))
    heights = [0.8 * (row.stop - row.start) for row in rows]
    bars.barh(centres, values, height=heights, color=colours, hatch=hatches)
    bars.set_xlim(0, 1)
    bars.set_xlabel("score")
    for part in (chart, bars):
        part.set_facecolor("none")
        part.set_ylim(tokens, 0)
        in_grey(part)
    bars.tick_params(labelleft=False, left=False)
    return figure


def score_strip(scores: Mapping[str, Scores], by: str = "lyrics_alignment") -> Figure:
    """A bar for each take by its name, the best one in another colour: which to listen to first.

    `by` is the number to show, such as "lyrics_alignment" or "quality". Raises `InputError` when no take has it.
    """
    values = numbers(scores, by)
    known = [value for value in values.values() if value is not None]
    figure = Picture(figsize=(7.6, 0.6 + 0.3 * len(values)), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    lengths = [value or 0.0 for value in values.values()]
    colours = [_BEST if value == max(known) else _BAR for value in values.values()]
    axes.barh(range(len(values)), lengths, color=colours, height=0.7)
    axes.set_yticks(range(len(values)), [shortened(name) for name in values], **any_script())
    for place, value in enumerate(values.values()):
        axes.text(
            max(value or 0.0, 0.0),
            place,
            f" {'–' if value is None else format(value, '.3f')}",
            va="center",
            color=GREY,
        )
    axes.set_xlim(min(0.0, *known), max(1.0, *known) * 1.12)
    axes.invert_yaxis()
    axes.set_xlabel(by.replace("_", " "))
    in_grey(axes)
    return figure


def any_script() -> dict[str, Any]:
    """How words of any script are written: no formulas, and where a letter is missing, in a font that has it."""
    installed = {font.name for font in fontManager.ttflist}
    return {
        "parse_math": False,
        "fontfamily": ["DejaVu Sans", *(name for name in _FONTS if name in installed)],
    }


def shortened(text: str) -> str:
    """The text on one line, short enough to stand beside a picture."""
    return one_line(text, _LABEL)
