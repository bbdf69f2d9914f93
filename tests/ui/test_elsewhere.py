"""The studio in Jupyter Notebook 7 and, as an app without code, in Voilà: press, see it go on, hear it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_lab import CHROMIUM_ARGUMENTS, START_SECONDS, Notebook, elsewhere, running, until
from playwright.sync_api import Page, Route, sync_playwright

pytestmark = pytest.mark.ui

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "studio.ipynb"
WATCH = """bar => {
    window.seen = [];
    new MutationObserver(() => window.seen.push(parseFloat(bar.style.width)))
        .observe(bar, {attributes: true, attributeFilter: ["style"]});
}"""


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1360, "height": 2200})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds the studio's notebook alone."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(NOTEBOOK, folder)
    return folder


@contextlib.contextmanager
def app(folder: Path, home: Path) -> Iterator[str]:
    """The address of the notebook as a Voilà app."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home.mkdir()
    log = home / "voila.log"
    with log.open("w") as told:
        server = subprocess.Popen(
            [sys.executable, "-m", "voila", NOTEBOOK.name, "--no-browser", f"--port={port}"],
            env=os.environ | {name: str(home) for name in ("HOME", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")},
            cwd=folder,
            stdout=told,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: answers(port), START_SECONDS, "Voilà")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(15)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def hear_a_new_take(page: Page) -> None:
    """Make two takes with the first studio of the page, watch their progress and play the last one."""
    studio = page.locator(".ace-studio").first
    studio.locator(".ace-progress .progress-bar").evaluate(WATCH)
    studio.get_by_role("button", name="Generate", exact=True).click()
    take = studio.locator("article", has_text="Take 2")  # the large waveform has such a button, too
    take.get_by_role("button", name="Play").click(timeout=120_000)
    seen = [width for width in page.evaluate("window.seen") if width > 0]
    assert len(set(seen)) >= 2 and seen == sorted(seen), "progress moves, and forwards"
    audio = take.locator("audio")
    until(lambda: audio.evaluate("audio => audio.currentTime") > 0.4, 30, "the sound", page.wait_for_timeout)
    assert not audio.evaluate("audio => audio.paused")
    studio.get_by_role("button", name=re.compile("^Pause")).first.click()


def keep_picture(page: Page, name: str) -> None:
    """Keep what the page shows now where ACESTEP_SCREENSHOTS says."""
    if place := os.environ.get("ACESTEP_SCREENSHOTS"):
        page.screenshot(path=Path(place) / name, animations="disabled")


def test_jupyter_notebook(page: Page, folder: Path, tmp_path: Path):
    with running(folder, tmp_path / "home", "notebook") as server:
        notebook = Notebook(server, page, NOTEBOOK.name)
        notebook.open()
        notebook.errors.clear()  # Notebook 7.6 stumbles over its own settings while it loads
        notebook.run_all()
        hear_a_new_take(page)
        keep_picture(page, "notebook7.png")
        assert notebook.save().stat().st_size < 100_000
        assert notebook.errors == [] and notebook.outside == []


def test_voila(page: Page, folder: Path, tmp_path: Path):
    errors: list[str] = []
    outside: list[str] = []

    def refuse(route: Route) -> None:
        outside.append(route.request.url)
        route.abort()

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route(elsewhere, refuse)
    with app(folder, tmp_path / "home") as address:
        page.goto(address, timeout=180_000)
        page.locator(".ace-studio").first.wait_for(timeout=180_000)
        hear_a_new_take(page)
        keep_picture(page, "voila.png")
    assert errors == []
    assert all("fontawesome" in url for url in outside), "Voilà's own page asks for its icons"
