import golden
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb.audio import Audio
from acestep_nb.codes import codes_in, latent_frames
from acestep_nb.errors import InputError
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.regions import Window, reference_clip, window
from acestep_nb.renders import Renders
from acestep_nb.song import Song

RATE = 48_000
FILE = "functions/conditioning_masks.json"


@pytest.mark.parametrize("case", [c for c in golden.cases(FILE, "cases") if c.values[0]["has_repaint_mask"]])
def test_recorded_windows(case):
    source = round(case["src_audio_seconds"] * RATE)
    found = window(case["repainting_start"], case["repainting_end"], source)
    assert found.before + source + found.after == case["padded_wav_frames"]
    assert ["repainting", *found.region] == case["span"] and found.frames == case["latent_frames"]
    assert found.lengthened(np.ones((2, source), np.float32)).shape == (2, case["padded_wav_frames"])
    mask = golden.tensors("functions/conditioning_masks.safetensors")[f"{case['name']}.repaint_mask"][0]
    assert np.array_equal(found.mask(), mask.bool().numpy()[: found.frames])


@pytest.mark.parametrize("case", golden.cases(FILE, "durations"))
def test_recorded_durations(case):
    assert latent_frames(case["seconds"]) == case["latent_frames"] == case["wav_frames"] // 1920


@pytest.mark.parametrize("case", golden.cases(FILE, "parse_audio_codes"))
def test_recorded_codes(case):
    assert list(codes_in(case["text"])) == case["codes"]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(5, 5, "ends after"), (6, 5, "ends after"), (9, 11, "meets"), (-3, -1, "meets")],
)
def test_regions_that_are_none(start, end, words):
    with pytest.raises(InputError, match=words) as caught:
        window(start, end, 8 * RATE)
    assert caught.value.field == "region" and caught.value.remedy


def test_continuing_at_the_end_and_leading_in_at_the_start():
    assert window(8, 12, 8 * RATE) == Window(0, 4 * RATE, 200, 300, 300)
    assert window(-4, 0, 8 * RATE) == Window(4 * RATE, 0, 0, 100, 300)
    assert window(-4, 12, 8 * RATE).region == (0, 400)


def test_a_moment_is_one_frame():
    assert window(1, 1.001, 8 * RATE).region == (25, 26)
    assert window(7.9999, None, 8 * RATE).region == (199, 200)
    assert window(8, 8.001, 8 * RATE) == Window(0, 48, 200, 201, 201)


@given(st.floats(-100, 700), st.floats(-100, 700), st.integers(RATE, 600 * RATE))
def test_every_region_lies_in_its_window_or_is_refused(start, end, samples):
    try:
        found = window(start, end, samples)
    except InputError:
        assert end <= start or start > samples / RATE or end < 0
        return
    assert 0 <= found.first < found.end <= found.frames and found.before >= 0 <= found.after
    assert (found.frames - 1) * 1920 < found.before + samples + found.after <= found.frames * 1920
    assert found.mask().sum() == found.end - found.first
    assert abs((found.end - found.first) / 25 - (end - start)) < 0.09


def counting(seconds):
    """Stereo whose sample values tell where they were."""
    return Audio(np.tile(np.arange(1, round(seconds * RATE) + 1, dtype=np.float32), (2, 1)), RATE)


@pytest.mark.parametrize("seconds", [30, 47.3, 200])
def test_a_reference_takes_ten_seconds_of_each_third(seconds):
    clip = reference_clip(counting(seconds), seed=3)
    assert clip.samples.shape == (2, 30 * RATE)
    third = round(seconds * RATE) // 3
    for part in range(3):
        segment = clip.samples[0, part * 10 * RATE : (part + 1) * 10 * RATE]
        assert np.array_equal(np.diff(segment), np.ones(10 * RATE - 1))
        assert part * third < segment[0] and segment[-1] <= (part + 1) * third + 2
    assert np.array_equal(clip.samples, reference_clip(counting(seconds), seed=3).samples)


def test_another_seed_hears_another_part():
    first, second = (reference_clip(counting(200), seed).samples for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_a_short_reference_is_repeated_and_a_silent_one_is_none():
    clip = reference_clip(counting(7), seed=0)
    assert clip.samples.shape == (2, 30 * RATE) and clip.samples.max() == 7 * RATE
    assert reference_clip(Audio(np.full((2, RATE), 1e-7), RATE), seed=0) is None
    assert reference_clip(Audio(np.zeros((2, 0)), RATE), seed=0) is None


@pytest.mark.parametrize("region", [(-1.5, 7), (1, 2)])
def test_the_model_is_told_how_long_the_source_is_before_anything_is_put_around_it(
    tiny_engine, monkeypatch, region
):
    told, real = [], Renders._request

    def noted(self, order, asks, seeds):
        told.extend(ask.told_seconds for ask in asks)
        return real(self, order, asks, seeds)

    monkeypatch.setattr(Renders, "_request", noted)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, round(5.31 * RATE))).astype(np.float32)
    options = RenderOptions(inference_steps=1)
    tiny_engine.repaint(Audio(noise, RATE), Song(caption="piano"), region, seeds=[1], options=options)
    assert told == [pytest.approx(5.31)]
