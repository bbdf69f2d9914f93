"""Which heads are listened to, and that listening leaves no trace."""

from __future__ import annotations

import json
import shutil

import golden
import pytest
import torch

from acestep_nb.checkpoints.index import ALIGNMENT_HEADS
from acestep_nb.checkpoints.loading import load
from acestep_nb.checkpoints.original import load_original
from acestep_nb.errors import CheckpointError
from acestep_nb.renderer.conditions import Ask, Conditioner
from acestep_nb.scores import alignment
from acestep_nb.scores.attention import DEFAULT_HEADS, alignment_heads, lyric_attention
from acestep_nb.song import Song

SONG = Song(caption="ballad", lyrics="[Verse]\nla lu\nna no", duration=10)


class Network:
    def __init__(self, layers, heads, config):
        self.layers = range(layers)
        self.config = type("Config", (dict,), {"num_attention_heads": heads})(config)


@pytest.fixture
def condition(tiny_models):
    return Conditioner(tiny_models).primary([Ask(song=SONG)])


def test_the_heads_of_the_2b_models_are_the_default():
    assert alignment_heads(Network(24, 16, {})) == DEFAULT_HEADS
    assert sum(map(len, DEFAULT_HEADS.values())) == 7


@pytest.mark.parametrize(
    ("config", "heads"),
    [
        ({"3": [0, 1]}, {3: (0, 1)}),
        ({"5": [15], "2": [0]}, {2: (0,), 5: (15,)}),
        ({"3": [0, 16], "24": [1], "-1": [0]}, {3: (0,)}),
        ({"3": 1}, DEFAULT_HEADS),
        ([[3, 0]], DEFAULT_HEADS),
        ({"first": [0]}, DEFAULT_HEADS),
        (None, DEFAULT_HEADS),
    ],
)
def test_a_checkpoint_names_its_own_heads(config, heads):
    assert alignment_heads(Network(24, 16, {ALIGNMENT_HEADS: config})) == heads


def test_without_any_head_it_says_where_to_name_them():
    with pytest.raises(CheckpointError, match=ALIGNMENT_HEADS) as caught:
        alignment_heads(Network(2, 2, {}))
    assert caught.value.field == ALIGNMENT_HEADS and "layers 0–1" in caught.value.allowed


def test_heads_are_read_from_a_checkpoints_config_without_a_warning(tiny_checkpoint, tmp_path, capfd):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "named")
    config = folder / "transformer" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {ALIGNMENT_HEADS: {"1": [1]}}))
    models = load(folder, torch.device("cpu"), torch.float32)
    assert alignment_heads(models.transformer) == {1: (1,)}
    assert capfd.readouterr() == ("", "")


def test_heads_are_read_from_an_original_checkpoints_config(tmp_path):
    folder = shutil.copytree(golden.checkpoints()[0], tmp_path / "original")
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {ALIGNMENT_HEADS: {"0": [0]}}))
    assert alignment_heads(load_original(folder, torch.device("cpu"), torch.float32)["transformer"]) == {
        0: (0,)
    }


@pytest.mark.parametrize("heads", [{0: (0,)}, {0: (1,), 1: (0, 1)}])
def test_attention_is_a_share_of_all_tokens(tiny_models, condition, heads):
    network, latents = tiny_models.transformer, torch.randn(condition.frames, 64)
    whole = lyric_attention(network, condition, latents, (0.125, 1.0), slice(None), heads)
    count = sum(map(len, heads.values()))
    assert whole.shape == (2, count, condition.hidden.shape[1], condition.frames // 2)
    assert torch.allclose(whole.sum(2), torch.ones(()), atol=1e-5)
    part = lyric_attention(network, condition, latents, (0.125,), slice(3, 9), heads)
    assert torch.allclose(part[0], whole[0, :, 3:9], atol=1e-6)


def test_at_full_noise_the_sound_plays_no_part(tiny_models, condition):
    network = tiny_models.transformer
    one, other = (
        lyric_attention(network, condition, latents, (1.0,), slice(None), {1: (0,)})
        for latents in torch.randn(2, condition.frames, 64)
    )
    assert torch.equal(one, other)


def test_one_head_is_enough_for_a_score(tiny_models, condition):
    latents = torch.randn(condition.frames, 64)
    attention = lyric_attention(tiny_models.transformer, condition, latents, (0.125,), slice(3, 9), {1: (0,)})
    energy = alignment.energy(attention[0].numpy())
    found = alignment.measure(energy, alignment.sung_tokens("abcdef"))
    assert 0 <= found.score <= 1 and energy.max() == 1


def test_listening_leaves_the_network_as_it_was_and_stops_early(tiny_models, condition):
    network = tiny_models.transformer
    before = [layer.cross_attn.processor for layer in network.layers]
    ran = []
    hook = network.layers[1].self_attn.register_forward_hook(lambda *_: ran.append(1))
    try:
        lyric_attention(network, condition, torch.zeros(condition.frames, 64), (0.5,), slice(None), {0: (0,)})
        assert not ran
        with pytest.raises(RuntimeError):
            lyric_attention(
                network, condition, torch.zeros(condition.frames, 3), (0.5,), slice(None), {0: (0,)}
            )
    finally:
        hook.remove()
    assert [layer.cross_attn.processor for layer in network.layers] == before
