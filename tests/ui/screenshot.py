"""Takes the picture on the README's first screen: `python tests/ui/screenshot.py docs/studio.png`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_lab import CHROMIUM_ARGUMENTS, Notebook, running
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import find_chromium

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_start.ipynb"
MOONLIGHT = """
from dataclasses import replace
song = replace(song, keyscale="A minor", vocal_language="zh")
studio = Studio("nano", project="moonlight", song=song)
studio.seeds = [101, 102]
studio.generate().wait()
studio.seeds = [103, 104]
studio
"""


def main(target: Path) -> None:
    """Run the notebook, make two takes, play one while the next two are rendered, and take the picture."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place) / "lab"
        folder.mkdir()
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        notebook.cells = [*notebook.cells[:2], nbformat.v4.new_code_cell(MOONLIGHT)]
        nbformat.write(notebook, folder / NOTEBOOK.name)
        with running(folder, Path(place) / "home") as lab:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
            page = browser.new_page(viewport={"width": 1300, "height": 1500}, device_scale_factor=1.5)
            notebook = Notebook(lab, page, NOTEBOOK.name)
            notebook.open()
            _show(notebook, page)
            page.locator(".ace-studio").screenshot(path=target, animations="disabled")
            browser.close()


def _show(notebook: Notebook, page: Page) -> None:
    notebook.run_all()
    studio = page.locator(".ace-studio")
    studio.get_by_role("button", name="☆ Star").last.click(timeout=120_000)
    studio.scroll_into_view_if_needed()
    studio.get_by_role("button", name="Play Take 2").click()
    page.wait_for_timeout(6000)
    studio.get_by_role("button", name="Generate").click()
    studio.get_by_text(re.compile(r"take 1 of 2 · step [4-8]/8")).wait_for(timeout=60_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
