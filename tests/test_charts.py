"""Pictures that compare: each shows what is so, at its place, and tells what it cannot draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import make_take

from acestep_nb import (
    Audio,
    InputError,
    RenderOptions,
    Song,
    asked_and_measured,
    code_strip,
    difference,
    latent_map,
    mix_codes,
    noise_levels,
    note_map,
    spectrograms,
)
from acestep_nb.kinds import KINDS

RATE = 48_000
PNG = b"\x89PNG"


def noise(seconds: float, seed: int = 0) -> Audio:
    return Audio(np.random.default_rng(seed).normal(0, 0.1, (2, int(RATE * seconds))), RATE)


def test_sounds_stand_below_each_other_on_one_time_axis():
    take = make_take()
    figure = spectrograms({"source": noise(2.0), "後": take}, region=(0.5, 1.5))
    one, other = figure.axes
    assert one.get_title("left") == "source" and other.get_title("left") == "後"
    assert one.get_xlim() == other.get_xlim() == (0, max(2.0, take.duration))
    assert [line.get_xdata()[0] for line in other.lines] == [0.5, 1.5]
    assert figure._repr_png_().startswith(PNG)


def test_what_an_edit_left_alone_lies_on_the_floor():
    before = noise(2.0)
    samples = before.samples.copy()
    samples[:, RATE : RATE + RATE // 2] *= -1
    figure = difference(before, Audio(samples, RATE), region=(1.0, 1.5))
    times, levels = figure.axes[0].lines[0].get_data()
    inside = (times >= 1.0 - 1e-9) & (times < 1.5 - 1e-9)
    assert (levels[~inside] == -100).all()
    assert levels[inside] == pytest.approx(6.0, abs=0.6)  # twice the amplitude
    assert figure._repr_png_().startswith(PNG)


def test_what_only_the_longer_sound_has_is_a_change():
    before = noise(1.0)
    longer = Audio(np.concatenate([before.samples, before.samples], axis=1), RATE)
    times, levels = difference(before, longer).axes[0].lines[0].get_data()
    assert (levels[times < 0.99] == -100).all() and (levels[times > 1.0] > -3).all()


def test_silence_can_be_compared():
    silence = Audio(np.zeros((2, RATE)), RATE)
    assert difference(silence, silence).axes[0].lines[0].get_ydata().max() == -100


def test_sounds_that_are_unlike_in_kind_are_refused():
    with pytest.raises(InputError, match="rate and channels"):
        difference(noise(1.0), noise(1.0).resample(24_000))
    with pytest.raises(InputError, match="before must be a take"):
        difference("song.flac", noise(1.0))


def test_noise_levels_are_those_that_the_renderer_uses():
    asked = {"shift 1": RenderOptions(shift=1.0), "shift 2.2": RenderOptions(shift=2.2)}
    one, other = noise_levels(asked, KINDS["turbo"]).axes[0].lines
    assert one.get_ydata() == pytest.approx([1 - i / 8 for i in range(9)])
    assert other.get_ydata() == pytest.approx([2 * t / (1 + t) for t in one.get_ydata()])  # turbo takes 2
    free = noise_levels(asked, KINDS["base"]).axes[0].lines[1].get_ydata()
    assert len(free) == 51 and free[25] == pytest.approx(2.2 * 0.5 / 1.6)
    assert noise_levels({"速い": RenderOptions()}, KINDS["turbo"])._repr_png_().startswith(PNG)


def test_asked_and_measured_numbers_stand_in_their_rows():
    figure = asked_and_measured({"slow": (60, 61.2), "none": (90, None)})
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["slow", "none"]
    assert [text.get_text().strip() for text in axes.texts] == ["61.2"]
    assert len(axes.lines) == 4 and "bpm" in axes.get_xlabel()
    assert figure._repr_png_().startswith(PNG)


def test_notes_are_bright_where_they_sound_and_ringed_where_they_were_asked_for():
    times = np.arange(4 * 48_000) / 48_000
    chord = sum(np.sin(2 * np.pi * hertz * times) for hertz in (220.0, 261.63, 329.63))  # A C E
    sound = Audio(np.stack([chord, chord]).astype(np.float32) / 4, 48_000)
    asked = replace(make_take(), audio=sound, song=Song(caption="x", keyscale="A minor"))
    flat = replace(asked, song=Song(caption="x", keyscale="Gb major"))
    figure = note_map(
        {"asked": asked, "flat": flat, "夜": sound, "none": Audio(np.zeros((2, 48_000)), 48_000)}
    )
    (axes,) = figure.axes
    drawn = axes.images[0].get_array()
    assert [set(np.flatnonzero(row > 0.5)) for row in drawn] == [{0, 4, 9}] * 3 + [set()]
    rings = [sorted(line.get_xdata()) for line in axes.lines]
    assert rings == [[0, 2, 4, 5, 7, 9, 11], [1, 3, 5, 6, 8, 10, 11], [], []]
    assert figure._repr_png_().startswith(PNG)


def test_codes_are_drawn_digit_by_digit():
    codes = (0, 7, 8, 63_999)
    figure = code_strip({"one": codes, "other": codes[:2]})
    one = figure.axes[0].images[0]
    assert one.get_extent() == [0, 0.8, 6, 0]
    assert one.get_array().tolist() == [
        [0, 1, 0, 1], [0, 0, 1 / 7, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]
    ]  # fmt: skip
    assert figure._repr_png_().startswith(PNG)
    assert code_strip({"small": (4095,)}, levels=(8, 8, 8, 8)).axes[0].images[0].get_array().min() == 1


@pytest.mark.parametrize("draw", [spectrograms, asked_and_measured, note_map, code_strip])
@pytest.mark.parametrize("values", [{}, dict.fromkeys(range(9)), [1]])
def test_none_and_too_many_are_refused(draw, values):
    with pytest.raises(InputError, match="1–8 of them"):
        draw(values)


def test_empty_rows_and_wrong_codes_are_refused():
    with pytest.raises(InputError, match="at least one code"):
        code_strip({"none": ()})
    with pytest.raises(InputError, match="codes must be"):
        code_strip({"one": (64_000,)})
    with pytest.raises(InputError, match="with samples"):
        spectrograms({"nothing": Audio(np.zeros((2, 0)), RATE)})
    with pytest.raises(InputError, match="1–8 of them"):
        noise_levels({}, KINDS["turbo"])


def test_latents_are_drawn_against_their_own_channel():
    take = make_take()
    image = latent_map(take).axes[0].images[0]
    drawn = image.get_array()
    assert drawn.shape == take.latents.T.shape and image.get_extent()[1] == len(take.latents) / 25
    assert abs(drawn.mean(axis=1)).max() < 1e-3
    assert latent_map(take)._repr_png_().startswith(PNG)


def test_an_engine_tells_the_digits_of_its_codes(tiny_engine):
    levels = tiny_engine.code_levels
    size = int(np.prod(levels))
    assert all(0 <= code < size for code in tiny_engine.codes(noise(2.0)))
    assert mix_codes((0, 0), (size - 1, 0), share=1.0, levels=levels) == (size - 1, 0)
