"""The project folder: takes that are kept whole or not at all, marks, sources, a trash, and the unsent draft."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import unicodedata
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from acestep_nb.audio import Audio
from acestep_nb.edits import Source
from acestep_nb.errors import ProjectError
from acestep_nb.files import (
    disk_errors,
    given_path,
    json_bytes,
    read_json,
    sync_folder,
    write_atomic,
    write_synced,
)
from acestep_nb.index import INDEX, Entry, Index, listed
from acestep_nb.lineage import Lineage, lineage
from acestep_nb.marks import Marks, change_marks, read_marks
from acestep_nb.takes import Take, read_take

SCHEMA = 1
_UNFINISHED = ".unfinished-"
_NAME = re.compile(r"\d{4,}_[^/\\]+_s\d+")
_LOCK_SECONDS = 120.0


def slug(text: str, longest: int = 40) -> str:
    """A piece of a file name made of a text: its letters and digits in lower case, ``-`` between words.

    ``"Rainy night, lo-fi!"`` → ``"rainy-night-lo-fi"``; nothing usable → ``"untitled"``.
    """
    normal = unicodedata.normalize("NFKC", text).lower()
    # letters, digits and the marks on letters, which many scripts write their vowels with
    spelled = "".join(sign if unicodedata.category(sign)[0] in "LNM" else " " for sign in normal)
    kept = ""
    for word in spelled.split():
        if kept and len(kept) + 1 + len(word) > longest:
            break
        kept = f"{kept}-{word}" if kept else word[:longest]
    return kept or "untitled"


def project_folder(project: str | Path) -> Path:
    """The folder meant by a project's name or path.

    A bare name (``"rainy night"``) is ``projects/rainy-night`` below the current folder; a ``Path``, or
    text with a path separator or a leading ``~`` in it, is that folder.
    """
    if isinstance(project, str) and not ("/" in project or "\\" in project or project.startswith("~")):
        return Path("projects") / slug(project)
    return given_path(project, "project")


class History:
    """The takes of one project folder, newest first; several processes may write to it at once.

    Opening makes the folder when it is missing and clears away what a killed process left half
    written. A folder that cannot be written, or a full disk, raises ``ProjectError``; what was kept
    before stays as it was.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = given_path(folder, "project").absolute()
        self._takes = self.folder / "takes"
        self._trash = self.folder / "trash"
        self._sources = self.folder / "sources"
        self._index = Index(self._takes, self.folder / INDEX)
        with disk_errors(self.folder):
            self._takes.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._clear_unfinished()
                if not self._read_project():
                    _write_json(self.folder / "project.json", {"schema": SCHEMA, "name": self.folder.name})

    def __repr__(self) -> str:
        return f"History({str(self.folder)!r}, {len(self)} takes)"

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Take]:
        return iter(self.takes)

    @property
    def takes(self) -> tuple[Take, ...]:
        """The takes that can be read, newest first; :attr:`unreadable` tells of the others."""
        return tuple(self._opened(self._names()))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What lists need of every take that can be read, newest first; quick for any number of takes."""
        return self._index.entries(self._names())

    def page(self, start: int = 0, count: int = 24, *, by: str = "newest", show: str = "all") -> list[Take]:
        """The takes at these places of a list that is sorted ``by`` one of ``index.ORDERS``.

        ``show`` is one of ``index.SHOWN``: "all", "kept" (not rejected), "starred", "rejected". Only these takes
        are opened; those that cannot be read are left out.
        """
        plain = (by, show) == ("newest", "all")
        names = self._names() if plain else [entry.name for entry in listed(self.entries, by, show)]
        return self._opened(names[max(start, 0) : max(start, 0) + count])

    @property
    def unreadable(self) -> dict[str, str]:
        """What is wrong with takes whose record was damaged from outside, by name."""
        problems = {}
        for name in self._names():
            try:
                read_take(self._takes / name)
            except ProjectError as error:
                problems[name] = str(error)
        return problems

    def get(self, name: str) -> Take:
        """The take of this name; ``ProjectError`` when there is none."""
        if name not in self._names():
            raise ProjectError(
                field="take", value=name, allowed=f"one of the {len(self)} takes in {self.folder}"
            )
        return read_take(self._takes / name)

    def parent(self, take: Take) -> Take | None:
        """The take that this one was made from; None when it was made from none, or that one is gone."""
        with contextlib.suppress(ProjectError):
            return None if take.parent is None else self.get(take.parent)
        return None

    def lineage(self, of: Take | None = None) -> Lineage:
        """The tree of all takes, each below the one that it was made from; with ``of`` only that take's own tree."""
        return lineage(self.entries, None if of is None else of.name)

    def add(self, take: Take) -> Take:
        """Keep a take: it comes back with name and folder, reading its sound from there when asked.

        Its folder appears complete or not at all. On ``ProjectError`` nothing was kept and the take
        given is still whole in memory, so it can be added again, here or elsewhere.
        """
        files = take.files()
        unfinished = self._takes / f"{_UNFINISHED}{uuid.uuid4().hex}"
        with disk_errors(self.folder), self._locked():
            try:
                unfinished.mkdir()
                for file, data in files.items():
                    write_synced(unfinished / file, data)
                sync_folder(unfinished)
                name = f"{self._next_number():04}_{slug(take.song.caption)}_s{take.seed}"
                unfinished.rename(self._takes / name)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            sync_folder(self._takes)
        return read_take(self._takes / name)

    @property
    def starred(self) -> frozenset[str]:
        """Names of the takes that carry a star."""
        return frozenset(entry.name for entry in self.entries if entry.marks.starred)

    def star(self, take: Take) -> None:
        """Give a kept take a star."""
        self.mark(take, starred=True)

    def unstar(self, take: Take) -> None:
        """Take the star away."""
        self.mark(take, starred=False)

    def marks(self, take: Take) -> Marks:
        """The star, rejection and note of a kept take."""
        return read_marks(self._takes / self.get(take.name).name)

    def mark(self, take: Take, **changes: Any) -> Marks:
        """Change marks of a kept take: ``history.mark(take, rejected=True, note="drums late")``.

        A star takes a rejection away, and the other way round. Raises ``InputError`` for another name or value.
        """
        return change_marks(self._takes / self.get(take.name).name, **changes)

    def remove(self, take: Take) -> None:
        """Move a kept take to the project's ``trash`` folder; :meth:`restore` brings it back."""
        source = self._takes / self.get(take.name).name
        with disk_errors(self.folder), self._locked():
            self._trash.mkdir(exist_ok=True)
            source.rename(self._trash / source.name)

    def restore(self, name: str) -> Take:
        """Bring a removed take back from the trash; ``ProjectError`` when it is not there."""
        if name not in _take_names(self._trash):
            allowed = f"the name of a take in {self._trash}"
            raise ProjectError(field="take", value=name, allowed=allowed, remedy="Look into that folder.")
        with disk_errors(self.folder), self._locked():
            (self._trash / name).rename(self._takes / name)
        return self.get(name)

    def keep_source(self, sound: Audio) -> Path:
        """The file in the project's ``sources`` that holds this sound for good, written if it is not there yet.

        It is called by the hash of its content, as :class:`~acestep_nb.edits.Source` tells it, and gives the same
        samples again.
        """
        digest = Source.of(sound).sha256
        if known := self._source(digest):
            return known
        ending, data = sound.exact_file()
        file = self._sources / f"{digest}{ending}"
        with disk_errors(self.folder):
            self._sources.mkdir(exist_ok=True)
            write_atomic(file, data)
        return file

    def source(self, record: Source) -> Take | Path:
        """What a take was made from, as every verb takes it: the take of that name, else the file in ``sources``.

        ``ProjectError`` when the project has neither.
        """
        if record.name in self._names():
            return self.get(record.name)
        if known := self._source(record.sha256):
            return known
        raise ProjectError(
            f"the project does not have the source {record.name or record.sha256[:12]}",
            field="source",
            value=record.name,
            remedy="Give its sound file.",
        )

    def _source(self, digest: str) -> Path | None:
        files = self._sources.glob(f"{digest}.*") if re.fullmatch(r"[0-9a-f]{64}", digest) else ()
        return next(iter(files), None)

    @property
    def draft(self) -> dict[str, Any]:
        """What was typed and not yet rendered, as the panel last wrote it; empty when there is none."""
        try:
            draft = read_json((self.folder / "draft.json").read_bytes())
        except (OSError, ValueError):  # a lost draft must not keep the panel from opening
            return {}
        return draft if isinstance(draft, dict) else {}

    @draft.setter
    def draft(self, values: Mapping[str, Any]) -> None:
        with disk_errors(self.folder):
            _write_json(self.folder / "draft.json", dict(values))

    @property
    def locale(self) -> str:
        """The language that panels of this project speak, as it was chosen last; empty when none can be read."""
        try:
            return str(self._project().get("locale", ""))
        except (ProjectError, OSError):  # no reason to keep a panel from opening
            return ""

    @locale.setter
    def locale(self, code: str) -> None:
        with disk_errors(self.folder), self._locked():
            known = {"schema": SCHEMA, "name": self.folder.name} | self._project()
            _write_json(self.folder / "project.json", known | {"locale": code})

    def _names(self) -> list[str]:
        return _take_names(self._takes)

    def _opened(self, names: list[str]) -> list[Take]:
        takes = []
        for name in names:
            with contextlib.suppress(ProjectError):
                takes.append(read_take(self._takes / name))
        return takes

    def _next_number(self) -> int:
        used = _take_names(self._takes) + _take_names(self._trash)
        return max((_number(name) for name in used), default=0) + 1

    def _locked(self) -> filelock.BaseFileLock:
        return filelock.FileLock(self.folder / ".lock", timeout=_LOCK_SECONDS)

    def _clear_unfinished(self) -> None:
        # writers hold the lock for as long as their unfinished folder exists, so under it all are dead
        for folder in self._takes.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _read_project(self) -> bool:
        """Whether there is a ``project.json``; ``ProjectError`` for one that cannot be used."""
        schema = (project := self._project()).get("schema")
        if project and schema != SCHEMA:
            remedy = "Update acestep_nb, or choose another folder."
            raise ProjectError(
                field="project", value=f"schema {schema}", allowed=f"schema {SCHEMA}", remedy=remedy
            )
        return bool(project)

    def _project(self) -> dict[str, Any]:
        """What stands in ``project.json``; nothing where there is none yet."""
        path = self.folder / "project.json"
        if not path.exists():
            return {}
        try:
            values: dict[str, Any] = read_json(path.read_bytes())
            return {"schema": values["schema"]} | values
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            remedy = f"Repair {path}, or delete it: the takes do not depend on it."
            raise ProjectError(
                f"project.json cannot be read: {error!r}", field="project", remedy=remedy
            ) from error


def _take_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = [entry.name for entry in folder.iterdir() if _NAME.fullmatch(entry.name)]
    return sorted(names, key=lambda name: (_number(name), name), reverse=True)


def _number(name: str) -> int:
    return int(name.split("_", 1)[0])


def _write_json(path: Path, values: dict[str, Any]) -> None:
    write_atomic(path, json_bytes(json.dumps(values, ensure_ascii=False, indent=1) + "\n"))
