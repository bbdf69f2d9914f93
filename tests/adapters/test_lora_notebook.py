"""The lesson about adapters runs from songs to takes; with fewer steps than it has, for time."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from acestep_nb import InputError, loss_curve
from acestep_nb.adapters.files import find_adapter, read_adapter

LESSON = Path(__file__).parents[2] / "notebooks" / "14_lora.ipynb"
EPOCHS = re.compile(r'"epochs": \d+')


def test_the_lesson_runs_and_is_heard_and_seen(tmp_path):
    notebook = nbformat.read(LESSON, as_version=4)
    [cell] = [cell for cell in notebook.cells if cell.cell_type == "code" and EPOCHS.search(cell.source)]
    cell.source = EPOCHS.sub('"epochs": 2', cell.source)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    data = [output["data"] for output in outputs if "data" in output]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    texts = [shown.get("text/plain", "") for shown in data]
    assert sum("Player" in text for text in texts) == 2
    assert any("epoch 2 of 2 · step 4/4" in text for text in texts)
    assert sum("image/png" in shown for shown in data) >= 2, "the curve and the spectrograms"
    assert read_adapter(find_adapter(tmp_path / "elephant-lora")).ranks
    assert len(list((tmp_path / "elephant").glob("*.flac"))) == 10


def test_the_curve_of_losses_is_a_picture_of_them():
    losses = np.linspace(2, 1, 40)
    dots, line = loss_curve(losses).axes[0].lines
    assert np.array_equal(dots.get_ydata(), losses)
    assert line.get_ydata()[-1] == pytest.approx(losses[-20:].mean()) and line.get_ydata()[0] == 2
    assert loss_curve([1.0])._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no step"):
        loss_curve([])
