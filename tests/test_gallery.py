"""The gallery: each task is heard and seen, the page points to what is there, and nothing is large."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acestep_nb import Audio, Engine, cli
from acestep_nb.gallery import EXHIBITS, INDEX, make_gallery
from acestep_nb.kinds import TASKS

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "docs" / "gallery"
MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def nano() -> Engine:
    return Engine.load("nano")


@pytest.fixture(scope="module")
def made(nano, tmp_path_factory) -> tuple[list[Path], list[str]]:
    told: list[str] = []
    return make_gallery(nano, tmp_path_factory.mktemp("gallery"), told.append), told


def targets(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8"))


def test_every_task_has_an_exhibit_that_sounds(made):
    files, told = made
    assert set(TASKS) <= {exhibit.name for exhibit in EXHIBITS}
    assert told == [exhibit.title for exhibit in EXHIBITS]
    assert len(files) == 2 * len(EXHIBITS) + 1
    for exhibit in EXHIBITS:
        sound = Audio.load(files[0].parent / f"{exhibit.name}.mp3")
        assert 11.5 < sound.duration < 20 and sound.samples.shape[0] == 2
        assert np.sqrt(np.mean(sound.samples**2)) > 0.01
        assert Image.open(files[0].parent / f"{exhibit.name}.png").width == 760


def test_the_page_says_who_made_it_and_shows_all(made, nano):
    files, _ = made
    page = files[-1]
    text = page.read_text("utf-8")
    assert page.name == INDEX and "made by **nano**" in text and nano.checkpoint_hash[:15] in text
    local = {name for name in targets(page) if not name.startswith("../")}
    assert local == {file.name for file in files[:-1]}


def test_the_command_makes_it_and_tells_its_files(tmp_path, capsys, monkeypatch, nano):
    monkeypatch.setattr("acestep_nb.gallery.EXHIBITS", EXHIBITS[:1])
    assert cli.main(["gallery", str(tmp_path / "new"), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [Path(file).name for file in files] == ["text2music.mp3", "text2music.png", INDEX]
    assert all(Path(file).is_file() for file in files)


def test_a_folder_that_cannot_be_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert cli.main(["gallery", str(tmp_path / "file")]) == 2
    assert "folder" in capsys.readouterr().err


def test_the_shipped_gallery_is_whole_and_small():
    names = {f"{exhibit.name}.{ending}" for exhibit in EXHIBITS for ending in ("mp3", "png")} | {INDEX}
    assert {file.name for file in SHIPPED.iterdir()} == names
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < MOST_BYTES
    for name in targets(SHIPPED / INDEX):
        assert (SHIPPED / name).is_file(), name
