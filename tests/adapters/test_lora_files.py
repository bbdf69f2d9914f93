"""Adapters come and go without a trace, add up, and are read by peft, diffusers and back."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path

import peft
import pytest
import torch
from diffusers.loaders import AceStepLoraLoaderMixin
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from acestep_nb import CheckpointError, InputError
from acestep_nb.adapters.files import CONFIG, WEIGHTS, exchanged, find_adapter, read_adapter, write_adapter
from acestep_nb.adapters.loading import attach, detach, inject, tensors_of, weigh

PROJECTIONS = ["to_q", "to_k", "to_v", "to_out.0"]
ALL = [*PROJECTIONS, "gate_proj", "up_proj", "down_proj"]


@pytest.fixture
def network(tiny_models):
    return copy.deepcopy(tiny_models.transformer)


def answer(network):
    generator = torch.Generator().manual_seed(1)
    width = network.config.encoder_hidden_size or network.config.hidden_size
    with torch.no_grad():
        return network(
            hidden_states=torch.randn(1, 40, 64, generator=generator),
            timestep=torch.tensor([0.5]),
            timestep_r=torch.tensor([0.5]),
            encoder_hidden_states=torch.randn(1, 5, width, generator=generator),
            context_latents=torch.randn(1, 40, 128, generator=generator),
            return_dict=False,
        )[0]


def random_adapter(network, folder, seed=0, rank=4, alpha=8.0, targets=PROJECTIONS):
    """An adapter of random weights, written as it is exchanged."""
    torch.manual_seed(seed)
    own = copy.deepcopy(network)
    inject(own, "x", LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=False))
    return write_adapter(folder, tensors_of(own, "x"), rank, alpha, 0.1, "tiny")


def with_adapter(network, folder, scale=1.0, slot="one"):
    attach(network, slot, read_adapter(folder))
    weigh(network, {slot: scale})
    return answer(network)


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("targets", [PROJECTIONS, ALL])
def test_what_is_taken_out_leaves_no_trace(network, tmp_path, targets):
    before, weights, kind = answer(network), state(network), [type(m) for m in network.modules()]
    changed = with_adapter(network, random_adapter(network, tmp_path, targets=targets))
    assert (changed - before).abs().max() > 0.01
    detach(network, "one")
    assert torch.equal(answer(network), before)
    after = state(network)
    assert after.keys() == weights.keys() and all(torch.equal(after[name], weights[name]) for name in weights)
    assert [type(m) for m in network.modules()] == kind and not hasattr(network, "peft_config")


def test_scale_zero_is_the_base_and_the_scale_moves_between(network, tmp_path):
    before = answer(network)
    whole = with_adapter(network, random_adapter(network, tmp_path))
    weigh(network, {"one": 0.5})
    half = answer(network)
    weigh(network, {"one": 0.0})
    assert torch.equal(answer(network), before)
    weigh(network, {"one": 1.0})
    assert torch.equal(answer(network), whole)
    assert 0 < (half - before).norm() < (whole - before).norm() * 1.5


def test_alpha_twice_as_large_doubles_what_an_adapter_changes(network, tmp_path):
    random_adapter(network, tmp_path / "one", alpha=4.0)
    random_adapter(network, tmp_path / "two", alpha=8.0)
    deltas = []
    for name in ("one", "two"):
        own = copy.deepcopy(network)
        attach(own, "x", read_adapter(tmp_path / name))
        deltas.append(own.layers[0].self_attn.to_q.get_delta_weight("x"))
    assert torch.equal(deltas[1], 2 * deltas[0]) and deltas[0].abs().max() > 0
    whole = with_adapter(copy.deepcopy(network), tmp_path / "one")
    half = with_adapter(copy.deepcopy(network), tmp_path / "two", scale=0.5)
    assert torch.equal(whole, half)


def test_two_adapters_add(network, tmp_path):
    folders = [random_adapter(network, tmp_path / str(seed), seed, rank) for seed, rank in ((1, 4), (2, 6))]
    alone = copy.deepcopy(network)
    attach(alone, "a", read_adapter(folders[0]))
    attach(alone, "b", read_adapter(folders[1]))
    merged = copy.deepcopy(network)
    with torch.no_grad():
        for name, layer in alone.named_modules():
            if hasattr(layer, "lora_A") and hasattr(layer, "get_delta_weight"):
                merged.get_submodule(name).weight += layer.get_delta_weight(
                    "a"
                ) + 0.5 * layer.get_delta_weight("b")
    weigh(alone, {"a": 1.0, "b": 0.5})
    assert torch.allclose(answer(alone), answer(merged), atol=1e-5)
    weigh(alone, {"a": 1.0, "b": 0.0})
    only = answer(alone)
    detach(alone, "b")
    weigh(alone, {"a": 1.0})
    assert torch.equal(answer(alone), only)
    assert torch.equal(only, with_adapter(copy.deepcopy(network), folders[0]))


def test_the_original_names_round_trip(network, tmp_path):
    keys = set(load_file(random_adapter(network, tmp_path, targets=ALL) / WEIGHTS))
    assert "base_model.model.layers.0.self_attn.q_proj.lora_A.weight" in keys
    assert "base_model.model.layers.1.cross_attn.o_proj.lora_B.weight" in keys
    assert "base_model.model.layers.0.mlp.gate_proj.lora_A.weight" in keys
    assert {exchanged(key) for key in read_adapter(tmp_path).tensors} == keys
    assert set(json.loads((tmp_path / CONFIG).read_text())["target_modules"]) == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    }


def test_diffusers_reads_what_we_write_alpha_too(network, tmp_path):
    ours = with_adapter(copy.deepcopy(network), random_adapter(network, tmp_path, alpha=12.0))
    load = AceStepLoraLoaderMixin
    tensors, metadata = load.lora_state_dict(str(tmp_path), weight_name=WEIGHTS, return_lora_metadata=True)
    load.load_lora_into_transformer(tensors, network, "x", metadata=metadata)
    assert torch.allclose(answer(network.eval()), ours, atol=1e-6)


def test_we_read_what_diffusers_writes(network, tmp_path):
    own = copy.deepcopy(network)
    torch.manual_seed(5)
    own.add_adapter(LoraConfig(r=4, lora_alpha=12, target_modules=PROJECTIONS, init_lora_weights=False), "x")
    theirs = answer(own.eval())
    layers = peft.get_peft_model_state_dict(own, adapter_name="x")
    metadata = {"transformer": own.peft_config["x"].to_dict()}["transformer"]
    AceStepLoraLoaderMixin.save_lora_weights(
        tmp_path, transformer_lora_layers=layers, transformer_lora_adapter_metadata=metadata
    )
    assert torch.allclose(with_adapter(network, find_adapter(tmp_path)), theirs, atol=1e-6)


def test_peft_reads_what_we_write_under_its_networks_names(network, tmp_path):
    """The original's network has the original's names; ours has diffusers', so the keys are renamed as it would."""
    ours = with_adapter(copy.deepcopy(network), random_adapter(network, tmp_path))
    renamed = load_file(tmp_path / WEIGHTS)
    for old, new in (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("o_proj", "to_out.0")):
        renamed = {key.replace(old, new): value for key, value in renamed.items()}
    save_file(renamed, tmp_path / WEIGHTS)
    config = json.loads((tmp_path / CONFIG).read_text()) | {"target_modules": PROJECTIONS}
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # peft warns of keys that it misses
        loaded = PeftModel.from_pretrained(network, tmp_path)
    assert torch.allclose(answer(loaded.base_model.model), ours, atol=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"rank_pattern": {"to_k": 2}, "alpha_pattern": {"to_v": 3}},
    ],
)
def test_we_read_what_peft_writes(network, tmp_path, how):
    torch.manual_seed(5)
    config = LoraConfig(r=4, lora_alpha=12, target_modules=PROJECTIONS, init_lora_weights=False, **how)
    theirs = get_peft_model(copy.deepcopy(network), config).eval()
    if how.get("use_dora"):
        for name, value in theirs.named_parameters():
            if "magnitude" in name:
                value.data *= 1.5
    theirs.save_pretrained(tmp_path)
    assert torch.allclose(with_adapter(network, tmp_path), answer(theirs.base_model.model), atol=1e-6)


