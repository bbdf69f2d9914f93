import numpy as np
import pytest
import torch
from pieces import LA_REST_MI, make_piece

from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.evaluate import train_judges
from acestep_nb.nano.judges import (
    ATTRIBUTES,
    BAND_RATE,
    Hearing,
    Probe,
    features,
    onsets,
    truth,
    verdict,
    vowel_features,
    vowel_truth,
)
from acestep_nb.nano.music import GENRES, TEMPI, sung, tempo_class
from acestep_nb.nano.render import render


@pytest.fixture(scope="module")
def listen():
    """Log bands `[frame, 276]` of a piece, or of some of its stems."""
    plain = SpectralCodec()

    def bands(piece, *stems):
        sound = render(piece)
        mix = np.sum([sound[name] for name in stems or sound], axis=0, dtype=np.float32)
        return plain.log_bands(torch.from_numpy(mix)[None])[0].numpy()

    return bands


@pytest.fixture(scope="module")
def trained(codec):
    """Judges of 100 pieces, and what they got right of ten others."""
    return train_judges(codec, pieces=100)


@pytest.fixture(scope="module")
def judges(trained):
    return trained[0]


def test_a_probe_separates_a_toy_problem():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = rng.normal(size=(300, 5))
    x[:, 2] += 6 * y
    probe = Probe(x[:200] * [1, 1, 100, 1, 1e-3], y[:200], 3)
    assert (probe(x[200:] * [1, 1, 100, 1, 1e-3]) == y[200:]).mean() > 0.95
    blind = Probe(rng.normal(size=(200, 5)), y[:200], 3)
    assert (blind(rng.normal(size=(100, 5))) == y[200:]).mean() < 0.6


@pytest.mark.parametrize("bpm", [60, 97, 140])
@pytest.mark.parametrize("genre", GENRES)
def test_tempo_is_measured_on_drums(judges, listen, bpm, genre):
    piece = make_piece(genre=genre, bpm=bpm, seconds=10.0)
    measured = judges.bpm(listen(piece, "drums"), tempo_class(bpm))
    assert measured == pytest.approx(piece.tempo, rel=0.015)


def test_tempo_is_measured_and_not_believed(judges, listen):
    """A probe that names the neighbouring tempo does not make it the tempo."""
    piece = make_piece(genre="house", bpm=97, seconds=10.0)
    near = tempo_class(97) + 1
    assert abs(judges.bpm(listen(piece), near) / TEMPI[near] - 1) > 0.03


class Deaf:
    """Judges that say what they are told."""

    def __init__(self, found, bpm, vowel=0):
        self.found, self.said, self.vowel = found, bpm, vowel

    def __call__(self, bands):
        return self.found

    def bpm(self, bands, heard):
        return self.said

    def vowels(self, rows):
        return np.full(len(rows), self.vowel)


@pytest.mark.parametrize(
    ("bpm", "tempo", "octave"),
    [(120, 1, 0), (123, 1, 0), (126, 0, 0), (60, 0, 1), (241, 0, 1), (150, 0, 0)],
)
def test_octave_errors_are_errors_and_are_counted(bpm, tempo, octave):
    piece = make_piece(bpm=120)
    heard = Hearing(piece, np.zeros((400, 276)))
    found = verdict(Deaf(truth(piece) | {"key": 5}, bpm), heard)
    assert (found["tempo"], found["octave"]) == (tempo, octave)
    assert found["key"] == 0 and found["drums"] == 1
    assert not {"lead_instrument", "voice", "vowels"} & set(found)  # nobody asked for them


def test_a_verdict_can_be_about_another_piece():
    piece, stranger = make_piece(), make_piece(bpm=90, drums=False, voice="male", slots=LA_REST_MI * 5)
    heard = Hearing(piece, np.zeros((400, 276)))
    found = verdict(Deaf(truth(piece), 120.0, vowel=LA_REST_MI[0].vowel), heard, stranger)
    assert (found["tempo"], found["drums"], found["vocals"], found["bass"]) == (0, 0, 0, 1)
    assert found["vowels"] == pytest.approx(0.5, abs=0.1)  # every other sung slot is "la"


def test_small_judges_hear_already_more_than_chance(trained):
    _, ceiling = trained
    assert set(ceiling) >= {*ATTRIBUTES, "octave", "vowels"} - {"voice", "lead_instrument"}
    assert np.mean([ceiling["drums"], ceiling["vocals"], ceiling["bass"]]) >= 0.7 and ceiling["vowels"] > 0.35


def test_vowels_are_asked_only_where_they_sound():
    piece = make_piece(voice="female", slots=LA_REST_MI * 3)
    wanted = vowel_truth(piece, 100)
    seconds = (np.arange(100) + 0.5) * 4 / BAND_RATE
    for start, end, slot in sung(piece):
        inside = (seconds >= start + 0.04) & (seconds < end)
        assert inside.sum() >= 4 and (wanted[inside] == piece.slots[slot].vowel).all()
        wanted[inside] = -1
    assert (wanted == -1).all()


def test_features_have_a_fixed_size(listen):
    short, long = (features(listen(make_piece(seconds=seconds))) for seconds in (5.0, 8.0))
    assert {name: len(row) for name, row in short.items()} == {name: len(row) for name, row in long.items()}
    assert vowel_features(listen(make_piece(seconds=5.0))).shape == (62, 552)
    assert all(np.isfinite(row).all() for row in features(np.full((300, 276), -2.1)).values())


def test_onsets_stand_where_hits_are(listen):
    piece = make_piece(genre="house", bpm=120, seconds=8.0)
    curve = onsets(listen(piece, "drums"))[:, 0]  # below 90 Hz: the kick
    beats = np.arange(1, 15) * piece.beat * BAND_RATE
    near = [curve[int(b) - 2 : int(b) + 3].max() for b in beats]
    assert min(near) > 2 * np.quantile(curve, 0.75)
