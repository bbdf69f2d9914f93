"""Fields: every knob of a dataclass as one thing to read and fill."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import ipywidgets
import traitlets

from acestep_nb.knobs import knob, knobs, to_dict
from acestep_nb.panels.knobs import ChoiceKnob, KnobView, ListKnob, NumberKnob, SwitchKnob, TextKnob

T = TypeVar("T")


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