def test_an_adapter_of_another_size_names_both_shapes(network, tmp_path):
    tensors = {
        key: torch.zeros(value.shape[0], 48) if "lora_A" in key else value
        for key, value in read_adapter(random_adapter(network, tmp_path / "fits")).tensors.items()
    }
    write_adapter(tmp_path / "large", tensors, 4, 8.0, 0.0, "xl")
    weights = state(network)
    with pytest.raises(CheckpointError, match=r"another size: lora_A of .* is \(4, 48\), .* needs \(4, 32\)"):
        attach(network, "x", read_adapter(tmp_path / "large"))
    assert state(network).keys() == weights.keys()


def test_a_layer_that_is_not_there(network, tmp_path):
    tensors = read_adapter(random_adapter(network, tmp_path)).tensors
    more = tensors | {key.replace("layers.0", "layers.9"): value.clone() for key, value in tensors.items()}
    with pytest.raises(CheckpointError, match=r"layers\.9"):
        attach(network, "x", read_adapter(write_adapter(tmp_path / "deep", more, 4, 8.0, 0.0, "xl")))


def lokr(folder):
    folder.mkdir()
    save_file({"layers.0.self_attn.to_q.lokr_w1": torch.zeros(2, 2)}, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps({"peft_type": "LOKR", "r": 4}))


