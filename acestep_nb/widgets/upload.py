"""A button that brings a file from the person's own machine to the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from acestep_nb.locales import later
from acestep_nb.widgets.spoken import Spoken

_STATIC = Path(__file__).parent / "static"


class Upload(Spoken):
    """``description`` on a button; ``on_file`` hears name and content of each chosen file, the same one again, too.

    ``accept`` is what the browser offers, such as ``"audio/*"``. A file comes in pieces, so it may be as large as
    the kernel's memory holds, and nothing of it stays in the widget or in the notebook. A piece that does not go on
    where the one before ended (two views send at once) lets the file go, and the button says so.
    """

    _esm = _STATIC / "upload.js"
    says: ClassVar[tuple[str, ...]] = (
        later("The file could not be sent: run this cell again."),
        later("The pieces of two files were mixed up: send them again, one after the other."),
    )

    description = traitlets.Unicode("").tag(sync=True)
    accept = traitlets.Unicode("").tag(sync=True)

    def __init__(self, on_file: Callable[[str, bytes], object], **traits: Any) -> None:
        self._on_file = on_file
        self._content = bytearray()
        self._next = ("", 0, 0)
        super().__init__(**traits)
        self.on_msg(self._receive)

    def _receive(self, _widget: object, message: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        if message.get("kind") != "piece":
            return
        name, size, begin = (message[key] for key in ("name", "size", "begin"))
        if begin == 0 or (name, size, begin) != self._next:
            self._content.clear()
        if begin != len(self._content):
            self._next = ("", 0, 0)
            self.send({"kind": "mixed"})
            return
        self._content += buffers[0]
        self._next = (name, size, len(self._content))
        if len(self._content) == size:
            content = bytes(self._content)
            self._content.clear()
            self._on_file(name, content)
