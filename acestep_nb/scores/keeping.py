"""Scores beside the take that they are about: `scores.json`, `alignment.npz` and `lyrics.lrc`."""

from __future__ import annotations

from pathlib import Path

from acestep_nb.files import disk_errors, write_atomic
from acestep_nb.scores.lrc import to_lrc
from acestep_nb.scores.values import Alignment, Scores

SCORES, ALIGNMENT, LRC = "scores.json", "alignment.npz", "lyrics.lrc"


def keep(folder: Path, scores: Scores) -> None:
    """Write the scores into the folder of a take; `scores.json` comes last, so what it tells of is there."""
    with disk_errors(folder):
        for name, data in _files(scores).items():
            if data is None:
                (folder / name).unlink(missing_ok=True)
            else:
                write_atomic(folder / name, data)


def kept(folder: Path) -> Scores | None:
    """The scores in the folder of a take; None when it was not scored, `ProjectError` when they are damaged."""
    if not (folder / SCORES).is_file():
        return None
    with disk_errors(folder):
        text = (folder / SCORES).read_bytes()
        file = folder / ALIGNMENT
        alignment = Alignment.from_bytes(file.read_bytes()) if file.is_file() else None
    return Scores.from_json(text, alignment)


def _files(scores: Scores) -> dict[str, bytes | None]:
    found = scores.alignment
    return {
        ALIGNMENT: None if found is None else found.to_bytes(),
        LRC: f"{to_lrc(scores.lines)}\n".encode() if scores.lines else None,
        SCORES: scores.to_json().encode("utf-8"),
    }
