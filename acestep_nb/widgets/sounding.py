"""Widgets that sound: pictures travel with them, the sound itself goes to the browser when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from acestep_nb.audio import Audio
from acestep_nb.locales import _, later
from acestep_nb.takes import Take
from acestep_nb.widgets.sounds import send_sound
from acestep_nb.widgets.spoken import Spoken

SILENCE = later(
    "The kernel does not answer: it is busy or was restarted. Wait for it, run this cell again, or reload the page."
)
SOUND_WORDS = (
    later("Play"),
    later("Pause"),
    SILENCE,
    later("The sound is here: press play once more."),
    later("{now} of {length}"),
)


class SoundWidget(Spoken):
    """A widget whose browser half asks for sounds by name; ``_sounds`` are those that it may have.

    The sound (FLAC bytes) is sent when Play is first pressed, straight to the browser, and is never stored in the
    notebook. One sound plays at a time on the whole page.
    """

    says: ClassVar[tuple[str, ...]] = SOUND_WORDS

    def __init__(self, **traits: Any) -> None:
        self._sounds: dict[str, Take | Audio] = {}
        self._guard = threading.RLock()
        super().__init__(**traits)
        self.on_msg(self._receive)

    def act(self, kind: str, take: Take | Audio, message: Mapping[str, Any]) -> None:
        """What the widget's own buttons do; plain ones have none."""

    def _receive(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        kind, key = message.get("kind"), message.get("id")
        with self._guard:
            take = self._sounds.get(str(key))
        if kind == "sound":
            send_sound(self, take, message.get("request"))
        elif take is not None:
            self.act(str(kind), take, message)


def title(take: Take | Audio, number: int) -> str:
    """``Take 7`` for the kept take ``0007_…``, else its place in the list."""
    kept = getattr(take, "name", "").partition("_")[0]
    return _("Take {number}", number=int(kept) if kept.isdecimal() else number)
