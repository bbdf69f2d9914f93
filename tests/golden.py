"""Data recorded from the original code: where it lies, its cases, and which of it the tests have used.

`ACESTEP_GOLDENS` may name another folder of the same layout. Every tensor file and every JSON case that a test
reads is noted; at the end of a whole run, one that nothing has read fails it (`unread`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(os.environ.get("ACESTEP_GOLDENS", Path(__file__).parent / "goldens"))
_WEIGHTS = "model.safetensors"
_read: set[str] = set()


class Tensors(Mapping[str, Any]):
    """The tensors of one recorded file by name; reading one notes it."""

    def __init__(self, file: str) -> None:
        from safetensors.torch import load_file

        self._file, self._tensors = file, load_file(ROOT / file)

    def __getitem__(self, name: str) -> Any:
        value = self._tensors[name]
        _read.add(f"{self._file}:{name}")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


class Case(Mapping[str, Any]):
    """One recorded case; reading a field of it notes the case."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        self.name, self._data = name, data

    def __getitem__(self, key: str) -> Any:
        _read.add(self.name)
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


@cache
def tensors(file: str) -> Tensors:
    """The tensors of `file`, such as "functions/fsq.safetensors"."""
    return Tensors(file)


@cache
def document(file: str) -> Any:
    """A whole JSON file; prefer `cases`, which note what was used."""
    return json.loads((ROOT / file).read_text(encoding="utf-8"))


def cases(file: str, part: str | None = None) -> list[Any]:
    """The cases in a list of `file` (of its key `part`) as pytest parameters, each a `Case`."""
    listed = document(file) if part is None else document(file)[part]
    params = []
    for i, data in enumerate(listed):
        name = f"{file}:{part or ''}[{i}]"
        params.append(pytest.param(Case(name, data), id=str(data.get("name", f"{part or 'case'}{i}"))))
    return params


def checkpoints() -> list[Path]:
    """The recorded checkpoint folders (`ckpt_*`)."""
    return sorted(path for path in ROOT.glob("ckpt_*") if path.is_dir())


def unread() -> list[str]:
    """Recorded tensors and cases that no test of this run has read; weights are read by loaders, not here."""
    known = {
        f"{file}:{name}"
        for file, names in document("MANIFEST.json").items()
        if not file.endswith(_WEIGHTS)
        for name in names
    }
    for path in sorted(ROOT.rglob("*.json")):
        file = path.relative_to(ROOT).as_posix()
        if path.parent.name in ("lm_tiny", "tokenizer_tiny") or path.name in ("config.json", "MANIFEST.json"):
            continue
        parsed = document(file)
        lists = {"": parsed} if isinstance(parsed, list) else parsed
        for part, listed in lists.items():
            if isinstance(listed, list):
                known |= {f"{file}:{part}[{i}]" for i, data in enumerate(listed) if isinstance(data, dict)}
    return sorted(known - _read)
