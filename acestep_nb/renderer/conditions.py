"""What the network is told: words, timbre and context of each take, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from acestep_nb.checkpoints.loading import Models
from acestep_nb.codes import LATENT_RATE, MIN_LATENT_FRAMES, latent_frames
from acestep_nb.renderer import prompts
from acestep_nb.song import DEFAULT_DURATION, Song

TIMBRE_FRAMES = 30 * LATENT_RATE  # the timbre encoder was trained on 30 s, always


@dataclass(frozen=True, eq=False)
class Ask:
    """What one take is asked for, all but its noise; latents are float32 `[frame, 64]` at 25 frames/s.

    `source` is what is reworked, `region` its first frame to be made new and the one behind the last (None:
    all). `codes` decide the outline instead of a source. `reference` (30 s) gives the timbre. `quantize=False`
    shows a cover its source as it is instead of through codes. `seconds` is the length that the model is told
    and, where neither source nor codes decide it, the length that is rendered; None: that of the song, of the
    codes or of the source, else the default.
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


@dataclass(frozen=True)
class Condition:
    """Everything but noise that decides a batch of takes."""

    hidden: Tensor  # [take, token, width]: lyrics, timbre and text, valid tokens first
    context: Tensor  # [take, frame, 128]: 64 channels of source latents, then 64 of chunk mask

    @property
    def takes(self) -> int:
        """Number of takes in the batch."""
        return self.hidden.shape[0]

    @property
    def frames(self) -> int:
        """Latent frames to be rendered, padding to the minimum included."""
        return self.context.shape[1]


def text2music(models: Models, songs: Sequence[Song]) -> Condition:
    """The condition of new music from words, one take for each song; the longest song gives the length.

    The context is the latent of silence, and the mask asks for every frame. Fewer than 128 frames are padded
    with more silence: cut the sound to the asked length after decoding.
    """
    frames = max(latent_frames(seconds_of(song)) for song in songs)
    sentence = prompts.instruction("text2music")
    source = silence(models, max(frames, MIN_LATENT_FRAMES)).expand(len(songs), -1, -1)
    context = torch.cat([source, torch.ones_like(source)], dim=-1)
    return Condition(hidden(models, songs, sentence), context)


def seconds_of(song: Song) -> float:
    """Length of the song in seconds: the asked one, or the default."""
    return DEFAULT_DURATION if song.duration is None else song.duration


def hidden(models: Models, songs: Sequence[Song], sentence: str) -> Tensor:
    """Condition sequence `[take, token, width]` of songs under an instruction sentence, timbre left open.

    Text goes through the whole text encoder without an attention mask, lyrics only through its embedding
    table. Songs of different length are padded at the right, and the network attends to the padding: so did
    the original when it was trained and when it was released.
    """
    texts, text_mask = _tokens(models, [_text(song, sentence) for song in songs], prompts.TEXT_MAX_TOKENS)
    lyrics, lyric_mask = _tokens(
        models,
        [prompts.lyric_prompt(song.lyrics, song.vocal_language) for song in songs],
        prompts.LYRICS_MAX_TOKENS,
    )
    timbre = silence(models, TIMBRE_FRAMES).expand(len(songs), -1, -1)
    packed: Tensor
    packed, _ = models.condition_encoder(
        text_hidden_states=models.text_encoder(input_ids=texts, use_cache=False).last_hidden_state,
        text_attention_mask=text_mask,
        lyric_hidden_states=models.text_encoder.get_input_embeddings()(lyrics),
        lyric_attention_mask=lyric_mask,
        refer_audio_acoustic_hidden_states_packed=timbre,
        refer_audio_order_mask=torch.arange(len(songs), device=timbre.device),
    )
    return packed


def silence(models: Models, frames: int) -> Tensor:
    """Latents of silence `[1, frame, 64]` from its beginning; longer than stored, it starts over."""
    stored: Tensor = models.condition_encoder.silence_latent
    return stored.repeat(1, -(-frames // stored.shape[1]), 1)[:, :frames]


def _text(song: Song, sentence: str) -> str:
    metas = prompts.metas(song.bpm, song.timesignature, song.keyscale, seconds_of(song))
    return prompts.text_prompt(sentence, song.caption, metas)


def _tokens(models: Models, texts: list[str], most: int) -> tuple[Tensor, Tensor]:
    """Token ids and validity `[take, token]`, both cut to `most` tokens and padded at the right."""
    read = models.tokenizer(
        texts, padding="longest", padding_side="right", truncation=True, max_length=most, return_tensors="pt"
    )
    return read.input_ids.to(models.device), read.attention_mask.to(models.device).bool()
