"""Fetches published models: what it costs is known before, what was fetched stays, every file is compared.

Only data is fetched: configs, tokenizers and safetensors, and the one saved tensor of the original layout.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from acestep_nb.checkpoints.locate import FOLDER_VARIABLE, download_folder
from acestep_nb.checkpoints.registry import Model
from acestep_nb.checkpoints.weighing import PART
from acestep_nb.errors import Cancelled, CheckpointError, first_line

ENDPOINT_VARIABLE = "HF_ENDPOINT"
_PUBLIC = "https://huggingface.co"
_KINDS = (".json", ".safetensors", ".txt", ".jinja", ".md")
_SILENCE = "silence_latent.pt"  # read with weights_only: a tensor and nothing else
_AT_ONCE = 4
_TICK = 0.2  # seconds between two reports of progress
_BLOCK = 1 << 20
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_SPARE = 100 * 10**6  # bytes that stay free on the disk


@dataclass(frozen=True)
class File:
    """One file to fetch: where it is, where it goes, its bytes and its hash (SHA-256, or git's SHA-1)."""

    repo: str
    revision: str
    path: str
    target: Path
    size: int
    sha: str

    @property
    def part(self) -> Path:
        """The file while it is fetched; another version of it has another name."""
        return self.target.with_name(f"{self.target.name}.{self.sha[:8]}{PART}")

    @property
    def have(self) -> int:
        """Bytes that are here already."""
        return self.size if _size(self.target) == self.size else min(_size(self.part), self.size)


@dataclass(frozen=True)
class Cost:
    """What a download takes: the `files` of `models`, `missing` of `total` bytes, and the `free` ones on the disk."""

    models: tuple[Model, ...]
    folder: Path
    files: tuple[File, ...]
    free: int

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def missing(self) -> int:
        """Bytes that are still to be fetched."""
        return self.total - sum(file.have for file in self.files)

    def __str__(self) -> str:
        names = ", ".join(model.name for model in self.models)
        here = f", {_gb(self.total - self.missing)} of it here" if self.missing < self.total else ""
        return f"{names}: {_gb(self.total)}{here}; {_gb(self.free)} free in {self.folder}"


@dataclass(frozen=True)
class Fetched:
    """How far a download is, in bytes; `str(fetched)` says it in words. `checking` until all is compared."""

    done: int
    total: int
    checking: bool = False

    @property
    def fraction(self) -> float:
        """Share that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0

    def __str__(self) -> str:
        if self.checking and self.done >= self.total:
            return "comparing what was fetched"
        return f"fetched {_gb(self.done)} of {_gb(self.total)} ({self.fraction:.0%})"


def cost(models: Iterable[Model], folder: Path | None = None) -> Cost:
    """What fetching these models into `folder` takes, as the hub lists their files today.

    `folder` is by default `download_folder()`. `HF_ENDPOINT` may name another hub, `HF_TOKEN` is used if it is set.
    Raises `CheckpointError` without a network, without permission, or when the hub has no such files.
    """
    wanted = tuple(models)
    place = download_folder() if folder is None else folder
    files: list[File] = []
    for repo, revision in dict.fromkeys((model.repo, model.revision) for model in wanted):
        own = [model for model in wanted if (model.repo, model.revision) == (repo, revision)]
        info = _listing(repo, revision)
        for model in own:
            found = list(_files(model, info, place))
            if not any(file.path.endswith(".safetensors") for file in found):
                raise CheckpointError(
                    f"{repo} has no weights of {model.name}",
                    field=model.name,
                    value=f"{len(found)} files",
                    allowed="a folder with safetensors files",
                    remedy="Look at the repository on the hub; it may have moved.",
                )
            files += found
    return Cost(wanted, place, tuple(files), _free(place))


def download(
    wanted: Cost,
    on_progress: Callable[[Fetched], None] | None = None,
    cancel: threading.Event | None = None,
) -> list[Path]:
    """Fetch what is missing and compare every file; gives the folders of the models.

    What was fetched before an error or a stop stays there as `.part` files, and the next call goes on from it.
    Raises `CheckpointError` when the disk is full, the connection is lost, or a file is not the published one;
    `Cancelled` when `cancel` is set.
    """
    if wanted.missing + _SPARE > wanted.free and wanted.missing:
        raise _no_space(wanted.folder, wanted.missing, wanted.free)
    stop = cancel or threading.Event()
    fetched = _Counter(stop)
    with _quiet(), ThreadPoolExecutor(_AT_ONCE) as pool:
        work = [pool.submit(_fetch, file, fetched) for file in wanted.files]
        try:
            waiting = set(work)
            while waiting:
                done, waiting = wait(waiting, _TICK, FIRST_EXCEPTION)
                for one in done:
                    one.result()
                if on_progress is not None:
                    here = sum(file.have for file in wanted.files)
                    on_progress(Fetched(here, wanted.total, bool(waiting)))
        except BaseException:
            fetched.over = True
            for one in work:
                one.cancel()
            raise
    return [wanted.folder / model.name for model in wanted.models]


class _Counter:
    """Tells threads that fetch when to stop."""

    def __init__(self, cancel: threading.Event) -> None:
        self._cancel = cancel
        self.over = False

    def look(self) -> None:
        """Raise `Cancelled` when a stop is wished or another file failed."""
        if self.over or self._cancel.is_set():
            raise Cancelled("stopped; what was fetched is kept")


class _Part(io.FileIO):
    """A file that grows at its end, until a stop is wished."""

    def __init__(self, path: Path, fetched: _Counter) -> None:
        super().__init__(path, "ab")
        self._fetched = fetched

    def write(self, data: Any) -> int:
        """Write all of it."""
        self._fetched.look()
        view = memoryview(data)
        done = 0
        while done < len(view):
            done += super().write(view[done:]) or 0
        return done


def _fetch(file: File, fetched: _Counter) -> None:
    """Bring one file to its place, if what is there is not it already."""
    fetched.look()
    with _told(file):
        if file.target.is_file():
            if _is_whole(file.target, file, fetched):
                return
            file.target.unlink()
        file.target.parent.mkdir(parents=True, exist_ok=True)
        _get(file, fetched)
        if not _is_whole(file.part, file, fetched):
            file.part.unlink()
            raise CheckpointError(
                f"{file.target.name} of {file.repo} came with other content than the hub lists",
                field=file.target.name,
                value=f"{file.size:,} bytes",
                allowed=f"the hash {file.sha[:12]}…",
                remedy="It was thrown away; try again, or another network.",
            )
        file.part.replace(file.target)


def _get(file: File, fetched: _Counter) -> None:
    """Go on with the part that is there; the client tries again by itself when a connection is cut."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get

    url = hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=_endpoint())
    have = file.have
    if have < file.size or not file.part.is_file():
        with _Part(file.part, fetched) as part:
            http_get(
                url, part, resume_size=have, headers=_utilities().build_hf_headers(), expected_size=file.size
            )


