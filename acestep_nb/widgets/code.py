"""Python shown in a notebook, ready to be copied."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import traitlets

from acestep_nb.locales import later
from acestep_nb.widgets.spoken import Spoken

_STATIC = Path(__file__).parent / "static"


class CodeBlock(Spoken):
    """``text`` as plain text in a fixed pitch, with a button that copies it."""

    _esm = _STATIC / "code.js"
    says: ClassVar[tuple[str, ...]] = (
        later("Python code"),
        later("Copy"),
        later("Copied"),
        later("Selected: press Ctrl+C"),
    )

    text = traitlets.Unicode("").tag(sync=True)
