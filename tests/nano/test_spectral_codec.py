import numpy as np
import pytest
import torch
from pieces import LA_REST_MI, make_piece

from acestep_nb.nano import codec as codec_module
from acestep_nb.nano.codec import BANDS, BINS, INNER_RATE, SpectralCodec, band_edges, band_frequencies
from acestep_nb.nano.music import GENRES
from acestep_nb.nano.render import render


def stereo(mono):
    """Mono at 24 kHz as the codec takes it: `[1, 2, sample]` at 48 kHz."""
    import soxr

    return torch.from_numpy(soxr.resample(mono, INNER_RATE, 48_000)).expand(1, 2, -1)


@pytest.fixture(scope="module")
def mixes():
    """One mix of 4 s a genre at 24 kHz."""
    sounds = [
        render(
            make_piece(
                genre=genre,
                bpm=90 + 7 * i,
                key=i,
                lead="flute",
                voice="male",
                slots=LA_REST_MI * 3,
                seconds=4.0,
            )
        )
        for i, genre in enumerate(GENRES)
    ]
    return np.stack([sum(list(stems.values())[1:], next(iter(stems.values()))) for stems in sounds])


@pytest.mark.parametrize(
    ("samples", "frames"), [(1920 * 5, 5), (1920 * 6 - 1, 5), (48_000, 25), (1920 * 5 + 1, 5)]
)
def test_25_frames_a_second(codec, samples, frames):
    x = torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(0)) * 0.1
    z = codec.encode(x).latent_dist.mode()
    assert z.shape == (2, 64, frames)
    assert torch.equal(codec.encode(x).latent_dist.sample(torch.Generator()), z)
    y = codec.decode(z).sample
    assert y.shape == (2, 2, frames * 1920) and torch.isfinite(y).all()
    assert codec.hop_length == 1920 and codec.config.sampling_rate == 48_000


def test_bands_cover_every_bin_once():
    edges = band_edges()
    assert len(edges) == BANDS + 1 and edges[0] == 0 and edges[-1] == BINS and (np.diff(edges) > 0).all()
    hertz = band_frequencies()
    assert (np.diff(hertz) > 0).all() and hertz[0] == 0 and hertz[120] == 1500


def test_latents_keep_the_bands(codec, mixes):
    """Mean error of the log bands well below their spread, for pieces that the fit never saw."""
    bands = codec.log_bands(torch.from_numpy(mixes))
    back = codec.unproject(codec.project(bands))
    error = (back - bands).square().mean().sqrt() / (bands - bands.mean((0, 1))).square().mean().sqrt()
    assert error < 0.4
    shuffled = codec.unproject(codec.project(bands).flip(1))
    assert (shuffled - bands).square().mean() > 4 * (back - bands).square().mean()


def test_latents_have_unit_variance_on_average(codec, mixes):
    z = codec.project(codec.log_bands(torch.from_numpy(mixes)))
    assert 0.5 < float(z.var((0, 1)).mean()) < 2


def test_what_is_decoded_is_encoded_alike(codec, mixes):
    """The sound of latents has those latents again, up to what Griffin-Lim cannot make consistent."""
    for mix in mixes[:3]:
        z = codec.encode(stereo(mix)).latent_dist.mode()
        again = codec.encode(codec.decode(z).sample).latent_dist.mode()
        assert (again - z).square().mean() < 0.15 * (z - z.mean(2, keepdim=True)).square().mean()


def test_the_level_is_kept(codec, mixes):
    x = stereo(mixes[0])
    y = codec.decode(codec.encode(x).latent_dist.mode()).sample
    assert 0.7 < float(y.square().mean().sqrt() / x.square().mean().sqrt()) < 1.3


def test_decoding_is_repeatable_and_takes_do_not_mix(codec, mixes):
    z = codec.project(codec.log_bands(torch.from_numpy(mixes[:2]))).transpose(1, 2)
    both = codec.decode(z).sample
    assert torch.equal(both, codec.decode(z).sample)
    assert torch.equal(both[1:], codec.decode(z[1:]).sample)
    assert torch.equal(both[:, 0], both[:, 1])


