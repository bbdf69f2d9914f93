"""nano's networks: the classes of the full-size model at small widths, and what makes them learn so small.

The patch convolutions start as identities, because the velocity contains the noise itself and a narrow
random layer cannot carry it. The silence latent, which is the context of a song made from words, carries a
clock, because nothing else in the network knows absolute time.
"""

from __future__ import annotations

import math

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.ace_step_transformer import AceStepAttention, AceStepAttnProcessor2_0
from diffusers.pipelines.ace_step.modeling_ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
    _pack_sequences,
)
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3Model

from acestep_nb.codes import LATENT_CHANNELS, LATENT_RATE
from acestep_nb.nano.music import BEATS_PER_BAR, TEMPI
from acestep_nb.nano.tokenizer import class_names

WIDTH, CONDITION_WIDTH, TEXT_WIDTH = 256, 128, 128
LAYERS = 6
FSQ_LEVELS = (8, 8, 8, 8)
GATED_LAYER, GATE_GAIN = 1, 4.0
ALIGNMENT_LAYER, ALIGNMENT_HEADS = 3, (0, 1)
REFERENCE_FRAMES = 750
SILENCE_FRAMES = 15_000
SLOW_HERTZ = (
    (1 / 240, 1 / 60, 1 / 30, 0.06, 0.12, 0.25, 0.5),
    (1 / 120, 1 / 45, 1 / 20, 0.09, 0.17, 0.35, 0.7),
)
EMBEDDING_SCALE = 0.5


