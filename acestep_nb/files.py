"""Writing that is whole or not at all, in one piece or bit by bit, and disk trouble told in words."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from acestep_nb.errors import ProjectError
from acestep_nb.locales import _

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}


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
