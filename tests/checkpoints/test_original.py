"""Whole checkpoints in the layout of the first publication, made of the tiny one's weights."""

import json
import re
import shutil

import pytest
import torch
from published import WEIGHTS, build_family
from safetensors.torch import load_file, save_file

from acestep_nb.checkpoints import find, original, verify, write_manifest
from acestep_nb.checkpoints.index import TEXT_ENCODER
from acestep_nb.checkpoints.loading import load
from acestep_nb.checkpoints.locate import FOLDER_VARIABLE, names
from acestep_nb.errors import CheckpointError

SHARED = ("vae", TEXT_ENCODER)


@pytest.fixture(scope="module")
def family(tmp_path_factory, tiny_models, tiny_checkpoint):
    """A folder with one renderer, and beside it the codec and the text encoder."""
    return build_family(tmp_path_factory.mktemp("published"), tiny_models, tiny_checkpoint)


@pytest.fixture
def published(family, tmp_path):
    """A copy of the renderer's folder to do harm to; codec and text encoder lie beside it."""
    return shutil.copytree(family, tmp_path / "models") / "acestep-v15-turbo"


def loaded(folder, dtype=torch.float32):
    return load(folder, torch.device("cpu"), dtype)


def rewrite(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_the_same_weights_as_in_the_other_layout(family, tiny_models, capfd):
    models = loaded(family / "acestep-v15-turbo")
    for component in original.CLASSES:
        network, expected = getattr(models, component), getattr(tiny_models, component).state_dict()
        assert not network.training and not any(p.is_meta for p in network.parameters())
        assert not any(buffer.is_meta for buffer in network.buffers())
        found = network.state_dict()
        assert found.keys() == expected.keys()
        for key in found.keys() - {"silence_latent"}:
            assert torch.equal(found[key], expected[key])
    assert models.condition_encoder.silence_latent.shape == (1, 500, 64)
    assert models.vae.config.sampling_rate == 48_000 and models.tokenizer.pad_token == "<|endoftext|>"
    assert (models.name, models.kind.name, models.kind.xl) == ("acestep-v15-turbo", "turbo", False)
    assert models.kind.tasks == ("text2music", "cover", "repaint")
    assert capfd.readouterr() == ("", "")


def test_both_layouts_compute_the_same(family, tiny_models):
    from acestep_nb.renderer.conditions import Ask, Conditioner
    from acestep_nb.song import Song

    asks = [Ask(Song(caption="ballad", lyrics="la", duration=10), task="cover", codes=(1, 2, 3))]
    ours, theirs = Conditioner(loaded(family / "acestep-v15-turbo")), Conditioner(tiny_models)
    assert torch.allclose(ours.primary(asks).context, theirs.primary(asks).context, atol=1e-6)


def test_the_codec_and_the_text_encoder_may_lie_inside(published):
    for part in SHARED:
        shutil.move(published.parent / part, published / part)
    assert loaded(published).text_encoder is not None


@pytest.mark.parametrize("part", SHARED)
def test_a_missing_part_is_named(published, part):
    shutil.rmtree(published.parent / part)
    with pytest.raises(CheckpointError, match=re.escape(part)) as caught:
        loaded(published)
    assert caught.value.field == part and "main repository" in caught.value.remedy


def test_half_precision(published):
    models = loaded(published, torch.bfloat16)
    assert models.dtype == torch.bfloat16 == models.condition_encoder.silence_latent.dtype
    assert (
        models.vae.dtype == torch.float32 and models.audio_tokenizer.quantizer.scales.dtype == torch.float32
    )


def shards(folder):
    """Cut the weights in two, as the large models are published; gives the index file."""
    weights = load_file(folder / WEIGHTS)
    keys = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": keys[::2], "model-00002-of-00002.safetensors": keys[1::2]}
    for name, own in parts.items():
        save_file({key: weights[key] for key in own}, folder / name)
    (folder / WEIGHTS).unlink()
    index = folder / f"{WEIGHTS}.index.json"
    index.write_text(json.dumps({"weight_map": {key: name for name, own in parts.items() for key in own}}))
    return index


def test_shards(published, tiny_models):
    index = shards(published)
    exact = tiny_models.transformer.state_dict()
    found = loaded(published).transformer.state_dict()
    assert all(torch.equal(found[key], exact[key]) for key in exact)
    (published / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model-00002-of-00002"):
        loaded(published)
    index.write_text("{}")
    with pytest.raises(CheckpointError):
        loaded(published)


@pytest.mark.parametrize("harm", ["missing", "unexpected", "stranger", "reshaped"])
def test_weights_must_fit_exactly(published, harm):
    weights = load_file(published / WEIGHTS)
    key = "decoder.layers.0.cross_attn.q_proj.weight"
    if harm == "missing":
        del weights[key]
    elif harm == "reshaped":
        weights[key] = torch.zeros(3)
    else:
        key = "decoder.more" if harm == "unexpected" else "vocoder.weight"
        weights[key] = torch.zeros(1)
    save_file(weights, published / WEIGHTS)
    with pytest.raises(CheckpointError, match="do not fit") as caught:
        loaded(published)
    named = {"missing": "layers.0.cross_attn.to_q.weight", "unexpected": "more", "stranger": "vocoder.weight"}
    assert named.get(harm, "to_q.weight") in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize("length", [0, 4, 5000])
def test_a_truncated_file_is_named(published, length):
    file = published / WEIGHTS
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        loaded(published)
    assert caught.value.field == WEIGHTS


class Harm:
    """Runs something when it is unpickled."""

    def __reduce__(self):
        return print, ("harm",)


@pytest.mark.parametrize(
    "content", [None, Harm(), {"a": 1}, torch.zeros(64), torch.zeros(1, 64, 0), torch.zeros(1, 12, 100)]
)
def test_a_silence_that_is_none(published, content, capfd):
    file = published / "silence_latent.pt"
    file.unlink()
    if content is not None:
        torch.save(content, file)
    with pytest.raises(CheckpointError, match="silence"):
        loaded(published)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("changes", [{"num_hidden_layers": None}, {"head_dim": "wide"}])
def test_a_config_that_makes_no_network(published, changes):
    rewrite(published / "config.json", **changes)
    with pytest.raises(CheckpointError):
        loaded(published)


def test_a_tokenizer_class_that_is_not_known(published):
    rewrite(published.parent / TEXT_ENCODER / "tokenizer_config.json", tokenizer_class="Remote")
    with pytest.raises(CheckpointError, match="not loaded"):
        loaded(published)


def test_it_is_found_by_name_and_verified(family, published, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(family))
    assert find("acestep-v15-turbo") == family / "acestep-v15-turbo"
    assert "acestep-v15-turbo" in names() and not set(SHARED) & set(names())
    with pytest.raises(CheckpointError, match="not a checkpoint") as caught:
        find(family)
    assert "acestep-v15-turbo" in caught.value.remedy
    first = verify(published)
    assert first.startswith("fingerprint:") and first == verify(family / "acestep-v15-turbo")
    rewrite(published.parent / "vae" / "config.json", sampling_rate=44_100)
    assert verify(published) != first
    write_manifest(published, "mine", "1")
    assert verify(published).startswith("sha256:")


def test_other_layer_types_reach_the_timbre_encoder(published):
    rewrite(published / "config.json", layer_types=["full_attention", "sliding_attention"])
    timbre = loaded(published).condition_encoder.timbre_encoder
    assert timbre._layer_types[:2] == ["full_attention", "sliding_attention"]
    assert [layer.self_attn.sliding_window for layer in timbre.layers] == [None, 8]
    rewrite(published / "config.json", use_sliding_window=False)
    models = loaded(published)
    for layers in (models.transformer.layers, models.condition_encoder.lyric_encoder.layers):
        assert all(layer.self_attn.sliding_window is None for layer in layers)


def test_the_large_model_reads_the_timbre_at_its_own_token(published):
    small = loaded(published).condition_encoder.timbre_encoder
    rewrite(published / "config.json", model_version="xl_turbo")
    models = loaded(published)
    assert models.kind.xl
    reference, order = torch.randn(1, 20, 64), torch.zeros(1, dtype=torch.long)
    with torch.inference_mode():
        large, _ = models.condition_encoder.timbre_encoder(reference, order)
        assert not torch.allclose(large, small(reference, order)[0])
        models.condition_encoder.timbre_encoder.special_token.data.normal_()
        assert not torch.allclose(large, models.condition_encoder.timbre_encoder(reference, order)[0])


def test_layers_below_the_transformers_depth_are_left_out(tiny_models):
    """The published code runs as many encoder layers as the transformer has at the most."""
    from copy import deepcopy

    encoder = deepcopy(tiny_models.condition_encoder)
    original._cut_to_depth(encoder, {"num_hidden_layers": 1})
    assert len(encoder.lyric_encoder.layers) == len(encoder.timbre_encoder.layers) == 1
