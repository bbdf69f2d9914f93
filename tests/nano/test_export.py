import json

import pytest
import torch

from acestep_nb.checkpoints.loading import load
from acestep_nb.codes import latent_frames
from acestep_nb.nano.export import COMPONENTS, export
from acestep_nb.nano.networks import Networks
from acestep_nb.renderer import conditions, prompts
from acestep_nb.song import Song

SONG = Song(
    caption="Warm piano ballad, female vocals", lyrics="[Verse]\n月光洒在窗台上\nla mi", vocal_language="zh",
    bpm=97, keyscale="F# minor", timesignature="4", duration=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def exported(codec, tmp_path_factory):
    """Random networks as they are, and as the engine loads them after the export."""
    torch.manual_seed(4)
    networks = Networks().eval()
    folder = tmp_path_factory.mktemp("checkpoints") / "nano"
    twin = Networks().eval()
    twin.load_state_dict(networks.state_dict())
    export(twin, codec, folder, "7")
    return networks, load(folder, torch.device("cpu"), torch.float32), folder


def test_weights_are_kept_in_half_precision(exported):
    networks, models, _ = exported
    for name in COMPONENTS:
        before, after = getattr(networks, name).state_dict(), getattr(models, name).state_dict()
        assert before.keys() == after.keys()
        for key in before:
            if key != "embed_tokens.weight":
                assert torch.equal(before[key].half().float(), after[key]), key


def test_each_token_has_the_embedding_of_its_class(exported, writer):
    networks, models, _ = exported
    table = networks.text_encoder.embed_tokens.weight.half().float()
    assert torch.equal(
        models.text_encoder.get_input_embeddings().weight, table[torch.from_numpy(writer.classes)]
    )


@torch.no_grad()
def test_the_engine_hears_the_words_as_training_did(exported, writer):
    networks, models, _ = exported
    text = prompts.text_prompt(
        prompts.instruction("text2music"), SONG.caption, prompts.metas(97, "4", "F# minor", 10)
    )
    rows = [torch.tensor([writer.tokens(t)]) for t in (text, prompts.lyric_prompt(SONG.lyrics, "zh"))]
    ours, _ = networks.condition(*rows, *map(torch.ones_like, rows))
    theirs = conditions.Conditioner(models).primary([conditions.Ask(SONG)])
    assert theirs.hidden.shape == ours.shape
    assert (theirs.hidden - ours).abs().max() < 0.02 * ours.abs().max()
    frames = latent_frames(10)
    assert torch.allclose(theirs.context[:, :frames, :64], networks.silence[:, :frames], atol=1e-3)
    x = torch.randn(1, frames, 64, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([0.8])
    wanted = networks.velocity(x, t, ours, theirs.context[:, :frames])
    found = models.transformer(
        hidden_states=x, timestep=t, timestep_r=t, encoder_hidden_states=theirs.hidden,
        context_latents=theirs.context[:, :frames], return_dict=False,
    )[0]  # fmt: skip
    assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


def test_the_codec_goes_along(exported, codec):
    _, models, _ = exported
    x = torch.randn(1, 2, 9600, generator=torch.Generator().manual_seed(0)) * 0.1
    assert torch.equal(models.vae.encode(x).latent_dist.mode(), codec.encode(x).latent_dist.mode())


def test_the_folder_is_light_and_signed(exported):
    _, models, folder = exported
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["version"] == "7" and models.hash.startswith("sha256:") and models.is_turbo
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 30e6
