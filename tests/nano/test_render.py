import numpy as np
import pytest
from pieces import LA_REST_MI, make_piece

from acestep_nb.codes import LATENT_RATE
from acestep_nb.nano.codec import INNER_RATE
from acestep_nb.nano.music import (
    CHORD_INSTRUMENTS,
    GENRES,
    HABITS,
    LEAD_INSTRUMENTS,
    STEPS_PER_BAR,
    Syllable,
    sung,
)
from acestep_nb.nano.render import DRUM_CLASS, ROLL, chord_steps, render, roll

COLUMN = {name: i for i, name in enumerate(ROLL)}


def onset_seconds(piece, steps):
    """When the steps of a bar pattern sound, in every bar that begins in the piece."""
    step = piece.beat / 4
    bars = np.arange(int(np.ceil(piece.seconds / step / STEPS_PER_BAR))) * STEPS_PER_BAR
    times = np.sort((bars[:, None] + np.array(steps)).ravel() * step)
    return times[times < piece.seconds]


def energy(y, start, seconds):
    """Mean square of `seconds` of sound from `start` seconds on."""
    at = round(start * INNER_RATE)
    return float((y[max(at, 0) : at + round(seconds * INNER_RATE)] ** 2).mean())


def low(y):
    """Sound below 150 Hz."""
    spectrum = np.fft.rfft(y)
    spectrum[np.fft.rfftfreq(len(y), 1 / INNER_RATE) > 150] = 0
    return np.fft.irfft(spectrum, len(y))


@pytest.mark.parametrize("drums", [False, True])
@pytest.mark.parametrize("bass", [False, True])
@pytest.mark.parametrize("lead", [None, "flute"])
@pytest.mark.parametrize("voice", [None, "female"])
def test_only_what_is_asked_sounds(drums, bass, lead, voice):
    piece = make_piece(drums=drums, bass=bass, lead=lead, voice=voice, slots=LA_REST_MI, seconds=2.0)
    sound = render(piece)
    assert tuple(sound) == piece.stems
    for y in sound.values():
        assert y.shape == (2 * INNER_RATE,) and y.dtype == np.float32 and np.isfinite(y).all()
        assert np.sqrt((y**2).mean()) > 1e-3


def test_equal_pieces_sound_equal():
    piece = make_piece(lead="brass", voice="male", slots=LA_REST_MI, seconds=3.0)
    first, again, other = render(piece), render(piece), render(make_piece(seed=2, seconds=3.0))
    assert all(np.array_equal(first[stem], again[stem]) for stem in piece.stems)
    assert not np.array_equal(first["drums"], other["drums"])


@pytest.mark.parametrize("genre", GENRES)
def test_mixes_leave_headroom(genre):
    full = make_piece(genre=genre, lead="brass", voice="female", slots=LA_REST_MI * 8)
    assert 0.05 < np.abs(sum(render(full).values())).max() < 1


@pytest.mark.parametrize("bpm", [60, 97, 140])
@pytest.mark.parametrize("genre", ["rock", "house", "pop"])
def test_kicks_fall_where_the_pattern_says(genre, bpm):
    piece = make_piece(genre=genre, bpm=bpm)
    drums = low(render(piece)["drums"])
    times = onset_seconds(piece, HABITS[genre].drums["kick"])
    rises = [energy(drums, t, 0.06) / (energy(drums, t - 0.03, 0.03) + 1e-9) for t in times[1:]]
    assert len(rises) > 4 and min(rises) > 3
    elsewhere = [energy(drums, t - 0.05, 0.04) for t in times[1:]]
    assert np.mean([energy(drums, t, 0.06) for t in times]) > 10 * np.mean(elsewhere)


