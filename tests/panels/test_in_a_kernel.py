"""The studio in a kernel of its own, asked as a browser asks: messages of widgets over the wire."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from acestep_nb import History

CELL = """
from acestep_nb import Song, Studio
song = Song(caption="rainy night", lyrics="[Verse]\\nla la la", bpm=76, duration=10)
studio = Studio({checkpoint!r}, project={project!r}, song=song)
studio.seeds = [7]
studio
"""


class Browser:
    """Hears every message of the kernel and keeps the state of each widget, as a page does."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.states: dict[str, dict[str, Any]] = {}
        self.others: list[dict[str, Any]] = []  # what is no widget's state
        self.bytes = 0  # that came so far

    def run(self, code: str) -> None:
        """Run a cell to its end."""
        asked = self.client.execute(code)
        self.until(lambda: any(_ends(message, asked) for message in self.others), "the cell's end")

    def find(self, **traits: object) -> str:
        """Which widget has these traits."""
        [found] = [key for key, state in self.states.items() if traits.items() <= state.items()]
        return found

    def send(self, widget: str, **data: object) -> None:
        """Send a message to a widget."""
        content = {"comm_id": widget, "data": data}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))

    def until(self, holds, what: str, seconds: float = 300) -> None:
        """Listen until a condition holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
            try:
                self._hear(self.client.get_iopub_msg(timeout=0.5))
            except queue.Empty:
                continue

    def _hear(self, message: dict[str, Any]) -> None:
        content = message["content"]
        self.bytes += len(json.dumps(content, default=str)) + sum(map(len, message["buffers"]))
        data = content.get("data", {})
        if message["msg_type"] == "comm_open":
            self.states[content["comm_id"]] = dict(data["state"])
        elif message["msg_type"] == "comm_msg" and data.get("method") == "update":
            self.states[content["comm_id"]].update(data["state"])
        else:
            self.others.append(message)


def _ends(message: dict[str, Any], asked: str) -> bool:
    idle = message["content"].get("execution_state") == "idle"
    return idle and message["parent_header"].get("msg_id") == asked


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A page in front of a fresh kernel."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield Browser(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_press_makes_a_take_that_is_sent_when_it_is_played(browser, tiny_checkpoint, tmp_path):
    browser.run(CELL.format(checkpoint=str(tiny_checkpoint), project=str(tmp_path / "p")))
    assert not [m for m in browser.others if m["msg_type"] in ("error", "stream")], browser.others
    grid = browser.find(_anywidget_id="acestep_nb.panels.grid.TakeGrid")
    button = browser.find(_model_name="ButtonModel", description="Generate")
    browser.others.clear()
    browser.send(button, method="custom", content={"event": "click"})
    browser.until(lambda: browser.states[grid]["cards"], "a card")
    [card] = browser.states[grid]["cards"]
    assert card["title"] == "Take 1" and "seed 7" in card["facts"]
    browser.send(grid, method="custom", content={"kind": "sound", "id": card["id"], "request": "r1"})
    browser.until(lambda: sounds(browser), "the sound")
    [answer] = sounds(browser)
    assert answer["content"]["data"]["content"]["mime"] == "audio/flac"
    assert bytes(answer["buffers"][0][:4]) == b"fLaC"
    assert not [m for m in browser.others if m["msg_type"] in ("error", "stream", "display_data")]


def test_a_wrong_number_is_told_under_its_field(browser, tiny_checkpoint, tmp_path):
    browser.run(CELL.format(checkpoint=str(tiny_checkpoint), project=str(tmp_path / "p")))
    tempo = browser.find(_model_name="IntTextModel", value=76)
    browser.send(tempo, method="update", state={"value": 12}, buffer_paths=[])
    browser.until(
        lambda: any("30–300" in str(state.get("value")) for state in browser.states.values()), "the words"
    )


def test_a_hundred_takes_are_two_megabytes_at_most(browser, tiny_checkpoint, tmp_path, make_take):
    history = History(tmp_path / "p")
    for seed in range(100):
        history.add(make_take(seed=seed, caption="piano ballad, soft female vocal, rainy night"))
    browser.run(CELL.format(checkpoint=str(tiny_checkpoint), project=str(tmp_path / "p")))
    cards = browser.states[browser.find(_anywidget_id="acestep_nb.panels.grid.TakeGrid")]
    older = browser.find(_model_name="ButtonModel", description="Show older takes")
    while (count := len(cards["cards"])) < 100:
        browser.send(older, method="custom", content={"event": "click"})
        browser.until(lambda count=count: len(cards["cards"]) > count, "older takes")
    assert browser.bytes < 2_000_000


def sounds(browser: Browser) -> list[dict[str, Any]]:
    """The answers that carry a sound."""
    return [
        message
        for message in browser.others
        if message["msg_type"] == "comm_msg"
        and message["content"]["data"].get("content", {}).get("kind") == "sound"
    ]
