"""Training items of the six tasks: what is given, what is asked, and what the answer is.

Context latents are `[source 64 | chunk mask 64]`:
text2music: silence -> mix · cover: own codes -> mix · repaint: mix with silence in a window -> mix ·
extract: mix -> one stem · lego: mix without a stem -> that stem · complete: some stems -> mix.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from acestep_nb.codes import LATENT_CHANNELS, LATENT_RATE
from acestep_nb.nano.corpus import SECONDS, Corpus
from acestep_nb.nano.music import STEMS, Piece
from acestep_nb.nano.networks import Networks
from acestep_nb.nano.phrasing import Prompt, Writer
from acestep_nb.renderer import prompts

FRAMES = 250  # window of one item with sound: 10 s
PLAN_FRAMES = 128  # window of one item without: all that is learned there holds for each moment alone
TASK_SHARE = {
    "text2music": 0.76,
    "cover": 0.05,
    "repaint": 0.05,
    "extract": 0.06,
    "lego": 0.04,
    "complete": 0.04,
}
METAS_DROPPED = {"extract": 0.4, "complete": 0.4, "cover": 0.4}
NULL_SHARE = 0.06
SLOW_BELOW, SLOW_WEIGHT = 90, 3.0  # bpm; slow drums have few hits in a window, so they are drawn more often
OUTSIDE_WEIGHT = 0.25  # loss of the kept frames of a repaint
LYRIC_HEADER = 2  # tokens of a lyric prompt before the first slot


@dataclass(frozen=True)
class Lesson:
    """One item: a window of a piece from latent frame `first` on, as long as `target`."""

    task: str
    piece: Piece
    prompt: Prompt
    first: int
    target: Tensor  # [frame, 64]
    source: Tensor | None  # [frame, 64]; None is silence
    tracks: tuple[str, ...] = ()
    window: tuple[int, int] = (0, FRAMES)  # frames whose chunk mask is 1
    sings: bool = True  # the target holds the vocals, if the piece has any
    null: bool = False

    @property
    def clocked(self) -> bool:
        """Whether beat and bar follow from the context at once: a clock, or codes from the piece's start."""
        return not self.null and self.task in ("text2music", "cover")


@dataclass(frozen=True)
class Batch:
    """Lessons as tensors, on the CPU; `lessons` for the targets that follow from the descriptions."""

    lessons: list[Lesson]
    target: Tensor  # [item, frame, 64]
    context: Tensor  # [item, frame, 128]
    weight: Tensor  # [item, frame]
    text: Tensor
    text_mask: Tensor
    lyrics: Tensor
    lyrics_mask: Tensor
    null: Tensor = field(repr=False)  # bool [item]


