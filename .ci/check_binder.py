"""Run in the environment that Binder builds: the first notebook within Binder's memory, and Colab's line beside it.

Binder guarantees 1 GB. The kernel's peak is measured after the notebook has run as it stands and the panel has
made a batch; the panel must be on the page within ten seconds of the kernel's start. On Colab torch and ipywidgets
(7.7) are there already and a running kernel holds them: what the notebooks' own pip line would install is asked
of pip and must contain neither.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CHECKOUT = Path(__file__).resolve().parents[1]
START = CHECKOUT / "notebooks" / "00_start.ipynb"
MOST_BYTES, MOST_SECONDS = 1_000_000_000, 10.0
HELD_BY_COLAB = {"torch", "torchaudio", "torchvision", "numpy", "ipykernel", "ipywidgets"}
BATCH = "studio.seeds = [1, 2]\nlen(studio.generate().wait(300))"
PEAK = "import resource\nresource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024"


def run_the_first_notebook() -> None:
    """The notebook in a folder of its own, then a batch from its panel; its peak of memory and first paint."""
    notebook = nbformat.read(START, as_version=4)
    painted = next(at for at, cell in enumerate(notebook.cells) if "Studio(" in cell.source and at > 1)
    notebook.cells += [nbformat.v4.new_code_cell(BATCH), nbformat.v4.new_code_cell(PEAK)]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=600, store_widget_state=False, resources={"metadata": {"path": folder}}
        )
        with client.setup_kernel():
            began = time.perf_counter()
            for at, cell in enumerate(notebook.cells):
                client.execute_cell(cell, at)
                if at == painted:
                    first = time.perf_counter() - began
    takes, peak = (int(cell.outputs[0]["data"]["text/plain"]) for cell in notebook.cells[-2:])
    print(f"first paint after {first:.1f} s, {takes} takes of the panel, kernel's peak {peak / 1e6:.0f} MB")
    assert takes == 2
    assert peak <= MOST_BYTES, f"Binder gives {MOST_BYTES / 1e6:.0f} MB"
    assert first <= MOST_SECONDS, f"more than {MOST_SECONDS:g} s"


def ask_what_colab_would_install() -> None:
    """The pip line of every notebook, tried without installing beside Colab's torch and ipywidgets."""
    lines = set()
    for path in sorted(START.parent.glob("[0-9]*.ipynb")):
        code = next(
            cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"
        )
        lines.add(tuple(re.findall(r"^\s*%pip install (.*)$", code, flags=re.MULTILINE)))
    assert lines == {("-q ..",)}, f"one pip line, the same in every notebook; found {lines}"
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "ipywidgets==7.7.1"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run([*pip, "--dry-run", "--report", report, ".."], check=True, cwd=START.parent)
        wanted = {item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]}
    print("Colab's line would install:", ", ".join(sorted(wanted)))
    assert not wanted & HELD_BY_COLAB


if __name__ == "__main__":
    assert shutil.which("jupyter-lab", path=str(Path(sys.executable).parent)), "JupyterLab is missing"
    run_the_first_notebook()
    ask_what_colab_would_install()
