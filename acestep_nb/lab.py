"""Opens JupyterLab on the first notebook, wherever the package was installed."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from acestep_nb.errors import AceStepError
from acestep_nb.files import disk_errors

START = "00_start.ipynb"
_PACKAGE = Path(__file__).resolve().parent


def open_lab(options: Sequence[str] = ()) -> int:
    """JupyterLab on ``00_start.ipynb`` until it is closed; the exit code is its own.

    ``options`` go to JupyterLab as they are (``--no-browser``, ``--port=8889`` …).
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise AceStepError("JupyterLab is not installed", remedy='Run: pip install "acestep-nb[lab]"')
    start = notebooks_folder(Path.cwd()) / START
    print(f"opening {start}", file=sys.stderr, flush=True)
    lab = subprocess.Popen([sys.executable, "-m", "jupyterlab", str(start), *options])
    while True:
        # Ctrl-C reaches JupyterLab too, and it asks whether it is meant: only its own end ends us
        with contextlib.suppress(KeyboardInterrupt):
            return lab.wait()


def notebooks_folder(here: Path) -> Path:
    """The folder with the notebooks: the checkout's own, or ``here/notebooks`` after an install from a wheel.

    In the second case notebooks that are missing there are copied out of the package; one that is
    there already is never written over.
    """
    embedded = _PACKAGE / "embedded" / "notebooks"
    if not embedded.is_dir():
        return _PACKAGE.parent / "notebooks"
    folder = here / "notebooks"
    with disk_errors(folder, "notebooks"):
        for source in embedded.rglob("*"):
            target = folder / source.relative_to(embedded)
            if source.is_dir() or target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return folder
