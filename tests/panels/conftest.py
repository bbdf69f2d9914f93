"""A studio over a real engine with a tiny random model."""

from __future__ import annotations

import pytest
from panel_helpers import WORDS, finish

from acestep_nb import Studio
from acestep_nb.panels import session as sessions


@pytest.fixture
def studio(tiny_engine, tmp_path):
    """A studio of an empty project that scores nothing by itself."""
    studio = Studio(tiny_engine, project=tmp_path / "rain", song=WORDS)
    studio._view.scores.value = False
    yield studio
    studio._session.stop()
    finish(studio)


@pytest.fixture
def fresh_kernel():
    """Forgets what this process knows of projects, as a restart of the kernel does."""

    def forget() -> None:
        sessions._open.clear()

    return forget
