from dataclasses import replace

import numpy as np
import pytest

from acestep_nb import Audio, InputError
from acestep_nb.history import History
from acestep_nb.sources import joined, parent_of, record_of, sound_of

SOUND = Audio(np.full((2, 480), 0.25, np.float32), 48_000)


def test_samples_a_file_and_a_take_are_the_same_sound(tmp_path, make_take):
    path = SOUND.save(tmp_path / "rain.flac")
    kept = History(tmp_path / "project").add(replace(make_take(caption="rain"), audio=SOUND))
    records = []
    for source in (SOUND, path, str(path), kept):
        audio = sound_of(source)
        assert np.array_equal(audio.samples, SOUND.samples) and audio.rate == 48_000
        records.append(record_of(source, audio))
    assert len({record.sha256 for record in records}) == 1
    assert [record.name for record in records] == ["", "rain.flac", "rain.flac", "0001_rain_s7"]
    assert [parent_of(source) for source in (SOUND, path, kept)] == [None, None, "0001_rain_s7"]
    assert parent_of(make_take()) is None


@pytest.mark.parametrize("source", [None, 3, "", " ", b"song.flac", ["song.flac"]])
def test_what_is_no_sound_is_refused(source):
    with pytest.raises(InputError) as caught:
        sound_of(source)
    assert caught.value.field == "source" and caught.value.allowed and caught.value.remedy


def test_a_file_that_is_missing_or_broken_is_told(tmp_path, make_take):
    (tmp_path / "broken.flac").write_bytes(b"fLaC nothing")
    kept = History(tmp_path / "project").add(make_take())
    (kept.folder / "audio.flac").unlink()
    for source in (tmp_path / "none.wav", tmp_path / "broken.flac", tmp_path, kept):
        with pytest.raises(InputError) as caught:
            sound_of(source, "reference_audio")
        assert caught.value.field == "reference_audio" and caught.value.remedy


def test_joined_sounds_lie_one_behind_the_other():
    other = Audio(np.ones((2, 3), np.float32), 48_000)
    assert np.array_equal(joined(SOUND, other).samples[:, 479:482], [[0.25, 1, 1]] * 2)
