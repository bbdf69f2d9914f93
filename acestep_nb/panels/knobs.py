"""Knobs on a panel: each shows one field of a dataclass, with its label, range and help from there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from acestep_nb.errors import AceStepError
from acestep_nb.knobs import knob
from acestep_nb.locales import _
from acestep_nb.panels.text import Text, box, explained, toggle
from acestep_nb.panels.wording import error_in_words

START = {
    **{"bpm": 100, "keyscale": "C major", "timesignature": "4", "vocal_language": "en", "duration": 30.0},
    **{"inference_steps": 8, "shift": 3.0, "guidance_scale": 7.0},
}
"""Where a knob stands when a person takes it off Auto for the first time."""


_PLACES = 6  # finer than any step: a slider in the browser tells 75.00000000000001


class KnobView:
    """A control with what is wrong under it; ``value`` is the field's value as it stands, checked or not."""

    box: ipywidgets.Box

    def __init__(self, owner: type, name: str, changed: Callable[[], None], lock: threading.RLock) -> None:
        self.owner, self.name, self.knob = owner, name, knob(owner, name).spoken
        self.error = Text("", "ace-error")
        self._changed = changed
        self._lock = lock
        self._filling = False

    @property
    def value(self) -> Any:
        """The field's value; None where the model decides."""
        raise NotImplementedError

    @value.setter
    def value(self, value: Any) -> None:
        raise NotImplementedError

    def problem(self) -> AceStepError | None:
        """What is wrong with the value, shown under the knob; None when it is usable."""
        try:
            self.owner(**{self.name: self.value})
        except AceStepError as error:
            self.show(error)
            return error
        self.show(None)
        return None

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the knob, or take it away."""
        self.error.say(error_in_words(error))
        (self.box.remove_class if error is None else self.box.add_class)("ace-wrong")

    def _on_change(self, control: ipywidgets.Widget, react: Callable[[Any], None]) -> None:
        """React to a control, one change at a time: notebooks may call from several threads at once."""

        def locked(change: Any) -> None:
            with self._lock:
                react(change)

        control.observe(locked, "value")

    def _edited(self) -> None:
        self.problem()
        self._changed()


class TextKnob(KnobView):
    """A text area, its label above."""

    def __init__(self, owner: type, name: str, changed: Callable[[], None], lock: threading.RLock) -> None:
        super().__init__(owner, name, changed, lock)
        self.area = ipywidgets.Textarea(description=self.knob.label, placeholder=self.knob.help)
        self.count = Text("", "ace-quiet-text", "ace-count")
        self.box = box([self.area, self.count, self.error], "ace-text-knob", f"ace-knob-{name}")
        self._on_change(self.area, self._typed)

    @property
    def value(self) -> str:
        """The text as typed."""
        return self.area.value

    @value.setter
    def value(self, value: str) -> None:
        self.area.value = value

    def _typed(self, _change: object) -> None:
        told = _("{count} of {limit}", count=f"{len(self.value):,}", limit=f"{self.knob.max_length:,}")
        self.count.say(told if self.value else "")
        self._edited()


class AutoKnob(KnobView):
    """A knob with a header (label, value) and, where the field may stay open, an Auto switch.

    The last of the controls stands below the header, or in it when it ``says`` its label itself.
    """

    def __init__(
        self,
        owner: type,
        name: str,
        changed: Callable[[], None],
        lock: threading.RLock,
        controls: list[ipywidgets.Widget],
        says: bool = False,
    ) -> None:
        super().__init__(owner, name, changed, lock)
        self.told = Text(_("auto"), "ace-told")
        hint = _("{label}: let the model decide", label=self.knob.label)
        self.auto = toggle(_("Auto"), "ace-small", hint=hint, on=self.knob.optional)
        self.auto.layout.display = None if self.knob.optional else "none"
        self._on_change(self.auto, self._switched)
        label = [] if says else [Text(self.knob.label, "ace-label", hint=self.knob.help)]
        top, below = (controls, []) if says else (controls[:-1], controls[-1:])
        header = box([*label, *top, self.told], "ace-head")
        self.box = box([header, *below, self.auto, self.error], "ace-knob", f"ace-knob-{name}")
        self._mark()

    @property
    def value(self) -> Any:
        """What the control shows, or None when Auto is on."""
        return None if self.auto.value else self.control

    @value.setter
    def value(self, value: Any) -> None:
        with self._lock:
            self._filling = True
            try:
                if value is not None:
                    self.control = value
                self.auto.value = value is None and self.knob.optional
            finally:
                self._filling = False
            self._mark()
            self._edited()

    @property
    def control(self) -> Any:
        """What the control shows."""
        raise NotImplementedError

    @control.setter
    def control(self, value: Any) -> None:
        raise NotImplementedError

    def _switched(self, _change: object) -> None:
        if not self._filling:
            self._mark()
            self._edited()

    def _turned(self) -> None:
        """The person moved the control: that ends Auto."""
        if not self._filling:
            self.value = self.control

    def _mark(self) -> None:
        on = self.auto.value
        (self.box.add_class if on else self.box.remove_class)("ace-auto")
        self.told.say(_("auto") if on else self.knob.unit)


class NumberKnob(AutoKnob):
    """A slider with a field beside its label; the field takes any number, so that a wrong one can be explained."""

    def __init__(self, owner: type, name: str, changed: Callable[[], None], lock: threading.RLock) -> None:
        rule = knob(owner, name).spoken
        whole = rule.step == 1
        field, slider = (
            (ipywidgets.IntText, ipywidgets.IntSlider)
            if whole
            else (ipywidgets.FloatText, ipywidgets.FloatSlider)
        )
        self._number = int if whole else float
        low, high, step = (self._number(value) for value in (rule.minimum, rule.maximum, rule.step))
        start = START.get(name, low)
        self.field = field(value=start, description=rule.label)
        self.slider = slider(value=start, min=low, max=high, step=step, description=rule.label, readout=False)
        super().__init__(owner, name, changed, lock, [self.field, self.slider])
        self._on_change(self.field, self._typed)
        self._on_change(self.slider, self._dragged)

    @property
    def control(self) -> float | int:
        """The number in the field, whole ones as ``int``."""
        number = self.field.value
        return int(number) if number == int(number) else number

    @control.setter
    def control(self, value: float | int) -> None:
        self.field.value = self._number(value)
        self.slider.value = self._on_slider

    @property
    def _on_slider(self) -> float | int:
        """The place of the slider that is nearest to what the field says."""
        return min(max(self.field.value, self.slider.min), self.slider.max)

    def _typed(self, _change: object) -> None:
        self._turned()

    def _dragged(self, change: Any) -> None:
        """Take what was dragged, but not what a slider that was set from here tells back: its nearest step."""
        if not self._filling and abs(change["new"] - self._on_slider) > 0.6 * self.slider.step:
            self.value = round(change["new"], _PLACES)


class ChoiceKnob(AutoKnob):
    """A list to choose from."""

    def __init__(self, owner: type, name: str, changed: Callable[[], None], lock: threading.RLock) -> None:
        rule = knob(owner, name).spoken
        self.list = ipywidgets.Dropdown(
            options=rule.options, value=START.get(name, rule.choices[0]), description=rule.label
        )
        super().__init__(owner, name, changed, lock, [self.list])
        self._on_change(self.list, self._chosen)

    @property
    def control(self) -> str:
        """The chosen value."""
        return self.list.value

    @control.setter
    def control(self, value: str) -> None:
        self.list.value = value

    def _chosen(self, _change: object) -> None:
        self._turned()


class SwitchKnob(AutoKnob):
    """A box to tick."""

    def __init__(self, owner: type, name: str, changed: Callable[[], None], lock: threading.RLock) -> None:
        rule = knob(owner, name).spoken
        self.tick = ipywidgets.Checkbox(value=False, description=rule.label, indent=False)
        super().__init__(owner, name, changed, lock, [explained(self.tick, rule.help)], says=True)
        self._on_change(self.tick, self._ticked)

    @property
    def control(self) -> bool:
        """Whether the box is ticked."""
        return self.tick.value

    @control.setter
    def control(self, value: bool) -> None:
        self.tick.value = value

    def _ticked(self, _change: object) -> None:
        self._turned()


class ListKnob(AutoKnob):
    """A line of numbers; what is not a number stays as typed, so that it can be explained."""

    def __init__(self, owner: type, name: str, changed: Callable[[], None], lock: threading.RLock) -> None:
        rule = knob(owner, name).spoken
        self.line = ipywidgets.Text(description=rule.label, placeholder=rule.help)
        super().__init__(owner, name, changed, lock, [self.line])
        self._on_change(self.line, self._typed)

    @property
    def control(self) -> list[float | str]:
        """The numbers in the line."""
        return [_number(word) for word in self.line.value.replace(",", " ").split()]

    @control.setter
    def control(self, value: Sequence[float | str]) -> None:
        self.line.value = ", ".join(str(item) for item in value)

    def _typed(self, _change: object) -> None:
        self._turned()


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
