"""The editors in a real JupyterLab: typing, chips, tags at the cursor, hints and fixes, and text that stays text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_lab import CHROMIUM_ARGUMENTS, Notebook, running
from playwright.sync_api import Locator, sync_playwright

pytestmark = pytest.mark.ui

CELL = """
from acestep_nb import Song
from acestep_nb.panels import SongEditor
from acestep_nb.scores.values import Line, Scores, Signal

lyrics = "[Verse 1]\\n月光洒在窗台上\\n我听见你的呼吸\\n城市在远处沉睡\\n[Chorus - powerful]\\n像夜空中的烟火 😀"
found = (Line("月光洒在窗台上", 1, 2, 0.91), Line("我听见你的呼吸", 2, 3, 0.84), Line("城市在远处沉睡", 3, 4, 0.31))
scores = Scores(lyrics, Signal(-14.0, -1.0, 0.0, 0.0, 76.0, "A minor", {}), lines=found)
editor = SongEditor(Song(caption="piano ballad, strings", lyrics=lyrics, keyscale="Gb major"), scores=scores)
editor
"""
SAME_PLACE = """page => {
    const [area, mirror] = [page.querySelector("textarea"), page.querySelector(".ace-mirror")];
    const inner = area.clientWidth - 18;  // its padding
    const words = mirror.querySelector(".ace-line-text").getBoundingClientRect().width;
    const hidden = page.scrollWidth - page.clientWidth;
    return {height: area.scrollHeight - mirror.offsetHeight, width: inner - words, hidden};
}"""
CARET = "area => area.value.slice(0, area.selectionStart) + '|' + area.value.slice(area.selectionEnd)"


@pytest.fixture(scope="module")
def notebook(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A notebook with a song editor, open in a fresh JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    written.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(written, folder / "editor.ipynb")
    with running(folder, tmp_path_factory.mktemp("home")) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(60_000)
        notebook = Notebook(lab, page, "editor.ipynb")
        notebook.open()
        notebook.run_all()
        page.locator(".ace-studio").first.wait_for()
        yield notebook
        browser.close()


class Panel:
    """The editors as a person sees them."""

    def __init__(self, notebook: Notebook) -> None:
        self.page = notebook.page
        self.root = notebook.page.locator(".ace-studio").first
        self.caption, self.lyrics = self.root.get_by_label("Caption"), self.root.get_by_label("Lyrics")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def caret(self) -> str:
        return self.lyrics.evaluate(CARET)


# The tests of this file are the chapters of one story: each goes on where the one before ended.


def test_what_is_typed_is_judged_and_a_press_puts_it_right(notebook: Notebook):
    panel = Panel(notebook)
    panel.caption.click()
    panel.page.keyboard.press("End")
    panel.page.keyboard.type(", 120 BPM", delay=20)
    panel.button("Tempo → 120 bpm").click()
    notebook.until(lambda: panel.caption.input_value() == "piano ballad, strings", 60, "the fix")
    panel.button("Undo").click()
    notebook.until(lambda: panel.caption.input_value().endswith("120 BPM"), 60, "the way back")
    panel.button("Fix 2").click()
    notebook.until(lambda: "\n\n[Chorus" in panel.lyrics.input_value(), 60, "every safe fix")
    assert panel.caption.input_value() == "piano ballad, strings"


def test_a_fix_counts_what_was_typed_the_moment_before(notebook: Notebook):
    panel = Panel(notebook)
    panel.caption.fill("piano ballad, strings, 96 BPM")
    panel.button("Fix").wait_for()  # the tempo is set already
    panel.caption.focus()
    panel.page.keyboard.press("Home")
    panel.page.keyboard.type("warm ")
    panel.button("Fix").click()
    notebook.until(lambda: panel.caption.input_value() == "warm piano ballad, strings", 60, "the fix")


def test_chips_are_words_of_the_caption(notebook: Notebook):
    panel = Panel(notebook)
    panel.button("+ Mood").focus()
    panel.page.keyboard.press("Enter")
    panel.button("tender").click()
    notebook.until(lambda: panel.caption.input_value().endswith(", tender"), 60, "the word")
    panel.button("Mood ✓").wait_for()
    assert panel.button("tender").get_attribute("aria-pressed") == "true"
    panel.button("tender").click()
    notebook.until(lambda: "tender" not in panel.caption.input_value(), 60, "the word to go")
    panel.button("+ Mood").click()


def test_tags_come_to_the_cursor_and_writing_goes_on_there(notebook: Notebook):
    panel = Panel(notebook)
    panel.lyrics.focus()
    panel.page.keyboard.press("Control+End")
    panel.button("+ Sections").click()
    panel.button("Outro").click()
    notebook.until(lambda: panel.caret().endswith("😀\n\n[Outro]\n|"), 60, "the tag")
    panel.page.keyboard.type("lights go out", delay=20)
    panel.root.get_by_text("line 10: 3 syllables").wait_for()
    panel.button("+ Energy").click()
    assert panel.button("Outro").count() == 0, "one group at a time"


def test_lines_stand_at_the_same_place_whatever_they_hold(notebook: Notebook):
    panel = Panel(notebook)
    long = (
        "שלום עולם אהובתי\n"
        + "words that wrap and wrap " * 12
        + "\n\n"
        + "月" * 200
        + "\n😀👩‍🚀 \t tab\n"
        + "x" * 300
    )
    before = panel.lyrics.input_value()
    panel.lyrics.fill(f"{before}\n{long}")
    for size in (1300, 700, 464):
        panel.page.set_viewport_size({"width": size, "height": 1000})
        panel.page.wait_for_timeout(300)
        found = panel.root.locator(".ace-page").last.evaluate(SAME_PLACE)
        assert abs(found["height"]) <= 1 and abs(found["width"]) < 0.6 and found["hidden"] <= 0, found
    panel.page.set_viewport_size({"width": 1300, "height": 1000})
    page = panel.root.locator(".ace-page").last
    panel.lyrics.fill(long)  # no line of a score among them: one column less in the gutter
    panel.root.locator(".ace-page.ace-measured:not(.ace-aligned)").wait_for()
    assert abs(page.evaluate(SAME_PLACE)["height"]) <= 1
    panel.lyrics.press("Control+End")
    panel.page.keyboard.type("!")
    notebook.until(
        lambda: page.evaluate("page => page.scrollTop + page.clientHeight >= page.scrollHeight - 30"),
        5,
        "the page to follow the cursor",
    )
    panel.lyrics.fill(before)


def test_a_press_on_a_hint_shows_its_place(notebook: Notebook):
    panel = Panel(notebook)
    panel.lyrics.fill("[Verse]\n" + "月光洒在窗台上\n" * 12 + "😀\nlove")
    told = panel.root.get_by_role("button", name="1 syllables").last
    told.click()
    selected = "area => area.value.slice(area.selectionStart, area.selectionEnd)"
    assert panel.lyrics.evaluate(selected) == "love"
    assert panel.lyrics.evaluate("area => document.activeElement === area")


def test_the_limit_is_told_while_typing(notebook: Notebook):
    panel = Panel(notebook)
    panel.caption.fill("😀" * 513)
    panel.root.get_by_text("513 of 512").wait_for()
    assert panel.caption.get_attribute("aria-invalid") == "true"
    panel.root.get_by_text("at most 512 characters").wait_for()
    panel.caption.fill("piano ballad, strings")
    panel.root.get_by_text("21 of 512").wait_for()
    notebook.until(lambda: panel.caption.get_attribute("aria-invalid") == "false", 10, "the error to go")


def test_markup_stays_text(notebook: Notebook):
    panel = Panel(notebook)
    evil = "<img src=x onerror='window.hurt=1'>"
    panel.caption.fill(f"{evil} piano, 120 BPM {evil}")
    panel.lyrics.fill(f"[{evil}]\n{evil}\n</textarea><script>window.hurt=1</script>")
    panel.root.get_by_text("belongs in bpm").wait_for()
    assert panel.root.locator("img, script").count() == 0
    assert panel.page.evaluate("window.hurt === undefined")


def test_editors_look_as_they_should(notebook: Notebook, tmp_path: Path):
    panel = Panel(notebook)
    pictures = Path(os.environ.get("ACESTEP_SCREENSHOTS") or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    notebook.run_all()
    panel.root.get_by_label("Lyrics").wait_for()
    panel.button("+ Mood").click()
    for dark in (False, True):
        notebook.dark(dark)
        theme = "dark" if dark else "light"
        panel.root.screenshot(path=pictures / f"editor-{theme}.png", animations="disabled")
        panel.page.set_viewport_size({"width": 464, "height": 2000})  # the panel itself is 360 wide
        notebook.until(lambda: panel.root.bounding_box()["width"] <= 361, 10, "the narrow panel")
        panel.root.screenshot(path=pictures / f"editor-{theme}-narrow.png", animations="disabled")
        assert panel.root.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
        panel.page.set_viewport_size({"width": 1300, "height": 1000})
    notebook.dark(False)


def test_keys_stay_in_the_editor_and_words_stay_when_the_kernel_goes(notebook: Notebook):
    panel = Panel(notebook)
    cells = notebook.page.locator(".jp-Notebook .jp-Cell").count()
    panel.caption.fill("b")
    panel.button("+ Era").focus()
    panel.page.keyboard.press("b")  # would make a new cell if JupyterLab heard it
    assert notebook.page.locator(".jp-Notebook .jp-Cell").count() == cells
    notebook.restart_kernel()
    panel.caption.fill("typed after the restart")
    panel.button("+ Era").click()
    panel.page.wait_for_timeout(1000)
    assert panel.caption.input_value() == "typed after the restart"
    assert notebook.outside == [] and notebook.errors == []