def _listing(repo: str, revision: str | None) -> Any:
    from huggingface_hub import HfApi

    with _told(None, repo):
        return HfApi(endpoint=_endpoint()).model_info(repo, revision=revision, files_metadata=True)


def _files(model: Model, info: Any, place: Path) -> Iterator[File]:
    """The files of a model that loading may read."""
    inside = f"{model.folder}/" if model.folder else ""
    for listed in info.siblings or ():
        path = PurePosixPath(listed.rfilename)
        if not listed.rfilename.startswith(inside) or not (path.suffix in _KINDS or path.name == _SILENCE):
            continue
        if path.is_absolute() or ".." in path.parts or set("\\:") & set(listed.rfilename):
            raise CheckpointError(
                f"{model.repo} lists a file outside its folder",
                field=model.name,
                value=listed.rfilename,
                allowed="files inside the repository",
                remedy="Do not use this repository.",
            )
        sha = listed.lfs.sha256 if listed.lfs else listed.blob_id
        target = place / model.name / path.relative_to(model.folder or ".")
        yield File(model.repo, info.sha, listed.rfilename, target, listed.size, sha)


def _is_whole(path: Path, file: File, fetched: _Counter) -> bool:
    """Whether the file has the content that the hub lists: SHA-256 of large ones, git's SHA-1 of small ones."""
    if path.stat().st_size != file.size:
        return False
    digest = hashlib.sha256() if len(file.sha) == 64 else hashlib.sha1(b"blob %d\0" % file.size)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            fetched.look()
            digest.update(block)
    return digest.hexdigest() == file.sha


