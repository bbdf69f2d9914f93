from dataclasses import replace

import numpy as np
import pytest

from acestep_nb import Audio, InputError
from acestep_nb.history import History
from acestep_nb.sources import joined, opened

SOUND = Audio(np.full((2, 480), 0.25, np.float32), 48_000)


def test_samples_a_file_and_a_take_are_the_same_sound(tmp_path, make_take):
    path = SOUND.save(tmp_path / "rain.flac")
    kept = History(tmp_path / "project").add(replace(make_take(caption="rain"), audio=SOUND))
    read = [opened(source) for source in (SOUND, path, str(path), kept)]
    for one in read:
        assert np.array_equal(one.sound.samples, SOUND.samples) and one.sound.rate == 48_000
    assert len({one.record.sha256 for one in read}) == 1
    assert [one.record.name for one in read] == ["", "rain.flac", "rain.flac", "0001_rain_s7"]
    assert [one.parent for one in read] == [None, None, None, "0001_rain_s7"]
    assert [one.song for one in read] == [None, None, None, kept.song]
    assert opened(make_take()).parent is None


@pytest.mark.parametrize(
    "source", [None, 3, "", " ", "a\0b", "~nosuchuser/a.wav", b"song.flac", ["song.flac"]]
)
def test_what_is_no_sound_is_refused(source):
    with pytest.raises(InputError) as caught:
        opened(source)
    assert caught.value.field == "source" and caught.value.allowed and caught.value.remedy


def test_a_file_that_is_missing_or_broken_is_told(tmp_path, make_take):
    (tmp_path / "broken.flac").write_bytes(b"fLaC nothing")
    kept = History(tmp_path / "project").add(make_take())
    (kept.folder / "audio.flac").unlink()
    for source in (tmp_path / "none.wav", tmp_path / "broken.flac", tmp_path, kept):
        with pytest.raises(InputError) as caught:
            opened(source, "reference_audio")
        assert caught.value.field == "reference_audio" and caught.value.remedy


def test_joined_sounds_lie_one_behind_the_other():
    other = Audio(np.ones((2, 3), np.float32), 48_000)
    assert np.array_equal(joined(SOUND, other).samples[:, 479:482], [[0.25, 1, 1]] * 2)
