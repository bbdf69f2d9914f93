"""Hints in a list of their own, each with the button that makes its fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from acestep_nb.locales import later
from acestep_nb.widgets.spoken import Spoken

_STATIC = Path(__file__).parent / "static"
HINT_WORDS = (
    later("Show fewer"),
    later("Show all {count} hints"),
    later("Show the place"),
    later("note"),
    later("warning"),
    later("error"),
)


class HintList(Spoken):
    """``hints`` (``key``, ``severity``, ``message``, ``fix``) one below the other; ``on_fix`` hears a key."""

    _esm = _STATIC / "advice.js"
    _css = "".join((_STATIC / name).read_text("utf-8") for name in ("theme.css", "editor.css"))
    says: ClassVar[tuple[str, ...]] = HINT_WORDS

    hints = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, on_fix: Callable[[str], None], **traits: Any) -> None:
        self._on_fix = on_fix
        super().__init__(**traits)
        self.on_msg(self._receive)

    def _receive(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        key = message.get("key")
        if message.get("kind") == "fix" and isinstance(key, str):
            self._on_fix(key)
