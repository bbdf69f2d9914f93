from itertools import pairwise, product

import pytest
from pieces import LA_REST_MI, make_piece

from acestep_nb.edits import TRACKS
from acestep_nb.nano import music

KEYS = [(key, mode) for key in range(12) for mode in music.MODES]
BARS = range(2 * music.BARS_PER_ROUND)


def test_every_tempo_is_played_nearly_as_asked():
    for bpm in range(57, 191):
        assert make_piece(bpm=bpm).tempo == pytest.approx(bpm, rel=0.025)


@pytest.mark.parametrize(("bpms", "octave"), [(range(30, 57), 2), (range(192, 301), 0.5)])
def test_beyond_the_grid_the_nearest_octave_is_played(bpms, octave):
    for bpm in bpms:
        assert make_piece(bpm=bpm).tempo == pytest.approx(bpm * octave, rel=0.025)


def test_tempi_are_distinct_classes():
    assert [music.tempo_class(round(tempo)) for tempo in music.TEMPI] == list(range(len(music.TEMPI)))


def test_chords_stay_in_the_key():
    for (key, mode), bar in product(KEYS, BARS):
        scale = {(key + step) % 12 for step in music.SCALE[mode]}
        root, third, fifth = music.chord_tones(key, mode, bar)
        assert {root, third, fifth} <= scale
        assert (third - root) % 12 in (3, 4) and (fifth - root) % 12 == 7
        assert music.chord_root(key, mode, bar) == root
        assert bar % music.BARS_PER_ROUND or root == key


@pytest.mark.parametrize(
    ("register", "shapes"),
    [
        (music.LEAD_REGISTER, music.LEAD_CONTOURS),
        (music.VOICE_REGISTER["female"], music.VOCAL_CONTOURS),
        (music.VOICE_REGISTER["male"], music.VOCAL_CONTOURS),
    ],
)
def test_melodies_stay_in_chord_and_register(register, shapes):
    for (key, mode), bar in product(KEYS, BARS):
        for shape in shapes:
            notes = music.contour_pitches(key, mode, bar, register, shape)
            assert len(notes) == len(shape) and all(register[0] <= note < register[1] for note in notes)
            assert {note % 12 for note in notes} <= set(music.chord_tones(key, mode, bar))


@pytest.mark.parametrize("genre", music.GENRES)
def test_patterns_lie_in_the_bar(genre):
    habits = music.HABITS[genre]
    for steps in (*habits.drums.values(), habits.bass, habits.comping, habits.lead):
        assert all(before < after for before, after in pairwise(steps))
        assert steps[0] >= 0 and steps[-1] < music.STEPS_PER_BAR
        assert sum(music.gaps(steps)) == music.STEPS_PER_BAR - steps[0]
    assert all(len(habits.lead) <= len(shape) for shape in music.LEAD_CONTOURS)
    assert all(len(shape) == music.BEATS_PER_BAR for shape in music.VOCAL_CONTOURS)


def test_one_slot_is_sung_a_beat():
    piece = make_piece(voice="female", slots=LA_REST_MI)
    (first, end, slot), (second, _, other) = music.sung(piece)
    assert (slot, other) == (0, 2) and first == 0 and second == pytest.approx(2 * piece.beat)
    assert end - first == pytest.approx(0.9 * piece.beat)


def test_slow_syllables_last_a_second_at_most():
    piece = make_piece(bpm=58, voice="male", slots=LA_REST_MI)
    assert [end - start for start, end, _ in music.sung(piece)] == pytest.approx([0.931, 0.931], abs=1e-3)


def test_singing_ends_with_the_piece():
    piece = make_piece(voice="male", slots=LA_REST_MI * 20)
    spans = music.sung(piece)
    assert 5 < len(spans) < 20 and max(end for _, end, _ in spans) <= piece.seconds
    assert all(end < start for (_, end, _), (start, _, _) in pairwise(spans))


def test_without_a_voice_nothing_is_sung():
    assert music.sung(make_piece(slots=LA_REST_MI)) == []


def test_stems_are_those_that_sound():
    assert make_piece().stems == ("drums", "bass", "chords")
    full = make_piece(lead="flute", voice="male")
    assert full.stems == music.STEMS
    assert make_piece(drums=False, bass=False).stems == ("chords",)
    assert [full.track(stem) for stem in full.stems] == ["drums", "bass", "keyboard", "woodwinds", "vocals"]


def test_every_track_has_a_name_of_the_protocol():
    assert set(music.TRACK_OF.values()) <= set(TRACKS)
    assert set(music.TRACK_OF) >= {*music.CHORD_INSTRUMENTS, *music.LEAD_INSTRUMENTS}


def test_the_seed_picks_the_contours():
    assert len({music.contours(make_piece(seed=seed)) for seed in range(4)}) == 4
