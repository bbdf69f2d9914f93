"""What fixes change, in fields and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acestep_nb.errors import InputError
from acestep_nb.knobs import knob, to_dict
from acestep_nb.locales import _
from acestep_nb.song import Song
from acestep_nb.writing import Hint


def usable(values: Mapping[str, Any]) -> Song:
    """The song of these fields, those that are wrong left open: the linter looks at what can be read."""
    good = {}
    for name, value in values.items():
        try:
            Song(**{name: value})
        except InputError:
            continue
        good[name] = value
    return Song(**good)


def change_between(before: Song, after: Song) -> dict[str, Any]:
    """The fields in which two songs differ, with the second one's values."""
    old, new = to_dict(before), to_dict(after)
    return {name: value for name, value in new.items() if value != old[name]}


def change_of(hint: Hint, song: Song) -> dict[str, Any]:
    """The fields that the hint's fix sets; none where it has no fix, or nothing to do."""
    return {} if hint.fix is None else change_between(song, hint.fix(song))


def told(change: Mapping[str, Any]) -> str:
    """A change in a few words: ``Tempo → 120 bpm``, or ``Fix`` where words change; empty for none."""
    metas = [
        f"{_(knob(Song, name).label)} → {shown(name, value)}"
        for name, value in change.items()
        if name not in ("caption", "lyrics")
    ]
    return ", ".join(metas) if metas else _("Fix") if change else ""


def shown(name: str, value: object) -> str:
    """The value of a song's field as its knob shows it."""
    if value is None:
        return _("auto")
    rule = knob(Song, name)
    labels = {choice: label for label, choice in rule.options}
    number = f"{value:g}" if isinstance(value, int | float) else str(value)
    return labels.get(str(value), f"{number} {rule.unit}".rstrip())
