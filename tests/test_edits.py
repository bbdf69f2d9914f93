import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import edits

from acestep_nb import Audio, InputError
from acestep_nb.edits import (
    EDIT_TASKS,
    REGION_ADVICE,
    TRACKS,
    Edit,
    RepaintOptions,
    Source,
    checked_region,
    checked_tracks,
)
from acestep_nb.knobs import knobs, to_dict

SOURCE = Source("0001_rain_s7", "00", 12.0)


def edit(**how):
    return Edit(**{"sources": (SOURCE,), **how})


@given(edits)
def test_any_edit_survives_json(value):
    assert Edit.from_dict(json.loads(json.dumps(value.to_dict()))) == value


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"task": "remix"}, "task"),
        ({"task": 3}, "task"),
        ({"task": "repaint"}, "region"),
        ({"task": "cover", "region": (1, 2)}, "region"),
        ({"task": "repaint", "region": (2, 1)}, "region"),
        ({"task": "repaint", "region": (2, 2)}, "region"),
        ({"task": "repaint", "region": (2,)}, "region"),
        ({"task": "repaint", "region": 2}, "region"),
        ({"task": "repaint", "region": "ab"}, "region"),
        ({"task": "repaint", "region": ("a", "b")}, "region"),
        ({"task": "repaint", "region": (0, float("nan"))}, "region"),
        ({"task": "repaint", "region": (0, float("inf"))}, "region"),
        ({"task": "cover", "tracks": ["drums"]}, "tracks"),
        ({"task": "lego", "tracks": ["drums", "bass"]}, "tracks"),
        ({"task": "complete", "tracks": ["lute"]}, "tracks"),
        ({"task": "complete", "tracks": [None]}, "tracks"),
        ({"task": "complete", "tracks": 5}, "tracks"),
        ({"task": "extract", "quantize": False}, "quantize"),
        ({"task": "cover", "quantize": 0}, "quantize"),
        ({"task": "cover", "repaint": RepaintOptions()}, "repaint"),
        ({"task": "cover", "repaint": 3}, "repaint"),
        ({"task": "cover", "context": 30}, "context"),
        ({"task": "repaint", "region": (0, 3), "context": 0.5}, "context"),
        ({"task": "repaint", "region": (0, 30), "step": 10}, "step"),
        ({"task": "repaint", "region": (9, 30), "context": 9, "step": 91}, "step"),
        ({"task": "repaint", "region": (9, 11), "context": 9, "step": 10}, "step"),
        ({"task": "repaint", "region": (-1, 30), "context": 9, "step": 10}, "step"),
        ({"sources": ()}, "sources"),
        ({"sources": "song.flac"}, "sources"),
        ({"sources": None}, "sources"),
    ],
)
def test_what_does_not_fit_is_refused(how, field):
    with pytest.raises(InputError) as caught:
        edit(**how)
    assert caught.value.field == field and str(caught.value)


@given(
    st.text(max_size=8) | st.integers() | st.none() | st.lists(st.none() | st.floats() | st.text(max_size=3))
)
def test_any_region_or_tracks_are_taken_or_refused(value):
    for check in (checked_region, checked_tracks):
        try:
            checked = check(value)
        except InputError as error:
            assert error.field in ("region", "tracks") and error.remedy
        else:
            assert isinstance(checked, tuple)


def test_tracks_are_read_as_people_write_them():
    assert checked_tracks("Drums, backing vocals, DRUMS") == ("drums", "backing_vocals")
    assert checked_tracks(["Backing-Vocals"]) == ("backing_vocals",)
    assert checked_tracks(TRACKS) == TRACKS


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (RepaintOptions(), (0.5, 12, 0.025)),
        (RepaintOptions("conservative"), (1.0, 25, 0.05)),
        (RepaintOptions("aggressive"), (0.0, 0, 0.0)),
        (RepaintOptions("balanced", 0.0), (1.0, 25, 0.05)),
        (RepaintOptions("balanced", 0.2), (0.8, 20, 0.04)),
        (RepaintOptions("balanced", 1.0), (0.0, 0, 0.0)),
        (RepaintOptions("Conservative", 0.9), (1.0, 25, 0.05)),
        (RepaintOptions("balanced", 0.5, 0, 0.2), (0.5, 0, 0.2)),
    ],
)
def test_how_firmly_each_mode_holds_the_outside(options, kept):
    ratio, frames, seconds = options.injection_ratio, options.crossfade_frames, options.crossfade_seconds
    assert (ratio, frames, seconds) == pytest.approx(kept)
    assert edit(task="repaint", region=(0, 1), repaint=options).splices == (
        options.repaint_mode != "aggressive"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"repaint_mode": "gentle"},
        {"repaint_strength": 1.1},
        {"repaint_latent_crossfade_frames": -1},
        {"repaint_latent_crossfade_frames": 1.5},
        {"repaint_wav_crossfade_sec": float("nan")},
    ],
)
def test_repaint_options_have_ranges(wrong):
    with pytest.raises(InputError) as caught:
        RepaintOptions(**wrong)
    assert caught.value.field == next(iter(wrong)) and caught.value.allowed


def test_a_repaint_always_says_how_the_outside_stays():
    assert edit(task="repaint", region=(3, 6)).repaint == RepaintOptions()
    assert edit(task="cover").repaint is None and not edit(task="cover").splices


def test_every_knob_of_an_edit_explains_itself():
    for owner in (Edit, RepaintOptions):
        for name, rule in knobs(owner).items():
            assert rule.label and rule.help.endswith(".") and rule.allowed, name
    assert len(knobs(Edit)["task"].options) == len(EDIT_TASKS)
    assert (knobs(Edit)["step"].minimum, knobs(Edit)["step"].maximum) == REGION_ADVICE


def test_a_source_is_known_by_its_sound():
    sound = Audio(np.linspace(-1, 1, 96, dtype=np.float32).reshape(2, 48), 48_000)
    same = Source.of(Audio(sound.samples.copy(), 48_000), "b.flac")
    assert Source.of(sound, "a.wav").sha256 == same.sha256 and same.name == "b.flac"
    others = (
        Audio(sound.samples, 44_100),
        Audio(sound.samples.reshape(1, -1), 48_000),
        Audio(sound.samples + 1e-6, 48_000),
    )
    assert len({same.sha256, *(Source.of(other).sha256 for other in others)}) == 4
    assert same.duration == 0.001 and to_dict(same)["name"] == "b.flac"


def test_an_edit_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        edit().task = "repaint"
