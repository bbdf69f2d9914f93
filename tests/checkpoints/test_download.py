"""The real client of the hub against a hub on the loopback: what arrives, what is told, what stays."""

import errno
import json
import shutil
import threading
from pathlib import Path

import pytest
from hub import COMMIT, Hub
from huggingface_hub import constants
from planners import build_planner
from published import build_family

from acestep_nb import Engine, Song, cli
from acestep_nb.checkpoints import download as module
from acestep_nb.checkpoints.download import ENDPOINT_VARIABLE, Fetched, cost, download
from acestep_nb.checkpoints.locate import FOLDER_VARIABLE
from acestep_nb.checkpoints.registry import defaults, everything, found, model, models, with_needs
from acestep_nb.checkpoints.weighing import PART
from acestep_nb.errors import Cancelled, CheckpointError, InputError

MAIN = "ACE-Step/Ace-Step1.5"
SMALL = {
    "config.json": b'{"model_type": "qwen3"}',
    "model.safetensors": bytes(range(256)) * 4000,
    "README.md": b"#",
}
WEIGHTS = "model.safetensors"


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def content(tmp_path_factory, tiny_models, tiny_checkpoint):
    """What the hub has: a working main repository, and a small one for every other model."""
    place = build_family(tmp_path_factory.mktemp("main"), tiny_models, tiny_checkpoint)
    build_planner(place / "acestep-5Hz-lm-1.7B")
    repos = {known.repo: dict(SMALL) for known in models()}
    repos[MAIN] = files_of(place) | {
        "acestep-v15-turbo/modeling_acestep.py": b"raise SystemExit",
        "acestep-v15-turbo/pytorch_model.bin": b"pickle",
        "acestep-v15-turbo/training_args.pt": b"pickle",
        "something-else/model.safetensors": b"not asked for",
    }
    return repos


@pytest.fixture
def hub(content, monkeypatch, tmp_path):
    served = Hub({repo: dict(files) for repo, files in content.items()})
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "here"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # the client hands on 10 MB at a time, which is more than these files have
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 14)
    with served.serving():
        monkeypatch.setenv(ENDPOINT_VARIABLE, served.url)
        yield served


def run(capsys, *words):
    code = cli.main(["download", *words])
    return code, *capsys.readouterr()


def test_the_default_arrives_and_makes_music(hub, tmp_path, capsys, content):
    code, out, err = run(capsys, "--json")
    assert code == 0, err
    here = tmp_path / "here"
    told = json.loads(out)
    assert [Path(folder).name for folder in told["models"]] == [known.name for known in defaults()]
    assert "free in" in err and "(100%)" in err and "acestep-5Hz-lm-1.7B" in err.splitlines()[0]
    arrived, published = files_of(here), content[MAIN]
    assert arrived == {name: data for name, data in published.items() if name in arrived}
    assert told["bytes"] == sum(map(len, arrived.values()))
    assert published.keys() - arrived.keys() == {
        "acestep-v15-turbo/modeling_acestep.py",
        "acestep-v15-turbo/pytorch_model.bin",
        "acestep-v15-turbo/training_args.pt",
        "something-else/model.safetensors",
    }
    assert all(not own.trouble for own in found([here]))
    engine = Engine.load("turbo", device="cpu")
    assert (engine.name, engine.planner) == ("acestep-v15-turbo", "acestep-5Hz-lm-1.7B")
    assert engine.kind.inference_steps == 8 and engine._models.audio_tokenizer is not None
    hub.got.clear()
    assert run(capsys)[0] == 0 and hub.got == []  # all of it is there: only the lists are asked for


def test_one_model_brings_what_it_needs(hub, tmp_path, capsys):
    code, out, _ = run(capsys, "--model", "sft")
    assert code == 0 and [Path(line).name for line in out.splitlines()] == [
        "acestep-v15-sft",
        "vae",
        "Qwen3-Embedding-0.6B",
    ]
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        Path(line).name for line in out.splitlines()
    }
    assert run(capsys, "--model", "4B", "--model", "0.6B")[0] == 0
    assert files_of(tmp_path / "here" / "acestep-5Hz-lm-4B") == SMALL