def clock() -> Tensor:
    """The silence latent `[1, 15000, 64]`: sines and cosines of absolute time at the frequencies of the music.

    One token of the transformer holds an even and an odd frame: even frames carry the beat of each of the 25 tempi,
    odd ones its bar, both also seven slow frequencies; all are taken at the centre of the token.
    """
    beats = [tempo / 60 for tempo in TEMPI]
    bars = [hertz / BEATS_PER_BAR for hertz in beats]
    hertz = torch.tensor([[*beats, *SLOW_HERTZ[0]], [*bars, *SLOW_HERTZ[1]]], dtype=torch.float64)
    frame = torch.arange(SILENCE_FRAMES)
    seconds = (2 * (frame // 2) + 1).double() / LATENT_RATE
    phase = 2 * math.pi * seconds[:, None] * hertz[frame % 2]
    return torch.cat([phase.sin(), phase.cos()], 1).float()[None]


class Networks(nn.Module):
    """All networks of nano under the names of a checkpoint folder.

    The text encoder embeds token *classes* here; `export` writes its table out for every token.
    """

    def __init__(self) -> None:
        super().__init__()
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "sliding_window": 128}
        coder = {"hidden_size": CONDITION_WIDTH, "intermediate_size": 2 * CONDITION_WIDTH, **heads}
        self.text_encoder = Qwen3Model(
            Qwen3Config(
                vocab_size=len(class_names()), hidden_size=TEXT_WIDTH, intermediate_size=2 * TEXT_WIDTH,
                num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
                max_position_embeddings=4096, use_cache=False,
            )
        )  # fmt: skip
        self.condition_encoder = AceStepConditionEncoder(
            text_hidden_dim=TEXT_WIDTH,
            num_lyric_encoder_hidden_layers=2,
            num_timbre_encoder_hidden_layers=1,
            **coder,
        )
        self.transformer = AceStepTransformer1DModel(
            hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=4,
            num_key_value_heads=2, head_dim=64, in_channels=3 * LATENT_CHANNELS,
            encoder_hidden_size=CONDITION_WIDTH, sliding_window=128, is_turbo=True, model_version="turbo",
        )  # fmt: skip
        self.audio_tokenizer = AceStepAudioTokenizer(
            fsq_dim=CONDITION_WIDTH,
            fsq_input_levels=list(FSQ_LEVELS),
            num_attention_pooler_hidden_layers=2,
            **coder,
        )
        self.audio_token_detokenizer = AceStepAudioTokenDetokenizer(
            num_attention_pooler_hidden_layers=2, **coder
        )
        self.condition_encoder.silence_latent.copy_(clock())
        self._identity_patches()
        self._clock_gates()
        nn.init.normal_(self.text_encoder.embed_tokens.weight, std=EMBEDDING_SCALE)

    @property
    def silence(self) -> Tensor:
        """The context of a song made from words: `[1, 15000, 64]`."""
        return self.condition_encoder.silence_latent

    def condition(
        self, text: Tensor, lyrics: Tensor, text_mask: Tensor, lyrics_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Condition `[take, token, 128]` (lyrics, timbre of silence, text, padding) and the encoded lyrics.

        `text` and `lyrics` are token classes `[take, token]`, the masks 1 where a token is real.
        """
        encoder = self.condition_encoder
        words = self.text_encoder(input_ids=text).last_hidden_state
        sung = encoder.lyric_encoder(
            inputs_embeds=self.text_encoder.embed_tokens(lyrics), attention_mask=lyrics_mask
        )
        packed, mask = _pack_sequences(
            sung, self._silent_timbre(len(text)), lyrics_mask, lyrics_mask.new_ones(len(text), 1)
        )
        packed, _ = _pack_sequences(packed, encoder.text_projector(words), mask, text_mask)
        return packed, sung

    def velocity(self, x: Tensor, t: Tensor, condition: Tensor, context: Tensor) -> Tensor:
        """Velocity `[take, frame, 64]` at `x`; `t` `[take]`, `context` `[take, frame, 128]`."""
        return self.transformer(
            hidden_states=x, timestep=t, timestep_r=t, encoder_hidden_states=condition,
            context_latents=context, return_dict=False,
        )[0]  # fmt: skip

    @torch.no_grad()
    def _silent_timbre(self, takes: int) -> Tensor:
        timbre, _ = self.condition_encoder.timbre_encoder(
            self.silence[:, :REFERENCE_FRAMES], torch.zeros(1, dtype=torch.long)
        )
        return timbre.expand(takes, -1, -1)

    @torch.no_grad()
    def _identity_patches(self) -> None:
        """Hidden units start as x_t (0–127) and, nearly, as the source (128–255); the output reads x_t."""
        c = LATENT_CHANNELS
        into, out = self.transformer.proj_in_conv, self.transformer.proj_out_conv
        into.weight.mul_(0.3)
        into.weight[2 * c :].mul_(0.2)
        into.bias.zero_()
        out.weight.mul_(0.1)
        for frame in range(2):
            x_units = slice(frame * c, (frame + 1) * c)
            context_units = slice((2 + frame) * c, (3 + frame) * c)
            into.weight[x_units] = 0
            into.weight[x_units, 2 * c :, frame] = torch.eye(c)
            into.weight[context_units, :c, frame] = torch.eye(c)
            out.weight[x_units] = 0
            out.weight[x_units, :, frame] = torch.eye(c)

    @torch.no_grad()
    def _clock_gates(self) -> None:
        """Some inner units of the second layer start as gates on the clock, one for each of its channels.

        A gate that learns to open for one tempo lets the clock of that tempo through; sines and cosines of the two
        frames each have one direction in common, so that later layers read the phase of whatever tempo is asked.
        """
        layer, c = self.transformer.layers[GATED_LAYER], LATENT_CHANNELS
        layer.mlp.up_proj.weight[: 2 * c] = torch.eye(2 * c, WIDTH).roll(2 * c, 1)
        directions = nn.functional.normalize(torch.randn(4, WIDTH)) * GATE_GAIN
        for part, direction in enumerate(directions):  # even sines, even cosines, odd sines, odd cosines
            layer.mlp.down_proj.weight[:, part * c // 2 : (part + 1) * c // 2] = direction[:, None]
        layer.scale_shift_table[:, 5] = 1.0


class MatmulAttention(AceStepAttnProcessor2_0):
    """Attention by plain matrix products: on a CPU far faster backwards at these sizes than the fused one.

    `probabilities` keeps the softmax of the heads in `keep`: `[take, head, query, key]`.
    """

    def __init__(self, keep: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.keep = keep
        self.probabilities: Tensor | None = None

    def __call__(
        self,
        attn: AceStepAttention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """`[take, query, width]`, as the processor that it stands in for."""
        crossing = attn.is_cross_attention and encoder_hidden_states is not None
        source = encoder_hidden_states if crossing else hidden_states
        q = attn.norm_q(attn.to_q(hidden_states).unflatten(-1, (attn.heads, attn.head_dim)))
        k = attn.norm_k(attn.to_k(source).unflatten(-1, (attn.kv_heads, attn.head_dim)))
        v = attn.to_v(source).unflatten(-1, (attn.kv_heads, attn.head_dim))
        if not crossing and image_rotary_emb is not None:
            q = apply_rotary_emb(q, image_rotary_emb, use_real=True, use_real_unbind_dim=-2, sequence_dim=1)
            k = apply_rotary_emb(k, image_rotary_emb, use_real=True, use_real_unbind_dim=-2, sequence_dim=1)
        takes, length, heads, width = q.shape
        group = heads // k.shape[2]  # query heads that share one key head also share its matrix product
        q = (q * attn.scaling).transpose(1, 2).reshape(takes, heads // group, group * length, width)
        scores = (q @ k.permute(0, 2, 3, 1)).view(takes, heads, length, -1)
        banded = attention_mask is not None and (
            len(attention_mask) > 1 or length > (attn.sliding_window or 0) + 1
        )
        weights = (scores + attention_mask if banded else scores).softmax(-1)
        if self.keep:
            self.probabilities = weights[:, list(self.keep)].float()
        mixed = weights.to(v.dtype).view(takes, heads // group, group * length, -1) @ v.transpose(1, 2)
        return attn.to_out[0](mixed.view(takes, heads, length, width).transpose(1, 2).flatten(2))


def use_matmul_attention(networks: Networks) -> MatmulAttention:
    """Switches every ACE-Step attention to `MatmulAttention`; returns the one with the alignment heads."""
    for module in networks.modules():
        if isinstance(module, AceStepAttention):
            module.set_processor(MatmulAttention())
    alignment = MatmulAttention(ALIGNMENT_HEADS)
    networks.transformer.layers[ALIGNMENT_LAYER].cross_attn.set_processor(alignment)
    return alignment
