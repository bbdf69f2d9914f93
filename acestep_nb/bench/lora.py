"""Whether a LoRA learns a style that nano has never heard, what that costs, and the same beside a plain loop.

A folder of songs in the style goes the way of a person's songs: scanned, prepared, trained, loaded. Judges who know
both kinds of music listen to takes of held-out prompts at scale 0, 0.5 and 1; tempo and key are judged as well.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from acestep_nb.adapters.dataset import Dataset
from acestep_nb.adapters.options import TARGETS, LoraOptions
from acestep_nb.bench.lora_race import alone, race
from acestep_nb.bench.style import StyleJudge, hearing, pieces, plain_sound, styled_sound, write_songs
from acestep_nb.checkpoints import find
from acestep_nb.engine import Engine
from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.evaluate import AS_IT_IS, hear, held_out, summary
from acestep_nb.nano.judges import Hearing, Judges, verdict
from acestep_nb.nano.music import Piece
from acestep_nb.song import Song

CHECKPOINT = "nano"
SCALES = (0.0, 0.5, 1.0)
HELD_OUT_SEED, SONG_SEED, JUDGE_SEED, NOISE_SEED = 20_241_111, 99, 5, 1000
TARGETS_OF_STYLE = {"1": "≥ 0.8", "0": "≤ 0.15", "0.5": "between", "tempo, key": "within 0.1 of scale 0"}
OBEYED = ("tempo", "key")
LORA = LoraOptions(
    rank=32,
    alpha=64,
    dropout=0.0,
    targets=TARGETS,
    learning_rate=4e-3,
    epochs=100,
    batch_size=4,
    save_every=100,
)


@dataclass(frozen=True)
class Setting:
    """How much is measured."""

    songs: int = 32
    song_seconds: float = 6.0
    prompts: int = 20
    judge_pieces: int = 300
    ceiling_pieces: int = 30
    pairs: int = 8
    lora: LoraOptions = LORA
    full_size: bool = True


def measure(on_progress: Callable[[str], None], setting: Setting | None = None) -> dict[str, Any]:
    """How often the style is heard by scale, what training cost, and the race with a plain peft loop."""
    how = setting or Setting()
    on_progress("training the judges")
    judges = _Judges(how)
    engine = Engine.load(CHECKPOINT, device="cpu", planner=False)
    with tempfile.TemporaryDirectory() as folder:
        trained = _train(engine, how, Path(folder), on_progress)
        heard = _listen(engine, how, judges, on_progress)
    on_progress("racing a plain loop over peft")
    figures = {
        "benchmark": "lora",
        "checkpoint": engine.name,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "judge_accuracy": judges.accuracy,
        "judge_ceiling": judges.ceiling,
        "training": trained,
        "style": heard,
        "targets": TARGETS_OF_STYLE,
        "race": race(how.pairs),
    }
    if how.full_size:
        on_progress("two steps at full size")
        figures["full_size"] = alone("full")
    return figures


class _Judges:
    """Who knows the style, and who knows tempo and key in both kinds of music."""

    def __init__(self, how: Setting) -> None:
        self.codec = SpectralCodec.from_pretrained(find(CHECKPOINT) / "vae")
        plain, styled = self._hearings(how.judge_pieces, JUDGE_SEED, decoded=5)
        self.style, self.music = StyleJudge(plain, styled), Judges([*plain, *styled])
        plain, styled = self._hearings(how.ceiling_pieces, JUDGE_SEED + 1, decoded=1)
        right = [*(not self.style(one) for one in plain), *map(self.style, styled)]
        self.accuracy = round(float(np.mean(right)), 3)
        self.ceiling = {kind: self.obeyed(heard) for kind, heard in (("plain", plain), ("styled", styled))}

    def obeyed(self, heard: list[Hearing]) -> dict[str, float]:
        """Share of takes that hold tempo and key."""
        found = summary([verdict(self.music, one) for one in heard])
        return {name: found[name] for name in OBEYED}

    def _hearings(self, count: int, seed: int, decoded: int) -> tuple[list[Hearing], list[Hearing]]:
        """Both kinds of sound of the same pieces; one in `decoded` as takes are, the others as composed."""
        made: tuple[list[Hearing], list[Hearing]] = [], []
        for number, (piece, _) in enumerate(pieces(count, 10.0, seed)):
            for kind, sound_of in zip(made, (plain_sound, styled_sound)):
                sound = sound_of(piece)
                if number % decoded == 0:
                    kind.append(hearing(self.codec, piece, sound))
                else:
                    with torch.no_grad():
                        bands = self.codec.log_bands(torch.from_numpy(sound.samples))[0].numpy()
                    kind.append(Hearing(piece, bands))
        return made


def _train(engine: Engine, how: Setting, folder: Path, on_progress: Callable[[str], None]) -> dict[str, Any]:
    write_songs(folder / "songs", how.songs, how.song_seconds, SONG_SEED)
    dataset = Dataset.scan(folder / "songs")
    told = [0.0]

    def tell(progress: object) -> None:
        if time.monotonic() - told[0] > 15:
            told[0] = time.monotonic()
            on_progress(str(progress))

    began, worked = time.perf_counter(), time.process_time()
    trained = engine.adapters.train(dataset, folder / "lora", how.lora, on_progress=tell)
    spent, worked = time.perf_counter() - began, time.process_time() - worked
    engine.adapters.load(folder / "lora", name="style")
    quarter = max(1, len(trained.losses) // 4)
    return {
        "songs": len(dataset),
        "song_seconds": how.song_seconds,
        "steps": trained.steps,
        "takes_a_step": how.lora.batch_size,
        "rank": how.lora.rank,
        "minutes": round(spent / 60, 2),
        "processor_minutes": round(worked / 60, 2),
        "steps_per_s": round(trained.steps / spent, 2),
        "first_loss": round(float(np.mean(trained.losses[:quarter])), 4),
        "last_loss": round(float(np.mean(trained.losses[-quarter:])), 4),
    }


def _listen(
    engine: Engine, how: Setting, judges: _Judges, on_progress: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Share of takes in the style, and of those that hold tempo and key, by scale."""
    figures = {}
    asked = held_out(how.prompts, HELD_OUT_SEED)
    for scale in SCALES:
        on_progress(f"{len(asked)} takes at scale {scale:g}")
        engine.adapters.change("style", scale=scale)
        heard = [_take(engine, judges.codec, song, piece, seed) for seed, (song, piece) in enumerate(asked)]
        share = float(np.mean([judges.style(one) for one in heard]))
        figures[f"{scale:g}"] = {"style": round(share, 3), **judges.obeyed(heard)}
    return figures


def _take(engine: Engine, codec: SpectralCodec, song: Song, piece: Piece, seed: int) -> Hearing:
    short = replace(song, duration=10.0)
    [take] = engine.generate(short, seeds=[NOISE_SEED + seed], options=AS_IT_IS)
    return hear(codec, take.audio, replace(piece, seconds=10.0))
