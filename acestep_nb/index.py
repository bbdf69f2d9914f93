"""The index of a project: what lists, sorting and the lineage need of every take, without opening each.

It is a cache. All of it stands in the folders of the takes, and what is stale, damaged or missing is read there
again; two kernels may write to it at once.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acestep_nb.errors import AceStepError, InputError, ProjectError
from acestep_nb.files import json_bytes, read_json, write_atomic
from acestep_nb.knobs import to_dict
from acestep_nb.marks import Marks, read_marks
from acestep_nb.scores.keeping import SCORES
from acestep_nb.scores.values import Scores
from acestep_nb.takes import Take, read_take

INDEX = "index.jsonl"
_SETTLED = (
    2_000_000_000  # ns: disks tell times in steps of up to 2 s, so what is younger may still change unseen
)
_SPARE = 2  # lines per take, above which the file is written anew

SHOWN: dict[str, Callable[[Entry], bool]] = {
    "all": lambda entry: True,
    "kept": lambda entry: not entry.marks.rejected,
    "starred": lambda entry: entry.marks.starred,
    "rejected": lambda entry: entry.marks.rejected,
}
"""Which takes a list can show."""
ORDERS = ("newest", "oldest", "lyrics_alignment", "quality")
"""What takes can be sorted by; those without that score come last, of equals the newest first."""


@dataclass(frozen=True)
class Entry:
    """One take in the lists of its project: what it is, its marks and its scores (None: not scored)."""

    name: str
    created: str
    task: str
    seed: int
    caption: str
    parent: str | None
    lyrics_alignment: float | None
    quality: float | None
    marks: Marks

    @classmethod
    def of(cls, take: Take) -> Entry:
        """The entry of a kept take, as its folder stands now."""
        scores = None
        if take.folder is not None:
            with contextlib.suppress(OSError, ProjectError):  # damaged scores are none; the map is not needed
                scores = Scores.from_json((take.folder / SCORES).read_bytes())
        return cls(
            name=take.name,
            created=take.created,
            task=take.task,
            seed=take.seed,
            caption=take.song.caption,
            parent=take.parent,
            lyrics_alignment=None if scores is None else scores.lyrics_alignment,
            quality=None if scores is None else scores.quality,
            marks=Marks() if take.folder is None else read_marks(take.folder),
        )


def listed(entries: Iterable[Entry], by: str = "newest", show: str = "all") -> list[Entry]:
    """The entries, given newest first, that ``show`` names, sorted ``by`` one of ``ORDERS``."""
    if by not in ORDERS:
        raise InputError(field="by", value=by, allowed=", ".join(ORDERS))
    if show not in SHOWN:
        raise InputError(field="show", value=show, allowed=", ".join(SHOWN))
    chosen = [entry for entry in entries if SHOWN[show](entry)]
    if by == "oldest":
        chosen.reverse()
    elif by != "newest":
        chosen.sort(key=lambda entry: -1.0 if (score := getattr(entry, by)) is None else score, reverse=True)
    return chosen


class Index:
    """The entries of the takes in one folder; ``file`` holds a line of JSON for each that was read."""

    def __init__(self, takes: Path, file: Path) -> None:
        self._takes, self._file = takes, file
        self._known: dict[str, tuple[list[int], Entry]] | None = None

    def entries(self, names: Iterable[str]) -> tuple[Entry, ...]:
        """The entries of these takes, in their order; those that cannot be read are left out.

        A take is opened only when its folder has changed since it was last listed, by whatever kernel.
        """
        known = self._read() if self._known is None else self._known
        found: list[Entry] = []
        fresh: dict[str, tuple[list[int], Entry]] = {}
        now = time.time_ns()
        for name in names:
            with contextlib.suppress(OSError, ProjectError):
                stamp = _stamp(self._takes / name)
                cached = known.get(name)
                if cached is None or cached[0] != stamp:
                    cached = stamp, Entry.of(read_take(self._takes / name))
                    if now - stamp[0] > _SETTLED:
                        fresh[name] = cached
                found.append(cached[1])
        self._known = known | fresh
        if fresh:
            self._append(fresh)
        return tuple(found)

    def _read(self) -> dict[str, tuple[list[int], Entry]]:
        known: dict[str, tuple[list[int], Entry]] = {}
        try:
            lines = self._file.read_bytes().splitlines()
        except OSError:
            return known
        for line in lines:  # a line that a killed kernel left half written is none
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, AceStepError):
                record = read_json(line)
                stamp = record.pop("stamp")
                marks = Marks(**record.pop("marks"))
                known[record["name"]] = stamp, Entry(**record, marks=marks)
        if len(lines) > _SPARE * len(known):
            with contextlib.suppress(OSError):
                write_atomic(self._file, _lines(known))
        return known

    def _append(self, fresh: dict[str, tuple[list[int], Entry]]) -> None:
        with contextlib.suppress(OSError), self._file.open("ab") as file:  # a cache may fail to be written
            # led by a line end, since the last line may be a half one; one write, so that kernels do not mix theirs
            file.write(b"\n" + _lines(fresh))


def _lines(known: dict[str, tuple[list[int], Entry]]) -> bytes:
    records: list[dict[str, Any]] = [{"stamp": stamp, **to_dict(entry)} for stamp, entry in known.values()]
    return json_bytes("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def _stamp(folder: Path) -> list[int]:
    """What changes whenever a file in the folder is replaced."""
    state = folder.stat()
    return [state.st_mtime_ns, state.st_ino]
