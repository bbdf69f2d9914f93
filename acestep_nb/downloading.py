"""The command `acestep-nb download`: what models there are, what they cost, and fetching them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from acestep_nb.checkpoints.download import Fetched, cost, download
from acestep_nb.checkpoints.registry import defaults, everything, found, models, with_needs

_ALL = sum(known.gigabytes for known in everything())
_LINES = 20  # reports of a download where the terminal cannot rewrite a line


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to fetch; without any option the models for every day."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help=f"every model, as first published: {_ALL:.0f} GB")
    which.add_argument(
        "--model", metavar="NAME", action="append", help="this model and what it needs; may be given again"
    )
    which.add_argument("--list", action="store_true", help="tell what there is, and what is here")


def listed() -> list[dict[str, Any]]:
    """Every published model, and others that are here: name, role, size, where it is, what it lacks."""
    here = {own.name: own for own in found()}
    rows: list[dict[str, Any]] = []
    for known in models():
        own = here.pop(known.name, None)
        rows.append(
            {
                "name": known.name,
                "role": known.role,
                "gigabytes": known.gigabytes,
                "about": known.about,
                "folder": None if own is None else str(own.folder),
                "trouble": "" if own is None else own.trouble,
            }
        )
    for own in here.values():
        row = {"name": own.name, "role": own.role, "gigabytes": None, "about": "", "folder": str(own.folder)}
        rows.append(row | {"trouble": own.trouble})
    return rows


def in_words(rows: list[dict[str, Any]]) -> str:
    """The list for a person: a line that names the columns, then one line for each model."""
    lines = [("model", "role", "size", "state", "what it is")]
    for row in rows:
        state = "-" if row["folder"] is None else f"! {row['trouble']}" if row["trouble"] else "here"
        size = "" if row["gigabytes"] is None else f"{row['gigabytes']:.1f} GB"
        lines.append((row["name"], row["role"], f"{size:>7}", state, row["about"]))
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def fetch(args: argparse.Namespace, say: Callable[[object], None]) -> dict[str, Any]:
    """Fetch what the options name; the folders that are there afterwards."""
    wanted = everything() if args.all else with_needs(args.model) if args.model else defaults()
    price = cost(wanted)
    say(price)
    folders = download(price, _Told(say))
    return {"folder": str(price.folder), "bytes": price.total, "models": [str(folder) for folder in folders]}


class _Told:
    """Progress on stderr: one line that is written anew, or a few lines where that cannot be."""

    def __init__(self, say: Callable[[object], None]) -> None:
        self._say, self._told = say, -1

    def __call__(self, fetched: Fetched) -> None:
        if sys.stderr.isatty():
            print(f"\r{fetched}   ", end="" if fetched.checking else "\n", file=sys.stderr, flush=True)
        elif (now := int(fetched.fraction * _LINES) + (not fetched.checking)) > self._told:
            self._told = now
            self._say(fetched)
