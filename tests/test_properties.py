"""Whatever is asked, within the ranges or not: takes come out, or an error of ours."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import options, repaints, seeds, songs
from test_verbs import RATE, noise

from acestep_nb import AceStepError, Audio, InputError, RenderOptions, Song
from acestep_nb.edits import TRACKS

FEW = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
number = st.floats(-3, 6) | st.integers(-2, 5)
wild = number | st.floats() | st.none() | st.text(max_size=2)
region = st.tuples(number, number) | st.tuples(wild, wild) | st.lists(wild, max_size=3) | wild
quick = st.tuples(options, st.integers(1, 3)).map(
    lambda given: dataclasses.replace(
        given[0], inference_steps=given[1], timesteps=given[0].timesteps and given[0].timesteps[:3]
    )
)
SOURCE, QUICKEST = noise(2), RenderOptions(inference_steps=1)
SONG = Song(caption="x")


def is_music(take):
    return np.isfinite(take.audio.samples).all() and take.audio.peak > 0 and np.isfinite(take.latents).all()


def made(make):
    """The take, or None where the wish was refused in words of ours."""
    try:
        (take,) = make()
    except AceStepError as error:
        assert error.field or error.remedy
        return None
    assert is_music(take)
    return take


@FEW
@given(region, repaints, quick, seeds, st.none() | st.integers(1, 3))
def test_any_repaint(tiny_engine, region, how, options, seed, context):
    take = made(
        lambda: tiny_engine.repaint(
            SOURCE, SONG, region, repaint=how, context=context, seeds=[seed], options=options
        )
    )
    if take is not None and how.repaint_mode != "aggressive":
        start, end = take.edit.region
        lead, first = round(max(0, -start) * RATE), round((max(0, start) - how.crossfade_seconds) * RATE)
        kept = SOURCE.samples[:, : max(0, first - 1)]
        assert np.array_equal(take.audio.samples[:, lead : lead + kept.shape[1]], kept)
        assert take.duration == pytest.approx(max(2, end) - min(0, start), abs=1e-3)


@FEW
@given(st.sampled_from(["cover", "lego", "extract", "complete"]), quick, seeds, songs)
def test_any_song_options_and_seeds(tiny_engine, verb, options, seed, song):
    how = {"seeds": [seed], "options": options}
    make = {
        "cover": lambda: tiny_engine.cover(SOURCE, song, **how),
        "lego": lambda: tiny_engine.lego(SOURCE, song, TRACKS[seed.noise % len(TRACKS)], **how),
        "extract": lambda: tiny_engine.extract(SOURCE, "fx", song, **how),
        "complete": lambda: tiny_engine.complete(SOURCE, song, "guitar, bass", **how),
    }[verb]
    take = made(make)
    assert take is None or (take.duration == 2 and take.task == verb and take.seeds == seed)


@FEW
@given(number | wild, number | wild, number | wild, number | wild)
def test_any_way_to_go_on(tiny_engine, seconds, overlap, step, context):
    short = seconds if isinstance(seconds, int | float) and seconds < 20 else "long"
    how = {"overlap": overlap, "step": step, "context": context, "seeds": [1], "options": QUICKEST}
    take = made(lambda: tiny_engine.extend(SOURCE, short, SONG, **how))
    assert take is None or take.duration == pytest.approx(2 + seconds, abs=1e-4)


@FEW
@given(
    st.integers(0, 3),
    st.integers(0, 4 * RATE),
    st.sampled_from([1, 8_000, 44_100, 48_000, 192_000]),
    st.sampled_from([0.0, 1e-9, 0.5, 100.0, np.nan, np.inf]),
)
def test_any_sound_as_a_source(tiny_engine, channels, length, rate, level):
    sound = Audio(np.random.default_rng(length).uniform(-1, 1, (channels, length)) * level, rate)
    if sound.duration > 20:
        sound = Audio(sound.samples[:, : 20 * rate], rate)
    take = made(lambda: tiny_engine.cover(sound, SONG, seeds=[1], options=QUICKEST))
    assert take is None or take.duration == pytest.approx(sound.duration, abs=1e-3)


@FEW
@given(st.lists(wild, max_size=3).map(lambda codes: [*codes, -1]) | st.floats() | st.none())
def test_codes_that_are_none_are_refused(tiny_engine, codes):
    with pytest.raises(InputError):
        tiny_engine.generate(SONG, codes=codes)
