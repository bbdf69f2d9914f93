"""Songs to learn from."""

from __future__ import annotations

import pytest
from helpers_songs import write_songs

from acestep_nb.adapters.dataset import Dataset


@pytest.fixture
def songs(tmp_path) -> Dataset:
    return Dataset.scan(write_songs(tmp_path / "songs"), custom_tag="zyx")
