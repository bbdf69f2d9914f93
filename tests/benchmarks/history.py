"""How long a big project takes to open: `python tests/benchmarks/history.py [takes]` prints seconds as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers import make_take

from acestep_nb.history import History
from acestep_nb.scores.keeping import SCORES, keep
from acestep_nb.scores.values import Scores, Signal
from acestep_nb.takes import RECORD

_PAST = 100  # seconds ago: as in any project, most takes are not of this very moment


def fill(folder: Path, count: int) -> None:
    """A project with so many scored takes, all alike but for their names; sound is only in the first."""
    first = History(folder).add(make_take())
    keep(first.folder, Scores("la", Signal(None, None, 0.0, 0.0, None, None, {}), lyrics_alignment=0.5))
    files = {name: (first.folder / name).read_bytes() for name in (RECORD, SCORES)}
    for number in range(2, count + 1):
        take = folder / "takes" / f"{number:04}_rainy-night_s{number}"
        take.mkdir()
        for name, data in files.items():
            (take / name).write_bytes(data)
    past = time.time() - _PAST
    for take in (folder / "takes").iterdir():
        os.utime(take, (past, past))


def measure(folder: Path) -> dict[str, float]:
    """Seconds for what opening and scrolling ask for, first without an index, then with it."""

    def timed(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return round(time.perf_counter() - began, 4)

    return {
        "open and first page": timed(lambda: History(folder).page()),
        "index rebuilt": timed(lambda: History(folder).entries),
        "open, sorted by score": timed(lambda: History(folder).page(by="lyrics_alignment", show="kept")),
        "a page in the middle": timed(lambda: History(folder).page(len(History(folder)) // 2)),
    }


def main(count: int) -> None:
    """Fill a project, measure it and print the figures."""
    with tempfile.TemporaryDirectory() as place:
        fill(Path(place), count)
        print(json.dumps({"takes": count, **measure(Path(place))}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
