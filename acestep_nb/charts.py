"""Pictures that compare: sounds below each other, what an edit changed, noise levels, codes, metas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from acestep_nb.audio import Audio
from acestep_nb.codes import CODE_LEVELS, CODE_RATE, LATENT_RATE, checked_codes
from acestep_nb.errors import InputError
from acestep_nb.kinds import Kind
from acestep_nb.options import RenderOptions
from acestep_nb.plots import GREY, Picture, any_script, draw_spectrogram, in_grey, shortened
from acestep_nb.renderer.schedules import schedule
from acestep_nb.scores.hearing import NOTES, SILENT, pitch_classes
from acestep_nb.takes import Take

_COLOURS = ("#4cc9f0", "#e8871e", "#8f7fe0", "#4fae6d", "#d9618c")
_MARKS = "os^Dv"  # so that curves are told apart without their colour, too
_MOST = 8  # rows or curves in one picture
_WINDOW = 0.02  # seconds over which a difference is measured
_STEPS = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}  # semitones above the tonic
_SAME = -100.0  # dB, where a difference is drawn that is none


def spectrograms(sounds: Mapping[str, Take | Audio], region: tuple[float, float] | None = None) -> Figure:
    """Pictures of sounds by their names, below each other on one time axis; a `region` is framed in each.

    1–8 sounds; the region is (start, end) in seconds. Colours are those of `spectrogram`, each sound with its own
    loudest place at 0 dB.
    """
    figure, rows = _rows(sounds, "sounds", height=1.5)
    for axes, (name, sound) in zip(rows, sounds.items(), strict=True):
        draw_spectrogram(axes, _audio(name, sound))
        axes.set_title(shortened(name), loc="left", fontsize=10, color=GREY, **any_script())
        if region is not None:
            for edge in region:
                axes.axvline(edge, color=_COLOURS[0], linewidth=1.6, linestyle="--")
    rows[-1].set_xlabel("seconds")
    rows[-1].set_xlim(0, max(sound.duration for sound in sounds.values()))
    return figure


def difference(
    before: Take | Audio, after: Take | Audio, region: tuple[float, float] | None = None
) -> Figure:
    """Where two sounds differ, and by how much: seconds across, the level of `after` − `before` in dB up.

    0 dB is the loudest moment of `before`; where the samples are the same to the bit the curve lies on the floor
    at −100 dB. Channels count together, in steps of 20 ms; what only the longer sound has counts as changed. A
    `region` (start, end) in seconds is shaded. Raises `InputError` for sounds of unlike rates or channels.
    """
    levels = _difference(_audio("before", before), _audio("after", after))
    figure = Picture(figsize=(7.6, 2.0), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    times = np.arange(len(levels)) * _WINDOW
    if region is not None:
        axes.axvspan(*region, color=_COLOURS[0], alpha=0.25, label="region")
    axes.plot(times, levels, color=_COLOURS[1], linewidth=1.2)
    axes.set_ylim(_SAME - 4, 10)
    axes.set_yticks([_SAME, -75, -50, -25, 0], ["same", "−75", "−50", "−25", "0"])
    axes.set_xlim(0, max(len(levels) * _WINDOW, _WINDOW))
    axes.set_xlabel("seconds")
    axes.set_ylabel("difference, dB")
    in_grey(axes)
    return figure


def noise_levels(options: Mapping[str, RenderOptions], kind: Kind) -> Figure:
    """How the steps of a render are spent: the noise level at each step, 1 (only noise) to 0 (only music).

    `options` are 1–8 render options by their names, `kind` is that of the checkpoint (`engine.kind`), whose own
    defaults and rules hold: the curves are what the renderer would do. Where a curve stays high, steps go to the
    outline; where it stays low, to the details.
    """
    _check_count("options", options)
    figure = Picture(figsize=(7.6, 2.8), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    for number, (name, one) in enumerate(options.items()):
        levels = (*schedule(one, kind).levels, 0.0)
        mark = _MARKS[number % len(_MARKS)]
        colour = _COLOURS[number % len(_COLOURS)]
        share = np.linspace(0, 1, len(levels))
        axes.plot(
            share, levels, color=colour, marker=mark, markersize=4, linewidth=1.4, label=shortened(name)
        )
    axes.set_xlabel("share of the steps")
    axes.set_ylabel("noise level")
    legend = axes.legend(frameon=False, labelcolor=GREY, fontsize=9)
    for text in legend.get_texts():
        text.set(**any_script())
    in_grey(axes)
    return figure


def asked_and_measured(pairs: Mapping[str, tuple[float, float | None]], what: str = "bpm") -> Figure:
    """How near takes come to a number they were asked for: a row by name, a ring asked, a dot measured.

    `pairs` are (asked, measured) by the name of the take, 1–8 of them; where nothing could be measured (None)
    the row has a ring alone. `what` names the number.
    """
    _check_count("pairs", pairs)
    figure = Picture(figsize=(7.6, 0.9 + 0.32 * len(pairs)), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    for row, (asked, measured) in enumerate(pairs.values()):
        axes.plot(asked, row, "o", markersize=11, markerfacecolor="none", markeredgecolor=_COLOURS[0])
        if measured is not None:
            axes.plot([asked, measured], [row, row], color=GREY, linewidth=1)
            axes.plot(measured, row, "o", markersize=5, color=_COLOURS[1])
            axes.annotate(f"  {measured:.4g}", (max(asked, measured), row), va="center", color=GREY,
                          xytext=(6, 0), textcoords="offset points")  # fmt: skip
    axes.set_yticks(range(len(pairs)), [shortened(name) for name in pairs], **any_script())
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.margins(x=0.12)
    axes.set_xlabel(f"{what}: ring asked, dot measured")
    in_grey(axes)
    return figure


def note_map(sounds: Mapping[str, Take | Audio]) -> Figure:
    """Which of the twelve notes sounds hold: a row by name, C to B across, the strongest note of a row brightest.

    1–8 sounds, told as a key is heard: notes from C2 to C5, in which the first 3 s count four times (music tends to
    begin on its tonic). Rings mark the notes of the key that a take was asked for: bright cells in rings are in key.
    """
    _check_count("sounds", sounds)
    figure = Picture(figsize=(7.6, 0.9 + 0.36 * len(sounds)), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    levels = np.array([pitch_classes(_audio(name, sound)) for name, sound in sounds.items()])
    levels /= np.maximum(levels.max(1, keepdims=True), SILENT)
    axes.imshow(levels, aspect="auto", cmap="magma", vmin=0, vmax=1)
    for row, sound in enumerate(sounds.values()):
        scale = _scale(sound.song.keyscale) if isinstance(sound, Take) and sound.song.keyscale else []
        axes.plot(scale, [row] * len(scale), "o", markersize=11, markerfacecolor="none", color=_COLOURS[0])
    axes.set_yticks(range(len(sounds)), [shortened(name) for name in sounds], **any_script())
    axes.set_xticks(range(12), NOTES)
    axes.set_xlabel("notes; rings: of the key that was asked for")
    in_grey(axes)
    return figure


def _scale(keyscale: str) -> list[int]:
    """The notes of a key, C as 0; the minor is the natural one."""
    tonic, mode = keyscale.split()
    first = NOTES.index(tonic[0]) + tonic.count("#") - tonic.count("b")
    return [(first + step) % 12 for step in _STEPS[mode]]


def latent_map(take: Take) -> Figure:
    """The latents of a take, which the codec turns into its sound: seconds across, channels down.

    Colours are standard deviations of each channel from its own mean, blue below and red above.
    """
    latents = np.asarray(take.latents, dtype=np.float32)
    spread = np.maximum(latents.std(axis=0), 1e-6)
    figure = Picture(figsize=(7.6, 2.6), dpi=100, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.imshow(((latents - latents.mean(axis=0)) / spread).T, aspect="auto", cmap="coolwarm", vmin=-3, vmax=3,
                extent=(0, len(latents) / LATENT_RATE, latents.shape[1], 0))  # fmt: skip
    axes.set_xlabel("seconds")
    axes.set_ylabel("channel")
    in_grey(axes)
    return figure


def code_strip(codes: Mapping[str, Sequence[int]], levels: Sequence[int] = CODE_LEVELS) -> Figure:
    """Codes as a picture: seconds across, the digits of each code down, their values as colour.

    A code is a number with one digit for each of `levels` (finite scalar quantisation), so that codes which
    share digits sound alike and look alike. 1–8 rows of codes by their names. Raises `InputError` for what is no
    code, and for a row without any.
    """
    figure, rows = _rows(codes, "codes", height=0.95)
    for axes, (name, row) in zip(rows, codes.items(), strict=True):
        values = np.array(checked_codes(row, math.prod(levels)))
        if not values.size:
            raise InputError(field="codes", value=f"{name}: none", allowed="at least one code a row")
        weights = np.cumprod([1, *levels[:-1]])
        digits = values[np.newaxis] // weights[:, np.newaxis] % np.array(levels)[:, np.newaxis]
        shares = digits / (np.array(levels)[:, np.newaxis] - 1)
        axes.imshow(shares, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest",
                    extent=(0, len(values) / CODE_RATE, len(levels), 0))  # fmt: skip
        axes.set_title(shortened(name), loc="left", fontsize=10, color=GREY, **any_script())
        axes.set_yticks([])
        in_grey(axes)
    rows[-1].set_xlabel("seconds")
    rows[-1].set_xlim(0, max(len(row) for row in codes.values()) / CODE_RATE)
    return figure


def _rows(values: Mapping[str, Any], field: str, height: float) -> tuple[Figure, list[Any]]:
    """A picture with a row of axes for each value, on one time axis."""
    _check_count(field, values)
    size = (7.6, 0.5 + height * len(values))
    figure = Picture(figsize=size, dpi=100, layout="constrained", facecolor="none")
    rows = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for axes in rows:
        axes.set_facecolor("none")
    return figure, list(rows)


def _check_count(field: str, values: Mapping[str, Any]) -> None:
    if not isinstance(values, Mapping) or not 1 <= len(values) <= _MOST:
        told = len(values) if isinstance(values, Mapping) else type(values).__name__
        raise InputError(
            field=field,
            value=told,
            allowed=f"1–{_MOST} of them by their names",
            remedy='Write for example {"before": one, "after": other}.',
        )


def _audio(name: str, sound: Take | Audio) -> Audio:
    audio = sound.audio if isinstance(sound, Take) else sound
    if not isinstance(audio, Audio) or not audio.samples.size:
        raise InputError(field=name, value=sound, allowed="a take or an Audio with samples")
    return audio


def _difference(before: Audio, after: Audio) -> Any:
    """Level of the difference in dB for each window, against the loudest window of `before`."""
    if before.rate != after.rate or len(before.samples) != len(after.samples):
        raise InputError(
            field="after",
            value=repr(after),
            allowed=f"the rate and channels of {before!r}",
            remedy=f"Resample one: after.resample({before.rate}).",
        )
    length = max(before.samples.shape[1], after.samples.shape[1])
    one, other = (_padded(audio, length) for audio in (before, after))
    window = max(1, round(_WINDOW * before.rate))
    loudest = max(_levels(one, window), default=0.0)
    changed = np.array(list(_levels(other - one, window)))
    with np.errstate(divide="ignore"):
        return np.maximum(20 * np.log10(changed / (loudest or 1.0)), _SAME)


def _padded(audio: Audio, length: int) -> Any:
    return np.pad(audio.samples, ((0, 0), (0, length - audio.samples.shape[1])))


def _levels(samples: Any, window: int) -> Iterator[float]:
    """Root mean square of each window."""
    for start in range(0, samples.shape[1], window):
        yield float(np.sqrt(np.mean(samples[:, start : start + window] ** 2, dtype=np.float64)))
