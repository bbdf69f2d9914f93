"""A text to write in, with words to choose from, measures beside each line and hints below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from acestep_nb.locales import later
from acestep_nb.widgets.hints import HINT_WORDS
from acestep_nb.widgets.spoken import Spoken

_STATIC = Path(__file__).parent / "static"


class TextEditor(Spoken):
    """A labelled text area of at most ``limit`` characters; ``value`` is its text, as typed.

    ``palette`` are groups of words, each ``{"label", "words": [(word, meaning), …]}``; ``on_pick`` hears a word
    that is pressed and the place of the cursor. :meth:`advise` shows what is known about the text; ``on_fix``
    hears the key of a hint whose button is pressed. Places are in characters.
    """

    _esm = _STATIC / "editor.js"
    _css = "".join((_STATIC / name).read_text("utf-8") for name in ("theme.css", "editor.css"))
    says: ClassVar[tuple[str, ...]] = (
        later("Words to choose from"),
        *HINT_WORDS,
        later("{count} of {limit}"),
        later("line {number}: {count} syllables"),
        later("alignment {score}"),
        later("The kernel does not answer: run this cell again. Your words stay here."),
    )

    value = traitlets.Unicode("").tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)
    placeholder = traitlets.Unicode("").tag(sync=True)
    limit = traitlets.Int(0).tag(sync=True)
    palette = traitlets.List(traitlets.Dict()).tag(sync=True)
    measured = traitlets.Bool(False).tag(sync=True)
    invalid = traitlets.Bool(False).tag(sync=True)
    advice = traitlets.Dict().tag(sync=True)

    def __init__(
        self, on_pick: Callable[[str, int], None], on_fix: Callable[[str], None], **traits: Any
    ) -> None:
        self._on_pick, self._on_fix = on_pick, on_fix
        self._revision = 0
        super().__init__(**traits)
        self.on_msg(self._receive)

    def advise(
        self,
        hints: list[dict[str, Any]],
        lines: list[dict[str, Any]] | None = None,
        chosen: list[str] | None = None,
    ) -> None:
        """Show hints (``key``, ``severity``, ``message``, ``start``, ``end``, ``fix``), measures and words.

        ``fix`` is what the hint's button says, empty for none. ``lines`` has ``count``, ``score`` and ``weak``
        of each line; ``chosen`` are the words of the palette that the text holds.
        """
        self._revision += 1  # so that the browser draws again even what is the same
        told = [
            {**hint, "start": units(self.value, hint["start"]), "end": units(self.value, hint["end"])}
            for hint in hints
        ]
        self.advice = {"revision": self._revision, "hints": told, "lines": lines or [], "chosen": chosen}

    def select(self, start: int, end: int | None = None) -> None:
        """Put the cursor there, or mark the text from start to end."""
        last = start if end is None else end
        self.send({"kind": "select", "start": units(self.value, start), "end": units(self.value, last)})

    def _receive(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        word, at, key = message.get("word"), message.get("at"), message.get("key")
        if message.get("kind") == "pick" and isinstance(word, str) and isinstance(at, int):
            self._on_pick(word, characters(self.value, at))
        elif message.get("kind") == "fix" and isinstance(key, str):
            self._on_fix(key)


def units(text: str, characters: int) -> int:
    """A place in the text as browsers count: letters beyond the basic plane (emoji) are two units."""
    return len(text[:characters].encode("utf-16-le", "surrogatepass")) // 2


def characters(text: str, units: int) -> int:
    """A place that a browser tells, in characters."""
    head = text.encode("utf-16-le", "surrogatepass")[: 2 * max(units, 0)]
    return len(head.decode("utf-16-le", "ignore"))
