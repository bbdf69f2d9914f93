"""Comparing takes in a real JupyterLab: sound goes on without a gap, equally loud, and keys do what they say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from jupyter_lab import CHROMIUM_ARGUMENTS, Notebook, running
from playwright.sync_api import Page, sync_playwright

pytestmark = pytest.mark.ui

# Two sounds with a click every tenth of a second: up in the first, down and a tenth as loud in the second.
CELL = """
from dataclasses import replace
import numpy as np
from helpers import make_take
from acestep_nb import Audio, Compare, History

def clicks(height):
    samples = np.zeros((2, 48_000 * 120), np.float32)
    for start in range(0, samples.shape[1], 4800):
        samples[:, start : start + 240] = height
    return Audio(samples, 48_000)

project = History("project")
takes = [project.add(replace(make_take(seed=7), audio=clicks(0.5))),
         project.add(replace(make_take(seed=8), audio=clicks(-0.05)))]
compare = Compare(takes, ["<b>first</b>", "second"])
compare
"""
# A recorder keeps the left channel of everything that is on its way to the loudspeaker.
EAR = """
const RECORDER = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    process([[left]]) {
        this.port.postMessage(left ? left.slice() : new Float32Array(128));
        return true;
    }
})`;
const connect = AudioNode.prototype.connect;
window.heard = [];
AudioNode.prototype.connect = function (target, ...rest) {
    if (!(target instanceof AudioDestinationNode)) return connect.call(this, target, ...rest);
    if (!window.ear) {
        const context = this.context;
        window.ear = new GainNode(context);
        connect.call(window.ear, target);
        const module = new Blob([RECORDER], {type: "text/javascript"});
        context.audioWorklet.addModule(URL.createObjectURL(module)).then(() => {
            const recorder = new AudioWorkletNode(context, "recorder");
            recorder.port.onmessage = ({data}) => window.heard.push(...data);
            connect.call(window.ear, recorder);
        });
    }
    return connect.call(this, window.ear);
};
"""


@pytest.fixture(scope="module")
def notebook(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A notebook with one comparison in it, open in a fresh JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    place = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(place + CELL)]
    book = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(book, folder / "compare.ipynb")
    with running(folder, tmp_path_factory.mktemp("home")) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.set_default_timeout(60_000)
        page.add_init_script(EAR)
        notebook = Notebook(lab, page, "compare.ipynb")
        notebook.open()
        notebook.run_all()
        yield notebook
        browser.close()


def clicks(page: Page, seconds: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """What was heard last: when each whole click began, in seconds, and how high it was."""
    rate = page.evaluate("window.ear?.context.sampleRate ?? 48000")
    samples = np.array(page.evaluate("count => window.heard.slice(-count)", round(rate * seconds)))
    loud = np.abs(samples) > 0.01
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    starts = starts[starts < len(samples) - rate * 0.005]
    starts = starts[np.diff(starts, prepend=-rate) > rate * 0.01]  # one that a switch fell into is one click
    return starts / rate, samples[starts + int(rate * 0.0025)]


def button(page: Page, name: str):
    return page.locator(".ace-compare").get_by_role("button", name=name)


# The tests of this file are the chapters of one story: each goes on where the one before ended.


def test_no_sound_is_sent_before_it_is_asked_for(notebook: Notebook):
    page = notebook.page
    page.locator(".ace-compare").wait_for()
    assert page.evaluate("window.ear === undefined")
    assert page.locator(".ace-compare-choose").first.inner_text().strip().endswith("<b>first</b>"), (
        "words stay words"
    )


def test_it_plays_and_switches_without_a_gap(notebook: Notebook):
    page = notebook.page
    button(page, "Play").click()
    notebook.until(lambda: button(page, "Pause").is_visible(), 30, "the sound to play")
    page.locator(".ace-compare").focus()
    notebook.until(lambda: len(clicks(page)[1]) >= 6, 30, "some clicks")
    assert (clicks(page, 20)[1] > 0).all(), "the first one is heard"
    page.evaluate("window.heard = []")
    notebook.until(lambda: len(clicks(page)[1]) >= 2, 30, "clicks of the first one")
    page.keyboard.press("2")
    notebook.until(lambda: (clicks(page)[1] < 0).all() and len(clicks(page)[1]), 20, "the second one alone")
    times, heights = clicks(page, 20)
    turn = int(np.flatnonzero(heights < 0)[0])
    assert turn > 0 and (heights[turn:] < 0).all() and len(times) > 8, "both are in what was heard"
    assert np.diff(times) == pytest.approx(np.full(len(times) - 1, 0.1), abs=0.05), "the clicks go on"
    assert np.abs(np.diff(times) - 0.1).max() < 0.001, "to the sample"


def test_both_are_equally_loud_unless_that_is_turned_off(notebook: Notebook):
    page = notebook.page

    def heights() -> tuple[float, float]:
        found = {}
        for key, sign in (("1", 1), ("2", -1)):
            page.keyboard.press(key)
            notebook.until(lambda sign=sign: set(np.sign(clicks(page)[1])) == {sign}, 20, "one alone")
            found[key] = float(np.abs(clicks(page)[1]).max())
        return found["1"], found["2"]

    first, second = heights()
    assert second == pytest.approx(first, rel=0.05)
    page.locator(".ace-compare").get_by_label("Same loudness").uncheck()
    page.locator(".ace-compare").focus()
    first, second = heights()
    assert first == pytest.approx(10 * second, rel=0.05)
    page.locator(".ace-compare").get_by_label("Same loudness").check()
    page.locator(".ace-compare").focus()


def test_the_keys_do_what_they_say(notebook: Notebook):
    page = notebook.page
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("d")
    page.locator(".ace-compare").get_by_text("<b>first</b> → second: Noise seed 7 → 8").wait_for()
    page.keyboard.press("s")
    button(page, "Starred: second").wait_for()
    page.keyboard.press("x")
    button(page, "Rejected: second").wait_for()
    assert button(page, "Star: second").is_visible(), "the star is gone"
    page.keyboard.press(" ")
    button(page, "Play").wait_for()
    page.keyboard.press("ArrowRight")
    before = float(page.locator(".ace-compare input[type=range]").input_value())
    page.keyboard.press("PageDown")
    after = float(page.locator(".ace-compare input[type=range]").input_value())
    assert after == pytest.approx(max(before - 10, 0), abs=0.02)
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.keyboard.press("b")  # would make a new cell if JupyterLab heard it
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


def test_space_plays_while_a_track_has_the_focus_and_the_place_is_kept(notebook: Notebook):
    page = notebook.page
    first = page.locator(".ace-compare-choose").first
    first.click()
    at = float(page.locator(".ace-compare input[type=range]").input_value())
    page.keyboard.press(" ")
    button(page, "Pause").wait_for()
    page.keyboard.press(" ")
    button(page, "Play").wait_for()
    now = float(page.locator(".ace-compare input[type=range]").input_value())
    assert at <= now < at + 20 and first.get_attribute("aria-pressed") == "true"


def test_it_looks_as_it_should(notebook: Notebook, tmp_path_factory: pytest.TempPathFactory):
    pictures = Path(os.environ.get("ACESTEP_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    pictures.mkdir(parents=True, exist_ok=True)
    page, root = notebook.page, notebook.page.locator(".ace-compare")
    for dark in (False, True):
        notebook.dark(dark)
        for width in (1100, 464):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(300)
            root.screenshot(path=pictures / f"compare-{'dark' if dark else 'light'}-{width}.png")
            assert root.evaluate("node => node.scrollWidth <= node.clientWidth")
    notebook.dark(False)


def test_the_page_stayed_at_home_and_the_notebook_small(notebook: Notebook):
    assert notebook.outside == [] and notebook.errors == []
    assert notebook.save().stat().st_size < 20_000
