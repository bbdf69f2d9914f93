"""The published shapes: the large size by name and shape alone, a smaller one with all its weights and a render."""

import json
import subprocess
import sys
from pathlib import Path

import full_size
import pytest
import torch

from acestep_nb.checkpoints import original
from acestep_nb.checkpoints.registry import sizes
from acestep_nb.checkpoints.weighing import lacking, weights_of
from acestep_nb.errors import CheckpointError

TOOL = Path(full_size.__file__)


def loaded_from(config, names):
    """The networks of a config, given tensors without memory under these published names."""
    networks = {
        name: original._empty(cls, original._fields(name, config)) for name, cls in original.CLASSES.items()
    }
    states = {name: {} for name in networks}
    for key, shape in names.items():
        component, new_key = original.new_name(Path("xl"), key)
        states[component][new_key] = torch.empty(shape, device="meta")
    states["condition_encoder"]["silence_latent"] = networks["condition_encoder"].silence_latent
    for name, network in networks.items():
        original._fill(Path("xl"), network, states[name])
    return networks


def test_the_large_size_has_the_published_shapes():
    names = dict(full_size.tensors(full_size.xl_config()))
    networks = loaded_from(full_size.xl_config(), names)
    assert names["decoder.layers.31.self_attn.q_proj.weight"] == (32 * 128, 2560)
    assert names["decoder.layers.0.cross_attn.k_proj.weight"] == (8 * 128, 2560)
    assert names["decoder.layers.0.mlp.gate_proj.weight"] == (9728, 2560)
    assert names["decoder.condition_embedder.weight"] == (2560, 2048)
    assert names["encoder.lyric_encoder.layers.7.self_attn.q_proj.weight"] == (16 * 128, 2048)
    assert names["encoder.text_projector.weight"] == (2048, 1024)
    assert names["null_condition_emb"] == (1, 1, 2048)
    assert names["tokenizer.quantizer.project_in.weight"] == (6, 2048)
    assert names["detokenizer.special_tokens"] == (1, 5, 2048)
    assert not any(name.startswith("decoder.layers.32.") for name in names)
    assert all(p.is_meta for network in networks.values() for p in network.parameters())
    billions = {
        name: sum(p.numel() for p in network.parameters()) / 1e9 for name, network in networks.items()
    }
    assert billions["transformer"] == pytest.approx(sizes()["XL"]["transformer"], abs=0.001)


def test_the_large_size_takes_its_own_keys_and_no_others():
    config = full_size.xl_config()
    names = dict(full_size.tensors(config))
    key = "decoder.layers.31.mlp.down_proj.weight"
    with pytest.raises(CheckpointError, match=r"layers\.31\.mlp\.down_proj"):
        loaded_from(config, {name: shape for name, shape in names.items() if name != key})
    with pytest.raises(CheckpointError, match=r"layers\.32"):
        loaded_from(config, names | {"decoder.layers.32.norm.weight": (2560,)})
    with pytest.raises(CheckpointError, match="mismatched"):
        loaded_from(config, names | {key: (2560, 6144)})
    with pytest.raises(CheckpointError, match="do not fit"):
        loaded_from(full_size.Shape().config(), names)


def test_the_registry_weighs_what_the_config_makes():
    names = dict(full_size.tensors(full_size.Shape().config()))
    count = {"transformer": 0, "encoders": 0}
    for name, shape in names.items():
        count["transformer" if name.startswith("decoder.") else "encoders"] += torch.Size(shape).numel()
    for part, billions in sizes()["2B"].items():
        assert count[part] / 1e9 == pytest.approx(billions, abs=0.001)


@pytest.fixture(scope="module")
def family(tmp_path_factory, tiny_checkpoint):
    """Renderer, codec and text encoder of a smaller shape, written by the tool."""
    place = tmp_path_factory.mktemp("full")
    full_size.write(place, full_size.SMALL, tiny_checkpoint / "tokenizer")
    return place


def test_weights_are_in_memory_once_and_gone_when_freed(family):
    """In a process of its own: only there is the peak that of these weights."""
    path = [str(TOOL.parent), str(TOOL.parents[1])]
    code = f"import sys; sys.path[:0] = {path}; import full_size, json; from pathlib import Path; "
    code += f"print(json.dumps(full_size.measure(Path({str(family)!r}), steps=2)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    other = 150e6  # what computing five seconds takes beside the weights, whatever their size
    assert found["first"]["load_peak"] <= 1.15 * found["size"], found
    for turn in ("first", "second"):
        assert found[turn]["peak"] <= 1.15 * found["size"] + other, found
        assert found[turn]["after"] <= 0.15 * found["size"], found
    assert found["first"]["seconds"] == 5 and found["size"] > 2.5 * other


def test_what_lies_there_is_weighed_without_being_read(family):
    folder = family / full_size.NAME
    names = dict(full_size.tensors(full_size.SMALL.config()))
    whole = sum(torch.Size(shape).numel() for shape in names.values()) / 1e9
    found = weights_of(folder)
    assert found.transformer + found.encoders == pytest.approx(whole)
    assert found.codec > 0 and found.text_encoder > 0 and found.total < 1
    assert [lacking(part) for part in (folder, family / "vae", family / full_size.TEXT_ENCODER)] == [""] * 3
