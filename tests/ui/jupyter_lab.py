"""A real JupyterLab, or Jupyter Notebook, on the loopback interface, and a page that shows one of its notebooks."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route

TOKEN = "acestep-nb-test"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 120.0
SETTLED = 1500  # ms; ipywidgets holds a changed value back while it waits for the kernel, but not a press of a button


class Lab:
    """A server whose files are in ``folder`` and whose settings are all its own; ``app`` is what it shows them with."""

    def __init__(self, folder: Path, home: Path, app: str = "jupyterlab") -> None:
        self.folder, self.app = folder, app
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        own = {name: str(home / name) for name in ("HOME", "JUPYTERLAB_SETTINGS_DIR", "JUPYTER_CONFIG_DIR")}
        own |= {
            name: str(home / name)
            for name in ("JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
        }
        for place in own.values():
            Path(place).mkdir(parents=True, exist_ok=True)
        _settle(Path(own["JUPYTERLAB_SETTINGS_DIR"]))
        self.log = home / "lab.log"
        arguments = [
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={folder}",
            "--ServerApp.open_browser=False",
            "--ServerApp.allow_root=True",
            "--expose-app-in-browser",
            "--LabApp.news_url=None",
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", app, "--no-browser", *arguments],
                env=os.environ | own,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def api(self, path: str) -> Any:
        """The answer of the server's REST interface."""
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(self.url(f"api/{path}"), headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def url(self, path: str) -> str:
        """The address of a page of this server."""
        return f"http://127.0.0.1:{self.port}/{urllib.parse.quote(path)}"

    def ready(self) -> bool:
        """Whether the server answers; ``RuntimeError`` with its log when it has died."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.app} ended: {self.log.read_text()[-2000:]}")
        with contextlib.suppress(OSError):
            return bool(self.api("status"))
        return False

    def kernel_idle(self) -> bool:
        """Whether the one notebook that is open has a kernel which waits for work and a page which listens."""
        kernels = [session["kernel"] for session in self.api("sessions")]
        return bool(kernels) and all(
            kernel["execution_state"] == "idle" and kernel["connections"] > 0 for kernel in kernels
        )

    def stop(self) -> None:
        """End the server and its kernels."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(15)


class Notebook:
    """A notebook that is open in a page."""

    def __init__(self, lab: Lab, page: Page, path: str) -> None:
        self.lab, self.page, self.path = lab, page, path
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.route(elsewhere, self._refuse)

    def _refuse(self, route: Route) -> None:
        self.outside.append(route.request.url)
        route.abort()

    def open(self) -> None:
        """Show the notebook, or show it again, and wait for its kernel."""
        place = "doc/tree" if self.lab.app == "jupyterlab" else "notebooks"
        self.page.goto(self.lab.url(f"{place}/{self.path}") + f"?token={TOKEN}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        self.until(self.lab.kernel_idle, 60, "an idle kernel")
        self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def command(self, name: str) -> None:
        """Run one of JupyterLab's commands."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run_all(self) -> None:
        """Run every cell and wait for the last; nothing that an earlier run showed is left."""
        shown = "document.querySelectorAll('.jp-OutputArea-child')"
        self.page.evaluate(f"{shown}.forEach(output => output.setAttribute('data-earlier', ''))")
        self.command("notebook:run-all-cells")
        self.page.wait_for_timeout(500)
        self.until(self.lab.kernel_idle, 180, "the cells to end")
        earlier = self.page.locator("[data-earlier]")
        self.until(lambda: earlier.count() == 0, 60, "the earlier outputs to go")

    def save(self) -> Path:
        """The notebook's file as JupyterLab writes it now."""
        self.command("docmanager:save")
        self.page.wait_for_timeout(1000)
        return self.lab.folder / self.path

    def restart_kernel(self) -> None:
        """A new kernel, by the page's own menu; the page keeps showing what the old one made."""
        restart = "window.jupyterapp.commands.execute('notebook:restart-kernel')"
        self.page.evaluate(f"() => {{ window.restarted = {restart}; }}")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.evaluate("() => window.restarted")
        self.until(self.lab.kernel_idle, 60, "the new kernel")

    def dark(self, on: bool) -> None:
        """Use JupyterLab's dark theme, or its light one."""
        theme = f"JupyterLab {'Dark' if on else 'Light'}"
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        light = "false" if on else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.page.wait_for_timeout(500)

    def until(self, holds: Callable[[], object], seconds: float, what: str) -> None:
        """Wait for a condition while the page goes on living."""
        until(holds, seconds, what, self.page.wait_for_timeout)


def until(
    holds: Callable[[], object],
    seconds: float,
    what: str,
    pause: Callable[[float], object] = lambda milliseconds: time.sleep(milliseconds / 1000),
) -> None:
    """Wait for a condition, else ``TimeoutError``."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        pause(200)


def _settle(settings: Path) -> None:
    """Answer the questions that JupyterLab asks a newcomer, so that none covers the page."""
    file = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"fetchNews": "false", "checkForUpdates": false}')


def elsewhere(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost")


@contextlib.contextmanager
def running(folder: Path, home: Path, app: str = "jupyterlab") -> Iterator[Lab]:
    """A server that is up, ended afterwards; ``app`` is "jupyterlab" or "notebook"."""
    lab = Lab(folder, home, app)
    try:
        until(lab.ready, START_SECONDS, app)
        yield lab
    finally:
        lab.stop()