def lycoris(folder):
    folder.mkdir()
    save_file({"lokr": torch.zeros(1)}, folder / "lokr_weights.safetensors")


def pickled(folder):
    folder.mkdir()
    (folder / CONFIG).write_text("{}")
    (folder / "adapter_model.bin").write_bytes(b"\x80\x04cos\nsystem\n.")


def cut(folder):
    folder.mkdir()
    (folder / CONFIG).write_text("{}")
    (folder / WEIGHTS).write_bytes(b"\x10\x00\x00\x00")


def other(**config):
    def make(folder):
        folder.mkdir()
        key = "base_model.model.layers.0.self_attn.q_proj.lora_{}.weight"
        save_file(
            {key.format("A"): torch.zeros(4, 32), key.format("B"): torch.zeros(32, 4)}, folder / WEIGHTS
        )
        (folder / CONFIG).write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 4} | config))

    return make


def test_a_letter_alone_names_no_published_adapter(tmp_path, monkeypatch):
    monkeypatch.setattr("acestep_nb.adapters.files._fetched", Path)
    assert find_adapter("chinese-new-year") == Path("ACE-Step/ACE-Step-v1.5-chinese-new-year-LoRA")
    for typo in ("a", "style", "./nothing", "a/" * 5_000):
        with pytest.raises(InputError):
            find_adapter(typo)


def test_the_hub_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="cannot be fetched"):
        find_adapter("nobody/nothing-that-is-there")


def test_what_a_library_says_without_words_is_told_by_its_kind(network, tmp_path, monkeypatch):
    def mute(*_):
        raise KeyError

    other()(tmp_path / "a")
    adapter = read_adapter(tmp_path / "a")
    monkeypatch.setattr("peft.set_peft_model_state_dict", mute)
    with pytest.raises(CheckpointError, match="KeyError"):
        attach(network, "a", adapter)


def points(folder):
    other()(folder)
    key = "base_model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    save_file({key.format("A"): torch.tensor(1.0), key.format("B"): torch.tensor(1.0)}, folder / WEIGHTS)


def short_magnitude(folder):
    other(use_dora=True)(folder)
    vector = {"base_model.model.layers.0.self_attn.q_proj.lora_magnitude_vector.weight": torch.ones(3)}
    save_file(load_file(folder / WEIGHTS) | vector, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lokr, "LOKR"),
        (lycoris, "LyCORIS"),
        (pickled, "adapter_model.bin"),
        (cut, "damaged"),
        (other(bias="all"), "bias"),
        (other(modules_to_save=["norm_out"]), "modules_to_save"),
        (other(init_lora_weights="pissa"), "init_lora_weights"),
        (other(lora_alpha="much"), "alpha"),
        (other(lora_alpha=float("nan")), "alpha"),
        (other(alpha_pattern=["to_q"]), "alpha"),
        (other(alpha_pattern={"(": 4}), "alpha"),
        (points, "holds no LoRA"),
        (short_magnitude, "does not fit"),
        (lambda folder: folder.mkdir(), "holds no"),
        (lambda folder: None, "adapter"),
    ],
)
def test_what_is_not_loaded_is_refused_with_the_reason(network, tmp_path, make, words):
    make(tmp_path / "it")
    with pytest.raises((CheckpointError, InputError), match=words) as caught:
        attach(network, "x", read_adapter(find_adapter(tmp_path / "it")))
    assert caught.value.remedy and not hasattr(network, "peft_config")


def test_numbers_that_are_not_finite_are_refused(network, tmp_path):
    tensors = read_adapter(random_adapter(network, tmp_path)).tensors
    next(iter(tensors.values()))[0, 0] = torch.nan
    with pytest.raises(CheckpointError, match="not finite"):
        attach(network, "x", read_adapter(write_adapter(tmp_path / "nan", tensors, 4, 8.0, 0.0, "tiny")))


def test_the_folder_of_a_training_and_the_adapter_in_it_are_the_same(network, tmp_path):
    folder = random_adapter(network, tmp_path / "final" / "adapter")
    for given in (tmp_path, tmp_path / "final", folder, folder / WEIGHTS):
        assert find_adapter(given) == folder
    with pytest.raises(InputError):
        find_adapter("  ")