def test_all_of_them(hub, tmp_path, capsys):
    assert run(capsys, "--all")[0] == 0
    wanted = {known.name for known in everything()}
    assert {path.name for path in (tmp_path / "here").iterdir()} == wanted
    assert len(wanted) == 15 and not any(name.endswith("diffusers") for name in wanted)


def test_the_list(hub, tmp_path, capsys):
    (tmp_path / "here" / "acestep-5Hz-lm-0.6B").mkdir(parents=True)
    (tmp_path / "here" / "acestep-5Hz-lm-0.6B" / f"x.safetensors.0{PART}").write_bytes(b"1")
    rows = {row["name"]: row for row in json.loads(run(capsys, "--list", "--json")[1])["models"]}
    assert rows.keys() >= {known.name for known in models()} | {"nano"}
    assert rows["acestep-5Hz-lm-0.6B"]["trouble"] == "its download is not finished"
    assert rows["nano"]["folder"] and not rows["nano"]["trouble"] and rows["vae"]["folder"] is None
    head, *lines = run(capsys, "--list")[1].splitlines()
    assert head.split() == ["model", "role", "size", "state", "what", "it", "is"] and len(lines) == len(rows)
    column = head.index("state")
    assert {line[column:].split("  ")[0] for line in lines} == {"-", "here", "! its download is not finished"}
    assert hub.got == []


def test_a_name_that_is_not_known(hub, capsys):
    code, _, err = run(capsys, "--model", "turbo-max")
    assert code == 2 and "turbo-max" in err and "acestep-v15-turbo" in err
    with pytest.raises(InputError):
        model("")


def test_a_pinned_revision_is_asked_for(hub, tmp_path):
    pinned = model("acestep-v15-turbo-diffusers")
    assert pinned.revision and all(file.revision == COMMIT for file in cost([pinned]).files)


def test_a_cut_connection_is_taken_up_again(hub, tmp_path):
    hub.cut = 1
    price = cost([model("0.6B")])
    download(price)
    assert files_of(tmp_path / "here" / "acestep-5Hz-lm-0.6B") == SMALL
    (asked,) = hub.ranges
    begin = int(asked.removeprefix("bytes=").removesuffix("-"))
    assert 0.4 < begin / len(SMALL[WEIGHTS]) <= 0.5


def test_a_later_call_goes_on_where_the_first_was_stopped(hub, tmp_path):
    price, stop = cost([model("0.6B")]), threading.Event()
    large = next(file for file in price.files if file.path == WEIGHTS)
    large.target.parent.mkdir(parents=True)
    large.part.write_bytes(SMALL[WEIGHTS][:1000])  # what a program that was killed leaves
    assert price.missing == price.total - 1000 and "of it here" in str(price)
    stop.set()
    with pytest.raises(Cancelled, match="kept"):
        download(price, cancel=stop)
    assert large.part.read_bytes() == SMALL[WEIGHTS][:1000] and hub.got == []
    told = []
    download(price, told.append)
    assert hub.ranges == ["bytes=1000-"] and files_of(large.target.parent) == SMALL
    assert told[-1] == Fetched(price.total, price.total) and told[-1].fraction == 1


def test_a_stop_in_the_middle_keeps_what_came(hub, tmp_path, monkeypatch):
    price, stop = cost([model("0.6B")]), threading.Event()
    large = next(file for file in price.files if file.path == WEIGHTS)
    write = module._Part.write

    def stopping(self, data):
        done = write(self, data)
        if self.tell() > 100_000:
            stop.set()
        return done

    monkeypatch.setattr(module._Part, "write", stopping)
    with pytest.raises(Cancelled):
        download(price, cancel=stop)
    monkeypatch.setattr(module._Part, "write", write)
    assert 0 < large.have < large.size
    download(price)
    assert files_of(large.target.parent) == SMALL


def test_a_part_of_another_version_is_not_taken_up(hub, tmp_path):
    price = cost([model("0.6B")])
    large = next(file for file in price.files if file.path == WEIGHTS)
    large.target.parent.mkdir(parents=True)
    large.target.with_name(f"{WEIGHTS}.deadbeef{PART}").write_bytes(b"old")
    download(price)
    assert large.target.read_bytes() == SMALL[WEIGHTS]


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_other_bytes_than_listed_are_thrown_away(hub, tmp_path, name):
    hub.lie = {name}
    price = cost([model("0.6B")])
    with pytest.raises(CheckpointError, match="other content") as caught:
        download(price)
    assert caught.value.field == name and "again" in caught.value.remedy
    kept = {path.name for path in (tmp_path / "here").rglob("*") if path.is_file()}
    assert not any(path.startswith(name) for path in kept)
    hub.lie = set()
    download(price)
    assert files_of(tmp_path / "here" / "acestep-5Hz-lm-0.6B") == SMALL


