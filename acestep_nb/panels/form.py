"""The form: every knob of a dataclass as one thing to read and fill, and the seeds with their lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import ipywidgets
import traitlets

from acestep_nb.errors import AceStepError
from acestep_nb.knobs import knob, knobs, to_dict
from acestep_nb.panels.knobs import ChoiceKnob, KnobView, ListKnob, NumberKnob, SwitchKnob, TextKnob
from acestep_nb.panels.text import Text, box, button, toggle
from acestep_nb.seeds import SEEDS, fresh_seeds, parse_seeds

T = TypeVar("T")
BATCHES = (1, 2, 4, 8)


class Fields(Generic[T]):
    """The knobs of one dataclass; ``value`` is an instance of it, as the knobs stand.

    ``kinds`` are knobs of a kind of their own, by field.
    """

    def __init__(
        self,
        owner: type[T],
        changed: Callable[[], None],
        lock: threading.RLock,
        kinds: Mapping[str, type[KnobView]] = MappingProxyType({}),
    ) -> None:
        self.owner = owner
        self.views: dict[str, KnobView] = {
            name: kinds.get(name, _kind(owner, name))(owner, name, changed, lock) for name in knobs(owner)
        }

    def __getitem__(self, name: str) -> ipywidgets.Box:
        return self.views[name].box

    @property
    def value(self) -> T:
        """The instance; when a knob is wrong every wrong one is marked and the first one's error raised."""
        problems = [problem for view in self.views.values() if (problem := view.problem())]
        if problems:
            raise problems[0]
        return self.owner(**self.raw)

    @value.setter
    def value(self, value: T) -> None:
        self.fill(to_dict(value))

    @property
    def raw(self) -> dict[str, Any]:
        """Each knob as it stands, checked or not."""
        return {name: view.value for name, view in self.views.items()}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set the knobs that are named; a value that a control cannot hold leaves it as it is."""
        for name, view in self.views.items():
            if name in values:
                try:
                    view.value = values[name]
                except (traitlets.TraitError, TypeError, ValueError):
                    continue


def _kind(owner: type, name: str) -> type[KnobView]:
    rule = knob(owner, name)
    if rule.choices:
        return ChoiceKnob
    if rule.switch:
        return SwitchKnob
    if rule.max_items is not None:
        return ListKnob
    return TextKnob if rule.max_length else NumberKnob


class SeedsForm:
    """The noise seeds, one per take: free ones are drawn anew for each batch, locked ones stay."""

    def __init__(self, changed: Callable[[], None], lock: threading.RLock) -> None:
        self._changed = changed
        self._lock = lock
        self._filling = False
        self.field = ipywidgets.Text(
            description="Noise seeds", placeholder=SEEDS.help, value=_text(fresh_seeds(BATCHES[1]))
        )
        self.lock = toggle(
            "free", "ace-lock", hint="Locked seeds stay for the next batch; free ones are drawn anew"
        )
        self.new = button("New noise", "ace-flat", hint="Draw new seeds now")
        self.batch = ipywidgets.ToggleButtons(
            options=[(str(size), size) for size in BATCHES], value=BATCHES[1]
        )
        self.batch.add_class("ace-batch")
        self.error = Text("", "ace-error")
        self.box = box(
            [box([Text("noise", "ace-tag"), self.field, self.lock], "ace-seed"), self.new, self.error],
            "ace-row",
            "ace-seeds",
        )
        self.field.observe(self._typed, "value")
        self.lock.observe(self._locked, "value")
        self.batch.observe(self._sized, "value")
        self.new.on_click(lambda _button: self._draw())

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds in the field; ``InputError`` when it holds anything else."""
        return parse_seeds(self.field.value)

    @seeds.setter
    def seeds(self, seeds: Iterable[int]) -> None:
        with self._lock:
            self._fill(_text(seeds))
            self._typed(None)

    def next(self) -> tuple[int, ...]:
        """The seeds of the next batch: drawn anew and shown, unless they are locked."""
        with self._lock:
            if not self.lock.value:
                self._draw()
            return self.seeds

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the field, or take it away."""
        self.error.say("" if error is None else str(error))
        (self.box.remove_class if error is None else self.box.add_class)("ace-wrong")

    @property
    def raw(self) -> dict[str, Any]:
        """The field and its lock as they stand."""
        return {"text": self.field.value, "locked": self.lock.value}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Set what ``raw`` told."""
        self._fill(str(values.get("text", self.field.value)))
        self.lock.value = bool(values.get("locked", False))

    def _draw(self) -> None:
        with self._lock:
            try:
                count = self.batch.value or len(self.seeds)
            except AceStepError:
                count = 1
            self._fill(_text(fresh_seeds(count)))
            self._changed()

    def _fill(self, text: str) -> None:
        with self._lock:
            self._filling = True
            try:
                self.field.value = text
            finally:
                self._filling = False
            self._check()

    def _check(self) -> None:
        try:
            size = len(self.seeds)
        except AceStepError as error:
            self.show(error)
            return
        self.show(None)
        self._filling = True
        self.batch.value = size if size in BATCHES else None
        self._filling = False

    def _typed(self, _change: object) -> None:
        with self._lock:
            if not self._filling:
                self.lock.value = True  # whoever types a seed wants that one
                self._check()
                self._changed()

    def _locked(self, change: Any) -> None:
        self.lock.description = "locked" if change["new"] else "free"
        self._changed()

    def _sized(self, change: Any) -> None:
        with self._lock:
            if self._filling or change["new"] is None:
                return
            try:
                seeds = self.seeds
            except AceStepError:
                seeds = ()
            missing = max(change["new"] - len(seeds), 0)
            self._fill(_text([*seeds[: change["new"]], *fresh_seeds(missing)]))
            self._changed()


def _text(seeds: Iterable[int]) -> str:
    return ", ".join(str(seed) for seed in seeds)
