"""What is published, what lies on this machine, and whether it is whole."""

import json
import shutil
import struct

import pytest
import torch
from planners import build_planner
from published import WEIGHTS, build_family
from safetensors.torch import load_file, save_file

from acestep_nb.checkpoints.index import TEXT_ENCODER
from acestep_nb.checkpoints.registry import defaults, everything, found, model, models, role_of, with_needs
from acestep_nb.checkpoints.weighing import PART, lacking, parameters, weights_of
from acestep_nb.kinds import COMMON_TASKS, TASKS

PUBLISHED = {  # steps, guidance, shift and tasks of each renderer, as its makers tell them
    "acestep-v15-turbo": (8, 1.0, 3.0, COMMON_TASKS),
    "acestep-v15-turbo-shift1": (8, 1.0, 1.0, COMMON_TASKS),
    "acestep-v15-turbo-shift3": (8, 1.0, 3.0, COMMON_TASKS),
    "acestep-v15-turbo-continuous": (8, 1.0, 3.0, COMMON_TASKS),
    "acestep-v15-sft": (50, 7.0, 1.0, COMMON_TASKS),
    "acestep-v15-base": (50, 7.0, 1.0, TASKS),
    "acestep-v15-xl-turbo": (8, 1.0, 3.0, COMMON_TASKS),
    "acestep-v15-xl-sft": (50, 7.0, 1.0, COMMON_TASKS),
    "acestep-v15-xl-base": (50, 7.0, 1.0, TASKS),
}


@pytest.fixture(scope="module")
def family(tmp_path_factory, tiny_models, tiny_checkpoint):
    place = build_family(tmp_path_factory.mktemp("family"), tiny_models, tiny_checkpoint)
    build_planner(place / "acestep-5Hz-lm-0.6B")
    return place


@pytest.fixture
def place(family, tmp_path):
    """A copy to do harm to."""
    return shutil.copytree(family, tmp_path / "place")


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_renderer_has_its_defaults(name):
    own = model(name)
    kind = own.kind
    assert (kind.inference_steps, kind.guidance_scale, kind.shift, kind.tasks) == PUBLISHED[name]
    assert kind.xl == ("xl" in name) and kind.is_turbo == ("turbo" in name)
    assert kind.continuous == name.endswith("continuous")
    assert own.needs == ("vae", TEXT_ENCODER) and own.repo.startswith("ACE-Step/") and own.gigabytes > 4


def test_everything_published_is_known():
    roles = [known.role for known in models()]
    assert {role: roles.count(role) for role in set(roles)} == {
        "renderer": 13, "planner": 3, "codec": 1, "text encoder": 1, "adapter": 1,
    }  # fmt: skip
    assert {known.name for known in models() if known.layout == "original" and known.kind} == PUBLISHED.keys()
    assert len({known.name for known in models()}) == len(models())
    assert all((known.kind is None) == (known.role != "renderer") for known in models())
    assert {known.repo for known in defaults()} == {"ACE-Step/Ace-Step1.5"}
    assert set(defaults()) < set(everything())
    assert {name for known in models() for name in known.needs} == {"vae", TEXT_ENCODER}


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("turbo", "acestep-v15-turbo"),
        ("xl-sft", "acestep-v15-xl-sft"),
        ("1.7B", "acestep-5Hz-lm-1.7B"),
        ("vae", "vae"),
    ],
)
def test_short_names(short, name):
    assert model(short) is model(name) and with_needs([short])[0].name == name


def test_what_lies_here_is_found(place, tiny_checkpoint):
    shutil.copytree(tiny_checkpoint, place / "my-own")
    shutil.copytree(place / "acestep-v15-turbo", place / "acestep-v15-turbo-fix")
    (place / "acestep-v15-sft").mkdir()
    (place / "rainy-lora").mkdir()
    (place / "rainy-lora" / "adapter_config.json").write_text("{}")
    save_file({"a": torch.zeros(2)}, place / "rainy-lora" / "adapter_model.safetensors")
    (place / "notes").mkdir()
    here = {own.name: own for own in found([place])}
    assert {name: own.role for name, own in here.items()} == {
        "Qwen3-Embedding-0.6B": "text encoder",
        "acestep-5Hz-lm-0.6B": "planner",
        "acestep-v15-sft": "renderer",
        "acestep-v15-turbo": "renderer",
        "acestep-v15-turbo-fix": "renderer",
        "my-own": "renderer",
        "rainy-lora": "adapter",
        "vae": "codec",
    }
    assert {name for name, own in here.items() if own.trouble} == {"acestep-v15-sft"}
    assert list(here) == sorted(here) and role_of(place / "notes") is None