def test_a_file_that_was_changed_here_is_fetched_again(hub, tmp_path):
    price = cost([model("0.6B")])
    download(price)
    file = tmp_path / "here" / "acestep-5Hz-lm-0.6B" / WEIGHTS
    file.write_bytes(b"\xff" + SMALL[WEIGHTS][1:])
    download(price)
    assert file.read_bytes() == SMALL[WEIGHTS]


def test_no_space(hub, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    price = cost([model("0.6B")])
    with pytest.raises(CheckpointError, match="do not fit on the disk") as caught:
        download(price)
    assert caught.value.field == "disk" and FOLDER_VARIABLE in caught.value.remedy
    assert not (tmp_path / "here").exists() and hub.got == []


def test_the_disk_fills_up_on_the_way(hub, monkeypatch, tmp_path):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    price = cost([model("0.6B")])
    with monkeypatch.context() as patched:
        patched.setattr(module._Part, "write", full)
        with pytest.raises(CheckpointError, match="do not fit") as caught:
            download(price)
    assert caught.value.field == "disk"
    download(price)
    assert files_of(tmp_path / "here" / "acestep-5Hz-lm-0.6B") == SMALL


def test_no_network(hub, capsys, monkeypatch):
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    code, out, err = run(capsys, "--json")
    error = json.loads(out)["error"]
    assert code == 2 and error["field"] == "network" and "HTTPS_PROXY" in err and err.count("\n") == 1


def test_the_network_goes_away_on_the_way(hub, monkeypatch):
    price = cost([model("0.6B")])
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(CheckpointError) as caught:
        download(price)
    assert caught.value.field == "network" and "kept" in caught.value.remedy


@pytest.mark.parametrize(("status", "words"), [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (503, "later")])
def test_no_permission(hub, status, words):
    hub.closed = {model("4B").repo: status}
    with pytest.raises(CheckpointError) as caught:
        cost([model("4B")])
    assert caught.value.field == "repository" and words in caught.value.remedy


def test_a_token_is_shown(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    download(cost([model("0.6B")]))
    assert set(hub.tokens) == {"Bearer hf_secret"}


def test_a_folder_that_cannot_be_written(hub, tmp_path, monkeypatch):
    (tmp_path / "here").write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="cannot be written") as caught:
        download(cost([model("0.6B")]))
    assert caught.value.field == "folder" and FOLDER_VARIABLE in caught.value.remedy


@pytest.mark.parametrize("files", [None, {}, {"config.json": b"{}"}])
def test_a_repository_that_is_gone_or_empty(hub, files):
    repo = model("4B").repo
    del hub.repos[repo]
    if files is not None:
        hub.repos[repo] = files
    with pytest.raises(CheckpointError) as caught:
        cost([model("4B")])
    assert caught.value.remedy


@pytest.mark.parametrize(
    "name", ["../escape.json", "/etc/x.json", "a/../../x.safetensors", "..\\x.json", "C:x.json"]
)
def test_names_that_lead_out_of_the_folder(hub, name):
    hub.repos[model("4B").repo] = SMALL | {name: b"{}"}
    with pytest.raises(CheckpointError, match="outside"):
        cost([model("4B")])


def test_what_is_needed_comes_once():
    names = [known.name for known in with_needs(["sft", "base", "vae"])]
    assert len(names) == len(set(names)) == 4


def test_the_command_is_told_by_its_help(capsys):
    with pytest.raises(SystemExit):
        cli.main(["download", "--help"])
    assert "104 GB" in capsys.readouterr().out


def test_a_model_that_is_half_there_is_not_loaded(hub):
    price = cost([model("sft")])
    folder = price.files[0].target.parent
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "acestep"}')
    with pytest.raises(CheckpointError):
        Engine.load("sft", device="cpu").generate(Song(caption="x"))
