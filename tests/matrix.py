"""Runs the panels' and the widgets' tests beside old and new versions of ipywidgets and ipykernel.

`python tests/matrix.py` goes through all rows, `python tests/matrix.py --ipywidgets 7.7 --ipykernel 6.29`
through one. Each row is a fresh environment with its own two; everything else is this Python's.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
IPYWIDGETS = ("7.7", "8.1")
IPYKERNEL = ("6.29", "7.4")
TESTS = ("tests/panels", "tests/widgets")


def main(arguments: list[str] | None = None) -> int:
    """How many rows failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ipywidgets", nargs="+", default=IPYWIDGETS, metavar="VERSION")
    parser.add_argument("--ipykernel", nargs="+", default=IPYKERNEL, metavar="VERSION")
    options = parser.parse_args(arguments)
    told = []
    for row in itertools.product(options.ipywidgets, options.ipykernel):
        began = time.monotonic()
        works = passes(*row)
        word = "passed" if works else "FAILED"
        told.append(
            (
                works,
                "ipywidgets {} · ipykernel {}: ".format(*row) + f"{word}, {time.monotonic() - began:.0f} s",
            )
        )
    print("\n".join(line for _works, line in told))
    return sum(not works for works, _line in told)


def passes(ipywidgets: str, ipykernel: str) -> bool:
    """Whether the tests pass beside these versions."""
    with tempfile.TemporaryDirectory() as place:
        python = environment(Path(place), [f"ipywidgets=={ipywidgets}.*", f"ipykernel=={ipykernel}.*"])
        test = [python, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", *TESTS]
        return subprocess.run(test, cwd=ROOT).returncode == 0


def environment(place: Path, packages: list[str]) -> str:
    """The Python of a new environment that holds these packages, and sees the checkout and this Python's libraries."""
    builder = venv.EnvBuilder(with_pip=True)
    builder.create(place)
    python = str(builder.ensure_directories(place).env_exe)
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    libraries = Path(own) / "libraries.pth"
    libraries.write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n", "utf-8")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


if __name__ == "__main__":
    sys.exit(main())
