"""Scores to look at: where and how well each line is sung, and which take of a batch comes first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import traitlets

from acestep_nb.locales import later
from acestep_nb.scores.alignment import FRAMES_PER_SECOND
from acestep_nb.scores.lyrics import rows_of_lines
from acestep_nb.scores.values import Alignment, Scores, numbers
from acestep_nb.widgets.spoken import Spoken

_STATIC = Path(__file__).parent / "static"
_STYLE = "".join((_STATIC / name).read_text("utf-8") for name in ("theme.css", "alignment.css"))
_COLUMNS, _ROWS = 240, 12  # of a line's picture at most, one byte each


class AlignmentMap(Spoken):
    """Line by line how lyrics and music belong together; pressing a line makes its time the ``region``.

    Each line shows its words, its tokens against time with the path that score and map are read along, and a bar
    of its clarity, 0–1; weak lines are marked. ``chosen_line`` is the number of the pressed line, from 0 (None:
    none), and may be set; ``region`` is its (start, end) in seconds, None for a line that is not sung.
    """

    _esm = _STATIC / "alignment.js"
    _css = _STYLE
    says: ClassVar[tuple[str, ...]] = (
        later("weak"),
        later("{text}: {start} to {end}"),
        later("{text}: {start} to {end}, score {score}"),
        later("seconds"),
        later("score"),
    )

    lines = traitlets.List(traitlets.Dict()).tag(sync=True)
    seconds = traitlets.Float(0.0).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    chosen_line = traitlets.Int(None, allow_none=True).tag(sync=True)
    region = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=None, allow_none=True)

    def __init__(self, scores: Scores | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        self.show(scores)

    def show(self, scores: Scores | None) -> None:
        """Show these scores instead; without an alignment their notes, which say why there is none."""
        found = None if scores is None else scores.alignment
        self.chosen_line = None
        with self.hold_sync():
            self.lines = [] if scores is None or found is None else _lines(scores, found)
            self.seconds = 0.0 if found is None else found.energy.shape[1] / FRAMES_PER_SECOND
            self.note = "\n".join(scores.notes) if scores is not None and found is None else ""

    @traitlets.validate("chosen_line")
    def _known_line(self, proposal: Any) -> int | None:
        number: int | None = proposal["value"]
        return number if number is None or 0 <= number < len(self.lines) else None

    @traitlets.observe("chosen_line")
    def _tell_region(self, change: Any) -> None:
        line = None if change["new"] is None else self.lines[change["new"]]
        self.region = (line["start"], line["end"]) if line and line["end"] > line["start"] else None


class ScoreStrip(Spoken):
    """A bar for each take of a batch, the best one marked; ``chosen`` is the name of the one that was pressed.

    ``scores`` are those of takes by their names; ``by`` is the number shown, such as ``"quality"``. Raises
    ``InputError`` where none of them has it.
    """

    _esm = _STATIC / "strip.js"
    _css = _STYLE
    says: ClassVar[tuple[str, ...]] = (later("best"), later("{name}: {score}"), later("not scored"))

    bars = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)

    def __init__(self, scores: Mapping[str, Scores], by: str = "lyrics_alignment", **traits: Any) -> None:
        super().__init__(**traits)
        self.show(scores, by)

    def show(self, scores: Mapping[str, Scores], by: str = "lyrics_alignment") -> None:
        """Show these takes instead of those before."""
        values = numbers(scores, by)
        known = [value for value in values.values() if value is not None]
        low, high = min(0.0, *known), max(1.0, *known)
        self.bars = [
            {
                "name": name,
                "value": value,
                "share": None if value is None else (value - low) / (high - low),
                "best": value is not None and value == max(known),
            }
            for name, value in values.items()
        ]


def _lines(scores: Scores, found: Alignment) -> list[dict[str, Any]]:
    weak = scores.weak_lines
    return [
        {
            "text": line.text,
            "start": line.start,
            "end": line.end,
            "score": line.bar,
            "weak": line in weak,
            **_picture(found, row),
        }
        for line, row in zip(scores.lines, rows_of_lines(found.texts), strict=True)
    ]


def _picture(found: Alignment, row: slice) -> dict[str, Any]:
    """The energy of a line's tokens as bytes, rows below each other, and its path in shares of width and height."""
    tokens, frames = row.stop - row.start, found.energy.shape[1]
    cells = _largest(_largest(found.energy[row], _ROWS, axis=0), _COLUMNS, axis=1)
    on = found.path[(found.path[:, 0] >= row.start) & (found.path[:, 0] < row.stop)]
    path = []
    for token in range(row.start, row.stop):
        own = on[on[:, 0] == token, 1]
        place = (token - row.start + 0.5) / tokens
        path += [[round((float(own[i]) + 0.5) / frames, 4), round(place, 4)] for i in (0, -1)]
    energy = np.rint(np.clip(cells, 0, 1) * 255).astype(np.uint8)
    return {"rows": len(cells), "energy": energy.tobytes(), "path": path}


def _largest(matrix: Any, most: int, axis: int) -> Any:
    """At most so many rows or columns, each the largest of those that it stands for."""
    length = matrix.shape[axis]
    starts = np.linspace(0, length, min(length, most) + 1).astype(int)[:-1]
    return np.maximum.reduceat(matrix, starts, axis=axis)
