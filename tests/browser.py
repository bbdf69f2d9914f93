"""Finds a Chromium for the `ui` tests; where there is none they are skipped, or fail if it was promised."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

REQUIRED = "ACESTEP_REQUIRE_UI"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def find_chromium() -> str | None:
    """Path of a Chromium: the one that ACESTEP_CHROMIUM names, one on the PATH, or playwright's own."""
    for name in (os.environ.get("ACESTEP_CHROMIUM"), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; asking for it skips the test where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium here: install one, or run `playwright install chromium`")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("ui"):
            item.fixturenames.insert(0, "chromium")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call):
    report = yield
    if report.skipped and item.get_closest_marker("ui") and os.environ.get(REQUIRED) == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although {REQUIRED}=1: {report.longrepr}"
    return report
