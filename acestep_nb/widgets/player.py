"""The player: waveforms at once, sound when it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from acestep_nb.audio import Audio
from acestep_nb.errors import AceStepError
from acestep_nb.knobs import knob
from acestep_nb.song import Song
from acestep_nb.takes import Take

_STATIC = Path(__file__).parent / "static"
_BARS = 400  # per waveform, one byte each: the browser draws about 100 to 300


class Player(anywidget.AnyWidget):
    """A card with a waveform and a play button for each take (or plain ``Audio``) that it is given.

    Peaks travel with the widget, so the waveform is there at once; the sound itself (FLAC bytes) is sent when
    Play is first pressed, straight to the browser, and is never stored in the notebook. One sound plays at a
    time on the whole page.
    """

    _esm = _STATIC / "player.js"
    _css = "".join((_STATIC / name).read_text("utf-8") for name in ("theme.css", "player.css"))

    cards = traitlets.List(traitlets.Dict()).tag(sync=True)
    waiting = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    empty = traitlets.Unicode("Nothing to play.").tag(sync=True)

    def __init__(self, takes: Take | Audio | Iterable[Take | Audio] = (), **traits: Any) -> None:
        self._sounds: dict[str, Take | Audio] = {}
        self._guard = threading.RLock()
        super().__init__(**traits)
        self.on_msg(self._receive)
        self.show([takes] if isinstance(takes, Take | Audio) else takes)

    def show(self, takes: Iterable[Take | Audio]) -> None:
        """Show these takes, in this order, instead of those before; a sound that stays plays on."""
        with self._guard:
            listed = list(takes)
            self._sounds = {self.key(take, number): take for number, take in enumerate(listed, 1)}
            self.cards = [
                self.card(key, take, number) for number, (key, take) in enumerate(self._sounds.items(), 1)
            ]

    def key(self, take: Take | Audio, number: int) -> str:
        """What the browser calls this sound: the take's name once it is kept, else its place in the list."""
        return getattr(take, "name", "") or f"sound {number}"

    def card(self, key: str, take: Take | Audio, number: int) -> dict[str, Any]:
        """One card in plain values, its waveform as bytes 0–255; of a damaged take what is wrong with it."""
        try:
            sound = {"duration": take.duration, "peaks": _bars(take), "problem": ""}
        except AceStepError as error:
            sound = {"duration": 0.0, "peaks": b"", "problem": str(error)}
        words = {"caption": "", "facts": []} if isinstance(take, Audio) else _words(take)
        plain = {"starred": None, "scores": [], "actions": [], "menu": None}
        return {"id": key, "title": title(take, number), **words, **sound, **plain}

    def act(self, kind: str, take: Take | Audio, message: Mapping[str, Any]) -> None:
        """What a card's own buttons do; a plain player has none."""

    def _receive(self, _widget: object, message: Mapping[str, Any], _buffers: object) -> None:
        kind, key = message.get("kind"), message.get("id")
        with self._guard:
            take = self._sounds.get(str(key))
        if kind == "sound":
            self._answer(take, message.get("request"))
        elif take is not None:
            self.act(str(kind), take, message)

    def _answer(self, take: Take | Audio | None, request: object) -> None:
        try:
            if take is None:
                raise AceStepError("this take is no longer in the list")
            data = take.flac_bytes()
        except Exception as error:  # the browser waits for an answer, whatever went wrong
            text = str(error) if isinstance(error, AceStepError) else f"{type(error).__name__}: {error}"
            self.send({"kind": "failed", "request": request, "text": f"No sound: {text}"})
        else:
            self.send({"kind": "sound", "request": request, "mime": "audio/flac"}, [data])


def title(take: Take | Audio, number: int) -> str:
    """``Take 7`` for the kept take ``0007_…``, else its place in the list."""
    kept = getattr(take, "name", "").partition("_")[0]
    return f"Take {int(kept) if kept.isdecimal() else number}"


def _words(take: Take) -> dict[str, Any]:
    metas = {
        name: getattr(take.song, name) for name in ("bpm", "keyscale", "timesignature", "vocal_language")
    }
    facts = [_fact(name, value) for name, value in metas.items() if value is not None]
    return {"caption": take.song.caption, "facts": [f"seed {take.seed}", *facts]}


def _fact(name: str, value: object) -> str:
    rule = knob(Song, name)
    labels = {choice: label for label, choice in rule.options}
    return labels.get(str(value), f"{value} {rule.unit}".rstrip())


def _bars(take: Take | Audio) -> bytes:
    peaks = take.peaks() if isinstance(take, Audio) else take.peaks
    loudest = peaks.reshape(_BARS, -1).max(axis=1)
    return np.clip(np.rint(loudest * 255), 0, 255).astype(np.uint8).tobytes()
