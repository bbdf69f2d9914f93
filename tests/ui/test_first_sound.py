"""The first notebook in a real JupyterLab: press, hear, stop, reload, restart, and all is still there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_lab import CHROMIUM_ARGUMENTS, SETTLED, Notebook, running
from playwright.sync_api import Locator, sync_playwright

pytestmark = pytest.mark.ui

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_start.ipynb"
LOUDNESS = """async audio => {
    const data = await (await fetch(audio.src)).arrayBuffer();
    const sound = await new OfflineAudioContext(2, 48000, 48000).decodeAudioData(data);
    const samples = sound.getChannelData(0);
    const rms = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
    return {rms, duration: sound.duration, channels: sound.numberOfChannels};
}"""
WATCH = """bar => {
    window.seen = [];
    new MutationObserver(() => window.seen.push(parseFloat(bar.style.width)))
        .observe(bar, {attributes: true, attributeFilter: ["style"]});
}"""


@pytest.fixture(scope="module")
def notebook(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """The first notebook, copied into a folder of its own and open in a fresh JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(NOTEBOOK, folder)
    with running(folder, tmp_path_factory.mktemp("home")) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1360, "height": 1200})
        page.set_default_timeout(60_000)
        notebook = Notebook(lab, page, NOTEBOOK.name)
        notebook.open()
        yield notebook
        browser.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: ACESTEP_SCREENSHOTS, else a temporary folder."""
    folder = Path(os.environ.get("ACESTEP_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Panel:
    """The studio as a person sees it."""

    def __init__(self, notebook: Notebook) -> None:
        self.page, self.notebook = notebook.page, notebook
        self.root = notebook.page.locator(".ace-studio").first
        self.generate = self.root.get_by_role("button", name="Generate")
        self.stop = self.root.get_by_role("button", name="Stop")
        self.takes = self.root.locator("article:not(.ace-ghost)")

    def titles(self) -> list[str]:
        return self.takes.locator("header b").all_text_contents()

    def idle(self) -> bool:
        return self.generate.is_enabled() and not self.root.locator(".ace-ghost").count()

    def batch(self, size: int) -> None:
        self.root.locator(".ace-batch").get_by_role("button", name=str(size), exact=True).click()
        self.page.wait_for_timeout(SETTLED)

    def picture(self, path: Path) -> None:
        self.root.scroll_into_view_if_needed()
        self.root.screenshot(path=path, animations="disabled")


def now(audio: Locator) -> float:
    return audio.evaluate("audio => audio.currentTime")


def plays(notebook: Notebook, audio: Locator) -> None:
    start = now(audio)
    try:
        notebook.until(lambda: now(audio) > start + 0.4, 60, "the sound to play")
    except TimeoutError as silent:
        told = "audio => [audio.closest('article').innerText, audio.src, audio.paused, audio.readyState]"
        raise AssertionError(audio.evaluate(told)) from silent


def fetched(notebook: Notebook, address: str) -> bool:
    return notebook.page.evaluate("url => fetch(url).then(() => true, () => false)", address)


# The tests of this file are the chapters of one story: each goes on where the one before ended.


def test_one_click_makes_takes(notebook: Notebook):
    notebook.run_all()
    panel = Panel(notebook)
    panel.root.wait_for()
    panel.batch(2)
    panel.root.locator(".ace-progress .progress-bar").evaluate(WATCH)
    panel.generate.click()
    notebook.until(lambda: panel.titles() == ["Take 2", "Take 1"], 120, "the takes")
    notebook.until(panel.idle, 10, "the end of the batch")
    seen = [width for width in notebook.page.evaluate("window.seen") if width > 0]
    assert len(set(seen)) >= 5 and seen == sorted(seen), "progress moves, and forwards"


def test_a_take_can_be_heard(notebook: Notebook):
    panel = Panel(notebook)
    first, second = panel.takes.nth(0), panel.takes.nth(1)
    assert not first.locator("audio").get_attribute("src"), "no sound before it is asked for"
    first.get_by_role("button", name="Play Take 2").click()
    plays(notebook, first.locator("audio"))
    loudness = first.locator("audio").evaluate(LOUDNESS)
    assert loudness["rms"] > 0.01 and loudness["channels"] == 2
    assert loudness["duration"] == pytest.approx(20.0, abs=0.1)
    second.get_by_role("button", name="Play Take 1").click()
    plays(notebook, second.locator("audio"))
    assert first.locator("audio").evaluate("audio => audio.paused"), "one sound at a time"


def test_the_keyboard_is_enough(notebook: Notebook):
    second = Panel(notebook).takes.nth(1)
    audio, keyboard = second.locator("audio"), notebook.page.keyboard
    second.get_by_role("button", name="Pause Take 1").focus()
    keyboard.press("Enter")
    notebook.until(lambda: audio.evaluate("audio => audio.paused"), 5, "the pause")
    keyboard.press("Tab")
    keyboard.press("Home")
    for _ in range(3):
        keyboard.press("ArrowRight")
    slider = second.get_by_role("slider")
    assert now(audio) == pytest.approx(3, abs=0.1)
    assert slider.get_attribute("aria-valuetext") == "0:03 of 0:20"
    assert second.get_by_role("button", name="Play Take 1").is_visible()
    before = notebook.page.locator(".jp-Notebook .jp-Cell").count()
    keyboard.press("b")  # would make a new cell if JupyterLab heard it
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == before


def test_a_batch_can_be_stopped(notebook: Notebook):
    panel = Panel(notebook)
    panel.batch(8)
    panel.generate.focus()
    notebook.page.keyboard.press("Enter")
    panel.root.get_by_text(re.compile("take [2-7] of 8")).wait_for()
    panel.stop.click()
    panel.root.locator(".ace-log").get_by_text("stopped").wait_for(timeout=30_000)
    assert panel.idle() and 3 <= len(panel.titles()) < 10
    assert panel.root.locator(".ace-seed-noise .ace-lock").inner_text() == "free", "nobody typed a seed"


def test_a_removed_take_lets_its_sound_go_and_can_come_back(notebook: Notebook):
    panel = Panel(notebook)
    titles, last = panel.titles(), panel.takes.last
    address = last.locator("audio").get_attribute("src")
    assert address.startswith("blob:") and fetched(notebook, address)
    last.get_by_role("button", name="Remove: Take 1").click()
    notebook.until(lambda: panel.titles() == titles[:-1], 10, "the card to go")
    assert not fetched(notebook, address), "the Blob URL is revoked"
    panel.root.get_by_role("button", name="Undo").click()
    notebook.until(lambda: panel.titles() == titles, 10, "the card to come back")


def test_it_looks_as_it_should(notebook: Notebook, pictures: Path):
    panel, page = Panel(notebook), notebook.page
    for dark in (False, True):
        notebook.dark(dark)
        theme = "dark" if dark else "light"
        panel.picture(pictures / f"studio-{theme}.png")
        page.set_viewport_size({"width": 464, "height": 2400})  # the panel itself is 360 wide
        notebook.until(lambda: panel.root.bounding_box()["width"] <= 361, 10, "the narrow panel")
        panel.picture(pictures / f"studio-{theme}-narrow.png")
        assert panel.root.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
        left = panel.root.locator(".ace-knob-caption").bounding_box()["x"]
        assert panel.root.locator(".ace-knob-lyrics").bounding_box()["x"] == left, "columns stack"
        page.set_viewport_size({"width": 1360, "height": 1200})
    notebook.dark(False)


def test_a_reload_keeps_everything(notebook: Notebook):
    panel = Panel(notebook)
    titles = panel.titles()
    panel.takes.nth(0).get_by_role("button", name="Star").click()
    panel.takes.nth(0).get_by_role("button", name="Starred").wait_for()
    panel.root.get_by_label("Caption", exact=True).fill("not rendered yet")
    assert notebook.save().stat().st_size < 50_000
    notebook.open()
    panel.root.wait_for()
    notebook.until(lambda: panel.titles() == titles, 20, "the takes after the reload")
    assert panel.root.get_by_label("Caption", exact=True).input_value() == "not rendered yet"
    panel.takes.nth(0).get_by_role("button", name="Play").click()
    plays(notebook, panel.takes.nth(0).locator("audio"))


def test_a_new_kernel_finds_everything_again(notebook: Notebook):
    panel = Panel(notebook)
    titles = panel.titles()
    notebook.restart_kernel()
    panel.takes.nth(1).get_by_role("button", name="Play").click()
    panel.takes.nth(1).get_by_text("kernel does not answer").wait_for()
    notebook.run_all()
    panel.root.wait_for()
    notebook.until(lambda: panel.titles() == titles, 30, "the takes after the restart")
    assert panel.takes.nth(0).get_by_role("button", name="Starred").is_visible()
    assert panel.root.get_by_label("Caption", exact=True).input_value() == "not rendered yet"
    panel.takes.nth(1).get_by_role("button", name="Play").click()
    plays(notebook, panel.takes.nth(1).locator("audio"))


def test_the_page_stayed_at_home(notebook: Notebook):
    assert notebook.outside == [] and notebook.errors == []
