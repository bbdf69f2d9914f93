"""The command `acestep-nb train-lora`: songs in, an adapter out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acestep_nb.adapters.dataset import Dataset
from acestep_nb.adapters.options import ATTENTION, TARGETS, LoraOptions


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which songs and where to; how, is told by the knobs of `LoraOptions`."""
    parser.add_argument(
        "dataset", metavar="DATASET", help="a dataset's JSON, a folder of songs, or one of prepared tensors"
    )
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder for the adapter; a training in it goes on"
    )
    parser.add_argument(
        "--targets", metavar="NAME,…", help=f"out of {', '.join(TARGETS)} (default: {','.join(ATTENTION)})"
    )


def train(
    args: argparse.Namespace, given: dict[str, Any], on_progress: Callable[[object], None]
) -> dict[str, Any]:
    """Train as the command line asks and tell what came of it; `given` are the options that were set."""
    if args.targets is not None:
        given["targets"] = tuple(name.strip() for name in args.targets.split(",") if name.strip())
    options = LoraOptions(**given)
    songs: Dataset | str = args.dataset
    if Path(args.dataset).suffix == ".json":
        songs = Dataset.load(args.dataset)  # before the networks are loaded, which takes longer

    import acestep_nb

    engine = acestep_nb.Engine.load(args.model, planner=False)
    trained = engine.adapters.train(songs, args.out, options, on_progress=on_progress)
    return {
        "adapter": str(trained.adapter),
        "steps": trained.steps,
        "first_loss": next(iter(trained.losses), None),
        "last_loss": next(reversed(trained.losses), None),
        "problems": list(trained.problems),
        "model": engine.name,
        "checkpoint_hash": engine.checkpoint_hash,
        "options": options.to_dict(),
    }
