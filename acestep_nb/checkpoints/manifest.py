"""Whether a checkpoint's files are the ones that were published, and one hash for all of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from acestep_nb.checkpoints.index import INDEX, parts
from acestep_nb.errors import CheckpointError
from acestep_nb.files import read_json

MANIFEST = "manifest.json"
_LOADED = (".json", ".safetensors", ".txt", ".jinja", ".pt")  # the kinds of file that loading reads
_HEADER = 1 << 16  # bytes of each weights file that the fingerprint reads: names and shapes of its tensors
_MANIFEST_IS = "JSON with name, version, and size and sha256 of each file"
_REMEDY = "Fetch the checkpoint again: copy the whole folder, or check it out of git once more."


def write_manifest(folder: Path, name: str, version: str) -> Path:
    """Write `manifest.json` with the size and SHA-256 of every file that loading reads; gives its path."""
    files = {path: _describe(folder / path) for path in _files(folder)}
    target = folder / MANIFEST
    text = json.dumps({"name": name, "version": version, "files": files}, indent=1) + "\n"
    target.write_text(text, encoding="utf-8", newline="\n")
    return target


def verify(folder: Path) -> str:
    """One hash of the whole checkpoint, after every file was compared with `manifest.json`.

    `sha256:…` is the hash of the manifest's content. A folder without a manifest cannot be verified and gets
    `fingerprint:…`, made of the names and sizes of its files and the first 64 KiB of each.
    Raises `CheckpointError` naming the first file that is missing, foreign, cut short or changed.
    """
    if not (folder / MANIFEST).is_file():
        return fingerprint(folder, _files(folder))
    manifest = _read(folder)
    expected = manifest["files"]
    for path in _files(folder):
        if path not in expected:
            raise _damaged(folder / path, "is not in the manifest", "listed there", path)
    for path, wanted in expected.items():
        _compare(folder / path, wanted["size"], wanted["sha256"])
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _describe(file: Path) -> dict[str, Any]:
    return {"sha256": _sha256(file), "size": file.stat().st_size}


def _read(folder: Path) -> dict[str, Any]:
    try:
        manifest = read_json((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = all(
            "sha256" in wanted and isinstance(wanted.get("size"), int)
            for wanted in manifest["files"].values()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder / MANIFEST, "cannot be read", _MANIFEST_IS, error) from error
    if not whole:
        raise _damaged(folder / MANIFEST, "is not complete", _MANIFEST_IS, "less")
    return dict(manifest)


def _compare(file: Path, size: int, sha256: str) -> None:
    if not file.is_file():
        raise _damaged(file, "is missing", "present", "no file")
    found = file.stat().st_size
    if found != size:
        raise _damaged(file, f"has {found:,} bytes instead of {size:,}", f"{size} bytes", found)
    digest = _sha256(file)
    if digest != sha256:
        raise _damaged(file, "differs from the published one", f"SHA-256 {sha256}", digest)


def _damaged(file: Path, what: str, allowed: str, value: object) -> CheckpointError:
    return CheckpointError(f"{file} {what}", field=file.name, value=value, allowed=allowed, remedy=_REMEDY)


def _files(folder: Path) -> list[str]:
    """What loading reads, as relative paths with `/`: the index if there is one, and each component's folder."""
    inside = (path for part in parts(folder) for path in part.glob("*"))
    loaded = (path for path in inside if path.suffix in _LOADED and path.is_file())
    names = {Path(os.path.relpath(path, folder)).as_posix() for path in loaded} - {MANIFEST}
    return [*([INDEX] if (folder / INDEX).is_file() else []), *sorted(names)]


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(folder: Path, files: Iterable[str]) -> str:
    """`fingerprint:…` made of the names and sizes of the files and the first 64 KiB of each."""
    digest = hashlib.sha256()
    for path in files:
        file = folder / path
        with file.open("rb") as stream:
            head = stream.read(_HEADER)
        digest.update(f"{path}\n{file.stat().st_size}\n".encode() + head)
    return "fingerprint:" + digest.hexdigest()
