import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import AutoencoderOobleck

from acestep_nb.audio import Audio
from acestep_nb.codec import Codec, checked_source
from acestep_nb.errors import InputError, RenderError


@pytest.fixture
def oobleck():
    torch.manual_seed(0)
    vae = AutoencoderOobleck(
        encoder_hidden_size=4,
        downsampling_ratios=[2, 4, 4, 6, 10],
        channel_multiples=[1, 1, 1, 1, 1],
        decoder_channels=4,
        decoder_input_channels=64,
        sampling_rate=48_000,
    )
    return vae.eval()


@pytest.fixture
def codec(tiny_models):
    return Codec(tiny_models.vae)


def noise(frames, seed=0):
    return torch.randn(frames, 64, generator=torch.Generator().manual_seed(seed))


def test_all_of_the_sound_without_a_length(codec):
    audio = codec.decode(noise(30).numpy())
    assert (
        audio.samples.shape == (2, 30 * 1920) and audio.samples.dtype == np.float32 and audio.rate == 48_000
    )


@pytest.mark.parametrize(("frames", "seconds"), [(252, 10.1), (128, 2.0), (250, 10.0)])
def test_exact_length(codec, frames, seconds):
    whole, cut = codec.decode(noise(frames)).samples, codec.decode(noise(frames), seconds).samples
    assert cut.shape[1] == round(seconds * 48_000)
    common = min(whole.shape[1], cut.shape[1])
    assert np.array_equal(whole[:, :common], cut[:, :common]) and not cut[:, common:].any()


@pytest.fixture
def scaled(codec, monkeypatch):
    """Sets a gain that everything decoded has from then on."""
    pieces, gain = codec._vae.pieces, [1.0]
    monkeypatch.setattr(codec._vae, "pieces", lambda z: (gain[0] * piece for piece in pieces(z)))
    return gain


def test_loud_sound_is_divided_by_its_peak_and_quiet_sound_is_left_alone(codec, scaled):
    plain = codec.decode(noise(30))
    scaled[0] = 0.9 / plain.peak
    assert codec.decode(noise(30)).peak == pytest.approx(0.9)
    scaled[0] = 3 / plain.peak
    loud = codec.decode(noise(30))
    assert loud.peak == 1.0 and np.allclose(loud.samples, plain.samples / plain.peak, atol=1e-6)


@pytest.mark.parametrize("peak", [0.01, 0.9, 3.0])
def test_normalised_sound_peaks_at_minus_one_decibel(codec, scaled, peak):
    scaled[0] = peak / codec.decode(noise(30)).peak
    assert 20 * np.log10(codec.decode(noise(30), normalize=True).peak) == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "not finite"),
        (float("inf"), "not finite"),
        (-float("inf"), "not finite"),
        (0.0, "silent"),
        (9e-6, "silent"),
        (-9e-6, "silent"),
    ],
)
def test_no_sound_is_an_error(codec, monkeypatch, value, words):
    monkeypatch.setattr(codec._vae, "pieces", lambda z: [torch.full((1, 2, 9600), value)])
    with pytest.raises(RenderError, match=words):
        codec.decode(noise(5))


@pytest.mark.parametrize(
    ("channels", "rate", "samples"), [(1, 48_000, 48_000), (2, 44_100, 44_100), (6, 48_000, 47_000)]
)
def test_any_sound_can_be_encoded(codec, channels, rate, samples):
    sound = np.random.default_rng(0).normal(size=(channels, samples)).astype(np.float32) / 4
    latents = codec.encode(Audio(sound, rate))
    assert latents.shape == (25, 64) and latents.dtype == np.float32
    assert np.array_equal(latents, codec.encode(Audio(sound, rate)))


