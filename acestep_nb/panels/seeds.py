"""The seeds of a batch: one field with a lock for each kind of chance that the task has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import ipywidgets

from acestep_nb.errors import AceStepError
from acestep_nb.locales import _, later
from acestep_nb.panels.batches import Again
from acestep_nb.panels.text import Text, box, button, shown, toggle
from acestep_nb.panels.wording import error_in_words
from acestep_nb.seeds import SEEDS, Seeds, batch_seeds, fresh_seeds, parse_seeds
from acestep_nb.work import Work

BATCHES = (1, 2, 4, 8)
NOISE = "noise"
KINDS = {field.name for field in fields(Seeds)}
_TAGS = {
    NOISE: (later("Noise seeds"), later("noise"), later("Where each take starts: one number per take")),
    "planner": (later("Planner seeds"), later("planner"), later("What the planner writes")),
    "sde": (later("SDE seeds"), later("steps"), later("The fresh noise of each step")),
    "reference": (later("Crop seeds"), later("crops"), later("Which parts of the reference are heard")),
    "retake": (later("Retake seeds"), later("retake"), later("The noise that Variation mixes in")),
}


class SeedField:
    """Numbers of one kind with their lock; typing locks them. Fewer numbers than takes are used by turns."""

    def __init__(self, kind: str, changed: Callable[[str], None], lock: threading.RLock) -> None:
        label, tag, hint = map(_, _TAGS[kind])
        self.kind = kind
        self._changed = changed
        self._guard = lock
        self._filling = False
        self.field = ipywidgets.Text(description=label, placeholder=_(SEEDS.help))
        hint_of_lock = _("{label}: locked ones stay, free ones are drawn anew", label=label)
        self.lock = toggle(_("free"), "ace-lock", hint=hint_of_lock)
        self.box = box(
            [Text(tag, "ace-tag", hint=hint), self.field, self.lock], "ace-seed", f"ace-seed-{kind}"
        )
        self.field.observe(self._typed, "value")
        self.lock.observe(self._locked, "value")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers; ``InputError`` when the field holds anything else."""
        return parse_seeds(self.field.value)

    def show(self, numbers: Iterable[int] | str) -> None:
        """Put numbers (or text as typed once) into the field; that is no typing."""
        with self._guard:
            self._filling = True
            try:
                text = numbers if isinstance(numbers, str) else ", ".join(str(number) for number in numbers)
                self.field.value = text
            finally:
                self._filling = False

    def _typed(self, _change: object) -> None:
        with self._guard:
            if not self._filling:
                self.lock.value = True  # whoever types a seed wants that one
                self._changed(self.kind)

    def _locked(self, change: Any) -> None:
        self.lock.description = _("locked") if change["new"] else _("free")
        self._changed(self.kind)


