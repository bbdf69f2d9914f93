"""`python -m acestep_nb.nano train | eval`: makes nano from nothing, and measures it."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.corpus import build_corpus, fit_codec
from acestep_nb.nano.evaluate import evaluate
from acestep_nb.nano.export import export
from acestep_nb.nano.restore import save_heads, take_up
from acestep_nb.nano.tokens import train_tokens
from acestep_nb.nano.train import STAGES, averaged, run

PIECES, CODEC_SEED, CORPUS_SEED = 2500, 1, 1000
LAST_STAGE = "finish"


def train(
    runs: Path, checkpoint: Path, pieces: int, processes: int, version: str, start: Path | None
) -> None:
    """Makes nano: codec, corpus, tokenizer pair, stages, export, evaluation; what is done already is kept."""
    if start and not (runs / "tokens.safetensors").exists():
        take_up(start, runs)
    if not (runs / "corpus" / "codec").exists():
        codec, kept = fit_codec(CODEC_SEED)
        print(f"codec keeps {kept:.1%} of the variance of its bands")
        codec.save_pretrained(runs / "corpus" / "codec")
    codec = SpectralCodec.from_pretrained(runs / "corpus" / "codec")
    build_corpus(runs / "corpus", pieces, codec, CORPUS_SEED, processes)
    train_tokens(runs)
    for stage in STAGES.values():
        print(f"{stage.name}: {stage.steps} steps")
        run(stage, runs, processes)
    publish(runs, checkpoint, codec, version)


def publish(runs: Path, checkpoint: Path, codec: SpectralCodec, version: str) -> None:
    """Writes the trained networks into `checkpoint`, and beside them how they came about and how good they are."""
    trained = averaged(runs, LAST_STAGE)
    export(trained.networks, codec, checkpoint, version)
    (checkpoint / "training").mkdir(exist_ok=True)
    save_heads(trained.heads, checkpoint)
    record(runs, checkpoint)


def record(runs: Path, checkpoint: Path) -> None:
    """Puts the log of every stage, the settings and the evaluation beside the weights."""
    logs = checkpoint / "training"
    for log in sorted(runs.glob("*.jsonl")):
        shutil.copyfile(log, logs / log.name)
    settings = {"pieces": PIECES, "codec_seed": CODEC_SEED, "corpus_seed": CORPUS_SEED,
                "stages": [asdict(stage) for stage in STAGES.values()]}  # fmt: skip
    (logs / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")
    (logs / "evaluation.json").write_text(json.dumps(evaluate(str(checkpoint)), indent=1) + "\n")


def main() -> None:
    """Command line of `python -m acestep_nb.nano`."""
    parser = argparse.ArgumentParser(prog="python -m acestep_nb.nano", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("train", help="make nano from nothing; goes on where it was stopped")
    one.add_argument(
        "--runs", type=Path, default=Path("runs/nano"), help="folder of the corpus and of unfinished work"
    )
    one.add_argument(
        "--checkpoint", type=Path, default=Path("checkpoints/nano"), help="folder to write nano into"
    )
    one.add_argument("--pieces", type=int, default=PIECES, help="30-second pieces in the corpus")
    one.add_argument("--processes", type=int, default=2, help="training processes, one core each")
    one.add_argument("--version", default="1", help="version written into the manifest")
    one.add_argument(
        "--start", type=Path, help="checkpoint folder whose planning, codes and codec to take up"
    )
    two = commands.add_parser("eval", help="measure a checkpoint on held-out songs and print one JSON object")
    two.add_argument("--checkpoint", default="nano", help="name or folder")
    two.add_argument("--songs", type=int, default=40)
    given = parser.parse_args()
    if given.command == "train":
        train(given.runs, given.checkpoint, given.pieces, given.processes, given.version, given.start)
    else:
        print(json.dumps(evaluate(given.checkpoint, given.songs), indent=1))


if __name__ == "__main__":
    main()
