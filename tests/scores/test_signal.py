"""Facts of sounds whose facts are known."""

from __future__ import annotations

import numpy as np
import pytest
from pyloudnorm import Meter

from acestep_nb.audio import Audio
from acestep_nb.errors import InputError
from acestep_nb.scores.hearing import keyscale, tempo
from acestep_nb.scores.signal import loudness, signal_facts
from acestep_nb.scores.values import BANDS

RATE = 48_000


def tone(hertz, seconds=5.0, level=0.5, rate=RATE):
    return level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def clicks(bpm, seconds=20.0):
    """A short noise on every beat, the first of four louder."""
    sound, hit = np.zeros(int(seconds * RATE)), np.random.default_rng(1).standard_normal(2400)
    hit *= np.exp(-np.arange(2400) / 400)
    for beat, start in enumerate(np.arange(0, len(sound) - 2400, 60 / bpm * RATE).astype(int)):
        sound[start : start + 2400] += hit * (0.2 if beat % 4 else 0.3)
    return Audio(sound, RATE)


def song(roots, minor, seconds=1.0):
    """Chords one after another, roots as MIDI notes, each with its own third."""
    chords = []
    for root, flat in zip(roots, minor):
        notes = (root - 12, root, root + (3 if flat else 4), root + 7)
        chords.append(sum(tone(440 * 2 ** ((note - 69) / 12), seconds, 0.1) for note in notes))
    return Audio(np.concatenate(chords), RATE)


def test_a_full_scale_tone_has_the_loudness_that_the_standard_says():
    assert loudness(Audio(tone(997, level=1.0), RATE)) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize("rate", [48_000, 44_100, 16_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_loudness_is_that_of_another_meter(rate, channels):
    random = np.random.default_rng(rate)
    levels = np.repeat(10 ** random.uniform(-4, -0.5, 16), rate // 2)
    sound = random.standard_normal((channels, len(levels))) * levels
    for _ in range(4):  # keep clear of half the rate, where resampling and the filters of the other differ
        sound = (sound + np.roll(sound, 1, 1)) / 2
    other = Meter(rate).integrated_loudness(sound.T.copy())
    assert loudness(Audio(sound, rate)) == pytest.approx(other, abs=0.15)


def test_silence_and_short_sounds_have_no_loudness():
    assert loudness(Audio(np.zeros((2, RATE)), RATE)) is None
    assert loudness(Audio(tone(440, 0.39), RATE)) is None
    assert loudness(Audio(tone(440, 0.41), RATE)) is not None


def test_the_facts_of_a_clipped_tone_with_a_pause():
    sound = np.clip(tone(440, 4.0, 2.0), -1, 1)
    facts = signal_facts(Audio(np.concatenate([sound, np.zeros(4 * RATE)]), RATE))
    assert facts.peak == 0.0 and facts.silent == pytest.approx(0.5, abs=0.01)
    assert facts.clipped == pytest.approx(np.mean(np.abs(sound) >= 0.999) / 2, rel=0.01)


def test_single_samples_at_full_scale_are_not_clipping():
    sound = np.zeros(RATE)
    sound[::100] = 1.0
    assert signal_facts(Audio(sound, RATE)).clipped == 0.0


@pytest.mark.parametrize(("name", "edges"), BANDS.items())
def test_the_energy_is_in_the_band_of_the_tone(name, edges):
    facts = signal_facts(Audio(tone(float(np.sqrt(edges[0] * edges[1]))), RATE))
    assert facts.balance[name] > 0.97 and sum(facts.balance.values()) == pytest.approx(1, abs=1e-3)


def test_silence_has_its_facts_too():
    facts = signal_facts(Audio(np.zeros((2, 3 * RATE)), RATE))
    assert (facts.loudness, facts.peak, facts.silent, facts.bpm, facts.keyscale) == (
        None,
        None,
        1.0,
        None,
        None,
    )
    assert not any(facts.balance.values())


@pytest.mark.parametrize("samples", [1, 7, 100, 1023, 5000])
def test_short_sounds_are_measured(samples):
    facts = signal_facts(Audio(tone(1000)[:samples] + 0.01, RATE))
    assert facts.peak is not None and facts.bpm is None


@pytest.mark.parametrize("samples", [np.zeros((2, 0)), np.full((2, 9), np.nan)])
def test_what_is_no_sound_is_refused(samples):
    with pytest.raises(InputError, match="cannot be measured"):
        signal_facts(Audio(samples, RATE))


@pytest.mark.parametrize("bpm", [60, 83, 100, 127.5, 174])
def test_the_tempo_of_clicks(bpm):
    heard = tempo(clicks(bpm), near=bpm)
    assert heard == pytest.approx(bpm, rel=0.01)


def test_tempo_is_counted_as_people_would_or_as_asked():
    assert tempo(clicks(70)) == pytest.approx(70, rel=0.01)
    assert tempo(clicks(120), near=62) == pytest.approx(60, rel=0.01)
    assert tempo(clicks(120), near=230) == pytest.approx(240, rel=0.01)


def test_noise_has_no_tempo():
    assert tempo(Audio(np.random.default_rng(2).standard_normal(20 * RATE) * 0.1, RATE)) is None


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_of_cadences(tonic):
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    root = 48 + tonic
    major = song([root, root + 5, root + 7, root] * 2, [False] * 8)
    minor = song([root, root + 5, root + 7, root] * 2, [True, True, False, True] * 2)
    assert (keyscale(major), keyscale(minor)) == (f"{names[tonic]} major", f"{names[tonic]} minor")