def test_of_two_folders_the_whole_one_counts(place, tmp_path):
    broken = tmp_path / "first" / "vae"
    broken.mkdir(parents=True)
    here = {own.name: own for own in found([tmp_path / "first", place])}
    assert here["vae"].folder == place / "vae" and not here["vae"].trouble
    assert found([tmp_path / "first"])[0].trouble


@pytest.mark.parametrize(
    ("name", "harm", "words"),
    [
        ("acestep-v15-turbo", lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        ("acestep-v15-turbo", lambda folder: (folder / WEIGHTS).unlink(), "its weights are missing"),
        ("acestep-v15-turbo", lambda folder: (folder / f"{WEIGHTS}.0{PART}").touch(), "not finished"),
        ("acestep-v15-turbo", lambda folder: shorten(folder / WEIGHTS, -1), "model.safetensors is cut off"),
        ("acestep-v15-turbo", lambda folder: shorten(folder / WEIGHTS, 5), "model.safetensors is cut off"),
        ("acestep-v15-turbo", lambda folder: (folder / WEIGHTS).write_bytes(b"{" * 100), "is cut off"),
        ("acestep-v15-turbo", lambda folder: index(folder, "a.safetensors"), "a.safetensors is missing"),
        (
            "acestep-v15-turbo",
            lambda folder: (folder / f"{WEIGHTS}.index.json").write_text("[]"),
            "cannot be read",
        ),
        ("tiny", lambda folder: shorten(next((folder / "vae").glob("*.safetensors")), -1), "is cut off"),
        ("tiny", lambda folder: shutil.rmtree(folder / "transformer"), "transformer/config.json is missing"),
        ("tiny", lambda folder: shutil.rmtree(folder / "tokenizer"), "tokenizer/ is missing"),
        ("tiny", lambda folder: (folder / "model_index.json").write_text("{"), "cannot be read"),
    ],
)
def test_what_a_folder_lacks(place, tiny_checkpoint, name, harm, words):
    folder = place / name
    if name == "tiny":
        shutil.copytree(tiny_checkpoint, folder)
    assert lacking(folder) == ""
    harm(folder)
    assert words in lacking(folder)


HEADER = '{"a": {"dtype": "F32", "shape": [%s], "data_offsets": [0, 4]}}'


@pytest.mark.parametrize(
    "header",
    [
        '{"a": 1}',
        '{"a": {}}',
        pytest.param("[" * 9_000, id="deep"),
        HEADER % '"many"',
        HEADER % "2.5",
        HEADER.replace(", 4", "") % 1,
    ],
)
def test_a_header_that_tells_nonsense_weighs_nothing(place, tiny_checkpoint, header):
    folder = shutil.copytree(tiny_checkpoint, place / "tiny")
    file = next((folder / "vae").glob("*.safetensors"))
    file.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    assert weights_of(folder).codec == 0 and "is cut off" in lacking(folder)


def shorten(file, length):
    file.write_bytes(file.read_bytes()[:length])


def index(folder, name):
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {"x": name}}))


def test_networks_are_weighed_by_their_headers(place, tiny_models, tiny_checkpoint):
    def count(*networks):
        tensors = [tensor for network in networks for tensor in network.state_dict().values()]
        return sum(tensor.numel() for tensor in tensors if tensor.is_floating_point()) / 1e9

    weighed = weights_of(tiny_checkpoint)
    assert weighed.transformer == pytest.approx(count(tiny_models.transformer))
    assert weighed.text_encoder == pytest.approx(count(tiny_models.text_encoder))
    encoders = (
        tiny_models.condition_encoder,
        tiny_models.audio_tokenizer,
        tiny_models.audio_token_detokenizer,
    )
    assert weighed.encoders == pytest.approx(count(*encoders), rel=1e-3)
    original = weights_of(place / "acestep-v15-turbo")
    assert original.transformer == pytest.approx(weighed.transformer)
    parts = (original.transformer, original.encoders, original.text_encoder, original.codec)
    assert original.total == pytest.approx(sum(parts)) and min(parts) > 0
    planner = load_file(place / "acestep-5Hz-lm-0.6B" / WEIGHTS)
    assert parameters(place / "acestep-5Hz-lm-0.6B") == pytest.approx(
        sum(t.numel() for t in planner.values()) / 1e9
    )
    shorten(place / "acestep-v15-turbo" / WEIGHTS, 4)
    assert weights_of(place / "acestep-v15-turbo").transformer == 0
