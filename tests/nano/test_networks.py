import numpy as np
import pytest
import torch

from acestep_nb.nano import networks as nano
from acestep_nb.nano.music import BEATS_PER_BAR, TEMPI
from acestep_nb.nano.tokenizer import class_names


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_hidden_units_begin_with_the_two_frames_of_a_token(networks):
    x, source = random(1, 4, 64), random(1, 4, 64, seed=1)
    mask = torch.ones(1, 4, 64)
    into = networks.transformer.proj_in_conv
    hidden = into(torch.cat([source, mask, x], -1).transpose(1, 2)).transpose(1, 2)  # [1, token, 256]
    assert torch.allclose(hidden[..., :128], x.reshape(1, 2, 128), atol=1e-6)
    assert (hidden[..., 128:] - source.reshape(1, 2, 128)).abs().max() < 0.2  # small random weights remain


def test_the_output_can_read_the_noise(networks):
    """Through the patch layers alone the noise comes back as it is: the velocity contains it."""
    x = random(1, 6, 64)
    patches = networks.transformer.proj_in_conv, networks.transformer.proj_out_conv
    with torch.no_grad():
        for layer in patches:
            layer.bias.zero_()
        back = patches[1](patches[0](torch.cat([torch.zeros(1, 6, 128), x], -1).transpose(1, 2)))
    assert (back.transpose(1, 2) - x).abs().max() < 0.02


def test_the_clock_carries_every_beat_and_bar():
    """The strongest frequency of each channel is that of its tempo: on even frames the beat, on odd whole bars."""
    clock = nano.clock()
    assert clock.shape == (1, 15_000, 64) and clock.abs().max() <= 1
    beats = np.array(TEMPI) / 60

    def heard(parity):
        frames = clock[0, parity::2].double().numpy()
        strength = np.abs(np.fft.rfft(frames * np.hanning(len(frames))[:, None], axis=0))
        hertz = np.fft.rfftfreq(len(frames), 2 / 25)[strength.argmax(0)]
        sines, cosines = hertz[: len(TEMPI)], hertz[32 : 32 + len(TEMPI)]
        assert np.array_equal(sines, cosines)
        return sines

    assert heard(0) == pytest.approx(beats, abs=1 / 600)
    period = round(beats[0] / heard(1)[0])
    assert period % BEATS_PER_BAR == 0 and heard(1) == pytest.approx(beats / period, abs=1 / 600)


def test_the_clock_starts_at_the_downbeat():
    """Sine and cosine at the centre of token k (0.08 k + 0.04 s) turn by whole beats from 0 s on."""
    clock, token = nano.clock()[0].double(), 300
    for i in (0, 9, 24):
        turn = 2 * np.pi * TEMPI[i] / 60 * (token * 0.08 + 0.04)
        assert clock[2 * token, i] == pytest.approx(np.sin(turn), abs=1e-5)
        assert clock[2 * token, 32 + i] == pytest.approx(np.cos(turn), abs=1e-5)


def test_no_two_moments_of_ten_minutes_look_alike():
    tokens = nano.clock()[0].reshape(-1, 128)[::50]
    apart = torch.cdist(tokens, tokens) + 100 * torch.eye(len(tokens))
    assert apart.min() > 1


@pytest.fixture
def prompts_of_two():
    """Token classes and masks of a long and a short prompt; lyrics longer than the sliding window."""
    classes = len(class_names())
    draw = torch.Generator().manual_seed(3)
    text = torch.randint(classes, (2, 20), generator=draw)
    lyrics = torch.randint(classes, (2, 300), generator=draw)
    text_mask, lyrics_mask = torch.ones_like(text), torch.ones_like(lyrics)
    text_mask[1, 12:], lyrics_mask[1, 170:] = 0, 0
    return text, lyrics, text_mask, lyrics_mask


@torch.no_grad()
def test_matmul_attention_is_the_attention_of_the_library(networks, prompts_of_two):
    """Within rounding, with sliding windows, padding, grouped heads and cross-attention."""
    x, context = random(2, 640, 64), random(2, 640, 128, seed=1)
    t = torch.tensor([0.3, 1.0])

    def outputs():
        condition, sung = networks.condition(*prompts_of_two)
        hidden = networks.audio_tokenizer.attention_pooler(
            networks.audio_tokenizer.audio_acoustic_proj(x.unflatten(1, (-1, 5)))
        )
        return condition, sung, networks.velocity(x, t, condition, context), hidden

    stock = outputs()
    alignment = nano.use_matmul_attention(networks)
    ours = outputs()
    for a, b in zip(stock, ours, strict=True):
        assert (a - b).abs().max() < 1e-5 * a.abs().max().clamp(min=1)
    kept = alignment.probabilities
    assert kept.shape == (2, 2, 320, stock[0].shape[1])
    assert torch.allclose(kept.sum(-1), torch.ones(2, 2, 320), atol=1e-5)


@torch.no_grad()
def test_neighbours_in_a_batch_do_not_matter(networks, prompts_of_two):
    """A prompt gets the same condition alone as in a batch with a longer one."""
    text, lyrics, text_mask, lyrics_mask = prompts_of_two
    both, _ = networks.condition(*prompts_of_two)
    alone, _ = networks.condition(text[1:, :12], lyrics[1:, :170], text_mask[1:, :12], lyrics_mask[1:, :170])
    assert alone.shape[1] == 170 + 1 + 12
    assert torch.allclose(both[1:, : alone.shape[1]], alone, atol=1e-5)


def test_nano_is_small(networks):
    millions = {
        name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in networks.named_children()
    }
    assert sum(millions.values()) < 9
    assert set(millions) == {
        *("text_encoder", "condition_encoder", "transformer"),
        *("audio_tokenizer", "audio_token_detokenizer"),
    }
