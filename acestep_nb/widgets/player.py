"""The player: waveforms at once, sound when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from acestep_nb.audio import Audio
from acestep_nb.errors import AceStepError
from acestep_nb.knobs import knob
from acestep_nb.locales import _, later
from acestep_nb.song import Song
from acestep_nb.takes import Take
from acestep_nb.widgets.sounding import SOUND_WORDS, SoundWidget, title
from acestep_nb.widgets.sounds import waveform

_STATIC = Path(__file__).parent / "static"


class Player(SoundWidget):
    """A card with a waveform and a play button for each take (or plain ``Audio``) that it is given.

    Peaks travel with the widget, so the waveform is there at once; the sound follows when it is asked for.
    ``labels`` name the cards otherwise than by their number.
    """

    _esm = _STATIC / "player.js"
    _css = "".join((_STATIC / name).read_text("utf-8") for name in ("theme.css", "player.css"))

    says: ClassVar[tuple[str, ...]] = (
        *SOUND_WORDS,
        later("Position in {title}"),
        later("Star"),
        later("Starred"),
    )

    cards = traitlets.List(traitlets.Dict()).tag(sync=True)
    waiting = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    empty = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, takes: Take | Audio | Iterable[Take | Audio] = (), labels: Iterable[str] = (), **traits: Any
    ) -> None:
        super().__init__(**{"empty": _("Nothing to play."), **traits})
        self.show([takes] if isinstance(takes, Take | Audio) else takes, labels)

    def show(self, takes: Iterable[Take | Audio], labels: Iterable[str] = ()) -> None:
        """Show these takes, in this order, instead of those before; a sound that stays plays on."""
        with self._guard:
            listed = list(takes)
            self._sounds = {self.key(take, number): take for number, take in enumerate(listed, 1)}
            cards = [self.card(key, take, at) for at, (key, take) in enumerate(self._sounds.items(), 1)]
            names = list(labels)
            named = [card | {"title": name} for card, name in zip(cards, names)]
            self.cards = named + cards[len(names) :]

    def key(self, take: Take | Audio, number: int) -> str:
        """What the browser calls this sound: the take's name once it is kept, else its place in the list."""
        return getattr(take, "name", "") or f"sound {number}"

    def card(self, key: str, take: Take | Audio, number: int) -> dict[str, Any]:
        """One card in plain values, its waveform as bytes 0–255; of a damaged take what is wrong with it."""
        try:
            sound = {"duration": take.duration, "peaks": waveform(take), "problem": ""}
        except AceStepError as error:
            sound = {"duration": 0.0, "peaks": b"", "problem": str(error)}
        words = {"caption": "", "facts": []} if isinstance(take, Audio) else _words(take)
        plain = {"starred": None, "scores": [], "actions": [], "menu": None}
        return {"id": key, "title": title(take, number), **words, **sound, **plain}


def _words(take: Take) -> dict[str, Any]:
    metas = {
        name: getattr(take.song, name) for name in ("bpm", "keyscale", "timesignature", "vocal_language")
    }
    facts = [_fact(name, value) for name, value in metas.items() if value is not None]
    return {"caption": take.song.caption, "facts": [_("seed {seed}", seed=take.seed), *facts]}


def _fact(name: str, value: object) -> str:
    rule = knob(Song, name)
    labels = {choice: _(label) for label, choice in rule.options}
    return labels.get(str(value), f"{value} {rule.unit}".rstrip())
