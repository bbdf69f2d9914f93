"""Python shown in a notebook, ready to be copied."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_STATIC = Path(__file__).parent / "static"


class CodeBlock(anywidget.AnyWidget):
    """``text`` as plain text in a fixed pitch, with a button that copies it."""

    _esm = _STATIC / "code.js"

    text = traitlets.Unicode("").tag(sync=True)
