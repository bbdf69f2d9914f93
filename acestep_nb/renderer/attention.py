"""Cross attention that computes what it knows of a condition once for a render, not at every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.transformers.ace_step_transformer import AceStepAttnProcessor2_0
from torch import Tensor

from acestep_nb.locales import later
from acestep_nb.renderer.guard import render_errors


class ConditionMemory:
    """Keys and values of some conditions in every cross attention of a network; `show` picks one of them."""

    def __init__(self, processors: Sequence[RememberingAttention]) -> None:
        self._processors = processors

    def show(self, number: int) -> None:
        """Let the network attend to that condition from now on."""
        for processor in self._processors:
            processor.number = number


class RememberingAttention(AceStepAttnProcessor2_0):
    """Stands in for the processor of one cross attention while a render lasts.

    A batch twice as large as the condition has the takes again in its second half, without words. There every
    key is the same one, so whatever the query is the answer is the one value: it is computed once as well.
    """

    def __init__(self, attn: Any, conditions: Sequence[Tensor], null: Tensor | None) -> None:
        super().__init__()
        self.number = 0
        self._known = [_keys_and_values(attn, condition) for condition in conditions]
        self._wordless = None if null is None else _wordless(attn, null)

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """`[take, query, width]`; the condition itself is not looked at, nor is a mask: padding is attended."""
        keys, values = self._known[self.number]
        answer = _attend(attn, hidden_states[: len(keys)], keys, values)
        if self._wordless is None or len(hidden_states) == len(keys):
            return answer
        return torch.cat([answer, self._wordless.expand_as(answer)])


@contextmanager
def condition_memory(
    network: Any, conditions: Sequence[Tensor], null: Tensor | None = None
) -> Iterator[ConditionMemory]:
    """Inside, the network remembers conditions `[take, token, width]` and no longer reads its own.

    With `null` (`[1, 1, width]`, one token of the condition without words) batches of twice the takes are
    answered too. The processors that were there come back at the end.
    """
    attentions = [layer.cross_attn for layer in network.layers]
    before = [attn.processor for attn in attentions]
    with render_errors(later("reading the condition")):
        embedded = [network.condition_embedder(condition.to(network.dtype)) for condition in conditions]
        wordless = None if null is None else network.condition_embedder(null.to(embedded[0]))
        processors = [RememberingAttention(attn, embedded, wordless) for attn in attentions]
    try:
        for attn, processor in zip(attentions, processors):
            attn.set_processor(processor)
        yield ConditionMemory(processors)
    finally:
        for attn, processor in zip(attentions, before):
            attn.set_processor(processor)


def _keys_and_values(attn: Any, condition: Tensor) -> tuple[Tensor, Tensor]:
    """Both `[take, key head, token, channel]`."""
    keys = attn.norm_k(attn.to_k(condition).unflatten(-1, (attn.kv_heads, attn.head_dim)))
    values = attn.to_v(condition).unflatten(-1, (attn.kv_heads, attn.head_dim))
    return keys.transpose(1, 2).contiguous(), values.transpose(1, 2).contiguous()


def _wordless(attn: Any, null: Tensor) -> Tensor:
    """The answer `[1, 1, width]` to any query when every token is this one: its value, mapped out."""
    values = attn.to_v(null).unflatten(-1, (attn.kv_heads, attn.head_dim))
    return attn.to_out[0](values.repeat_interleave(attn.heads // attn.kv_heads, dim=2).flatten(2))


def _attend(attn: Any, hidden: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of `[take, query, width]`; query heads that share a key head are laid behind one another."""
    takes, length, _ = hidden.shape
    group = attn.heads // attn.kv_heads
    queries = attn.norm_q(attn.to_q(hidden).unflatten(-1, (attn.kv_heads, group, attn.head_dim)))
    folded = queries.permute(0, 2, 3, 1, 4).reshape(takes, attn.kv_heads, group * length, attn.head_dim)
    mixed = F.scaled_dot_product_attention(folded, keys, values, scale=attn.scaling)
    unfolded = mixed.view(takes, attn.heads, length, attn.head_dim).transpose(1, 2)
    return attn.to_out[0](unfolded.flatten(2))
