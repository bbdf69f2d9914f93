"""What a person does at a panel, for tests in this process: press, wait, look."""

from __future__ import annotations

import time

import ipywidgets

from acestep_nb import Song
from acestep_nb.panels import Panel
from acestep_nb.widgets.upload import Upload

WORDS = Song(caption="rainy night", lyrics="[Verse]\nla la la", bpm=76, duration=10)


def until(holds, seconds: float = 300, what: str = "it") -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.01)


def finish(panel: Panel) -> None:
    """Wait until nothing is under way."""

    def idle() -> bool:
        with panel._session.lock:
            return not panel._session.busy

    until(idle, what="the end of the batch")


def press(button: ipywidgets.Button, panel: Panel) -> None:
    """Press a button and wait for what comes of it."""
    button.click()
    finish(panel)


def send(panel: Panel, kind: str, key: str, **more: object) -> None:
    """What a card sends when one of its buttons is pressed."""
    panel._view.grid._handle_custom_msg({"kind": kind, "id": key, **more}, [])


def upload(field: Upload, name: str, data: bytes) -> None:
    """What the browser sends when a file was chosen: pieces of it, here two."""
    half = len(data) // 2
    for begin, piece in ((0, data[:half]), (half, data[half:])):
        message = {"kind": "piece", "name": name, "size": len(data), "begin": begin}
        field._handle_custom_msg(message, [memoryview(piece)])


def said(widget: ipywidgets.Widget) -> str:
    """All that the texts of a panel show."""
    inside = " ".join(said(child) for child in getattr(widget, "children", ()))
    return f"{widget.value} {inside}" if isinstance(widget, ipywidgets.HTML) else inside
