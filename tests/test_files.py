import errno
import os

import pytest

from acestep_nb import ProjectError, files
from acestep_nb.files import disk_errors, write_atomic


def test_a_file_is_replaced_whole(tmp_path):
    write_atomic(tmp_path / "a.json", b"one")
    write_atomic(tmp_path / "a.json", b"two")
    assert (tmp_path / "a.json").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a.json", b"one")

    def half(path, data):
        path.write_bytes(data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_synced", half)
    with pytest.raises(OSError, match="No space"):
        write_atomic(tmp_path / "a.json", b"two")
    assert (tmp_path / "a.json").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "free space"), (errno.EACCES, "read and write"), (errno.ENOENT, "not there")],
)
def test_disk_trouble_is_told_in_words(tmp_path, code, words):
    with pytest.raises(ProjectError, match=words) as caught, disk_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    assert caught.value.field == "project" and caught.value.remedy
