"""Where a take comes from: what differs between two takes, in words, and the tree of takes made from takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from html import escape
from typing import Any

from acestep_nb.adapters.uses import AdapterUse
from acestep_nb.edits import Source
from acestep_nb.index import Entry
from acestep_nb.knobs import Knob, knobs
from acestep_nb.locales import _, later
from acestep_nb.seeds import Seeds
from acestep_nb.takes import Take

BESIDE = ("created", "timings", "notes", "parent", "name", "folder", "audio", "latents")
"""Fields of a take that tell of its making and its place, not of what made it."""
_LABELS = {
    "seeds.noise": later("Noise seed"),
    "seeds.retake": later("Retake seed"),
    "seeds.sde": later("SDE seed"),
    "seeds.reference": later("Reference seed"),
    "seeds.planner": later("Planner seed"),
    "edit.sources": later("Source"),
    "edit.region": later("Region"),
    "edit.repaint": later("Repaint options"),
    "edit.tracks": later("Tracks"),
    "codes": later("Codes"),
    "reference": later("Reference"),
    "adapters": later("Adapters"),
    "planned.planner": later("Planner"),
    "planned.planner_hash": later("Planner files"),
    "planned.text": later("Plan"),
    "planned.asked": later("Song as asked"),
    "checkpoint": later("Checkpoint"),
    "checkpoint_hash": later("Checkpoint files"),
    "dtype": later("Number format"),
    "device": later("Device"),
    "task": later("Task"),
}
_DEEPEST = 24  # steps to the right that a tree is drawn
_LONGEST = 40  # letters of a value


@dataclass(frozen=True)
class Change:
    """One thing that differs: ``field`` as a path such as "song.bpm", its label, and both values as they stand.

    ``str(change)`` says it in the language of the interface: "Noise seed 7 → 8".
    """

    field: str
    label: str
    before: Any
    after: Any
    rule: Knob | None = None

    def __str__(self) -> str:
        before, after = _apart(self.before, self.after)
        told = (value_in_words(before, self.rule), value_in_words(after, self.rule))
        if told[0] == told[1]:  # long values that differ somewhere inside
            return _("{label} changed", label=self.label)
        return f"{self.label} {told[0]} → {told[1]}"


def changes(child: Take, parent: Take) -> tuple[Change, ...]:
    """What made the one take and not the other, field by field; empty for takes that are made alike.

    Seeds that follow from another noise seed are not told beside it.
    """
    found = list(_between("", "", child, parent))
    if child.task != parent.task:
        found = [change for change in found if change.field not in ("edit.task", "edit.repaint")]
        found.insert(0, Change("task", _(_LABELS["task"]), parent.task, child.task))
    derived = all(take.seeds == Seeds.of(take.seed) for take in (child, parent))
    if derived and child.seed != parent.seed:
        found = [change for change in found if not change.field.startswith("seeds.") or _is_noise(change)]
    return tuple(found)


def in_words(found: Iterable[Change]) -> str:
    """The changes in one line, or that there are none."""
    return " · ".join(map(str, found)) or _("nothing changed")


def _is_noise(change: Change) -> bool:
    return change.field == "seeds.noise"


def _between(path: str, label: str, new: Any, old: Any, rule: Knob | None = None) -> Iterator[Change]:
    """The changes of one value and of what is inside it; of one that is missing the fields stand at their defaults."""
    owner = type(old if new is None else new)
    if is_dataclass(owner) and owner is not Source:
        found = [change for field in fields(owner) for change in _inside(path, field, owner, new, old)]
        yield from found
        if found or new == old or not path:
            return
    elif issubclass(owner, Mapping):
        for key in sorted({*(new or ()), *(old or ())}):
            yield from _between(f"{path}.{key}", key, (new or {}).get(key), (old or {}).get(key))
        return
    if new != old:
        yield Change(path, label, old, new, rule)


def _inside(path: str, field: Field[Any], owner: type, new: Any, old: Any) -> Iterator[Change]:
    if not path and field.name in BESIDE:
        return
    default = None if field.default is MISSING else field.default
    now, then = (default if value is None else getattr(value, field.name) for value in (new, old))
    inner, rule = f"{path}.{field.name}".lstrip("."), knobs(owner).get(field.name)
    label = _(rule.label) if rule else _(_LABELS[inner]) if inner in _LABELS else field.name
    if path.startswith("planned.asked"):
        label = _("{label} as asked", label=label)
    yield from _between(inner, label, now, then, rule)


def _apart(before: Any, after: Any) -> tuple[Any, Any]:
    """Two texts from the word on in which they differ; other values as they are."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return before, after
    same = next((i for i, (one, two) in enumerate(zip(before, after)) if one != two), -1)
    same = min(len(before), len(after)) if same < 0 else same
    start = max(before.rfind(" ", 0, same), before.rfind("\n", 0, same)) + 1
    return "…" * (start > 0) + before[start:], "…" * (start > 0) + after[start:]


