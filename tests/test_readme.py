"""What the first page promises is there and works."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from acestep_nb import Audio, cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [body for its, body in fenced if its == language]


def test_files_that_it_points_to_are_there():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    missing = [name for name in targets if "://" not in name and not (ROOT / name).is_file()]
    assert targets and not missing


def test_commands_that_it_shows_are_understood():
    shown = [line for block in blocks("") for line in block.splitlines() if line.startswith("acestep-nb ")]
    assert len(shown) >= 3
    for line in shown:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)[1:]]
        assert cli._parse(words).command == words[0]


def test_commands_need_no_particular_shell():
    for block in blocks(""):
        assert not re.search(r"[#$`'\\]|\bexport\b", block), "cmd.exe would read that otherwise"


def test_the_six_lines_make_sound(tmp_path):
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 6
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.flac")
    audio = Audio.load(file)
    assert audio.duration == pytest.approx(20, abs=0.1) and 0.01 < audio.peak <= 1