@pytest.mark.parametrize("samples", [1920, 1920 * 100, 1920 * 107 + 5])
def test_long_sound_is_encoded_in_blocks(codec, monkeypatch, samples):
    x = torch.randn(2, 2, samples, generator=torch.Generator().manual_seed(0)) * 0.1
    whole = codec.project(codec.log_bands(codec.halve(x.mean(1))))
    monkeypatch.setattr(codec_module, "BLOCK", 50)
    latents = codec.encode(x).latent_dist.mode().transpose(1, 2)
    assert latents.shape == (2, samples // 1920, 64)
    assert torch.allclose(latents, whole, atol=1e-4)


@pytest.fixture
def tune(codec, mixes):
    """Latents of 16 s: four mixes, one behind the other."""
    z = codec.project(codec.log_bands(torch.from_numpy(mixes[:4]))).transpose(1, 2)
    return torch.cat(list(z), dim=-1)[None]


@pytest.mark.parametrize("block", [200, 300])
def test_long_sound_is_decoded_in_blocks_that_fit_together(codec, tune, monkeypatch, block):
    """As near to what was asked, everywhere and at the seams, as sound that is decoded at once."""
    whole = codec.decode(tune).sample
    monkeypatch.setattr(codec_module, "BLOCK", block)
    pieces = list(codec.pieces(tune))
    assert len(pieces) == -(-(800 - 66) // (block - 66)) and max(p.shape[-1] for p in pieces) <= block * 960
    blocks = torch.cat(pieces, -1)
    assert blocks.shape == whole.shape and torch.equal(codec.decode(tune).sample, blocks)
    asked = codec.unproject(tune.transpose(1, 2)).minimum(codec.ceiling)

    def error(sound):
        return (codec.log_bands(codec.halve(sound.mean(1))) - asked).square().mean((0, 2)).sqrt()

    at_once, in_blocks = error(whole), error(blocks)
    assert in_blocks.mean() < 1.05 * at_once.mean()
    seams = torch.tensor([p.shape[-1] // 960 for p in pieces[:-1]]).cumsum(0)
    near = (seams[:, None] + torch.arange(-5, 5)).flatten()
    assert in_blocks[near].mean() < 1.3 * at_once[near].mean()


def test_blocks_are_the_same_sound_where_one_goes_over_into_the_next(codec, tune, monkeypatch):
    """No jump at a seam: the sample step there is an ordinary one."""
    monkeypatch.setattr(codec_module, "BLOCK", 200)
    pieces = list(codec.pieces(tune))
    seams = np.cumsum([piece.shape[-1] for piece in pieces])[:-1]
    bend = torch.cat(pieces, -1)[0, 0].diff().diff().abs()
    for seam in seams:
        around = torch.cat([bend[seam - 2400 : seam - 10], bend[seam + 10 : seam + 2400]])
        assert bend[seam - 3 : seam + 3].max() <= around.max()


def test_half_a_minute_is_one_block(codec):
    assert len(list(codec.pieces(torch.zeros(1, 64, 750)))) == 1
    assert [p.shape[-1] for p in codec.pieces(torch.zeros(1, 64, 752))] == [(1500 - 58) * 960, 62 * 960]


def test_silence_stays_silent(codec):
    z = codec.encode(torch.zeros(1, 2, 48_000)).latent_dist.mode()
    assert codec.decode(z).sample.abs().max() < 0.01
    assert z.std(2).max() < 1e-4


def test_the_mid_channel_is_coded(codec, mixes):
    x = stereo(mixes[0])
    left = torch.cat([2 * x[:, :1], torch.zeros_like(x[:, :1])], 1)
    assert torch.allclose(
        codec.encode(left).latent_dist.mode(), codec.encode(x).latent_dist.mode(), atol=1e-4
    )


def test_halving_and_doubling_keep_what_is_below_10_khz(codec):
    seconds = np.arange(4800) / INNER_RATE
    for hertz in (100, 1000, 9000):
        x = torch.from_numpy(np.sin(2 * np.pi * hertz * seconds).astype(np.float32))[None]
        again = codec.halve(codec._double(x))
        assert (again - x)[:, 200:-200].abs().max() < 0.01


def test_a_saved_codec_is_the_same(codec, mixes, tmp_path):
    codec.save_pretrained(tmp_path, safe_serialization=True)
    loaded = SpectralCodec.from_pretrained(tmp_path)
    x = stereo(mixes[0])
    z = codec.encode(x).latent_dist.mode()
    assert torch.equal(loaded.encode(x).latent_dist.mode(), z)
    assert torch.equal(loaded.decode(z[..., :10]).sample, codec.decode(z[..., :10]).sample)
    assert set(loaded.state_dict()) == {"mean", "analysis", "synthesis", "ceiling"}


def test_a_stray_latent_is_no_burst(codec):
    quiet = codec.project(codec.log_bands(torch.zeros(1, 24_000))).transpose(1, 2)
    stray = quiet.clone()
    stray[:, :, 12] += 60 * codec.synthesis.mean(1)
    loud = codec.unproject(stray.transpose(1, 2)).amax((0, 1))
    assert (loud > codec.ceiling).any()  # it asks for more than the corpus ever had
    assert codec._magnitude(codec.unproject(stray.transpose(1, 2))[0]).max() <= torch.exp(codec.ceiling.max())
