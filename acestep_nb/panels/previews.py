"""What a training sounds like: the previews while it goes on, and in the end the adapter at three scales."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from acestep_nb.adapters.dataset import Dataset
from acestep_nb.adapting import PREVIEW_SEED
from acestep_nb.engine import Engine
from acestep_nb.errors import AceStepError
from acestep_nb.locales import _
from acestep_nb.plans import PlanOptions
from acestep_nb.song import Song
from acestep_nb.takes import Take
from acestep_nb.widgets.player import Player

SCALES = (0.0, 0.5, 1.0)
_LATEST = 3  # cards beside the first one


class Previews(Player):
    """A player for the previews of a training: the first one, before anything was learned, and the latest."""

    def __init__(self) -> None:
        self.takes: list[Take] = []
        super().__init__(empty="")

    def hear(self, take: Take) -> None:
        """Show one more preview; a training that begins or goes on begins anew here too."""
        known = {self.key(one, 0): one for one in self.takes} | {self.key(take, 0): take}
        takes = list(known.values())
        self.takes = [*takes[:1], *takes[1:][-_LATEST:]]
        self.show(self.takes)

    def clear(self) -> None:
        """Forget them."""
        self.takes = []
        self.show([])

    def key(self, take: Any, number: int) -> str:
        """A preview is called after its epoch."""
        return str(take.adapters[0].name)

    def card(self, key: str, take: Any, number: int) -> dict[str, Any]:
        """The player's card, headed by the epoch."""
        epoch = int(key.rpartition(" ")[2])
        heading = _("after epoch {epoch}", epoch=epoch) if epoch else _("before the first step")
        return super().card(key, take, number) | {"title": heading}


def song_of(dataset: Dataset) -> Song | None:
    """The words of the first labelled song, which previews and comparisons sing; None if there is none."""
    for sample, caption in zip(dataset.samples, dataset.captions):
        if sample.labeled:
            try:
                return sample.song(caption)
            except AceStepError:  # the training passes it over, too, and tells why
                continue
    return None


def at_scales(engine: Engine, adapter: Path, song: Song, cancel: threading.Event) -> list[Take]:
    """The song from one seed without, with half and with all of an adapter; the engine is then as before."""
    loaded = engine.adapters.load(adapter)
    try:
        takes = []
        for scale in SCALES:
            engine.adapters.change(loaded.name, scale=scale)
            planning = PlanOptions.nothing() if engine.planner else None
            takes += engine.generate(song, seeds=[PREVIEW_SEED], planning=planning, cancel=cancel)
        return takes
    finally:
        engine.adapters.unload(loaded.name)
