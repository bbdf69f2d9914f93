import numpy as np
import torch
from helpers import build_oobleck

from acestep_nb.audio import Audio
from acestep_nb.checkpoints.fit import NARROW, WIDE
from acestep_nb.codec import Codec
from acestep_nb.codes import SAMPLES_PER_LATENT

# a little more than one narrow piece: at its full rate this codec is as wide as the published one
FRAMES = 140


def test_the_sound_does_not_depend_on_the_size_of_the_pieces():
    vae = build_oobleck().eval()
    torch.manual_seed(2)
    latents = torch.randn(FRAMES, 64)
    sound = Audio(torch.rand(2, FRAMES * SAMPLES_PER_LATENT).sub(0.5).numpy(), 48_000)
    whole = Codec(vae)
    whole.work_in(WIDE)
    decoded, encoded = whole.decode(latents).samples, whole.encode(sound)
    codec, sizes = Codec(vae), []
    codec.work_in(NARROW)
    hooks = [
        vae.decoder.register_forward_pre_hook(lambda module, args: sizes.append(args[0].shape[-1])),
        vae.encoder.register_forward_pre_hook(
            lambda module, args: sizes.append(args[0].shape[-1] // SAMPLES_PER_LATENT)
        ),
    ]
    try:
        assert np.allclose(codec.decode(latents).samples, decoded, atol=1e-5)
        assert np.allclose(codec.encode(sound), encoded, atol=1e-5)
    finally:
        for hook in hooks:
            hook.remove()
    assert max(sizes) <= NARROW and len(sizes) == 4