@contextmanager
def _told(file: File | None, repo: str = "") -> Iterator[None]:
    """Inside, whatever the client or the disk raises becomes a `CheckpointError` that says what to do."""
    from huggingface_hub.errors import HfHubHTTPError

    name = file.repo if file else repo
    try:
        yield
    except (CheckpointError, Cancelled):
        raise
    except HfHubHTTPError as error:
        raise _refused(name, error) from error
    except OSError as error:
        if file is not None and error.errno in _FULL:
            raise _no_space(file.target.parent, file.size, _free(file.target.parent)) from error
        if file is not None and error.filename is not None:
            raise CheckpointError(
                f"{error.filename} cannot be written: {error.strerror}",
                field="folder",
                value=str(file.target.parent),
                allowed="a folder where you may write",
                remedy=f"Change its rights, or name another one with {FOLDER_VARIABLE}.",
            ) from error
        raise _cut(name, error) from error
    except (
        Exception
    ) as error:  # each version of the client has another library beneath it, with errors of its own
        raise _cut(name, error) from error


def _refused(repo: str, error: Any) -> CheckpointError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        message, remedy = f"the hub does not let you read {repo}", "Accept its terms there, and set HF_TOKEN."
    elif status == 404:
        message, remedy = f"the hub has no {repo}", "It may have moved, or needs HF_TOKEN."
    else:
        message, remedy = (
            f"the hub answered {status} for {repo}",
            "Try again later; what was fetched is kept.",
        )
    return CheckpointError(
        message, field="repository", value=repo, allowed="one that you may read", remedy=remedy
    )


def _cut(repo: str, error: Exception) -> CheckpointError:
    reason = first_line(error)
    return CheckpointError(
        f"{repo} cannot be fetched from {_endpoint()}: {reason}",
        field="network",
        value=type(error).__name__,
        allowed="a connection to the hub",
        remedy="Check it and run this again: what was fetched is kept. Behind a proxy set HTTPS_PROXY; "
        f"{ENDPOINT_VARIABLE} names a mirror.",
    )


def _no_space(folder: Path, needed: int, free: int) -> CheckpointError:
    return CheckpointError(
        f"{_gb(needed)} do not fit on the disk of {folder}: {_gb(free)} are free",
        field="disk",
        value=_gb(free),
        allowed=f"{_gb(needed)} and a little more",
        remedy=f"Free some space, or name a folder on another disk with {FOLDER_VARIABLE}.",
    )


def _size(file: Path) -> int:
    """Bytes of a file; 0 when it is not there, or is just being moved."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _free(folder: Path) -> int:
    """Free bytes on the disk of a folder, whether it is there yet or not."""
    there = next(place for place in (folder, *folder.resolve().parents) if place.is_dir())
    return shutil.disk_usage(there).free


def _endpoint() -> str:
    return os.environ.get(ENDPOINT_VARIABLE) or _PUBLIC


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars of the client: progress is told by what lies on the disk."""
    bars = _utilities()
    shown = not bars.are_progress_bars_disabled()
    bars.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bars()


def _utilities() -> Any:
    """The client's tools, which it does not declare to type checkers."""
    from huggingface_hub import utils

    return utils


def _gb(size: float) -> str:
    return f"{size / 10**9:.1f} GB" if size >= 10**8 else f"{size / 10**6:.1f} MB"
