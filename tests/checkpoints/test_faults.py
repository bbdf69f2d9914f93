"""Loading that fails: an error with a remedy, nothing left in memory, and the engine that was there goes on."""

import gc
import json
import shutil

import pytest
import torch
from planners import build_planner
from published import WEIGHTS, build_family
from safetensors.torch import load_file, save_file

from acestep_nb import Engine, RenderOptions, Song
from acestep_nb.errors import CheckpointError

SONG, QUICK = Song(caption="jazz", duration=10), RenderOptions(inference_steps=1)


@pytest.fixture(scope="module")
def family(tmp_path_factory, tiny_models, tiny_checkpoint):
    place = build_family(tmp_path_factory.mktemp("family"), tiny_models, tiny_checkpoint)
    build_planner(place / "acestep-5Hz-lm-0.6B")
    return place


@pytest.fixture
def place(family, tmp_path):
    """A copy to do harm to, its weights in two shards."""
    copied = shutil.copytree(family, tmp_path / "place")
    folder = copied / "acestep-v15-turbo"
    weights = load_file(folder / WEIGHTS)
    keys = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": keys[::2], "model-00002-of-00002.safetensors": keys[1::2]}
    for name, own in parts.items():
        save_file({key: weights[key] for key in own}, folder / name)
    (folder / WEIGHTS).unlink()
    index = {"weight_map": {key: name for name, own in parts.items() for key in own}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    return copied


def rewrite(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def cut(file):
    file.write_bytes(file.read_bytes()[:-100])


HARMS = {
    "a missing shard": lambda place: (place / "acestep-v15-turbo/model-00002-of-00002.safetensors").unlink(),
    "a truncated shard": lambda place: cut(place / "acestep-v15-turbo/model-00002-of-00002.safetensors"),
    "a missing codec": lambda place: shutil.rmtree(place / "vae"),
    "a truncated codec": lambda place: cut(next((place / "vae").glob("*.safetensors"))),
    "a truncated text encoder": lambda place: cut(place / "Qwen3-Embedding-0.6B" / WEIGHTS),
    "another architecture": lambda place: rewrite(
        place / "acestep-v15-turbo/config.json", num_hidden_layers=3
    ),
    "another width": lambda place: rewrite(place / "acestep-v15-turbo/config.json", intermediate_size=96),
    "a truncated planner": lambda place: cut(place / "acestep-5Hz-lm-0.6B" / WEIGHTS),
    "a planner of another kind": lambda place: rewrite(
        place / "acestep-5Hz-lm-0.6B/config.json", layer_types=["sliding_attention"] * 2
    ),
}


def tensors():
    gc.collect()
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_damaged_is_told_and_leaves_nothing(place, tiny_engine, harm):
    HARMS[harm](place)
    before = tensors()
    with pytest.raises(CheckpointError) as caught:
        Engine.load(place / "acestep-v15-turbo", device="cpu", planner=place / "acestep-5Hz-lm-0.6B")
    assert caught.value.remedy and str(place) in str(caught.value)
    del caught
    assert tensors() - before < 20
    assert tiny_engine.generate(SONG, seeds=[1], options=QUICK)


@pytest.mark.parametrize("name", ["acestep-5Hz-lm-0.6B", "vae", "Qwen3-Embedding-0.6B"])
def test_what_is_no_renderer_is_not_loaded_as_one(family, name):
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        Engine.load(family / name, device="cpu")


@pytest.mark.parametrize("name", ["acestep-v15-turbo", "vae"])
def test_what_is_no_planner_is_not_loaded_as_one(family, name):
    with pytest.raises(CheckpointError) as caught:
        Engine.load(family / "acestep-v15-turbo", device="cpu", planner=family / name)
    assert caught.value.field == "planner"


def test_a_machine_that_is_too_small_says_so(family, monkeypatch):
    from acestep_nb import placing
    from acestep_nb.checkpoints.fit import Machine

    monkeypatch.setattr(placing, "this_machine", lambda device: Machine("cpu", "CPU", 0.001, 0.001, True))
    with pytest.raises(CheckpointError, match="does not fit") as caught:
        Engine.load(family / "acestep-v15-turbo", device="cpu")
    assert caught.value.field == "memory" and "doctor" in caught.value.remedy


def test_a_gpu_that_is_too_small_leaves_the_work_to_the_cpu(family, monkeypatch):
    from acestep_nb import placing
    from acestep_nb.checkpoints.fit import Machine

    monkeypatch.setattr(placing, "best_device", lambda: "cuda")
    monkeypatch.setattr(
        placing,
        "this_machine",
        lambda device: Machine(device, "any", 0.1 if device == "cuda" else 16, 16, True),
    )
    where = placing.place(family / "acestep-v15-turbo")
    assert (where.device.type, where.placement.device, where.placement.fits) == ("cpu", "cpu", True)
    assert where.planner is not None and where.planner.name == "acestep-5Hz-lm-0.6B"
