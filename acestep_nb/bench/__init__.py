"""Benchmarks: how fast a part of the program is beside the library it stands in for, on this machine.

Each module here measures one part with random weights, both sides in one run; nothing is downloaded.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from acestep_nb.errors import InputError

PARTS = ("renderer", "planner", "scores", "lora")
"""What can be measured: the modules here, each of which has a `measure`."""


def figures_of(part: str, on_progress: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one of `PARTS` as JSON values; `on_progress` hears what is being measured.

    Raises `InputError` for another part.
    """
    if part not in PARTS:
        raise InputError(field="part", value=part, allowed=f"one of {', '.join(PARTS)}")
    # before torch starts its threads, as the engine does: waiting ones shall sleep
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    figures: dict[str, Any] = importlib.import_module(f"acestep_nb.bench.{part}").measure(on_progress)
    return figures
