"""What the network is told: words, timbre and context of each take, as tensors."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from acestep_nb.checkpoints.loading import Models
from acestep_nb.codes import CODE_RATE, LATENT_RATE, LATENTS_PER_CODE, MIN_LATENT_FRAMES, latent_frames
from acestep_nb.errors import InputError
from acestep_nb.kinds import TASKS
from acestep_nb.locales import later
from acestep_nb.renderer import hints, prompts
from acestep_nb.renderer.guard import done_again, in_float32, is_finite, render_errors
from acestep_nb.renderer.regions import REFERENCE_SECONDS
from acestep_nb.song import DEFAULT_DURATION, Song

TIMBRE_FRAMES = REFERENCE_SECONDS * LATENT_RATE
"""Latent frames of a reference."""
WITH_REGION = ("repaint", "lego")
REMEMBERED = 8  # batches of words whose conditions are kept


@dataclass(frozen=True, eq=False)
class Ask:
    """What one take is asked for, all but its noise; latents are float32 `[frame, 64]` at 25 frames/s.

    `source` is what is reworked, `region` its first frame to be made new and the one behind the last (None:
    all). `codes` decide the outline instead of a source. `reference` (30 s) gives the timbre. `quantize=False`
    shows a cover its source as it is instead of through codes. `seconds` is the length that the model is told
    and, where neither source nor codes decide it, the length that is rendered; None: that of the source, of the
    song or of the codes, else the default.
    Raises `InputError` for parts that do not fit each other or the task.
    """

    song: Song
    task: str = "text2music"
    source: np.ndarray | None = None
    region: tuple[int, int] | None = None
    codes: tuple[int, ...] = ()
    reference: np.ndarray | None = None
    tracks: tuple[str, ...] = ()
    quantize: bool = True
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            remedy = "Ask for one of these."
            raise InputError(field="task", value=self.task, allowed=", ".join(TASKS), remedy=remedy)
        if self.codes and (self.source is not None or self.task not in ("text2music", "cover")):
            allowed = "without a source, for text2music or cover"
            raise InputError(field="codes", value=self.task, allowed=allowed, remedy="Leave one of them out.")
        if (self.source is None) != (self.task == "text2music" or bool(self.codes)):
            needs = "given" if self.source is None else "left out"
            raise InputError(
                field="source",
                value=self.source,
                allowed=f"{needs} for {self.task}",
                remedy="Choose another task.",
            )
        if self.region is not None:
            _check_region(self.task, self.region, self.frames)
        if self.reference is not None and len(self.reference) != TIMBRE_FRAMES:
            raise InputError(
                field="reference",
                value=f"{len(self.reference)} frames",
                allowed=f"latents of {REFERENCE_SECONDS} s",
                remedy="Encode what `reference_clip` gives.",
            )

    @property
    def frames(self) -> int:
        """Latent frames of the take, before any padding."""
        if self.source is not None:
            return len(self.source)
        return len(self.codes) * LATENTS_PER_CODE or latent_frames(self.told_seconds)

    @property
    def told_seconds(self) -> float:
        """The length in seconds that the model is told."""
        if self.seconds is not None:
            return self.seconds
        if self.source is not None:
            return len(self.source) / LATENT_RATE
        return self.song.duration or len(self.codes) / CODE_RATE or DEFAULT_DURATION

    @property
    def sentence(self) -> str:
        """The instruction; with codes it is that of a cover."""
        return prompts.instruction("cover" if self.codes else self.task, self.tracks)


@dataclass(frozen=True)
class Condition:
    """Everything but noise that decides a batch of takes, and what a person should know about it."""

    hidden: Tensor  # [take, token, width]: lyrics, timbre and text, valid tokens first
    context: Tensor  # [take, frame, 128]: 64 channels of source latents, then 64 of chunk mask
    notes: tuple[str, ...] = ()

    @property
    def takes(self) -> int:
        """Number of takes in the batch."""
        return self.hidden.shape[0]

    @property
    def frames(self) -> int:
        """Latent frames to be rendered, padding to the minimum included."""
        return self.context.shape[1]


class Conditioner:
    """Turns asks into conditions with the networks of one checkpoint; words that it read lately it still knows."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._known: OrderedDict[tuple[_Words, ...], tuple[Tensor, tuple[str, ...]]] = OrderedDict()

    @torch.inference_mode()
    def primary(self, asks: Sequence[Ask]) -> Condition:
        """What the network is told about a batch, one take for each ask; the longest gives the length.

        Shorter takes are filled up with the latents of silence, and all to 128 frames: cut the sound to the
        asked length after decoding. Half precision that overflows is read once more in float32, and a note says so.
        Raises `CheckpointError` when codes are needed and the checkpoint came without its audio tokenizer.
        """
        with render_errors(later("reading the words")):
            self._models.residence.bring("reading")
            hidden, notes = self._hidden(asks, [ask.sentence for ask in asks])
            return Condition(hidden, contexts(self._models, asks), notes)

    @torch.inference_mode()
    def secondary(self, asks: Sequence[Ask]) -> Condition:
        """What it is told once `audio_cover_strength` is used up: the same words as new music over silence."""
        sentence = prompts.instruction("text2music")
        with render_errors(later("reading the words")):
            self._models.residence.bring("reading")
            masks = chunk_masks(asks, batch_frames(asks)).to(self._models.device)
            silent = silence(self._models, masks.shape[1]).expand(len(asks), -1, -1)
            hidden, notes = self._hidden(asks, [sentence] * len(asks))
            return Condition(hidden, context(silent, masks), notes)

    def forget(self) -> None:
        """Read all words anew from now on: the networks have changed."""
        self._known.clear()

    def _hidden(self, asks: Sequence[Ask], sentences: Sequence[str]) -> tuple[Tensor, tuple[str, ...]]:
        """Condition sequence `[take, token, width]`, with notes; takes that are told the same are encoded once."""
        rows = [_words(ask, sentence) for ask, sentence in zip(asks, sentences, strict=True)]
        unique = tuple(dict.fromkeys(rows))
        if unique in self._known:
            self._known.move_to_end(unique)
        else:
            references = dict(zip(rows, (ask.reference for ask in asks), strict=True))
            self._known[unique] = self._read(unique, [references[row] for row in unique])
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        hidden, notes = self._known[unique]
        return hidden[[unique.index(row) for row in rows]], notes

    def _read(
        self, words: Sequence[_Words], references: Sequence[np.ndarray | None]
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Condition sequence of words, where half precision overflows in float32, and then a note."""
        models = self._models
        hidden = _encode(models, words, references)
        if models.dtype == torch.float32 or is_finite(hidden):
            return hidden, ()
        doing = later("reading the words in float32")
        with in_float32(models.text_encoder, doing), in_float32(models.condition_encoder, doing):
            hidden = _encode(models, words, references)
        return hidden, (done_again("read the words", models.dtype),)


def batch_frames(asks: Sequence[Ask]) -> int:
    """Latent frames of a batch: those of the longest take, 128 at least."""
    return max(MIN_LATENT_FRAMES, *(ask.frames for ask in asks))


def contexts(models: Models, asks: Sequence[Ask]) -> Tensor:
    """Context `[take, frame, 128]` of a batch: what each task shows of its source, and what is asked for."""
    frames = batch_frames(asks)
    shown = torch.stack([_shown(models, ask, frames) for ask in asks])
    return context(shown, chunk_masks(asks, frames).to(shown.device))


def context(source: Tensor, mask: Tensor) -> Tensor:
    """Context `[take, frame, 128]` of source latents `[take, frame, 64]` and a mask `[take, frame]`."""
    return torch.cat([source, mask[..., None].to(source.dtype).expand_as(source)], dim=-1)


def chunk_masks(asks: Sequence[Ask], frames: int) -> Tensor:
    """Where the takes of a batch are to be made new: bool `[take, frame]`."""
    masks = torch.ones(len(asks), frames, dtype=torch.bool)
    for mask, ask in zip(masks, asks, strict=True):
        if ask.region is not None:
            mask[: ask.region[0]] = False
            mask[ask.region[1] :] = False
    return masks


def sources(models: Models, asks: Sequence[Ask]) -> Tensor:
    """The sources of a batch as they are, `[take, frame, 64]`: what is kept, or noised to start from."""
    frames = batch_frames(asks)
    return torch.stack([_filled_up(models, _source(models, ask), frames) for ask in asks])


def silence(models: Models, frames: int) -> Tensor:
    """Latents of silence `[1, frame, 64]` from its beginning; longer than stored, it starts over."""
    stored: Tensor = models.condition_encoder.silence_latent
    return stored.repeat(1, -(-frames // stored.shape[1]), 1)[:, :frames]


@dataclass(frozen=True)
class _Words:
    """What decides the condition sequence of a take: two prompts, and which reference."""

    text: str
    lyrics: str
    reference: str = ""


def _words(ask: Ask, sentence: str) -> _Words:
    song = ask.song
    metas = prompts.metas(song.bpm, song.timesignature, song.keyscale, ask.told_seconds)
    heard = ask.reference
    return _Words(
        prompts.text_prompt(sentence, prompts.plain_caption(song.caption), metas),
        prompts.lyric_prompt(song.lyrics, song.vocal_language),
        "" if heard is None else hashlib.sha256(heard.tobytes()).hexdigest(),
    )


def _encode(models: Models, words: Sequence[_Words], references: Sequence[np.ndarray | None]) -> Tensor:
    """Condition sequence `[take, token, width]` of words; without a reference the timbre is left open.

    Text goes through the whole text encoder without an attention mask, lyrics only through its embedding
    table. Songs of different length are padded at the right, and the network attends to the padding: so did
    the original when it was trained and when it was released.
    """
    texts, text_mask = _tokens(models, [row.text for row in words], prompts.TEXT_MAX_TOKENS)
    lyrics, lyric_mask = _tokens(models, [row.lyrics for row in words], prompts.LYRICS_MAX_TOKENS)
    open_timbre = silence(models, TIMBRE_FRAMES)[0]
    timbre = [
        open_timbre if heard is None else torch.as_tensor(heard).to(open_timbre) for heard in references
    ]
    packed: Tensor
    packed, _ = models.condition_encoder(
        text_hidden_states=models.text_encoder(input_ids=texts, use_cache=False).last_hidden_state,
        text_attention_mask=text_mask,
        lyric_hidden_states=models.text_encoder.get_input_embeddings()(lyrics),
        lyric_attention_mask=lyric_mask,
        refer_audio_acoustic_hidden_states_packed=torch.stack(timbre),
        refer_audio_order_mask=torch.arange(len(words), device=models.device),
    )
    return packed


def _tokens(models: Models, texts: list[str], most: int) -> tuple[Tensor, Tensor]:
    """Token ids and validity `[take, token]`, both cut to `most` tokens and padded at the right."""
    read = models.tokenizer(
        texts, padding="longest", padding_side="right", truncation=True, max_length=most, return_tensors="pt"
    )
    return read.input_ids.to(models.device), read.attention_mask.to(models.device).bool()


def _shown(models: Models, ask: Ask, frames: int) -> Tensor:
    """What a task shows of its source, `[frame, 64]`: silence where new music goes, but lego hears the mix."""
    if ask.codes:
        return _filled_up(models, hints.hints_of(models, ask.codes), frames)
    if ask.source is None:
        return silence(models, frames)[0]
    source = _filled_up(models, _source(models, ask), frames)
    if ask.task == "cover" and ask.quantize:
        return hints.through_codes(models, source[None])[0]
    if ask.task == "repaint":
        anew = chunk_masks([ask], frames)[0].to(source.device)
        return torch.where(anew[:, None], silence(models, frames)[0], source)
    return source


def _source(models: Models, ask: Ask) -> Tensor:
    """The source's own latents; silence for a take that has none."""
    return silence(models, ask.frames)[0] if ask.source is None else _tensor(models, ask.source)


def _filled_up(models: Models, latents: Tensor, frames: int) -> Tensor:
    """Latents `[frame, 64]` brought to a length with silence from its beginning."""
    return torch.cat([latents[:frames], silence(models, max(0, frames - len(latents)))[0]])


def _tensor(models: Models, latents: np.ndarray) -> Tensor:
    return torch.as_tensor(latents).to(models.device, models.dtype)


def _check_region(task: str, region: tuple[int, int], frames: int) -> None:
    first, end = region
    if task not in WITH_REGION or not 0 <= first < end <= frames:
        raise InputError(
            field="region",
            value=f"frames {first}–{end} for {task}",
            allowed=f"a part of the source's {frames} frames, for {' or '.join(WITH_REGION)}",
            remedy="Ask for a region that lies in the source.",
        )
