"""Asks the engine for songs that training never saw and judges what it hears.

Every figure comes with the judges' own accuracy on real corpus pieces (`ceiling`) and with the same sound
judged against another song's words (`shuffled`), which must be near chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from acestep_nb.audio import Audio
from acestep_nb.checkpoints import find
from acestep_nb.engine import Engine
from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.judges import Hearing, Judges, verdict
from acestep_nb.nano.music import TEMPI, Piece
from acestep_nb.nano.phrasing import Prompt, Writer
from acestep_nb.nano.render import render
from acestep_nb.nano.tokenizer import build, lyric_slots
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.prompts import lyric_prompt
from acestep_nb.song import Song

HELD_OUT_SEED, JUDGE_SEED, STRANGER_SEED, NOISE_SEED = 20_240_001, 77, 5, 1000
JUDGE_PIECES, CEILING_SHARE, JUDGE_SECONDS = 1000, 10, 10.0  # one piece in ten more measures the judges
AS_IT_IS = RenderOptions(normalize=False)  # the judges know sound at the level of the corpus
DURATIONS = (10.0, 12.5, 15.0, 20.0)
UNSEEN_FILLERS = (
    "midnight", "neon", "highway", "tape hiss", "orchestral", "shimmering", "punchy", "in the rain",
)  # fmt: skip
ENGLISH = (
    "walking through the empty streets tonight", "every window holds a little light",
    "tell me why we never say goodbye", "river running under winter sky", "carry me along the open road",
    "nothing but a memory to hold", "we are only waiting for the sun", "hold me closer till the day is done",
    "paper boats are drifting out to sea",
)  # fmt: skip


def held_out(count: int, seed: int = HELD_OUT_SEED) -> list[tuple[Song, Piece]]:
    """Songs with unseen captions and lyrics, and the piece that each should sound like; half of them sing."""
    writer, rng = Writer(build()), np.random.default_rng(seed)
    songs = []
    for i in range(count):
        seconds = DURATIONS[int(rng.integers(len(DURATIONS)))]
        piece, lyrics = writer.piece(rng, seconds, sings=i % 2 == 1)
        if piece.voice and rng.random() < 0.4:
            lyrics = "[Verse 1]\n" + "\n".join(str(line) for line in rng.permutation(ENGLISH))
            piece = replace(piece, slots=lyric_slots(writer.tokens(lyric_prompt(lyrics, "en"))))
        songs.append((_song(writer.prompt(piece, lyrics, rng), seconds, rng), piece))
    return songs


def _song(prompt: Prompt, seconds: float, rng: np.random.Generator) -> Song:
    caption = f"{prompt.caption}, {rng.choice(UNSEEN_FILLERS)}"
    return Song(caption=caption, lyrics=prompt.lyrics, vocal_language=prompt.vocal_language, bpm=prompt.bpm,
                keyscale=prompt.keyscale, timesignature=prompt.timesignature, duration=seconds)  # fmt: skip


def train_judges(
    codec: SpectralCodec, pieces: int = JUDGE_PIECES, seed: int = JUDGE_SEED
) -> tuple[Judges, dict[str, float]]:
    """Judges fitted on `pieces` fresh corpus pieces, every other one decoded as a take is; their accuracy on others.

    The accuracy is measured on decoded pieces alone, because takes are decoded.
    """
    writer, rng = Writer(build()), np.random.default_rng(seed)

    def hearings(count: int, decoded: int) -> list[Hearing]:
        return [
            _corpus_hearing(codec, writer.piece(rng, JUDGE_SECONDS)[0], i % decoded == 0)
            for i in range(count)
        ]

    judges = Judges(hearings(pieces, 2))
    return judges, summary([verdict(judges, h) for h in hearings(pieces // CEILING_SHARE, 1)])


@torch.no_grad()
def _corpus_hearing(codec: SpectralCodec, piece: Piece, decoded: bool) -> Hearing:
    """What the judges get of a corpus piece, as rendered or as the codec gives it back."""
    stems = list(render(piece).values())
    bands = codec.log_bands(torch.from_numpy(sum(stems[1:], stems[0]))[None])
    if decoded:
        stereo = codec.decode(codec.project(bands).transpose(1, 2)).sample
        bands = codec.log_bands(codec.halve(stereo.mean(1)))
    return Hearing(piece, bands[0].numpy())


@torch.no_grad()
def hear(codec: SpectralCodec, audio: Audio, piece: Piece) -> Hearing:
    """What the judges get of a finished take."""
    mono = codec.halve(torch.from_numpy(audio.samples.mean(0, keepdims=True)))
    return Hearing(piece, codec.log_bands(mono)[0].numpy())


def summary(verdicts: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each figure over the pieces that it applies to."""
    names = sorted({name for v in verdicts for name in v})
    return {name: round(float(np.mean([v[name] for v in verdicts if name in v])), 3) for name in names}


def strangers(count: int, seed: int = STRANGER_SEED) -> list[int]:
    """For each of `count` songs the number of another one; every song is another's stranger once."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(count)
        if (order != np.arange(count)).all():
            return [int(i) for i in order]


def evaluate(
    name: str = "nano",
    count: int = 40,
    judge_pieces: int = JUDGE_PIECES,
    on_progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Figures of text2music on `count` held-out songs (at least 2): measured, shuffled, ceiling, peak of the takes.

    `shuffled` judges each take against another song, drawn by `strangers`.
    """
    asked = held_out(count)
    others = strangers(count)
    codec = SpectralCodec.from_pretrained(find(name) / "vae")
    engine = Engine.load(name)
    on_progress(f"training the judges on {judge_pieces} pieces")
    judges, ceiling = train_judges(codec, judge_pieces)
    measured, shuffled, peak = [], [], 0.0
    for i, (song, piece) in enumerate(asked):
        on_progress(f"song {i + 1} of {count}")
        audio = engine.generate(song, seeds=[NOISE_SEED + i], options=AS_IT_IS)[0].audio
        heard = hear(codec, audio, piece)
        measured.append(verdict(judges, heard))
        shuffled.append(verdict(judges, heard, asked[others[i]][1]))
        peak = max(peak, audio.peak)
    return {
        "checkpoint": engine.name,
        "checkpoint_hash": engine.checkpoint_hash,
        "songs": count,
        "measured": summary(measured),
        "shuffled": summary(shuffled),
        "ceiling": ceiling,
        "tempi": len(TEMPI),
        "peak": round(peak, 3),
    }
