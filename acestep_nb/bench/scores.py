"""What scoring costs beside rendering, and whether it finds on nano what is known to be sung or left out.

Cost: a take is rendered, scored, and scored with the listening test by turns; the figures are the medians of the
shares, of which the first has a target: the test is asked for. Truth: takes of held-out songs are scored with the
right lyrics, with their lines in another order, and after one line was left out of the render; and the sound of
the corpus itself, whose every syllable has a known time, is timed.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from acestep_nb.audio import Audio
from acestep_nb.checkpoints import find
from acestep_nb.codec import Codec
from acestep_nb.codes import latent_frames
from acestep_nb.engine import Engine
from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.evaluate import held_out
from acestep_nb.nano.music import Piece, sung
from acestep_nb.nano.render import RATE, render
from acestep_nb.nano.tokenizer import build
from acestep_nb.scores.alignment import sung_tokens
from acestep_nb.scores.lyrics import rows_of_lines
from acestep_nb.scores.reading import lyric_tokens
from acestep_nb.scores.values import Scores
from acestep_nb.song import Song
from acestep_nb.takes import Take

CHECKPOINT = "nano"
SECONDS, PAIRS, COST_TARGET = (10.0, 30.0, 120.0), 5, 0.15
TAKES, HELD_OUT_SEED, SHUFFLE_SEED, NOISE_SEED = 50, 20_240_707, 3, 5
FOUND_TARGET, ONSET_TARGET = 0.8, 0.25
REST = "[rest]"  # one token that lasts a beat and is not sung
WORDS = ("every window holds a little light", "tell me why we never say goodbye", "carry me along the road")


def measure(
    on_progress: Callable[[str], None],
    takes: int = TAKES,
    pairs: int = PAIRS,
    lengths: tuple[float, ...] = SECONDS,
) -> dict[str, Any]:
    """Shares of rendering time by length, and how often (0–1) and how exactly (s) singing is found."""
    engine = Engine.load(CHECKPOINT, planner=False)
    cost = []
    for seconds in lengths:
        on_progress(f"cost of scoring {seconds:g} s")
        cost.append(_cost(engine, seconds, pairs))
    return {
        "benchmark": "scores",
        "checkpoint": engine.name,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "cost": cost,
        "truth": _truth(engine, takes, on_progress),
    }


def _cost(engine: Engine, seconds: float, pairs: int) -> dict[str, Any]:
    lyrics = "[Verse]\n" + "\n".join(WORDS * max(1, int(seconds / 12)))
    song = Song(caption="female pop ballad", lyrics=lyrics, vocal_language="en", bpm=100, duration=seconds)
    times: dict[str, list[float]] = {"render": [], "score": [], "listen": []}
    for pair in range(pairs):
        clock = [time.perf_counter()]
        [take] = engine.generate(song, seeds=[pair])
        clock.append(time.perf_counter())
        for listen in (False, True):
            engine.score(take, listen=listen)
            clock.append(time.perf_counter())
        for name, began, ended in zip(times, clock, clock[1:]):
            times[name].append(ended - began)
    shares = {
        name: statistics.median(own / rendered for own, rendered in zip(times[name], times["render"]))
        for name in ("score", "listen")
    }
    return {
        "seconds": seconds,
        **{f"{name}_s": round(statistics.median(values), 4) for name, values in times.items()},
        "share": round(shares["score"], 3),
        "share_with_listening": round(shares["listen"], 3),
        "target": COST_TARGET,
    }


def _truth(engine: Engine, takes: int, on_progress: Callable[[str], None]) -> dict[str, Any]:
    """Shares of takes in which the truth was found, by the listening test and by attention alone."""
    random, tokenizer = np.random.default_rng(SHUFFLE_SEED), build()
    found: dict[str, list[float]] = {}
    songs = (pair for pair in held_out(6 * takes, HELD_OUT_SEED) if pair[1].voice)
    done = 0
    for song, piece in songs:
        lyrics = Sheet(tokenizer, song, piece)
        if len(lyrics.whole_lines) < 2:
            continue
        for name, value in _one_song(engine, song, lyrics, random).items():
            found.setdefault(name, []).append(value)
        done += 1
        on_progress(f"song {done} of {takes}")
        if done == takes:
            break
    medians = {name: round(float(np.median(v)), 4) for name, v in found.items() if name.endswith("_s")}
    shares = {name: round(float(np.mean(v)), 3) for name, v in found.items() if not name.endswith("_s")}
    return {"takes": done, **shares, **medians, "found_target": FOUND_TARGET, "onset_target_s": ONSET_TARGET}


class Sheet:
    """The lyrics of a song of the corpus: which tokens are its lines, and when each is sung."""

    def __init__(self, tokenizer: Any, song: Song, piece: Piece) -> None:
        tokens = lyric_tokens(tokenizer, song.lyrics, song.vocal_language)
        self.texts, self.piece = tokens.texts, piece
        self.rows = rows_of_lines(self.texts)
        kept = sung_tokens(self.texts)
        self.whole_lines = [
            i
            for i, row in enumerate(self.rows)
            if row.stop * piece.beat <= piece.seconds
            and any(self.texts[token].strip() and kept[token] for token in range(row.start, row.stop))
        ]
        """Lines that are sung from end to end within the song."""

    def without(self, line: int) -> str:
        """The lyrics with rests for a line, so that the others stay at their beats."""
        texts, row = list(self.texts), self.rows[line]
        texts[row] = [REST] * (row.stop - row.start - 1) + ["\n"]
        return "".join(texts)

    def reordered(self, random: np.random.Generator) -> str:
        """The lines of the lyrics in another order."""
        lines = [line for line in "".join(self.texts).split("\n") if line]
        while (other := [str(line) for line in random.permutation(lines)]) == lines:
            pass
        return "\n".join(other)

    def onset_errors(self, scores: Scores) -> list[float]:
        """How far the start of each sung line is from the truth, in seconds."""
        starts = {slot: start for start, _, slot in sung(self.piece)}
        errors = []
        for i in self.whole_lines:
            slots = [slot for slot in range(self.rows[i].start, self.rows[i].stop) if slot in starts]
            if slots:
                errors.append(abs(scores.lines[i].start - starts[slots[0]]))
        return errors


def _one_song(engine: Engine, song: Song, lyrics: Sheet, random: np.random.Generator) -> dict[str, float]:
    deleted = int(random.choice(lyrics.whole_lines))
    [take] = engine.generate(song, seeds=[NOISE_SEED])
    [poorer] = engine.generate(replace(song, lyrics=lyrics.without(deleted)), seeds=[NOISE_SEED])
    right = engine.score(take, listen=True)
    shuffled = engine.score(take, lyrics.reordered(random), listen=True)
    missing = engine.score(poorer, song.lyrics, listen=True)
    taught = engine.score(_corpus_take(take, song, lyrics.piece))
    worst = {
        by: min(lyrics.whole_lines, key=lambda i: getattr(missing.lines[i], by) or 0.0)
        for by in ("clarity", "score")
    }
    return {
        "right_beats_shuffled": float((right.lyrics_heard or 0) > (shuffled.lyrics_heard or 0)),
        "right_beats_shuffled_by_attention": float(
            (right.lyrics_alignment or 0) > (shuffled.lyrics_alignment or 0)
        ),
        "deleted_line_found": float(worst["clarity"] == deleted),
        "deleted_line_found_by_attention": float(worst["score"] == deleted),
        "chance": 1 / len(lyrics.whole_lines),
        "onset_error_s": float(np.median(lyrics.onset_errors(taught))),
    }


def _corpus_take(take: Take, song: Song, piece: Piece) -> Take:
    """The take with the sound of the corpus in place of its own."""
    stems = list(render(piece).values())
    codec = Codec(SpectralCodec.from_pretrained(find(CHECKPOINT) / "vae"))
    audio = Audio(sum(stems[1:], stems[0]), RATE)
    latents = codec.encode(audio)[: latent_frames(song.duration or audio.duration)]
    return replace(take, audio=audio, latents=latents)