class Teacher:
    """Draws lessons from a corpus, or from words alone for the planning stage."""

    def __init__(
        self, corpus: Corpus | None, writer: Writer, networks: Networks, rng: np.random.Generator
    ) -> None:
        self.corpus, self.writer, self.networks, self.rng = corpus, writer, networks, rng
        if corpus is not None:
            weight = np.array([SLOW_WEIGHT if _slow_drums(clip.piece) else 1.0 for clip in corpus.clips])
            self.share = weight / weight.sum()

    def plan(self, size: int) -> Batch:
        """A batch of text2music items without sound: what the planning stage learns follows from words."""
        return self.batch([self._plan_lesson() for _ in range(size)])

    def draw(self, size: int) -> Batch:
        """A batch of the six tasks by TASK_SHARE."""
        assert self.corpus is not None
        tasks = self.rng.choice(list(TASK_SHARE), size, p=list(TASK_SHARE.values()))
        clips = self.rng.choice(len(self.corpus), size, p=self.share)
        return self.batch([self._lesson(str(task), int(i)) for task, i in zip(tasks, clips, strict=True)])

    def _first(self, limit: int) -> int:
        return 2 * int(self.rng.integers(limit // 2 + 1))

    def _plan_lesson(self) -> Lesson:
        piece, lyrics = self.writer.piece(self.rng, SECONDS, sings=bool(self.rng.random() < 0.7))
        first = self._first(int(SECONDS * LATENT_RATE) - PLAN_FRAMES)
        silence = torch.zeros(PLAN_FRAMES, LATENT_CHANNELS)
        return Lesson("text2music", piece, self.writer.prompt(piece, lyrics, self.rng), first, silence, None)

    def _lesson(self, task: str, index: int) -> Lesson:
        assert self.corpus is not None
        rng, clip, latents = self.rng, self.corpus.clips[index], self.corpus.latents
        piece = clip.piece
        placed = task in ("text2music", "repaint") or (task != "cover" and not piece.voice)
        first = self._first(latents["mix"].shape[1] - FRAMES) if placed else 0
        cut = {
            kind: latents[kind][index, ..., first : first + FRAMES, :].float()
            for kind in ("mix", "minus", "part")
        }
        lesson = Lesson(task, piece, self._prompt(task, clip.lyrics, piece), first, cut["mix"], None)
        if task == "text2music":
            return replace(lesson, null=bool(rng.random() < NULL_SHARE))
        if task == "cover":
            return replace(lesson, source=cut["mix"])
        if task == "repaint":
            return self._repaint(lesson)
        if task == "complete":
            missing = tuple(piece.track(name) for name in piece.stems if name not in clip.part_stems)
            return replace(lesson, source=cut["part"], tracks=missing)
        stem = clip.stem if task == "lego" else str(rng.choice(piece.stems))
        alone = latents["stems"][index, STEMS.index(stem), first : first + FRAMES].float()
        source = cut["minus"] if task == "lego" else cut["mix"]
        return replace(
            lesson, target=alone, source=source, tracks=(piece.track(stem),), sings=stem == "vocals"
        )

    def _prompt(self, task: str, lyrics: str, piece: Piece) -> Prompt:
        prompt = self.writer.prompt(piece, lyrics, self.rng)
        if task == "extract" and self.rng.random() < 0.5:
            prompt = replace(prompt, lyrics="")
        dropped = METAS_DROPPED.get(task, 0.0)
        return replace(
            prompt,
            bpm=None if self.rng.random() < dropped else prompt.bpm,
            keyscale=None if self.rng.random() < dropped else prompt.keyscale,
        )

    def _repaint(self, lesson: Lesson) -> Lesson:
        """The window is painted anew; half the time everything outside comes from another piece."""
        assert self.corpus is not None
        length = int(self.rng.integers(50, 201))
        start = int(self.rng.integers(0, FRAMES - length + 1))
        end = start + length
        around = lesson.target
        if self.rng.random() < 0.5:
            other = int(self.rng.integers(len(self.corpus)))
            around = self.corpus.latents["mix"][other, lesson.first : lesson.first + FRAMES].float()
        silence = self.networks.silence[0, lesson.first : lesson.first + FRAMES]
        inside = torch.zeros(FRAMES, 1)
        inside[start:end] = 1
        target = torch.where(inside > 0, lesson.target, around)
        return replace(
            lesson, target=target, source=torch.where(inside > 0, silence, around), window=(start, end)
        )

    def batch(self, lessons: list[Lesson]) -> Batch:
        """Lessons padded to one length."""
        text, text_mask = _padded([self._text(lesson) for lesson in lessons], self.writer)
        lyrics, lyrics_mask = _padded([self._lyrics(lesson) for lesson in lessons], self.writer)
        mask = torch.zeros(len(lessons), len(lessons[0].target))
        for row, lesson in zip(mask, lessons, strict=True):
            row[slice(*lesson.window)] = 1
        return Batch(
            lessons=lessons, target=torch.stack([lesson.target for lesson in lessons]),
            context=torch.cat([self._source(lessons), mask[..., None].expand(-1, -1, LATENT_CHANNELS)], -1),
            weight=mask.clamp(min=OUTSIDE_WEIGHT), text=text, text_mask=text_mask, lyrics=lyrics,
            lyrics_mask=lyrics_mask, null=torch.tensor([lesson.null for lesson in lessons]),
        )  # fmt: skip

    @torch.no_grad()
    def _source(self, lessons: list[Lesson]) -> Tensor:
        silence = self.networks.silence[0]
        rows = [silence[x.first : x.first + len(x.target)] if x.source is None else x.source for x in lessons]
        covers = [i for i, lesson in enumerate(lessons) if lesson.task == "cover"]
        if covers:
            quantized, _ = self.networks.audio_tokenizer.tokenize(torch.stack([rows[i] for i in covers]))
            for i, hints in zip(covers, self.networks.audio_token_detokenizer(quantized), strict=True):
                rows[i] = hints
        return torch.stack(rows)

    def _text(self, lesson: Lesson) -> list[int]:
        p = lesson.prompt
        block = prompts.metas(p.bpm, p.timesignature, p.keyscale, lesson.piece.seconds)
        sentence = prompts.instruction(lesson.task, lesson.tracks)
        return self.writer.tokens(prompts.text_prompt(sentence, p.caption, block))

    def _lyrics(self, lesson: Lesson) -> list[int]:
        """Lyric tokens; often cut behind the window, which shortens the batch and changes no answer."""
        tokens = self.writer.tokens(prompts.lyric_prompt(lesson.prompt.lyrics, lesson.prompt.vocal_language))
        beats = int((lesson.first + len(lesson.target)) / LATENT_RATE / lesson.piece.beat)
        last = LYRIC_HEADER + beats + 2 + int(self.rng.integers(16))
        if len(tokens) > last + 2 and self.rng.random() < 0.75:
            tokens = tokens[:last] + tokens[-2:]
        return tokens


def _slow_drums(piece: Piece) -> bool:
    return piece.drums and piece.tempo < SLOW_BELOW


def _padded(rows: list[list[int]], writer: Writer) -> tuple[Tensor, Tensor]:
    pad = int(writer.classes[writer.tokenizer.pad_token_id])
    ids = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids, mask
