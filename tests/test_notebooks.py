"""The notebooks: short, clean, in order, and every one runs as it stands on nano."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import acestep_nb

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ELSEWHERE = ("00_start", "14_lora", "studio")  # run by tests of their own
LESSONS = [path for path in NOTEBOOKS if path.stem not in ELSEWHERE]
COURSE = (
    "00_start", "01_mental_model", "02_captions", "03_lyrics", "04_metas", "05_seeds_and_sampling",
    "06_text2music", "07_cover_and_reference", "08_repaint_extend_stitch", "09_lego", "10_extract", "11_complete",
    "12_understand_and_codes", "13_batch_autogen_scores", "14_lora", "15_inside", "studio",
)  # fmt: skip
ROOMS = ("writing", "panels")  # packages of ours that a notebook may import by name
MAX_CELLS, MAX_LINES, MAX_BYTES, MAX_SOURCE = 8, 10, 50_000, 60_000
MAX_SECONDS = 25 * 60  # for all of them
EIGHT = "studio.seeds = range(1, 9)\njob = studio.generate()\n[take.seed for take in job.wait(300)]"
seconds_of: dict[str, float] = {}


def code_cells(notebook: nbformat.NotebookNode) -> list[str]:
    """The code of each cell as plain Python: a line of magic becomes `pass`."""
    return [
        re.sub(r"^(\s*)%.*$", r"\1pass", cell.source, flags=re.MULTILINE)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def lines_of_code(source: str) -> int:
    """Lines that are not blank; a long text, such as lyrics, counts as one."""
    inside = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
    return sum(bool(line.strip()) and at not in inside for at, line in enumerate(source.splitlines(), 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_short_and_stores_nothing(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < MAX_SOURCE
    assert len(notebook.cells) <= MAX_CELLS and "Now try" in notebook.cells[-1].source
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert "widgets" not in notebook.metadata
    for source in code_cells(notebook):
        assert lines_of_code(source) <= MAX_LINES, source


def unknown_names(source: str) -> list[str]:
    """What a cell takes from this package that is no public name of it, and imports that a user may lack."""
    wrong = []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            wrong += [name for name in names if name not in (*sys.stdlib_module_names, "acestep_nb")]
        elif isinstance(node, ast.ImportFrom) and node.module == "acestep_nb":
            names = [alias.name for alias in node.names]
            wrong += [name for name in names if name not in (*acestep_nb.__all__, *ROOMS)]
        elif isinstance(node, ast.ImportFrom):
            known = (*sys.stdlib_module_names, "ipywidgets")
            wrong += [] if node.module in known else [str(node.module)]
        elif isinstance(node, ast.Attribute):
            room = node.value.id if isinstance(node.value, ast.Name) else ""
            if room in ROOMS and node.attr not in importlib.import_module(f"acestep_nb.{room}").__all__:
                wrong.append(f"{room}.{node.attr}")
            if node.attr.startswith("_"):
                wrong.append(node.attr)
    return sorted(wrong)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_uses_public_names_only(path):
    for source in code_cells(nbformat.read(path, as_version=4)):
        assert not unknown_names(source)


def test_names_that_are_not_public_are_seen():
    assert unknown_names("from acestep_nb import Order\nimport torch") == ["Order", "torch"]
    assert unknown_names("from acestep_nb.engine import Engine") == ["acestep_nb.engine"]
    assert unknown_names("writing.kanji(1)\nengine._lock") == ["_lock", "writing.kanji"]
    assert lines_of_code('a = """x\ny\nz"""\n\nb = 1') == 2


def test_the_course_goes_from_each_notebook_to_the_next():
    assert tuple(path.stem for path in NOTEBOOKS) == COURSE
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert set(re.findall(r"\]\(([^):]+)\.ipynb\)", text)) <= set(COURSE), path.name
        if path.stem != COURSE[-1]:
            following = COURSE[COURSE.index(path.stem) + 1]
            assert f"({following}.ipynb)" in notebook.cells[-1].source.split("Next: ")[1], path.name


def executed(path: Path, folder: Path) -> tuple[nbformat.NotebookNode, list[dict[str, str]]]:
    """The notebook after it has run in a folder, and what it shows; nothing may have gone to stderr."""
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    seconds_of[path.stem] = time.perf_counter() - began
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    return notebook, [output["data"] for output in outputs if "data" in output]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_is_heard_and_seen(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    assert (
        'Engine.load("nano")  # the switch:' in code_cells(notebook)[0] or "MODEL" in code_cells(notebook)[0]
    )
    began = time.perf_counter()
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    seconds_of[path.stem] = time.perf_counter() - began
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    data = [output["data"] for output in outputs if "data" in output]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert sum(bool(re.search("Player|Compare", shown.get("text/plain", ""))) for shown in data) >= 2
    assert sum("image/png" in shown for shown in data) >= 2


def test_the_studio_shows_its_panels(tmp_path):
    notebook, data = executed(FOLDER / "studio.ipynb", tmp_path)
    assert [shown["text/plain"].split("(")[0] for shown in data] == ["Studio", "Repaint"]
    assert "engine.generate(song" in notebook.cells[-2].outputs[0].text


def test_the_course_takes_less_than_its_time():
    assert sum(seconds_of.values()) < MAX_SECONDS, seconds_of


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
