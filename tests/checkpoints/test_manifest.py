import json
import subprocess
import sys

import pytest

from acestep_nb.checkpoints import verify, write_manifest
from acestep_nb.errors import CheckpointError

WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def signed(own_checkpoint):
    write_manifest(own_checkpoint, "own", "1")
    return own_checkpoint


def test_needs_no_torch():
    code = "import acestep_nb.checkpoints, sys; print({'torch', 'diffusers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_manifest_lists_what_is_loaded(signed):
    (signed / "training").mkdir()
    (signed / "training" / "log.json").write_text("{}")
    manifest = json.loads((signed / "manifest.json").read_text())
    assert (manifest["name"], manifest["version"]) == ("own", "1")
    assert WEIGHTS in manifest["files"] and "model_index.json" in manifest["files"]
    assert manifest["files"][WEIGHTS]["size"] == (signed / WEIGHTS).stat().st_size
    assert not any(path.startswith(("training", "manifest")) for path in manifest["files"])
    assert verify(signed).startswith("sha256:")


def test_hash_ignores_how_the_manifest_is_written_but_not_what_it_says(signed):
    first = verify(signed)
    file = signed / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps(manifest))
    assert verify(signed) == first
    file.write_text(json.dumps(manifest | {"version": "2"}))
    assert verify(signed) != first


def flip(file):
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)


def cut(file):
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("harm", "words"), [(flip, "differs"), (cut, "bytes instead of"), (lambda file: file.unlink(), "missing")]
)
def test_a_damaged_file_is_named(signed, harm, words):
    harm(signed / WEIGHTS)
    with pytest.raises(CheckpointError, match=words) as caught:
        verify(signed)
    assert "diffusion_pytorch_model.safetensors" in str(caught.value) and "transformer" in str(caught.value)
    assert caught.value.remedy and caught.value.field and caught.value.allowed


def test_a_foreign_file_is_named(signed):
    (signed / "transformer" / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="adapter_config"):
        verify(signed)


HUGE = '{"files": {"model_index.json": {"sha256": "", "size": "huge"}}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"files": {"a": {}}}',
        '{"files": {"a": 3}}',
        "\x00",
        HUGE,
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_damaged_manifest(signed, text):
    (signed / "manifest.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        verify(signed)


def test_a_folder_without_manifest_has_a_fingerprint(own_checkpoint):
    first = verify(own_checkpoint)
    assert first.startswith("fingerprint:") and verify(own_checkpoint) == first
    cut(own_checkpoint / WEIGHTS)
    assert verify(own_checkpoint) != first
