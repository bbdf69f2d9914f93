"""The loop of the studio in a real JupyterLab: write, make, hear, compare, repaint a line, go on, take it home."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from jupyter_lab import CHROMIUM_ARGUMENTS, SETTLED, Notebook, running
from playwright.sync_api import Locator, Page, sync_playwright

from acestep_nb import Audio, History

pytestmark = pytest.mark.ui

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "studio.ipynb"
AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
FAULTS = """async () => {
    const found = await axe.run(".ace-studio", {resultTypes: ["violations"]});
    return found.violations
        .filter(({impact}) => ["serious", "critical"].includes(impact))
        .map(({id, nodes}) => id + ": " + nodes.map(({html}) => html.slice(0, 160)).join(" | "));
}"""
EVIL = "<img src=x onerror='window.broken=1'><script>window.broken=1</script>"


class Studio:
    """The first panel of the notebook as a person sees it, and its project on the disk."""

    def __init__(self, notebook: Notebook, folder: Path) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.root = notebook.page.locator(".ace-studio").first
        self.takes = self.root.locator("article.ace-card:not(.ace-ghost)")
        self.history = History(folder / "projects" / "studio")
        self.at = self.root.locator(".ace-at")
        self.source = self.root.locator(".ace-source-section")

    def button(self, name: str, **how: object) -> Locator:
        return self.root.get_by_role("button", name=name, **how)

    def until(self, holds, seconds: float, what: str) -> None:
        self.notebook.until(holds, seconds, what)

    def make(self, more: int) -> None:
        """Press Generate and wait for so many takes more, and their end."""
        before = len(self.history)
        self.button("Generate", exact=True).click()
        self.until(lambda: len(self.history) >= before + more, 240, "the takes")
        self.rest()

    def rest(self) -> None:
        """Wait until nothing is made or scored."""
        self.until(lambda: self.button("Stop", exact=True).is_disabled(), 240, "the rest")

    def region(self) -> list[str]:
        """What the two fields of the region hold."""
        return [self.root.get_by_label(f"Region {end}").input_value() for end in ("from", "to")]

    def new_region(self, old: list[str]) -> tuple[float, float]:
        """Start and end in seconds, once both fields hold others than the old ones."""
        self.until(lambda: not set(self.region()) & {*old, ""}, 10, "the region")
        start, end = map(seconds, self.region())
        return start, end

    def picture(self, path: Path) -> None:
        self.root.scroll_into_view_if_needed()
        self.root.screenshot(path=path, animations="disabled")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: ACESTEP_SCREENSHOTS, else a temporary folder."""
    folder = Path(os.environ.get("ACESTEP_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def studio(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The studio's notebook, run from top to bottom in a fresh JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(NOTEBOOK, folder)
    with running(folder, tmp_path_factory.mktemp("home")) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1360, "height": 2200})
        page.set_default_timeout(60_000)
        notebook = Notebook(lab, page, NOTEBOOK.name)
        notebook.open()
        notebook.run_all()
        studio = Studio(notebook, folder)
        studio.root.wait_for()
        yield studio
        browser.close()


def drag(page: Page, wave: Locator, start: float, end: float) -> None:
    """Drag over a waveform, from and to as shares of its width."""
    wave.scroll_into_view_if_needed()
    box = wave.bounding_box()
    y = box["y"] + box["height"] / 3
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(box["x"] + box["width"] * (start + (end - start) * step / 10), y)
    page.mouse.up()


def seconds(text: str) -> float:
    minutes, rest = text.split(":")
    return int(minutes) * 60 + float(rest)


def now(audio: Locator) -> float:
    return audio.evaluate("audio => audio.currentTime")


# The tests of this file are the chapters of one story: each goes on where the one before ended.


def test_two_batches_wait_and_are_scored(studio: Studio):
    for _ in range(3):
        studio.button("Generate", exact=True).click()
    waiting = studio.root.locator(".ace-queue")
    studio.until(lambda: waiting.get_by_text("2 takes").count() == 2, 30, "the queue")
    waiting.get_by_role("button", name="Cancel").last.click()
    studio.until(lambda: len(studio.history) == 4, 240, "both batches")
    studio.rest()
    assert len(studio.history) == 4 and waiting.is_hidden()
    studio.root.locator(".ace-run").get_by_text(re.compile(r"about \d+ (s|min)")).wait_for()
    scored = [take.scores for take in studio.history]
    assert all(scored) and studio.takes.locator("meter").count() >= 4
    assert len({take.seed for take in studio.history}) == 4
    studio.root.locator(".ace-batch").get_by_role("button", name="1", exact=True).click()
    studio.page.wait_for_timeout(SETTLED)


def test_an_error_stands_under_its_knob(studio: Studio):
    tempo = studio.root.get_by_label("Tempo", exact=True).first
    tempo.fill("12")
    tempo.press("Tab")
    studio.root.locator(".ace-knob-bpm .ace-error").get_by_text("30–300").wait_for()
    tempo.fill("100")
    tempo.press("Tab")


