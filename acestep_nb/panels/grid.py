"""The takes of a project as cards that can be played, starred, reused and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from acestep_nb.audio import Audio
from acestep_nb.takes import Take
from acestep_nb.widgets.player import Player

_REUSE = ["reuse", "Reuse", "Put this take's words, metas and seed back into the form"]
_REMOVE = ["remove", "Remove", "Move this take to the project's trash"]
_KEEP = ["keep", "Keep", "Try again to write this take into the project folder"]


class TakeGrid(Player):
    """A player whose cards have buttons; ``on_act`` hears ``(kind, take, message)`` of each press."""

    def __init__(self, on_act: Callable[[str, Take, Mapping[str, Any]], None]) -> None:
        self._on_act = on_act
        self._starred: frozenset[str] = frozenset()
        super().__init__(empty="No takes yet. Write a caption, then press Generate.")

    def show_project(self, takes: Iterable[Take], starred: frozenset[str]) -> None:
        """Show these takes, those whose name is in ``starred`` with a star."""
        self._starred = starred
        self.show(takes)

    def key(self, take: Take | Audio, number: int) -> str:
        """The take's name once it is kept; before, something that only this take has."""
        return getattr(take, "name", "") or f"unsaved {id(take)}"

    def card(self, key: str, take: Take | Audio, number: int) -> dict[str, Any]:
        """The player's card with the buttons that fit the take."""
        card = super().card(key, take, number)
        if getattr(take, "name", ""):
            return card | {"starred": key in self._starred, "actions": [_REUSE, _REMOVE]}
        return card | {"title": "Not kept yet", "actions": [_KEEP, _REUSE, _REMOVE]}

    def act(self, kind: str, take: Take | Audio, message: Mapping[str, Any]) -> None:
        """Hand a press on to the panel."""
        if isinstance(take, Take):
            self._on_act(kind, take, message)
