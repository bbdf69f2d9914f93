"""The house's walls: imports point one way, the package is quick to import, and its pieces stay small."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import acestep_nb

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "acestep_nb"
MAX_MODULE, MAX_FUNCTION = 400, 60
TOO_LONG_FOR_A_REASON: dict[str, str] = {}  # "path" or "path:function" -> why it may be longer

LAYERS = {
    "words": {
        *("errors", "knobs", "languages", "song", "options", "seeds", "codes"),
        *(
            "files",
            "audio",
            "takes",
            "history",
            "writing",
            "kinds",
            "edits",
            "sources",
            "pieces",
            "plans",
            "work",
        ),
        *(
            f"checkpoints.{name}"
            for name in ("index", "locate", "manifest", "weighing", "registry", "fit", "download")
        ),
        *(
            "adapters",
            "scores",
            "locales",
            "marks",
            "index",
            "lineage",
            "exports",
            "levels",
            "params",
            "sweeps",
            "renderer.schedules",
        ),
    },
    "widgets": {"widgets", "plots", "charts", "curves"},
    "models": {
        *("checkpoints", "renderer", "planner", "codec", "nano.codec"),
        *(f"adapters.{name}" for name in ("files", "loading", "lessons", "training", "teaching", "memory")),
        *("scores.attention", "scores.quality", "scores.reading", "scores.contrast", "scores.judging"),
    },
    "engine": {
        "checkpoints.machine",
        "placing",
        "ladder",
        "engine",
        "renders",
        "verbs",
        "planning",
        "scoring",
        "adapting",
        "jobs",
    },
    "panels": {"panels"},
    "tools": {"bench", "cli", "downloading", "learning", "gallery", "lab", "doctor", "__main__", "nano"},
}
MAY_IMPORT = {
    "words": {"words"},
    "widgets": {"words", "widgets"},
    "models": {"words", "models"},
    "engine": {"words", "models", "engine"},
    "panels": {"words", "widgets", "engine", "panels"},
    "tools": {"words", "widgets", "models", "engine", "tools"},
}
HEAVY = {"torch", "diffusers", "transformers"}
SHOWING = {"ipywidgets", "anywidget", "matplotlib", "IPython"}
FOREIGN_NEVER = {
    "words": HEAVY | SHOWING,
    "widgets": HEAVY,
    "models": SHOWING,
    "engine": SHOWING,
    "panels": HEAVY,
    "tools": set(),
}


def layer_of(module: str) -> str | None:
    """The layer of a module of ours by its longest known prefix; the package itself is words."""
    inner = module.removeprefix("acestep_nb").removeprefix(".")
    parts = inner.split(".") if inner else []
    for length in range(len(parts), 0, -1):
        for layer, rooms in LAYERS.items():
            if ".".join(parts[:length]) in rooms:
                return layer
    return "words" if not parts else None


def imports_of(module: str, source: str, is_package: bool) -> Iterator[str]:
    """Full names that a module imports anywhere in it, those under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                keep = len(parents) - node.level + is_package
                base = ".".join([*parents[:keep], *([base] if base else [])])
            yield from (_home(base, alias.name) for alias in node.names)


def _home(base: str, name: str) -> str:
    """Where `from base import name` takes the name from; names of the package itself have their homes."""
    if base == "acestep_nb" and name in acestep_nb._HOMES:
        return acestep_nb._HOMES[name]
    if base == "acestep_nb" and layer_of(f"{base}.{name}") is None:
        return base
    return f"{base}.{name}"


