"""Giving the course its address: badges and pip lines name it, and nothing else changes."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("publish", ROOT / "binder" / "publish.py")
publishing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(publishing)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that carry the address, in a folder of their own."""
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "notebooks").mkdir()
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, tmp_path / "notebooks")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text("utf-8") for file in sorted(folder.rglob("*")) if file.is_file()}


def test_badges_open_the_first_notebook_at_the_address(checkout):
    publishing.publish(checkout, "someone/songs")
    page = (checkout / "README.md").read_text("utf-8")
    for place in ("mybinder.org/v2/gh/someone/songs/HEAD", "github/someone/songs/blob/HEAD/notebooks"):
        (target,) = re.findall(rf"\]\((https://\S*{place}\S*)\)", page)
        assert target.endswith("notebooks/00_start.ipynb")
    before = (ROOT / "README.md").read_text("utf-8")
    assert publishing.MARKS.sub("", page) == publishing.MARKS.sub("", before) != before


def test_each_notebook_installs_from_there_in_one_line(checkout):
    files = publishing.publish(checkout, "someone/songs")
    assert len(files) > 15
    for path in files[1:]:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        lines = re.findall(r"%pip.*", code)
        assert lines == ["%pip install -q git+https://github.com/someone/songs"], path.name
        original = (ROOT / "notebooks" / path.name).read_text("utf-8")
        shipped = re.findall(r"%pip install -q [^\\]+", original)
        assert path.read_text("utf-8").replace(lines[0], shipped[0]) == original


def test_a_move_leaves_nothing_of_the_old_address(checkout, tmp_path):
    publishing.publish(checkout, "someone/songs")
    publishing.publish(checkout, "choir/music.box")
    moved = contents(checkout)
    assert not any("someone/songs" in text for text in moved.values())
    publishing.publish(checkout, "choir/music.box")
    assert contents(checkout) == moved


@pytest.mark.parametrize(
    "address", ["", "songs", "a/b/c", "https://github.com/a/b", "a b/c", "-a/b", "a/b\\g<0>"]
)
def test_what_is_no_address_changes_nothing(checkout, address):
    before = contents(checkout)
    with pytest.raises(ValueError, match="owner/name"):
        publishing.publish(checkout, address)
    assert contents(checkout) == before
