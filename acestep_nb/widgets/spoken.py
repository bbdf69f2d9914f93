"""Widgets whose half in the browser has sentences of its own to show."""

from __future__ import annotations

from typing import Any, ClassVar

import anywidget
import traitlets

from acestep_nb.locales import _


class Spoken(anywidget.AnyWidget):
    """A widget that hands its browser half, by their English, the sentences which ``says`` lists, translated.

    JavaScript shows one as ``t("Play")`` with ``const t = speaker(model)``; English needs no words at all.
    """

    says: ClassVar[tuple[str, ...]] = ()
    words = traitlets.Dict().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(words={text: told for text in self.says if (told := _(text)) != text}, **traits)
