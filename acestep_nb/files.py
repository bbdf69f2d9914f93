"""Paths that people give, JSON that is read, files that are written whole or not at all, disk trouble in words."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from acestep_nb.errors import InputError, ProjectError
from acestep_nb.locales import _

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_LONGEST_NAME = 255


def given_path(path: object, field: str) -> Path:
    """The path that a person gave, its leading ``~`` put in full; ``InputError`` for what no path can be."""
    remedy = _("Write it as text.")
    if isinstance(path, Path) or (isinstance(path, str) and path.strip()):
        try:
            whole = Path(path).expanduser()
            if all(_length(name) <= _LONGEST_NAME for name in whole.parts):
                return whole
            remedy = _("Shorten it: no name may be longer than {longest} bytes.", longest=_LONGEST_NAME)
        except ValueError:
            remedy = _("Leave out the letters that no name has.")
        except RuntimeError:
            remedy = _("There is no such user: write the folder in full instead of ~.")
    raise InputError(field=field, value=path, allowed=_("a path on this machine"), remedy=remedy)


def _length(name: str) -> int:
    """As file systems count it: bytes on Linux, else letters; ``ValueError`` for letters that no name has."""
    if "\0" in name:
        raise ValueError("no name has a NUL")
    spelled = name.encode("utf-8", "surrogateescape")
    return len(spelled if sys.platform == "linux" else name)


def is_file(path: Path) -> bool:
    """Whether a file is there; False also for a name that is too long and a folder that may not be read."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_dir(path: Path) -> bool:
    """Whether a folder is there; False also for a name that is too long and one in a folder that may not be read."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def read_json(text: str | bytes) -> Any:
    """What JSON text says; ``ValueError`` for what is none, or is nested too deeply to be anyone's record."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def json_bytes(text: str) -> bytes:
    """JSON text in UTF-8; half letters, as in file names of another encoding, become JSON's escapes."""
    return text.encode("utf-8", "backslashreplace")


def write_atomic(path: Path, data: bytes) -> None:
    """The file holds these bytes, or what it held before: never a part. Raises ``OSError``."""
    with _replacing(path) as unfinished:
        write_synced(unfinished, data)


@contextlib.contextmanager
def growing(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which is called ``path`` once the block ends well, and is gone if it does not.

    Raises ``OSError``.
    """
    with _replacing(path) as unfinished, unfinished.open("w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    sync_folder(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """The bytes are in the file and on the disk when this returns. Raises ``OSError``."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Names that were added or changed in the folder are on the disk when this returns."""
    if os.name == "nt":  # Windows cannot open a folder; NTFS journals the rename itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        # some network folders refuse to sync a folder; the files in it are synced all the same
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def disk_errors(path: Path, field: str = "project") -> Iterator[None]:
    """Inside, an ``OSError`` becomes a ``ProjectError`` that names the path and what to do."""
    try:
        yield
    except FileNotFoundError as error:
        message = _("{path} is not there", path=error.filename or path)
        remedy = _("Check the name and its folder.")
        raise ProjectError(message, field=field, value=str(path), remedy=remedy) from error
    except OSError as error:
        if error.errno in _FULL:
            allowed, remedy = (
                _("on a disk with free space"),
                _("Free some space and try again; nothing kept is lost."),
            )
        else:
            allowed, remedy = (
                _("a place where you may read and write"),
                _("Choose another folder, or change its rights."),
            )
        reason = error.strerror or str(error)
        told = {"field": field, "allowed": allowed, "path": path, "reason": reason}
        message = _("{field} must be {allowed}; {path}: {reason}", **told)
        raise ProjectError(message, field=field, value=str(path), allowed=allowed, remedy=remedy) from error
