import threading

import pytest
from helpers import make_take

from acestep_nb import Cancelled, Compare, History, InputError, RenderOptions, Song, spectrograms, sweep
from acestep_nb.sweeps import MOST, points

SONG = Song(caption="rain", bpm=76)
OPTIONS = RenderOptions(inference_steps=2)


class Recorder:
    """An engine whose takes are noise: what it is asked for is what the tests look at."""

    def __init__(self, fail_at: int = 99) -> None:
        self.asked, self.fail_at = [], fail_at

    def generate(self, song, *, seeds, options, on_take, cancel):
        if cancel is not None and cancel.is_set():
            raise Cancelled("stopped")
        if len(self.asked) == self.fail_at:
            raise InputError("no more", field="shift")
        takes = [make_take(seed=own.noise, caption=song.caption) for own in seeds]
        for own, take in zip(seeds, takes):
            self.asked.append((song, options, own))
            on_take(take)
        return takes


def test_one_factor_is_changed_and_the_seed_held():
    engine = Recorder()
    found = sweep(engine, SONG, shift=[1, 2, 3], seeds=[7], options=OPTIONS)
    assert found.labels == ("Shift 1", "Shift 2", "Shift 3") and len(found) == 3
    assert [options.shift for _, options, _ in engine.asked] == [1, 2, 3]
    assert {(song, options.inference_steps, own.noise) for song, options, own in engine.asked} == {
        (SONG, 2, 7)
    }
    assert [label for label, take in found if take.seed == 7] == list(found.labels)


def test_without_seeds_one_is_drawn_and_held():
    engine = Recorder()
    sweep(engine, SONG, bpm=[60, None])
    assert len({own for _, _, own in engine.asked}) == 1
    assert [song.bpm for song, _, _ in engine.asked] == [60, None]


def test_several_factors_one_at_a_time_or_all_together():
    one = points(SONG, OPTIONS, {"shift": [1, 2], "keyscale": ["Am"]})
    assert [place.label for place in one] == ["Shift 1", "Shift 2", "Key A minor"]
    assert one[2].options == OPTIONS and one[0].song == SONG and one[2].song.keyscale == "A minor"
    grid = points(SONG, OPTIONS, {"shift": [1, 2], "bpm": [60, None]}, grid=True)
    assert [place.label for place in grid] == [
        "Shift 1 · Tempo 60 bpm",
        "Shift 1 · Tempo auto",
        "Shift 2 · Tempo 60 bpm",
        "Shift 2 · Tempo auto",
    ]
    assert [(place.options.shift, place.song.bpm) for place in grid] == [
        (1, 60),
        (1, None),
        (2, 60),
        (2, None),
    ]
    labels = [
        place.label for place in points(SONG, OPTIONS, {"sampler": ["euler", "heun"], "normalize": [False]})
    ]
    assert labels == ["Sampler Euler", "Sampler Heun", "Normalise off"]


def test_several_seeds_are_told_apart():
    found = sweep(Recorder(), SONG, shift=[1, 3], seeds=[7, 8])
    assert found.labels == ("Shift 1 · seed 7", "Shift 1 · seed 8", "Shift 3 · seed 7", "Shift 3 · seed 8")
    assert [take.seed for take in found.takes] == [7, 8, 7, 8]


@pytest.mark.parametrize(
    ("factors", "field"),
    [
        ({}, "factors"),
        ({"mood": [1]}, "mood"),
        ({"shift": 3}, "shift"),
        ({"caption": "rain"}, "caption"),
        ({"shift": []}, "shift"),
        ({"shift": [1, 99]}, "shift"),
        ({"bpm": ["fast"]}, "bpm"),
        ({"bpm": range(30, 30 + MOST + 1)}, "factors"),
    ],
)
def test_what_cannot_be_swept_is_told_before_anything_is_rendered(factors, field):
    engine = Recorder()
    with pytest.raises(InputError) as caught:
        sweep(engine, SONG, seeds=[7], **factors)
    assert caught.value.field == field and engine.asked == []


def test_takes_that_were_ready_are_kept(tmp_path):
    project, heard = History(tmp_path), []
    with pytest.raises(InputError, match="no more"):
        sweep(Recorder(fail_at=2), SONG, shift=[1, 2, 3], seeds=[7], history=project, on_take=heard.append)
    assert [take.name for take in heard] == [take.name for take in reversed(project.takes)] and len(
        heard
    ) == 2
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        sweep(Recorder(), SONG, shift=[1], cancel=stop)


def test_a_sweep_is_seen_and_heard():
    found = sweep(Recorder(), SONG, shift=[1, 2, 3], seeds=[7])
    assert [track["title"] for track in Compare(found.takes, found.labels).tracks] == list(found.labels)
    assert spectrograms(dict(found))._repr_png_()[:4] == b"\x89PNG"


def test_an_engine_sweeps(tiny_engine):
    found = sweep(tiny_engine, SONG, duration=[10], inference_steps=[1, 2], seeds=[7], grid=True)
    assert found.labels == ("Duration 10 s · Steps 1", "Duration 10 s · Steps 2")
    assert [take.options.inference_steps for take in found.takes] == [1, 2]
    assert [take.duration for take in found.takes] == [10, 10]