def test_encoding_takes_the_most_likely_latents(oobleck):
    sound = torch.randn(2, 4800, generator=torch.Generator().manual_seed(0)) / 4
    latents = Codec(oobleck).encode(Audio(sound.numpy(), 48_000))
    padded = torch.nn.functional.pad(sound, (0, 960))
    assert len(latents) == 3
    with torch.inference_mode():
        assert np.allclose(latents, oobleck.encode(padded[None]).latent_dist.mode()[0].T.numpy(), atol=1e-6)


def test_long_sound_is_decoded_in_tiles(oobleck):
    whole = oobleck.decode(noise(100).T[None]).sample[0].detach().numpy()
    oobleck.tile_latent_min_length, oobleck.tile_latent_overlap = 64, 16
    codec = Codec(oobleck)
    calls = []
    hook = oobleck.decoder.register_forward_hook(lambda *call: calls.append(1))
    tiled = codec.decode(noise(100)).samples
    hook.remove()
    assert len(calls) == 4
    assert np.allclose(tiled, whole / max(1, np.abs(whole).max()), atol=1e-4)


def test_decoding_long_sound_needs_no_more_memory_than_a_window(oobleck):
    """Beside the result: the latents that the network is given at once are never more than a window."""
    oobleck.tile_latent_min_length, oobleck.tile_latent_overlap = 64, 16
    lengths = []
    hook = oobleck.decoder.register_forward_pre_hook(lambda module, args: lengths.append(args[0].shape[-1]))
    for frames in (64, 65, 400):
        assert Codec(oobleck).decode(noise(frames)).samples.shape[1] == frames * 1920
    hook.remove()
    assert max(lengths) == 64 and len(lengths) == 1 + 3 + 13


def sine(seconds, rate=48_000, channels=2):
    wave = np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate).astype(np.float32)
    return np.tile(wave, (channels, 1))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44_100, 2), (48_000, 6)])
def test_a_source_becomes_stereo_at_48_khz(rate, channels):
    checked = checked_source(Audio(1.5 * sine(2, rate, channels), rate))
    assert checked.samples.shape == (2, 96_000) and checked.rate == 48_000 and checked.peak <= 1
    assert np.array_equal(checked.samples[0], checked.samples[1])
    assert abs(checked.samples[0, :1000] - np.clip(1.5 * sine(2)[0, :1000], -1, 1)).max() < 0.2


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (sine(0.2), 48_000, "1 s or more"),
        (np.zeros((0, 5)), 48_000, "1 s or more"),
        (np.zeros((2, 0)), 48_000, "1 s or more"),
        (np.zeros((2, 96_000)), 48_000, "silent"),
        (1e-7 * sine(2), 48_000, "silent"),
        (sine(2) * np.float32("nan"), 48_000, "no numbers"),
        (np.where(sine(2) > 0.99, np.float32("inf"), sine(2)), 48_000, "no numbers"),
    ],
)
def test_sources_that_cannot_be_used(samples, rate, words):
    with pytest.raises(InputError, match=words) as caught:
        checked_source(Audio(samples, rate), "reference")
    assert caught.value.field == "reference" and caught.value.allowed and caught.value.remedy


PEAK = """
import sys
import numpy as np
import torch
from acestep_nb.bench.memory import peak_bytes
from acestep_nb.checkpoints import find
from acestep_nb.codec import Codec
from acestep_nb.nano.codec import SpectralCodec

torch.set_num_threads(1)
vae = SpectralCodec.from_pretrained(find("nano") / "vae")
vae.register_to_config(griffin_lim_iterations=1)
latents = np.random.default_rng(0).normal(size=(int(sys.argv[1]) * 25, 64)).astype(np.float32)
audio = Codec(vae).decode(latents)
print(peak_bytes() - audio.samples.nbytes)
"""


def test_ten_minutes_are_decoded_in_the_memory_of_one():
    """Peak of the whole process, less the sound itself."""
    measures = [
        subprocess.Popen([sys.executable, "-c", PEAK, seconds], stdout=subprocess.PIPE)
        for seconds in ("60", "600")
    ]
    one, ten = (int(measure.communicate()[0]) for measure in measures)
    assert ten <= 1.2 * one
