"""Renders the training corpus into latents: shards of pieces with their mix, stems and partial mixes."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.music import STEMS, Piece, Syllable
from acestep_nb.nano.phrasing import Writer
from acestep_nb.nano.render import render
from acestep_nb.nano.tokenizer import build

SECONDS = 30.0
SHARD = 125
KINDS = ("mix", "stems", "minus", "part")
FIT_PIECES, FIT_FRAMES = 240, 150


@dataclass(frozen=True)
class Clip:
    """One piece of the corpus: `minus` is the mix without `stem`, `part` the sum of `part_stems`."""

    piece: Piece
    lyrics: str
    stem: str
    part_stems: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Clips and their latents at 25 Hz in float16.

    mix, minus, part: `[clip, frame, 64]`; stems: `[clip, stem, frame, 64]`, an absent stem being silence.
    """

    clips: list[Clip]
    latents: dict[str, torch.Tensor]

    def __len__(self) -> int:
        return len(self.clips)


def fit_codec(seed: int) -> tuple[SpectralCodec, float]:
    """A codec fitted on random mixes and stems, and the share of variance that its latents keep."""
    codec, writer, rng = SpectralCodec(), Writer(build()), np.random.default_rng(seed)
    rows = []
    for _ in range(FIT_PIECES):
        stems = list(render(writer.piece(rng, 10.0)[0]).values())
        mix = sum(stems[1:], stems[0])
        sounds = torch.from_numpy(np.stack([mix, mix, stems[int(rng.integers(len(stems)))]]))
        bands = codec.log_bands(sounds).reshape(3, -1, len(codec.mean))
        rows.append(bands[:, torch.from_numpy(rng.integers(0, bands.shape[1], FIT_FRAMES))].flatten(0, 1))
    return codec, codec.fit(torch.cat(rows))


def build_corpus(folder: Path, pieces: int, codec: SpectralCodec, seed: int, workers: int = 2) -> None:
    """Writes `pieces` random pieces into `folder`; shards that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    codec.save_pretrained(folder / "codec")
    shards = [(folder, i, seed + 1 + i) for i in range(-(-pieces // SHARD)) if not _path(folder, i).exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for line in pool.map(_write_shard, shards):
            print(line, flush=True)


def load_corpus(folder: Path, rank: int = 0, world: int = 1) -> Corpus:
    """The shards of `folder` that belong to training process `rank` of `world`."""
    paths = sorted(folder.glob("shard_*.safetensors"))[rank::world]
    shards = [load_file(path) for path in paths]
    clips = [clip for path in paths for clip in map(_clip, json.loads(path.with_suffix(".json").read_text()))]
    return Corpus(clips, {kind: torch.cat([shard.pop(kind) for shard in shards]) for kind in KINDS})


def _path(folder: Path, index: int) -> Path:
    return folder / f"shard_{index:03d}.safetensors"


def _write_shard(job: tuple[Path, int, int]) -> str:
    folder, index, seed = job
    torch.set_num_threads(1)
    codec = SpectralCodec.from_pretrained(folder / "codec")
    writer, rng = Writer(build()), np.random.default_rng(seed)
    clips, latents = zip(*(_make(codec, writer, rng) for _ in range(SHARD)), strict=True)
    stacked = {kind: torch.stack([one[kind] for one in latents]).half() for kind in KINDS}
    path = _path(folder, index)
    path.with_suffix(".json").write_text(json.dumps([asdict(clip) for clip in clips], ensure_ascii=False))
    save_file(stacked, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)
    return f"{path.name}: {len(clips)} pieces"


@torch.no_grad()
def _make(
    codec: SpectralCodec, writer: Writer, rng: np.random.Generator
) -> tuple[Clip, dict[str, torch.Tensor]]:
    piece, lyrics = writer.piece(rng, SECONDS)
    names = piece.stems
    sound = render(piece)
    spectra = codec.spectrum(torch.from_numpy(np.stack([sound[name] for name in names])))
    mix = spectra.sum(0)
    stem = str(rng.choice(names))
    part = tuple(name for name in names if rng.random() < 0.5) or (names[0],)
    if part == names and len(names) > 1:
        part = tuple(name for name in names if name != stem)
    chosen = [names.index(name) for name in part]
    whole = torch.stack(
        [mix, mix - spectra[names.index(stem)], spectra[chosen].sum(0), torch.zeros_like(mix)]
    )
    encoded = codec.project(codec.bands_of(torch.cat([whole, spectra])))
    stems = torch.stack([encoded[4 + names.index(name)] if name in names else encoded[3] for name in STEMS])
    latents = {"mix": encoded[0], "minus": encoded[1], "part": encoded[2], "stems": stems}
    return Clip(piece, lyrics, stem, part), latents


def _clip(data: dict[str, Any]) -> Clip:
    piece = data["piece"]
    slots = tuple(None if slot is None else Syllable(**slot) for slot in piece["slots"])
    return Clip(Piece(**{**piece, "slots": slots}), data["lyrics"], data["stem"], tuple(data["part_stems"]))