def rise(y):
    """Spectral flux: growth of the log spectrum from one 10-ms step to the next; entry i is at i / 100 s."""
    width, hop = 480, 240
    padded = np.pad(y, (width, width))
    starts = np.arange(0, len(y), hop) + width
    windows = padded[starts[:, None] - width // 2 + np.arange(width)] * np.hanning(width)
    spectrum = np.log(np.abs(np.fft.rfft(windows)) + 0.05)
    return np.maximum(np.diff(spectrum, axis=0, prepend=spectrum[:1]), 0).mean(1)


@pytest.mark.parametrize("genre", GENRES)
@pytest.mark.parametrize(
    ("stem", "columns"),
    [
        ("drums", ("kick", "snare", "hat")),
        ("bass", ("bass",)),
        ("chords", ("chords",)),
        ("lead", ("lead",)),
    ],
)
def test_the_roll_says_what_is_heard(genre, stem, columns):
    piece = make_piece(genre=genre, bpm=76, lead="brass", chords="piano", seconds=10.0)
    frames = int(piece.seconds * LATENT_RATE)
    told = roll(piece, 0, frames)[:, [COLUMN[c] for c in columns]].max(1) > 0
    curve = rise(render(piece)[stem])[: 4 * frames].reshape(frames, 4).max(1)
    after = np.roll(told, 1)  # an onset at the end of a frame is heard in the next
    before = np.roll(told, -1)  # the window of the analysis looks 10 ms ahead
    near = np.maximum(curve, np.maximum(np.roll(curve, -1), np.roll(curve, 1)))
    inside, outside = near[told], curve[~(told | after | before)]
    assert 0.02 < told.mean() < 0.6
    assert np.quantile(inside, 0.05) > 1.5 * np.quantile(outside, 0.99)


@pytest.mark.parametrize("genre", GENRES)
def test_sounding_columns_follow_the_sound(genre):
    piece = make_piece(genre=genre, bpm=76, chords="organ", lead="strings", seconds=10.0)
    frames = int(piece.seconds * LATENT_RATE)
    told, sound = roll(piece, 0, frames), render(piece)
    for stem in ("bass", "chords", "lead"):
        loud = (sound[stem].reshape(frames, -1) ** 2).mean(1) > 1e-9
        wrong = loud != (told[:, COLUMN[f"{stem} on"]] > 0)
        edges = np.abs(np.diff(told[:, COLUMN[f"{stem} on"]])).sum() + 1
        assert wrong.sum() <= edges  # only frames in which a note begins or ends


def test_the_roll_of_a_window_is_a_part_of_the_whole():
    piece = make_piece(lead="flute", voice="female", slots=LA_REST_MI * 4)
    assert np.array_equal(roll(piece, 0, 200)[60:160], roll(piece, 60, 100))


def test_the_roll_of_absent_parts_is_empty():
    told = roll(make_piece(drums=False, bass=False), 0, 100)
    empty = [COLUMN[c] for c in ("kick", "snare", "hat", "bass", "lead", "bass on", "lead on", "voice on")]
    assert not told[:, empty].any() and told[:, COLUMN["chords"]].any()


def test_a_resting_voice_is_silent():
    piece = make_piece(voice="female", slots=LA_REST_MI * 3)
    y, singing = render(piece)["vocals"], np.zeros(8 * INNER_RATE, bool)
    for start, end, _ in sung(piece):
        singing[int(start * INNER_RATE) : int(end * INNER_RATE) + 1] = True
        assert energy(y, start + 0.1, 0.2) > 1e-4
    assert not y[~singing].any() and (~singing).sum() > INNER_RATE


def test_vowels_and_voices_sound_different():
    def spectrum(voice, vowel):
        y = render(make_piece(voice=voice, slots=(Syllable(0, vowel),), seconds=0.5))["vocals"]
        return np.log(np.abs(np.fft.rfft(y * np.hanning(len(y)))[:2048]).reshape(64, -1).mean(1) + 1e-2)

    heard = [spectrum(voice, vowel) for voice in ("female", "male") for vowel in range(5)]
    apart = [np.abs(a - b).mean() for i, a in enumerate(heard) for b in heard[:i]]
    assert min(apart) > 0.1


@pytest.mark.parametrize("name", [*CHORD_INSTRUMENTS, *LEAD_INSTRUMENTS, "bass"])
def test_instruments_are_in_tune(name):
    from acestep_nb.nano.instruments import bank

    midi = 45 if name == "bass" else 69
    note = bank().notes[name][midi][:INNER_RATE]
    power = np.abs(np.fft.rfft(note * np.hanning(len(note)))) ** 2
    hertz = 440 * 2 ** ((midi - 69) / 12)
    bins = np.arange(1, int(8 * hertz))  # 1 Hz each
    apart = np.abs(bins - hertz * np.round(2 * bins / hertz) / 2)  # an organ has a sub-octave
    in_tune = apart < np.maximum(6, 0.015 * bins)  # vibrato and detuned pairs; a semitone is 6 %
    assert power[bins][in_tune].sum() > 0.9 * power[bins].sum()


def test_house_chords_are_stabs():
    assert chord_steps(make_piece(genre="house"), 4) < 2 < chord_steps(make_piece(), 4)


def test_every_hit_has_a_class():
    assert {name for habits in HABITS.values() for name in habits.drums} == set(DRUM_CLASS)
