import subprocess
import sys

import numpy as np
import pytest
import soundfile

from acestep_nb import AceStepError, Audio, InputError, ProjectError


def tone(frequency=440.0, seconds=1.0, rate=48_000, level=0.5):
    time = np.arange(int(seconds * rate)) / rate
    return Audio(
        np.stack([np.sin(2 * np.pi * frequency * time), np.cos(2 * np.pi * frequency * time)]) * level, rate
    )


def loudest_frequency(audio):
    spectrum = np.abs(np.fft.rfft(audio.samples[0]))
    return float(np.argmax(spectrum) * audio.rate / audio.samples.shape[1])


def test_samples_are_float32_by_channel():
    audio = Audio(np.zeros(480, np.float64), 48_000)
    assert audio.samples.shape == (1, 480) and audio.samples.dtype == np.float32
    assert audio.duration == 0.01
    assert "1 channel, 48000 Hz" in repr(audio)
    with pytest.raises(InputError, match=r"\[channel, sample\]"):
        Audio(np.zeros((2, 2, 2)), 48_000)


@pytest.mark.parametrize("samples", ["song.flac", [[1, 2], [3]], [object()]])
def test_what_are_no_samples_is_refused(samples):
    with pytest.raises(InputError) as caught:
        Audio(samples, 48_000)
    assert caught.value.field == "samples" and caught.value.remedy


@pytest.mark.parametrize(
    "rate", [0, -48_000, 44_100.5, float("nan"), None, "48000", pytest.param(10**400, id="large")]
)
def test_a_rate_is_a_whole_number_of_hertz(rate):
    with pytest.raises(InputError) as caught:
        Audio(np.zeros(480), rate)
    assert caught.value.field == "rate" and caught.value.remedy


@pytest.mark.parametrize(("suffix", "error"), [(".flac", 2**-23), (".wav", 2**-23), (".ogg", 0.02)])
def test_files_bring_back_the_sound(tmp_path, suffix, error):
    audio = tone()
    back = Audio.load(audio.save(tmp_path / f"tone{suffix}"))
    assert back.rate == 48_000 and back.samples.shape == audio.samples.shape
    assert np.abs(back.samples - audio.samples).max() <= error


def test_flac_files_have_24_bits_and_previews_16(tmp_path):
    path = tone().save(tmp_path / "tone.flac")
    assert soundfile.info(path).subtype == "PCM_24"
    preview = tmp_path / "preview.flac"
    preview.write_bytes(tone().flac_bytes())
    assert soundfile.info(preview).subtype == "PCM_16"
    assert np.abs(Audio.load(preview).samples - tone().samples).max() <= 2**-15


def test_the_same_sound_gives_the_same_flac():
    assert tone().flac_bytes(24) == tone().flac_bytes(24)


def test_samples_beyond_one_are_clipped_and_do_not_wrap(tmp_path):
    back = Audio.load(tone(level=3.0).save(tmp_path / "loud.flac"))
    assert np.abs(back.samples - np.clip(tone(level=3.0).samples, -1, 1)).max() < 1e-6


def test_a_long_ogg_does_not_crash_the_process(tmp_path):
    script = (
        "import sys, numpy as np, acestep_nb;"
        "noise = np.random.default_rng(0).uniform(-1, 1, (2, 48000 * 90));"
        "acestep_nb.Audio(noise, 48000).save(sys.argv[1])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.ogg")]
    assert subprocess.run(command, timeout=120).returncode == 0
    assert soundfile.info(tmp_path / "a.ogg").duration == pytest.approx(90, abs=0.01)


def test_a_header_that_tells_of_more_sound_than_there_is_memory(tmp_path):
    data = bytearray(tone().flac_bytes())
    data[21] |= 0x0F  # the number of samples, in 36 bits
    data[22:26] = b"\xff" * 4
    (tmp_path / "huge.flac").write_bytes(data)
    with pytest.raises(InputError, match="does not fit into memory") as caught:
        Audio.load(tmp_path / "huge.flac")
    assert "shorter" in caught.value.remedy and "convert" not in caught.value.remedy


def test_resampling_keeps_pitch_length_and_channels():
    audio = tone(1000.0)
    lower = audio.resample(16_000)
    assert lower.rate == 16_000 and lower.samples.shape == (2, 16_000)
    assert loudest_frequency(lower) == pytest.approx(loudest_frequency(audio), abs=1)
    assert audio.resample(48_000) is audio


def test_peaks_follow_the_loudness():
    audio = Audio(np.concatenate([np.full(400, 0.25), np.full(400, -0.75)]), 48_000)
    peaks = audio.peaks(8)
    assert peaks.dtype == np.float32
    np.testing.assert_allclose(peaks, [0.25] * 4 + [0.75] * 4)
    assert audio.peak == 0.75


def test_peaks_of_loud_short_and_empty_sounds():
    assert Audio(np.full(10, 2.0), 48_000).peaks().tolist() == [1.0] * 800
    assert Audio(np.zeros((2, 0)), 48_000).peaks(5).tolist() == [0.0] * 5
    assert Audio(np.zeros((2, 0)), 48_000).peak == 0.0


def test_files_that_cannot_be_read_are_told(tmp_path):
    (tmp_path / "notes.wav").write_text("do re mi")
    with pytest.raises(InputError, match=r"notes\.wav"):
        Audio.load(tmp_path / "notes.wav")
    with pytest.raises(ProjectError, match="is not there"):
        Audio.load(tmp_path / "missing.wav")


def test_files_that_cannot_be_written_are_told(tmp_path):
    with pytest.raises(InputError, match=r"\.flac"):
        tone().save(tmp_path / "tone.xyz")
    with pytest.raises(AceStepError, match="is not there"):
        tone().save(tmp_path / "missing" / "tone.wav")


def test_paths_are_taken_as_everywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert tone().save("~/tone.wav") == tmp_path / "tone.wav"
    assert Audio.load("~/tone.wav").duration == tone().duration
    for wrong in ("a\0.wav", "~no-such-user/a.wav", "", 5):
        with pytest.raises(InputError, match="a path on this machine"):
            Audio.load(wrong)
        with pytest.raises(InputError, match="a path on this machine"):
            tone().save(wrong)
