"""Gives the course its address, once the repository has one: `python binder/publish.py owner/name`.

Writes badges for Binder and Colab onto the first page, between its two marks, and the pip line of every notebook, so
that it also installs where there is no checkout. Run it again after a move: nothing is left of the old address.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

START = "notebooks/00_start.ipynb"
MARKS = re.compile(r"(<!-- badges -->\n).*?(<!-- end of badges -->)", re.DOTALL)
PIP_LINE = re.compile(r"(%pip install -q )[^\\]+(?=\\n)")


def publish(folder: Path, address: str) -> list[Path]:
    """The files of a checkout that now name this GitHub address; `ValueError` for what is none."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+", address):
        raise ValueError(f"the address must be owner/name, as on GitHub; got {address!r}")
    page = folder / "README.md"
    changed = {page: MARKS.sub(rf"\g<1>{badges(address)}\g<2>", page.read_text("utf-8"))}
    for notebook in sorted((folder / "notebooks").glob("*.ipynb")):
        text = notebook.read_text("utf-8")
        changed[notebook] = PIP_LINE.sub(rf"\g<1>git+https://github.com/{address}", text)
    for file, text in changed.items():
        file.write_text(text, "utf-8")
    return list(changed)


def badges(address: str) -> str:
    """Both badges as Markdown: each opens the first notebook."""
    places = {
        "Binder": (
            "https://mybinder.org/badge_logo.svg",
            f"https://mybinder.org/v2/gh/{address}/HEAD?urlpath=lab/tree/{START}",
        ),
        "Colab": (
            "https://colab.research.google.com/assets/colab-badge.svg",
            f"https://colab.research.google.com/github/{address}/blob/HEAD/{START}",
        ),
    }
    return "".join(
        f"[![Open in {name}]({picture})]({target})\n" for name, (picture, target) in places.items()
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the address: python binder/publish.py owner/name")
    try:
        for file in publish(Path(__file__).resolve().parents[1], sys.argv[1]):
            print(file)
    except ValueError as error:
        sys.exit(str(error))