def wrong_arrows(module: str, source: str, is_package: bool = False) -> list[str]:
    if module == "acestep_nb":  # its lazy exports reach into every layer; a test below watches what it loads
        return []
    layer = layer_of(module)
    assert layer, f"{module} has no layer: add it to LAYERS"
    wrong = []
    for name in imports_of(module, source, is_package):
        if name.split(".")[0] == "acestep_nb":
            target = layer_of(name) or "unknown"
            if target not in MAY_IMPORT[layer]:
                wrong.append(f"{module} ({layer}) imports {name} ({target})")
        elif name.split(".")[0] in FOREIGN_NEVER[layer]:
            wrong.append(f"{module} ({layer}) imports {name}")
    return wrong


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_imports_point_one_way():
    wrong = []
    for path in python_files("acestep_nb"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        wrong += wrong_arrows(module, path.read_text(encoding="utf-8"), is_package)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("song", "from acestep_nb.engine import Engine"),
        ("song", "from acestep_nb import Engine"),
        ("song", "import torch.nn"),
        ("history", "def f():\n    from . import renderer"),
        ("widgets.player", "from ..engine import Engine"),
        ("widgets.player", "import transformers"),
        ("renderer.renderer", "from acestep_nb.engine import Engine"),
        ("engine", "from acestep_nb.nano.train import train"),
        ("engine", "import ipywidgets"),
        ("jobs", "if TYPE_CHECKING:\n    from acestep_nb.panels import Studio"),
        ("panels.studio", "from acestep_nb.renderer import renderer"),
        ("panels.studio", "import torch"),
        ("nano.train", "from acestep_nb import Studio"),
        ("nano.codec", "from acestep_nb.nano.train import train"),
    ],
)
def test_a_wrong_arrow_is_seen(module, line):
    assert len(wrong_arrows(f"acestep_nb.{module}", line)) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("song", "from acestep_nb.errors import InputError\nimport numpy"),
        ("engine", "from acestep_nb import Song\nimport acestep_nb\nimport torch"),
        ("checkpoints.loading", "from acestep_nb.nano.codec import SpectralCodec"),
        ("panels.studio", "from acestep_nb import Engine, Player\nfrom .form import Form"),
        ("nano.train", "from acestep_nb.engine import Engine"),
    ],
)
def test_a_right_arrow_is_let_through(module, line):
    assert wrong_arrows(f"acestep_nb.{module}", line) == []


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_and_its_words_loads_nothing_heavy():
    words = "Song, RenderOptions, Audio, Take, History, AceStepError, InputError"
    loaded = loaded_by(f"import acestep_nb; from acestep_nb import {words}; acestep_nb.Song(bpm=92)")
    assert not loaded & (HEAVY | SHOWING)


def test_a_panel_is_there_before_torch():
    assert not loaded_by("from acestep_nb import Engine, Studio, Player") & HEAVY


def test_the_command_line_answers_before_torch():
    assert not loaded_by("import acestep_nb.cli") & (HEAVY | SHOWING)


def test_every_public_name_is_there():
    for name in acestep_nb.__all__:
        assert getattr(acestep_nb, name) is not None
    assert set(acestep_nb._HOMES) < set(acestep_nb.__all__) == set(dir(acestep_nb))
    with pytest.raises(AttributeError, match="Sonata"):
        _ = acestep_nb.Sonata


def too_long(path: str, source: str) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > MAX_MODULE and path not in TOO_LONG_FOR_A_REASON:
        yield f"{path}: {lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION and f"{path}:{node.name}" not in TOO_LONG_FOR_A_REASON:
                yield f"{path}:{node.lineno} {node.name}: {length} lines"


def test_modules_and_functions_stay_small():
    found = [
        line
        for path in python_files("acestep_nb", "tests")
        for line in too_long(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_long_modules_and_functions_are_seen():
    long_function = "def f():\n" + "    pass\n" * 60
    assert list(too_long("a.py", long_function)) == ["a.py:1 f: 61 lines"]
    assert list(too_long("a.py", "x = 1\n" * 401)) == ["a.py: 401 lines"]
    assert not list(too_long("a.py", "def f():\n" + "    pass\n" * 59 + "x = 1\n" * 340))


def test_no_two_test_files_share_a_name():
    """pytest imports them by their bare names."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
