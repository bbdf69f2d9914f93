"""Listens in on the renderer: where each frame of music looks in the lyrics, from one short forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from acestep_nb.checkpoints.index import ALIGNMENT_HEADS
from acestep_nb.errors import CheckpointError
from acestep_nb.renderer.conditions import Condition

DEFAULT_HEADS = {2: (6,), 3: (10, 11), 4: (3,), 5: (8, 9), 6: (8,)}
"""Layers and heads of the 2B models that follow the lyrics; other checkpoints name theirs in `ALIGNMENT_HEADS`."""
NOISE_SEED = 42


class _Heard(Exception):  # noqa: N818 - a way out, not a mistake
    """The last layer that is listened to has spoken; nothing after it is needed."""


def alignment_heads(network: Any) -> dict[int, tuple[int, ...]]:
    """Layers of the transformer and their heads whose attention follows the lyrics.

    They stand in the transformer's config as `{"3": [0, 1], …}`; a checkpoint that names none, or names them in
    another form, has those of the 2B models. Heads that the network does not have are left out.
    Raises `CheckpointError` when none is left.
    """
    wanted = _configured(network.config.get(ALIGNMENT_HEADS)) or DEFAULT_HEADS
    layers, heads = len(network.layers), network.config.num_attention_heads
    found = {
        layer: kept
        for layer, chosen in sorted(wanted.items())
        if 0 <= layer < layers and (kept := tuple(head for head in chosen if 0 <= head < heads))
    }
    if not found:
        raise CheckpointError(
            "this checkpoint does not say which attention heads follow the lyrics",
            field=ALIGNMENT_HEADS,
            value=wanted,
            allowed=f"layers 0–{layers - 1}, each with heads 0–{heads - 1}",
            remedy=f"Add {ALIGNMENT_HEADS} to its transformer/config.json.",
        )
    return found


def _configured(value: object) -> dict[int, tuple[int, ...]] | None:
    if not isinstance(value, Mapping):
        return None
    try:
        return {int(layer): tuple(int(head) for head in heads) for layer, heads in value.items()}
    except (TypeError, ValueError):
        return None


@torch.inference_mode()
def lyric_attention(
    network: Any,
    condition: Condition,
    latents: Tensor,
    levels: tuple[float, ...],
    keys: slice,
    heads: Mapping[int, tuple[int, ...]] | None = None,
) -> Tensor:
    """What the alignment heads attend to in the tokens `keys`: float32 `[level, head, token, frame]`, on the CPU.

    `latents` `[frame, 64]` of one take, with its condition, are mixed with noise of a fixed seed to each noise
    level (1 is noise alone); the levels go through the network together, up to the last layer of `heads` (by
    default those of the checkpoint). One frame of attention is two latent frames. The probabilities are of all
    condition tokens, of which `keys` are kept.
    """
    chosen = alignment_heads(network) if heads is None else dict(heads)
    mixed, _, t = noised(latents.to(network.device, torch.float32), levels)
    dtype = condition.hidden.dtype
    with listening(network, chosen, keys) as heard:
        network(
            hidden_states=mixed.to(dtype),
            timestep=t.to(dtype),
            timestep_r=t.to(dtype),
            encoder_hidden_states=condition.hidden.expand(len(levels), -1, -1),
            context_latents=condition.context.expand(len(levels), -1, -1),
            return_dict=False,
        )
    return torch.cat([heard[layer] for layer in chosen], 1)


def noised(latents: Tensor, levels: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """`latents` `[frame, 64]` mixed with noise `[level, frame, 64]`, that noise `[1, frame, 64]`, and the levels.

    The noise is that of `NOISE_SEED` drawn on the CPU, so a score is the same every time and everywhere.
    """
    generator = torch.Generator("cpu").manual_seed(NOISE_SEED)
    noise = torch.randn(1, *latents.shape, generator=generator).to(latents)
    t = torch.tensor(levels, device=latents.device)
    share = t[:, None, None]
    return share * noise + (1 - share) * latents, noise, t


@contextmanager
def listening(
    network: Any, chosen: Mapping[int, tuple[int, ...]], keys: slice
) -> Iterator[dict[int, Tensor]]:
    """The network with ears at the chosen heads; a pass through it ends behind the last of them."""
    heard: dict[int, Tensor] = {}
    before = {layer: network.layers[layer].cross_attn.processor for layer in chosen}
    try:
        for layer, heads in chosen.items():
            ear = _Ear(before[layer], heads, keys, heard, layer, last=layer == max(chosen))
            network.layers[layer].cross_attn.set_processor(ear)
        yield heard
    except _Heard:
        pass
    finally:
        for layer, processor in before.items():
            network.layers[layer].cross_attn.set_processor(processor)


class _Ear:
    """A cross-attention processor that notes the probabilities of some heads and lets another do the work."""

    def __init__(
        self,
        worker: Any,
        heads: tuple[int, ...],
        keys: slice,
        heard: dict[int, Tensor],
        layer: int,
        last: bool,
    ) -> None:
        self.worker, self.heads, self.keys = worker, heads, keys
        self.heard, self.layer, self.last = heard, layer, last

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Any:
        group = attn.heads // attn.kv_heads
        query = attn.norm_q(attn.to_q(hidden_states).unflatten(-1, (attn.heads, attn.head_dim)))
        key = attn.norm_k(attn.to_k(encoder_hidden_states).unflatten(-1, (attn.kv_heads, attn.head_dim)))
        rows = []
        for head in self.heads:  # one by one: a long song's table of all heads would not fit beside the model
            scores = query[:, :, head] @ key[:, :, head // group].transpose(1, 2) * attn.scaling
            shares = scores.softmax(-1, dtype=torch.float32)
            rows.append(shares[..., self.keys].transpose(1, 2).cpu())
        self.heard[self.layer] = torch.stack(rows, 1)
        if self.last:
            raise _Heard
        return self.worker(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
