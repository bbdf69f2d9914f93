"""The notebooks: short, clean, and every one runs as it stands on nano."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import acestep_nb

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_CELLS, MAX_BYTES = 8, 50_000
EIGHT = "studio.seeds = range(1, 9)\njob = studio.generate()\n[take.seed for take in job.wait(300)]"


def code_of(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_short_and_stores_nothing(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) <= MAX_CELLS and "Now try" in notebook.cells[-1].source
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_uses_public_names_only(path):
    for line in code_of(nbformat.read(path, as_version=4)).splitlines():
        if line.startswith("from acestep_nb"):
            names = line.removeprefix("from acestep_nb import ").split(", ")
            assert set(names) <= set(acestep_nb.__all__)
        assert "acestep_nb." not in line and "._" not in line


def test_the_first_one_runs_and_stays_small_after_a_batch_of_eight(tmp_path):
    shutil.copy(FOLDER / "00_start.ipynb", tmp_path)
    notebook = nbformat.read(tmp_path / "00_start.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(EIGHT))
    # like JupyterLab, which keeps no widget state in a notebook unless it is told to
    client = NotebookClient(
        notebook, timeout=600, store_widget_state=False, resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    nbformat.write(notebook, tmp_path / "00_start.ipynb")
    saved = (tmp_path / "00_start.ipynb").read_text("utf-8")
    assert len(saved.encode()) < MAX_BYTES
    assert "audio/" not in saved and "data:" not in saved
    assert "seed 7 again is the same to the last sample" in saved and "seed 8 is another take" in saved
    assert "image/png" in saved and saved.count("application/vnd.jupyter.widget-view+json") == 3
    assert json.loads("".join(notebook.cells[-1].outputs[0]["data"]["text/plain"])) == list(range(1, 9))
    assert len(list((tmp_path / "projects" / "first-song" / "takes").iterdir())) == 8
