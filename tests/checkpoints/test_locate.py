import shutil

import pytest

from acestep_nb.checkpoints import find
from acestep_nb.checkpoints.locate import FOLDER_VARIABLE, names
from acestep_nb.errors import AceStepError, CheckpointError


def test_by_path(tiny_checkpoint):
    assert find(tiny_checkpoint) == tiny_checkpoint
    assert find(str(tiny_checkpoint)) == tiny_checkpoint


def test_by_name_in_the_users_folder(tiny_checkpoint, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_checkpoint.parent))
    assert find("tiny") == tiny_checkpoint and "tiny" in names()


def test_by_name_in_the_package(tiny_checkpoint, monkeypatch, tmp_path):
    """A wheel carries its checkpoints inside the package."""
    from acestep_nb.checkpoints import locate

    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(locate, "_PACKAGE", tmp_path / "acestep_nb")
    inside = tmp_path / "acestep_nb" / "embedded" / "checkpoints" / "small"
    shutil.copytree(tiny_checkpoint, inside)
    assert find("small") == inside and names() == ["small"]


def test_a_folder_of_the_same_name_hides_nothing(tiny_checkpoint, monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_checkpoint.parent))
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find("tiny") == tiny_checkpoint


def test_a_name_that_is_nowhere(tiny_checkpoint, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_checkpoint.parent))
    with pytest.raises(CheckpointError) as caught:
        find("huge")
    assert caught.value.value == "huge" and "tiny" in caught.value.allowed
    assert str(tiny_checkpoint.parent) in caught.value.remedy


@pytest.mark.parametrize(
    "wrong",
    [None, 5, b"nano", ["nano"], "", "a\0b", "~no-such-user/nano", pytest.param("a" * 5_000, id="long")],
)
def test_what_is_no_name_is_told(wrong):
    with pytest.raises(AceStepError) as caught:
        find(wrong)
    assert caught.value.field == "checkpoint" and caught.value.remedy


def test_a_missing_path_and_a_folder_of_something_else(tmp_path):
    for missing in (tmp_path / "no" / "such", tmp_path / ("a/" * 5_000)):
        with pytest.raises(CheckpointError):
            find(missing)
    with pytest.raises(CheckpointError, match=r"holds no model_index\.json"):
        find(tmp_path)