def test_a_press_on_a_line_is_its_region_and_a_repaint_keeps_the_rest(studio: Studio):
    studio.takes.first.get_by_role("button", name=re.compile("^Play")).click()
    sung = studio.at.locator(".ace-sung-line[data-now]")
    studio.until(lambda: "rain" in "".join(sung.all_inner_texts()), 40, "the line that is sung")
    studio.at.get_by_role("button", name=re.compile("^Pause")).click()
    assert studio.takes.first.locator("audio").evaluate("audio => audio.paused")
    studio.takes.first.get_by_role("button", name=re.compile("^Play")).wait_for()
    studio.at.locator(".ace-sung-line").nth(1).click()
    studio.at.locator(".ace-region-told").wait_for()
    parent = studio.history.takes[0]
    line = next(line for line in parent.scores.lines if line.score is not None and line.end > line.start)
    studio.button("Repaint region").click()
    studio.source.wait_for()
    start, end = studio.new_region([])
    assert (start, end) == pytest.approx((line.start, line.end), abs=0.01)
    studio.make(1)
    child = studio.history.takes[0]
    assert child.parent == parent.name and child.edit.region == pytest.approx((start, end), abs=0.01)
    before = int((start - 0.1) * 48_000)
    assert (child.audio.samples[:, :before] == parent.audio.samples[:, :before]).all()


def test_a_dragged_region_comes_back_on_the_take(studio: Studio, pictures: Path):
    wave = studio.source.locator(".ace-wave")
    old = studio.region()
    drag(studio.page, wave, 0.55, 0.9)
    start, end = studio.new_region(old)
    assert (start, end) == pytest.approx((0.55 * 12, 0.9 * 12), abs=0.2)
    studio.picture(pictures / "loop-repaint.png")
    studio.make(1)
    assert studio.history.takes[0].edit.region == pytest.approx((start, end), abs=0.01)
    field = studio.root.get_by_label("Region from")
    field.fill("1.5")
    field.press("Tab")
    told = studio.source.locator(".ace-region-told")
    studio.until(lambda: "0:01.5" in told.inner_text(), 10, "the region over the waveform")


def test_a_press_on_the_ruler_makes_a_bar_the_region(studio: Studio):
    ruler = studio.source.locator(".ace-bars-strip")
    width = ruler.bounding_box()["width"]
    bar = 60 / studio.history.takes[0].song.bpm * int(studio.history.takes[0].song.timesignature or 4)
    old = studio.region()
    ruler.click(position={"x": width * 1.5 * bar / 12, "y": 8})
    assert studio.new_region(old) == pytest.approx((bar, 2 * bar), abs=0.01)
    wave = studio.source.locator(".ace-wave")
    wave.press("End")
    wave.press("b")
    studio.until(lambda: seconds(studio.region()[1]) == pytest.approx(12, abs=0.1), 10, "the last bar")


def test_ends_snap_to_lines_and_a_region_is_looped(studio: Studio):
    studio.source.get_by_label("Snap the region").select_option("line")
    old = studio.region()
    drag(studio.page, studio.source.locator(".ace-wave"), 0.3, 0.62)
    start, end = studio.new_region(old)
    source = studio.history.get(studio.history.takes[0].parent)
    lines = [line for line in source.scores.lines if line.end > line.start]
    assert min(abs(start - line.start) for line in lines) < 0.01
    assert min(abs(end - line.end) for line in lines) < 0.01
    studio.source.get_by_role("button", name="Loop").click()
    studio.source.get_by_role("button", name=re.compile("^Play")).click()
    audio = studio.source.locator("audio")
    studio.until(lambda: now(audio) > start + 0.3, 30, "the sound in the region")
    for _ in range(20):
        studio.page.wait_for_timeout(200)
        assert start - 0.3 <= now(audio) <= end + 0.3
    studio.source.get_by_role("button", name=re.compile("^Pause")).click()


def test_autogen_arrives_while_listening_and_stops_when_told(studio: Studio):
    studio.button("Text to music").click()
    before = len(studio.history)
    studio.button("AutoGen").click()
    studio.takes.first.get_by_role("button", name=re.compile("^Play")).click()
    audio = studio.takes.first.locator("audio").element_handle()
    studio.button("Generate", exact=True).click()
    studio.until(lambda: len(studio.history) >= before + 2, 300, "takes that follow by themselves")
    assert audio.evaluate("audio => audio.isConnected && audio.currentTime > 0"), (
        "it was not moved or stopped"
    )
    studio.button("AutoGen").click()
    studio.rest()
    count = len(studio.history)
    studio.page.wait_for_timeout(1500)
    assert len(studio.history) == count


def test_takes_are_compared_at_one_playhead(studio: Studio, pictures: Path):
    studio.button("Compare", exact=True).click()
    compare = studio.root.locator(".ace-compared")
    compare.get_by_role("button", name=re.compile("^Play")).first.click()
    compare.get_by_role("button", name=re.compile("^Pause")).first.wait_for()
    studio.page.wait_for_timeout(1500)
    studio.picture(pictures / "loop-compare.png")
    studio.page.keyboard.press("2")
    studio.page.keyboard.press("s")
    second = studio.takes.nth(1)
    second.get_by_role("button", name="Starred").wait_for()
    studio.button("Compare", exact=True).click()
    assert studio.history.starred