class SeedsForm:
    """The seeds of the next batch. Free ones are drawn anew for each batch, locked ones stay.

    While the noise is free, other free seeds follow from it, as ``Seeds.of`` derives them; when it is locked they
    are drawn on their own.
    """

    def __init__(self, changed: Callable[[], None], lock: threading.RLock) -> None:
        self._changed = changed
        self._guard = lock
        self._filling = False
        self._used: frozenset[str] = frozenset()
        self.fields = {kind: SeedField(kind, self._edited, lock) for kind in _TAGS}
        self.all = toggle(_("Lock all"), "ace-flat", hint=_("Lock every seed, or free all of them"))
        self.new = button(_("New noise"), "ace-flat", hint=_("Draw new noise seeds now"))
        self.batch = ipywidgets.ToggleButtons(
            options=[(str(size), size) for size in BATCHES], value=BATCHES[1]
        )
        self.batch.add_class("ace-batch")
        self.error = Text("", "ace-error")
        rows = [field.box for field in self.fields.values()]
        self.box = box([*rows, self.all, self.new, self.error], "ace-row", "ace-seeds")
        self.use(())
        self._draw()
        self.batch.observe(self._sized, "value")
        self.all.observe(self._lock_all, "value")
        self.new.on_click(lambda _button: self._draw())

    @property
    def noise(self) -> SeedField:
        """The field of the noise seeds."""
        return self.fields[NOISE]

    @property
    def seeds(self) -> tuple[Seeds, ...]:
        """The seeds of each take; ``InputError`` when a field holds anything but seeds."""
        made = batch_seeds(self.noise.numbers)
        for kind in self._others:
            numbers = self.fields[kind].numbers
            made = tuple(replace(own, **{kind: numbers[i % len(numbers)]}) for i, own in enumerate(made))
        return made

    @seeds.setter
    def seeds(self, seeds: Iterable[int | Seeds]) -> None:
        with self._guard:
            records = batch_seeds(seeds)
            for kind, field in self.fields.items():
                field.show(getattr(record, kind) for record in records)
                field.lock.value = True
            self._edited(NOISE)

    def use(self, kinds: Iterable[str]) -> None:
        """Show the fields of these kinds beside the noise; chance of other kinds plays no part."""
        self._used = frozenset(kinds)
        for kind, field in self.fields.items():
            shown(field.box, kind == NOISE or kind in self._used)
        shown(self.all, bool(self._used))

    def next(self) -> tuple[Seeds, ...]:
        """The seeds of the next batch: drawn anew and shown where they are not locked."""
        with self._guard:
            if not self.noise.lock.value:
                self._draw()
            else:
                count = len(self.noise.numbers)
                for field in self._free:
                    field.show(fresh_seeds(count))
                self._changed()
            return self.seeds

    @property
    def again(self) -> Again:
        """What makes the work of a further batch: new noise, and new other seeds but for those locked now."""
        kept = [kind for kind in self._others if self.fields[kind].lock.value]

        def again(work: Work) -> Work:
            fresh = batch_seeds(fresh_seeds(len(work.seeds)))
            seeds = (
                replace(own, **{kind: getattr(old, kind) for kind in kept})
                for own, old in zip(fresh, work.seeds, strict=True)
            )
            return replace(work, seeds=tuple(seeds))

        return again

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the fields, or take it away."""
        self.error.say(error_in_words(error))
        (self.box.remove_class if error is None else self.box.add_class)("ace-wrong")

    @property
    def raw(self) -> dict[str, Any]:
        """The fields and their locks as they stand."""
        return {
            kind: {"text": field.field.value, "locked": field.lock.value}
            for kind, field in self.fields.items()
        }

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set what ``raw`` told."""
        with self._guard:
            for kind, field in self.fields.items():
                if isinstance(own := values.get(kind), Mapping):
                    field.show(str(own.get("text", field.field.value)))
                    field.lock.value = bool(own.get("locked", False))
            self._check()

    @property
    def _others(self) -> list[str]:
        return [kind for kind in self.fields if kind in self._used]

    @property
    def _free(self) -> list[SeedField]:
        others = [field for kind, field in self.fields.items() if kind != NOISE]
        return [field for field in others if not field.lock.value]

    def _draw(self) -> None:
        with self._guard:
            try:
                count = self.batch.value or len(self.noise.numbers)
            except AceStepError:
                count = 1
            self.noise.show(fresh_seeds(count))
            self._edited(NOISE)

    def _edited(self, kind: str) -> None:
        with self._guard:
            if kind == NOISE and self._check():
                records = batch_seeds(self.noise.numbers)
                for field in self._free:
                    field.show(getattr(record, field.kind) for record in records)
            self._check()
            self._changed()

    def _check(self) -> bool:
        """Whether every field can be read; what is wrong is shown."""
        try:
            size = len(self.seeds)
        except AceStepError as error:
            self.show(error)
            return False
        self.show(None)
        self._filling = True
        self.batch.value = size if size in BATCHES else None
        self.all.value = all(self.fields[kind].lock.value for kind in (NOISE, *self._others))
        self._filling = False
        return True

    def _lock_all(self, change: Any) -> None:
        with self._guard:
            if not self._filling:
                for field in self.fields.values():
                    field.lock.value = change["new"]

    def _sized(self, change: Any) -> None:
        with self._guard:
            if self._filling or change["new"] is None:
                return
            try:
                noises = self.noise.numbers
            except AceStepError:
                noises = ()
            missing = max(change["new"] - len(noises), 0)
            self.noise.show([*noises[: change["new"]], *fresh_seeds(missing)])
            self._edited(NOISE)
