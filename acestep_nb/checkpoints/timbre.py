"""Makes diffusers' timbre encoder compute what the published code computes."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor


def correct(condition_encoder: Any, xl: bool) -> None:
    """Give the timbre encoder the layer types of the config and, for the large model, its first token.

    diffusers hands `layer_types` to the lyric encoder only. The large model's code puts `special_token` before
    the reference and takes the timbre there; the others' code takes it at the first frame.
    """
    encoder, types = condition_encoder.timbre_encoder, condition_encoder.config.layer_types
    if types is not None:
        encoder._layer_types = types
        for layer, kind in zip(encoder.layers, types, strict=False):
            window = encoder.sliding_window if kind == "sliding_attention" else None
            layer.self_attn.sliding_window = window
    if xl:
        encoder.embed_tokens.register_forward_hook(partial(_with_token, encoder))


def _with_token(encoder: Any, embed_tokens: Any, args: Any, embedded: Tensor) -> Tensor:
    token = encoder.special_token.to(embedded.dtype).expand(len(embedded), -1, -1)
    return torch.cat([token, embedded], dim=1)
