"""The course covers the guide: every heading and table of it has a section that teaches it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import nbformat
import pytest
from guide_outline import OUTLINE, Part

FOLDER = Path(__file__).parents[1] / "notebooks"
IN_THE_GUIDE = {"heading": 38, "table": 15}


@cache
def sections(notebook: str) -> dict[str, str]:
    """The text of each section by its heading, its code cells too; a section ends at the next heading."""
    found: dict[str, list[str]] = {}
    heading = ""
    for cell in nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4).cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and (match := re.match(r"#+ (.*)", line)):
                heading = match[1].strip()
                assert heading not in found, f"two sections {heading!r} in {notebook}"
            found.setdefault(heading, []).append(line)
    return {heading: "\n".join(lines) for heading, lines in found.items()}


def lacking(part: Part) -> list[str]:
    """What a part of the guide lacks in the course: its section, or names that do not occur there."""
    if not (FOLDER / f"{part.notebook}.ipynb").is_file():
        return [part.notebook]
    text = sections(part.notebook).get(part.section)
    if text is None:
        return [part.section]
    plain = " ".join(text.replace("**", "").split())
    return [name for name in part.names if name not in plain]


@pytest.mark.parametrize("part", OUTLINE, ids=lambda part: part.id)
def test_a_part_of_the_guide_is_taught(part):
    assert not lacking(part)


def test_the_outline_is_whole():
    counted = Counter(part.kind for part in OUTLINE)
    assert {kind: counted[kind] for kind in IN_THE_GUIDE} == IN_THE_GUIDE
    assert len({part.id for part in OUTLINE}) == len(OUTLINE)


def test_an_orphan_is_seen():
    part = next(part for part in OUTLINE if part.id == "renderer-knobs")
    assert lacking(replace(part, notebook="99_nothing")) == ["99_nothing"]
    assert lacking(replace(part, section="The cook's knobs")) == ["The cook's knobs"]
    assert lacking(replace(part, names=("`shift`", "`saltiness`"))) == ["`saltiness`"]
