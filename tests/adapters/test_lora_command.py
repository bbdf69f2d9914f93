"""`acestep-nb train-lora`, and giving an adapter away."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from helpers_songs import write_songs

from acestep_nb import Dataset, InputError, ProjectError, cli
from acestep_nb.adapters.progress import Trained
from acestep_nb.adapters.sharing import card, push_to_hub

QUICK = ["--rank", "4", "--epochs", "1", "--batch-size", "2", "--targets", "q_proj,v_proj"]


@pytest.fixture(scope="module")
def made(tiny_checkpoint, tmp_path_factory):
    """The folder of a training that was done, and the checkpoint."""
    folder = tmp_path_factory.mktemp("command")
    Dataset.scan(write_songs(folder / "songs")).save(folder / "songs" / "set.json")
    assert cli.main([*words_for(folder, tiny_checkpoint), *QUICK]) == 0
    return folder, str(tiny_checkpoint)


def words_for(folder, model):
    songs = str(folder / "songs" / "set.json")
    return ["train-lora", songs, "--out", str(folder / "lora"), "--model", str(model)]


def test_songs_in_an_adapter_out(made, capsys):
    folder, model = made
    words = [
        "train-lora",
        str(folder / "songs" / "set.json"),
        "--out",
        str(folder / "lora"),
        "--model",
        model,
    ]
    assert cli.main([*words, *QUICK, "--json"]) == 0
    out, told = capsys.readouterr()
    result = json.loads(out)
    assert result["steps"] == 2 and result["problems"] == [] and result["options"]["rank"] == 4
    assert result["options"]["targets"] == ["q_proj", "v_proj"] and "GiB" in told and "step 2/2" in told
    assert cli.main([*words, *QUICK]) == 0
    assert capsys.readouterr().out.strip() == result["adapter"]


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["{}/nothing.json", "--out", "{}/x"], "dataset"),
        (["{}/empty", "--out", "{}/x"], "folder"),
        (["{}/songs", "--out", "{}/x", "--rank", "0"], "rank"),
        (["{}/songs", "--out", "{}/x", "--targets", "all"], "targets"),
        (["{}/songs"], "arguments"),
    ],
)
def test_what_is_wrong_is_told(made, capsys, words, field):
    folder, model = made
    (folder / "empty").mkdir(exist_ok=True)
    given = [word.format(folder) for word in words]
    assert cli.main(["train-lora", *given, "--model", model, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["field"] == field


class Hub:
    """Stands where the hub is and notes what it is given."""

    calls: ClassVar[list[tuple[str, dict]]] = []

    def create_repo(self, repo, **how):
        self.calls.append(("create", {"repo": repo, **how}))

    def upload_folder(self, **how):
        self.calls.append(("upload", how))


def test_given_away_with_a_page(made, monkeypatch, tiny_checkpoint):
    folder, _ = made
    adapter = folder / "lora" / "final" / "adapter"
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    Hub.calls.clear()
    trained = Trained(folder / "lora", 2, (1.0, 0.5))
    assert trained.push_to_hub("me/my-style", activation_word="zyx") == "https://huggingface.co/me/my-style"
    (_, created), (_, uploaded) = Hub.calls
    assert created == {"repo": "me/my-style", "private": True, "exist_ok": True}
    assert uploaded["folder_path"] == adapter and "adapter_config.json" in uploaded["allow_patterns"]
    page = (adapter / "README.md").read_text("utf-8")
    assert page.startswith("---\n") and "# my style" in page and "rank 4 and alpha 128" in page
    assert "`zyx`" in page and 'engine.adapters.load("me/my-style"' in page and tiny_checkpoint.name in page


def test_giving_away_what_is_not_there_or_without_the_hub(made, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot be read"):
        card(tmp_path, "me/x")
    folder, _ = made
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    with pytest.raises(ProjectError, match="cannot be put on the hub"):
        push_to_hub(folder / "lora" / "final" / "adapter", "me/x")
