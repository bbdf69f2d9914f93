"""Words on a panel, always shown as they are: nothing that a person typed becomes markup."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets

_HERE = Path(__file__).parent
_SHEETS = (_HERE.parent / "widgets" / "static" / "theme.css", _HERE / "style.css")


class Text(ipywidgets.HTML):
    """A piece of plain text with CSS classes; ``say`` changes it, empty text takes no room."""

    def __init__(self, text: str = "", *classes: str, hint: str = "") -> None:
        super().__init__()
        self._hint = f' title="{html.escape(hint)}"' if hint else ""
        for name in ("ace-text", *classes):
            self.add_class(name)
        self.say(text)

    def say(self, text: str) -> None:
        """Show this text."""
        self.value = f"<span{self._hint}>{html.escape(text)}</span>" if text else ""


def button(label: str, *classes: str, hint: str = "") -> ipywidgets.Button:
    """A button with a text on it."""
    made = ipywidgets.Button(description=label, tooltip=hint or label)
    for name in ("ace-button", *classes):
        made.add_class(name)
    return made


def toggle(label: str, *classes: str, hint: str = "", on: bool = False) -> ipywidgets.ToggleButton:
    """A button that stays pressed."""
    made = ipywidgets.ToggleButton(description=label, tooltip=hint or label, value=on)
    for name in ("ace-button", "ace-toggle", *classes):
        made.add_class(name)
    return made


def explained(field: ipywidgets.DOMWidget, words: str) -> ipywidgets.DOMWidget:
    """The same field, which shows these words when the mouse rests on it."""
    older = not field.has_trait("tooltip")  # ipywidgets 7
    setattr(field, "description_tooltip" if older else "tooltip", words)
    return field


def box(children: list[ipywidgets.Widget], *classes: str) -> ipywidgets.Box:
    """Widgets together; the style sheet arranges them by these classes."""
    made = ipywidgets.Box(children)
    for name in ("ace-box", *classes):
        made.add_class(name)
    return made


def shown(widget: ipywidgets.DOMWidget, on: bool) -> None:
    """Show the widget, or let it take no room."""
    widget.layout.display = None if on else "none"


def fold(switch: ipywidgets.ToggleButton, content: ipywidgets.Widget) -> None:
    """Show the content only while the switch is on."""

    def turn(change: Mapping[str, Any]) -> None:
        content.layout.display = None if change["new"] else "none"
        switch.icon = "caret-down" if change["new"] else "caret-right"

    switch.observe(turn, "value")
    turn({"new": switch.value})


def style() -> ipywidgets.HTML:
    """The style sheet of every panel, to be shown with it."""
    rules = "".join(path.read_text("utf-8") for path in _SHEETS)
    sheet = ipywidgets.HTML(f"<style>{rules}</style>")
    sheet.layout.display = "none"
    return sheet


class Picks:
    """A row of buttons of which one stays pressed, or any number of them (``many``); ``changed`` hears a press."""

    def __init__(
        self, options: Mapping[str, str], changed: Callable[[], None], *, many: bool = False, label: str = ""
    ) -> None:
        self.many = many
        self._changed = changed
        self._filling = False
        self.buttons = {value: toggle(text, "ace-pick") for value, text in options.items()}
        for value, own in self.buttons.items():
            own.observe(lambda change, value=value: self._pressed(value), "value")
        head = [Text(label, "ace-label")] if label else []
        self.box = box([*head, *self.buttons.values()], "ace-row", "ace-picks")

    @property
    def value(self) -> tuple[str, ...]:
        """What is pressed."""
        return tuple(value for value, own in self.buttons.items() if own.value)

    @value.setter
    def value(self, values: Iterable[str]) -> None:
        wanted = list(values)
        self._filling = True
        try:
            for value, own in self.buttons.items():
                own.value = value in (wanted if self.many else wanted[:1])
        finally:
            self._filling = False
        self._changed()

    def _pressed(self, value: str) -> None:
        if self._filling:
            return
        self.value = self.value if self.many else (value,)