def value_in_words(value: Any, rule: Knob | None) -> str:
    """The value of a field in a few words, as its knob names it: "auto", "on", "92 bpm", "A minor"."""
    if value is None or value == ():
        return _("auto") if rule is not None and rule.optional else "–"
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, Source):
        return value.name or _("sound of {seconds} s", seconds=f"{value.duration:.10g}")
    if isinstance(value, AdapterUse):
        return f"{value.name} {value.scale:g}"
    if isinstance(value, tuple):
        return _told_list(value, rule)
    if is_dataclass(value):
        return _("as by default")
    if isinstance(value, (int, float)):
        return f"{value:.10g} {rule.unit if rule else ''}".rstrip()
    if rule is not None and rule.choices:
        return _(dict(zip(rule.choices, rule.choice_labels or rule.choices)).get(value, str(value)))
    text = one_line(str(value))
    return text if rule is None else f"“{text}”"


def one_line(text: str, longest: int = _LONGEST) -> str:
    """The beginning of a text on one line, so many letters at most; an ellipsis stands for the rest."""
    words = " ".join(text.split())
    return words if len(words) <= longest else f"{words[:longest].rstrip()}…"


def _told_list(values: tuple[Any, ...], rule: Knob | None) -> str:
    if rule is None and len(values) == 2 and all(isinstance(value, float) for value in values):
        return f"{values[0]:.10g}–{values[1]:.10g} s"
    if all(isinstance(value, int) for value in values):
        return _("{count} codes", count=len(values))
    return ", ".join(value_in_words(value, None) for value in values)


@dataclass(frozen=True)
class Lineage:
    """Takes as a tree: ``rows`` are (depth, entry) from top to bottom, children below what they were made from.

    A notebook shows it as a list, ``str`` as text.
    """

    rows: tuple[tuple[int, Entry], ...]

    def __str__(self) -> str:
        rows = ((max(depth - 1, 0) * "   " + "└─ " * (depth > 0), entry) for depth, entry in self._drawn())
        return "\n".join(f"{branch}{_row(entry)}" for branch, entry in rows)

    @property
    def html(self) -> str:
        """The tree as HTML; what a person wrote stays text."""
        rows = ((depth * 1.5, escape(_row(entry))) for depth, entry in self._drawn())
        return "".join(f'<div style="padding-left: {indent}em">{words}</div>' for indent, words in rows)

    def _repr_html_(self) -> str:
        return self.html

    def _drawn(self) -> Iterator[tuple[int, Entry]]:
        return ((min(depth, _DEEPEST), entry) for depth, entry in self.rows)


def lineage(entries: Iterable[Entry], of: str | None = None) -> Lineage:
    """The tree of these entries, given newest first as by ``history.entries``; with ``of`` only that take's own tree.

    A take whose parent is gone, or is not older than itself, stands at the root.
    """
    listed = list(entries)
    place = {entry.name: i for i, entry in enumerate(listed)}
    children: dict[str | None, list[Entry]] = {}
    for i, entry in enumerate(listed):
        known = entry.parent is not None and place.get(entry.parent, -1) > i
        children.setdefault(entry.parent if known else None, []).append(entry)
    rows: list[tuple[int, Entry]] = []
    left = [(0, entry) for entry in reversed(children.get(None, []))]
    while left:
        depth, entry = left.pop()
        rows.append((depth, entry))
        left += [(depth + 1, child) for child in children.get(entry.name, [])]  # the oldest one on top
    return Lineage(tuple(rows if of is None else _own(rows, of)))


def _own(rows: list[tuple[int, Entry]], name: str) -> list[tuple[int, Entry]]:
    """The rows from the root above that take to the next root."""
    roots = [i for i, (depth, _entry) in enumerate(rows) if depth == 0]
    place = next((i for i, (_depth, entry) in enumerate(rows) if entry.name == name), None)
    if place is None:
        return []
    start = max(root for root in roots if root <= place)
    return rows[start : next((root for root in roots if root > start), len(rows))]


def _row(entry: Entry) -> str:
    words = [entry.name, entry.task]
    if entry.marks.starred:
        words.append("★")
    if entry.marks.rejected:
        words.append(_("rejected"))
    return " · ".join(words)