def test_a_cover_a_track_and_an_export(studio: Studio):
    card = studio.takes.last
    card.get_by_role("combobox").select_option("lego")
    studio.source.wait_for()
    studio.button("drums", exact=True).click()
    studio.make(1)
    assert studio.history.takes[0].edit.tracks == ("drums",)
    studio.takes.first.get_by_role("button", name=re.compile("^Play")).click()
    studio.root.get_by_label("File type", exact=True).select_option("mp3")
    studio.button("Export", exact=True).click()
    files = studio.history.folder / "exports"
    studio.until(lambda: list(files.glob("*.mp3")), 30, "the file")


def test_nothing_that_is_typed_becomes_markup(studio: Studio):
    studio.button("Text to music").click()
    caption, lyrics = (studio.root.get_by_label(name, exact=True) for name in ("Caption", "Lyrics"))
    words = lyrics.input_value()
    caption.fill(EVIL)
    lyrics.fill(f"[Verse {EVIL}]\n{EVIL}")
    studio.make(1)
    note = studio.root.get_by_label("Note", exact=True)
    studio.takes.first.get_by_role("button", name=re.compile("^Play")).click()
    note.fill(EVIL)
    note.press("Tab")
    studio.takes.first.get_by_text("onerror").first.wait_for()
    studio.at.get_by_text("onerror").filter(visible=True).first.wait_for()
    file = studio.history.folder / f"{EVIL.partition('<script>')[0]}.wav"
    Audio(np.zeros((2, 48_000), np.float32), 48_000).save(file)
    studio.button("Cover", exact=True).first.click()
    studio.source.get_by_label("source").select_option("a file")
    path = studio.source.get_by_label("Path", exact=True)
    path.fill(str(file))
    path.press("Tab")
    studio.source.get_by_text(file.name, exact=True).wait_for()
    studio.button("Text to music").click()
    lyrics.fill(words)
    assert studio.page.evaluate("window.broken") is None


def test_a_cancel_keeps_what_is_ready(studio: Studio):
    studio.root.locator(".ace-batch").get_by_role("button", name="8", exact=True).click()
    studio.page.wait_for_timeout(SETTLED)
    before = len(studio.history)
    studio.button("Generate", exact=True).click()
    studio.until(lambda: len(studio.history) > before, 120, "a take")
    studio.button("Stop", exact=True).click()
    studio.rest()
    assert before < len(studio.history) < before + 8


def test_it_speaks_three_languages_and_looks_well(studio: Studio, pictures: Path):
    page = studio.page
    for dark in (False, True):
        studio.notebook.dark(dark)
        theme = "dark" if dark else "light"
        for width, name in ((1360, ""), (1000, "-middle"), (464, "-narrow")):
            page.set_viewport_size({"width": width, "height": 3400})
            page.wait_for_timeout(700)
            studio.picture(pictures / f"loop-{theme}{name}.png")
            assert studio.root.evaluate("panel => panel.scrollWidth <= panel.clientWidth"), (theme, name)
    page.set_viewport_size({"width": 1360, "height": 2200})
    studio.notebook.dark(False)
    studio.root.get_by_label("Language of the panel").select_option("日本語")
    studio.until(lambda: not studio.button("Generate", exact=True).count(), 30, "Japanese")
    studio.picture(pictures / "loop-ja.png")
    studio.root.locator(".ace-bar select").select_option("English")
    studio.button("Generate", exact=True).wait_for()


@pytest.mark.skipif(not AXE.is_file(), reason="needs Node: run `npm ci` in js/")
def test_it_is_accessible(studio: Studio):
    for name in ("Renderer", "Reference", "Codes", "Code"):
        studio.root.locator("button.ace-toggle").filter(has_text=re.compile(rf"^\s*{name}\b")).first.click()
    studio.button("Repaint", exact=True).click()
    for dark in (False, True):
        studio.notebook.dark(dark)
        studio.page.evaluate(AXE.read_text("utf-8"))
        assert studio.page.evaluate(FAULTS) == []
    studio.notebook.dark(False)


def test_a_reload_and_a_new_kernel_bring_it_back(studio: Studio):
    titles = studio.takes.locator("header b").all_text_contents()
    studio.root.get_by_label("Caption", exact=True).fill("not sent yet")
    studio.page.wait_for_timeout(1200)
    assert studio.notebook.save().stat().st_size < 100_000
    studio.notebook.open()
    studio.root.wait_for()
    studio.until(lambda: studio.takes.locator("header b").all_text_contents() == titles, 30, "the takes")
    assert studio.root.get_by_label("Caption", exact=True).input_value() == "not sent yet"
    studio.notebook.restart_kernel()
    studio.notebook.run_all()
    studio.until(lambda: studio.takes.locator("header b").all_text_contents() == titles, 60, "the takes")
    assert studio.root.get_by_label("Caption", exact=True).input_value() == "not sent yet"


def test_the_page_stayed_at_home(studio: Studio):
    assert studio.notebook.outside == [] and studio.notebook.errors == []
