"""Codes of a sound, and what codes tell the renderer: latents at 25 Hz that keep the outline of the music."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from acestep_nb.checkpoints.loading import Models
from acestep_nb.codes import checked_codes
from acestep_nb.errors import CheckpointError


def codes_of(models: Models, latents: Tensor) -> tuple[int, ...]:
    """The codes of latents `[frame, channel]`, one for five frames; a last part is filled up with silence."""
    _, indices = _tokenized(models, latents[None])
    return tuple(indices[0, :, 0].tolist())


def code_levels(models: Models) -> tuple[int, ...]:
    """Steps of each digit of a code, the quickest-turning first, as `codes.mix_codes` takes them."""
    return tuple(int(level) for level in _tokenizer(models).quantizer.levels)


def hints_of(models: Models, codes: Sequence[int]) -> Tensor:
    """Latents `[5 * code, channel]` that codes stand for; `InputError` for one outside the codebook."""
    quantizer = _tokenizer(models).quantizer
    known = checked_codes(codes, quantizer.codebook_size)
    indices = torch.tensor(known, device=models.device)[None, :, None]
    hints: Tensor = models.audio_token_detokenizer(quantizer.get_output_from_indices(indices))
    return hints[0]


def through_codes(models: Models, latents: Tensor) -> Tensor:
    """Latents `[take, frame, channel]` as their codes tell them: the outline of the music, not its sound."""
    quantized, _ = _tokenized(models, latents)
    hints: Tensor = models.audio_token_detokenizer(quantized)
    return hints[:, : latents.shape[1]]


def _tokenized(models: Models, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Quantized `[take, code, width]` and indices `[take, code, 1]` of latents."""
    silence = models.condition_encoder.silence_latent
    pair: tuple[Tensor, Tensor] = _tokenizer(models).tokenize(
        latents.to(models.device, models.dtype), silence_latent=silence
    )
    return pair


def _tokenizer(models: Models) -> Any:
    """The audio tokenizer; raises `CheckpointError` when the checkpoint came without the pair."""
    missing = [
        name for name in ("audio_tokenizer", "audio_token_detokenizer") if getattr(models, name) is None
    ]
    if missing:
        raise CheckpointError(
            f"{models.name} has no {' and no '.join(missing)}: codes and covers are not possible with it",
            field=missing[0],
            value=None,
            allowed="the two folders that older conversions to diffusers' layout left out",
            remedy="Load the checkpoint as first published, or a newer conversion of it.",
        )
    models.residence.bring("reading")
    return models.audio_tokenizer
