"""A whole checkpoint with random weights, of the real classes and of any width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.pipelines.ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

from acestep_nb.checkpoints.loading import Models
from acestep_nb.kinds import KINDS
from acestep_nb.nano.codec import SpectralCodec

_END = "<|endoftext|>"


@dataclass(frozen=True)
class Size:
    """How large the networks are; everything else stands to the width as in the released small models."""

    width: int = 1024
    layers: int = 6
    head_dim: int = 128

    @property
    def _common(self) -> dict[str, Any]:
        heads = self.width // self.head_dim
        return {
            "hidden_size": self.width,
            "intermediate_size": 3 * self.width,
            "num_attention_heads": heads,
            "num_key_value_heads": max(heads // 2, 1),
            "head_dim": self.head_dim,
        }


def random_models(size: Size, kind: str) -> Models:
    """The networks of a checkpoint of that kind, weights drawn from seed 0."""
    torch.manual_seed(0)
    common, text_width = size._common, size.width // 2
    encoder = AceStepConditionEncoder(
        text_hidden_dim=text_width,
        num_lyric_encoder_hidden_layers=max(size.layers // 3, 1),
        num_timbre_encoder_hidden_layers=max(size.layers // 6, 1),
        **common,
    )
    encoder.silence_latent.normal_()
    text_encoder = Qwen3Model(
        Qwen3Config(
            vocab_size=257,
            hidden_size=text_width,
            intermediate_size=3 * text_width,
            num_hidden_layers=size.layers,
            num_attention_heads=common["num_attention_heads"],
            num_key_value_heads=common["num_key_value_heads"],
            head_dim=size.head_dim,
            max_position_embeddings=4096,
        )
    )
    is_turbo = KINDS[kind].is_turbo
    networks = {
        "text_encoder": text_encoder,
        "condition_encoder": encoder,
        "transformer": AceStepTransformer1DModel(
            num_hidden_layers=size.layers, is_turbo=is_turbo, model_version=kind, **common
        ),
        "vae": SpectralCodec(),
        "audio_tokenizer": AceStepAudioTokenizer(
            fsq_dim=size.width, num_attention_pooler_hidden_layers=1, **common
        ),
        "audio_token_detokenizer": AceStepAudioTokenDetokenizer(
            num_attention_pooler_hidden_layers=1, **common
        ),
    }
    ready = {name: network.eval().requires_grad_(False) for name, network in networks.items()}
    return Models(tokenizer=_bytes_as_tokens(), name=f"random {kind}", hash="", kind=KINDS[kind], **ready)


def _bytes_as_tokens() -> PreTrainedTokenizerFast:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({_END: 0} | {letter: i for i, letter in enumerate(letters, 1)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([_END])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=_END, eos_token=_END, padding_side="right"
    )
