"""The takes of a project as cards that can be played, compared, sent on, starred and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from acestep_nb.audio import Audio
from acestep_nb.index import Entry
from acestep_nb.locales import _, later
from acestep_nb.panels.tasks import TASK_VIEWS
from acestep_nb.takes import Take
from acestep_nb.widgets.player import Player

_REUSE = ("reuse", later("Reuse"), later("Let the form ask for this very take again"))
_REMOVE = ("remove", later("Remove"), later("Move this take to the project's trash"))
_KEEP = ("keep", later("Keep"), later("Try again to write this take into the project folder"))


class TakeGrid(Player):
    """A player whose cards have buttons; ``on_act`` hears ``(kind, take, message)`` of each press."""

    def __init__(
        self, on_act: Callable[[str, Take, Mapping[str, Any]], None], tasks: Sequence[str] = ()
    ) -> None:
        self._on_act = on_act
        self._entries: Mapping[str, Entry] = {}
        sending = {name: _(TASK_VIEWS[name].label) for name in tasks if TASK_VIEWS[name].source}
        if "repaint" in sending:
            sending["extend"] = _("Extend")
        self._menu = [_("Send to…"), [*sending.items(), ("reference", _("Reference"))]]
        super().__init__(empty=_("No takes yet. Write a caption, then press Generate."))

    def show_project(self, takes: Iterable[Take], entries: Iterable[Entry]) -> None:
        """Show these takes with what the entries tell of them."""
        self._entries = {entry.name: entry for entry in entries}
        self.show(takes)

    def key(self, take: Take | Audio, number: int) -> str:
        """The take's name once it is kept; before, something that only this take has."""
        return getattr(take, "name", "") or f"unsaved {id(take)}"

    def card(self, key: str, take: Take | Audio, number: int) -> dict[str, Any]:
        """The player's card with the buttons that fit the take."""
        card = super().card(key, take, number)
        entry = self._entries.get(key)
        if entry is None:
            return card | {"title": _("Not kept yet"), "actions": _told(_KEEP, _REUSE, _REMOVE)}
        task = [] if entry.task == "text2music" else [_(TASK_VIEWS[entry.task].label)]
        rejected = [_("rejected")] if entry.marks.rejected else []
        note = [entry.marks.note] if entry.marks.note else []
        return card | {
            "facts": [*rejected, *task, *card["facts"], *note],
            "scores": [
                [label, value]
                for label, value in ((_("lyrics"), entry.lyrics_alignment), (_("quality"), entry.quality))
                if value is not None
            ],
            "starred": entry.marks.starred,
            "actions": _told(_REUSE, _REMOVE),
            "menu": self._menu,
        }

    def act(self, kind: str, take: Take | Audio, message: Mapping[str, Any]) -> None:
        """Hand a press on to the panel."""
        if isinstance(take, Take):
            self._on_act(kind, take, message)


def _told(*actions: tuple[str, str, str]) -> list[list[str]]:
    return [[kind, _(label), _(help)] for kind, label, help in actions]
