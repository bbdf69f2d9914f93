"""What a person thinks of a take: star, rejection and note, in one small file beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acestep_nb.errors import AceStepError, InputError
from acestep_nb.files import disk_errors, read_json, write_atomic
from acestep_nb.knobs import Knob, checked_switch, checked_text, from_dict, knob_field, knobs, to_dict

MARKS = "marks.json"
_STARRED = "starred"  # the empty file that a star was before there were other marks
_SCHEMA = 1


@dataclass(frozen=True)
class Marks:
    """The marks of one take; a star and a rejection exclude each other."""

    starred: bool = knob_field(False, Knob("Star", "One of the good takes.", switch=True))
    rejected: bool = knob_field(False, Knob("Rejected", "Heard, and not wanted.", switch=True))
    note: str = knob_field("", Knob("Note", "What to remember about the take.", max_length=2000))

    def __post_init__(self) -> None:
        for name, rule in knobs(Marks).items():
            check = checked_switch if rule.switch else checked_text
            object.__setattr__(self, name, check(name, getattr(self, name), rule))
        if self.starred and self.rejected:
            raise InputError("a take is starred or rejected, not both", field="starred", value=True)

    def changed(self, changes: Mapping[str, Any]) -> Marks:
        """The marks with those changes; a new star takes a rejection away, and the other way round."""
        marks = {name: getattr(self, name) for name in knobs(Marks)}
        for name, other in (("starred", "rejected"), ("rejected", "starred")):
            if changes.get(name):
                marks[other] = False
        return Marks(**{**marks, **changes})


def read_marks(folder: Path) -> Marks:
    """The marks of the take in that folder; none where there are none or their file is damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, KeyError, AceStepError):
        record = read_json((folder / MARKS).read_bytes())
        if record.pop("schema") == _SCHEMA:
            return from_dict(Marks, record)
    return Marks(starred=(folder / _STARRED).exists())


def change_marks(folder: Path, **changes: Any) -> Marks:
    """Change the marks of the take in that folder, by their names; the file is whole at every moment.

    Raises ``InputError`` for a mark that there is not or that cannot be, ``ProjectError`` for a disk that takes
    nothing.
    """
    if unknown := changes.keys() - knobs(Marks).keys():
        raise InputError(field="mark", value=min(unknown), allowed=", ".join(knobs(Marks)))
    before = read_marks(folder)
    marks = before.changed(changes)
    if marks != before:
        record = {"schema": _SCHEMA, **to_dict(marks)}
        with disk_errors(folder):
            write_atomic(folder / MARKS, json.dumps(record, ensure_ascii=False).encode("utf-8"))
    return marks
