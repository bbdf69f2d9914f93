import errno
import os
from pathlib import Path

import pytest

from acestep_nb import InputError, ProjectError, files
from acestep_nb.files import disk_errors, given_path, is_dir, is_file, write_atomic
from acestep_nb.locales import INTERFACE, language


def test_a_path_is_text_or_a_path_and_a_tilde_is_put_in_full():
    assert given_path("a/b", "folder") == Path("a/b") == given_path(Path("a/b"), "folder")
    assert given_path("~/songs", "folder") == Path.home() / "songs"
    assert given_path(Path(), "folder") == Path() and given_path("/", "folder") == Path("/")
    for wrong in (None, 5, b"a", ["a"], " ", "a\0b", "~no-such-user/a", "a/" + "b" * 300, "\ud800"):
        with pytest.raises(InputError) as caught:
            given_path(wrong, "folder")
        assert caught.value.field == "folder" and caught.value.remedy


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        (5, "as text"),
        ("~no-such-user/a", "no such user"),
        ("a/" + "b" * 300, "255 bytes"),
        ("a\0b", "letters"),
    ],
)
def test_the_remedy_fits_what_is_wrong_with_a_path_in_every_language(path, remedy):
    try:
        told = {}
        for code in INTERFACE:
            language(code)
            with pytest.raises(InputError) as caught:
                given_path(path, "folder")
            told[code] = caught.value.allowed, caught.value.remedy
    finally:
        language("en")
    assert remedy in told["en"][1] and len({*told.values()}) == len(INTERFACE)


@pytest.mark.parametrize("is_there", [is_file, is_dir])
def test_a_name_that_cannot_be_is_not_there(tmp_path, is_there):
    (tmp_path / "a").touch()
    assert (is_file(tmp_path / "a"), is_file(tmp_path)) == (True, False)
    assert (is_dir(tmp_path / "a"), is_dir(tmp_path)) == (False, True)
    for path in (tmp_path / ("a" * 5_000), tmp_path / "a\0", tmp_path / ("a/" * 5_000)):
        assert not is_there(path)


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


def test_the_file_itself_is_never_written_into(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a.json", b"one")

    def torn(self, target):
        raise OSError(errno.EIO, "the plug was pulled")

    monkeypatch.setattr(Path, "replace", torn)
    with pytest.raises(OSError, match="plug"):
        write_atomic(tmp_path / "a.json", b"two")
    assert (tmp_path / "a.json").read_bytes() == b"one"


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "free space"), (errno.EACCES, "read and write"), (errno.ENOENT, "not there")],
)
def test_disk_trouble_is_told_in_words(tmp_path, code, words):
    with pytest.raises(ProjectError, match=words) as caught, disk_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    assert caught.value.field == "project" and caught.value.remedy


def test_the_bytes_are_on_the_disk_before_the_name_is_changed(tmp_path, monkeypatch):
    happened = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (happened.append("fsync"), fsync(handle)))
    monkeypatch.setattr(Path, "replace", lambda *names: (happened.append("replace"), replace(*names)))
    write_atomic(tmp_path / "a.json", b"one")
    assert happened[:2] == ["fsync", "replace"]
