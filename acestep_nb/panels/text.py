"""Words on a panel, always shown as they are: nothing that a person typed becomes markup."""

from __future__ import annotations

import html

import ipywidgets


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


def box(children: list[ipywidgets.Widget], *classes: str) -> ipywidgets.Box:
    """Widgets together; the style sheet arranges them by these classes."""
    made = ipywidgets.Box(children)
    for name in ("ace-box", *classes):
        made.add_class(name)
    return made
