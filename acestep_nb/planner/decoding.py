"""The decoding loop: takes of a plan are written together, token by token, each in a form of its own.

A prompt is read once, however many takes begin with it, and what several prompts begin with is read once too.
The rows of a batch keep their keys and values in slots counted from their own beginning, so that nothing is
padded at the left and a position is a slot. So a row does not depend on the other rows: prompts are read one by
one, attention looks at the row's own slots, and matrix products get a multiple of `ROWS` rows. On CPUs with MKL
that was measured to hold to the bit with one thread, and with more threads where two query heads share a key head,
as in the released models; otherwise to rounding, which the draw of `sampling.draw` hardly ever shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.cache_utils import Cache, DynamicLayer

from acestep_nb.errors import InputError
from acestep_nb.planner.sampling import NEVER, guided, sampled
from acestep_nb.plans import PlanOptions

ROWS = 4
"""Matrix products on CPUs take so many rows at a time; rows that are left over are summed in another order."""
_SPARE = 256  # slots that are made beyond those in use, so that stores are not made anew at every token
_BLOCK = 64  # slots; the attention's sums are cut at fixed places, however long the other rows are


class Form(Protocol):
    """What may be written: a walk through a grammar, or a count of codes."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to write."""

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is to be taken now, whatever the temperature."""

    def forced(self) -> list[int]:
        """The tokens that alone can follow; they are not sampled."""

    def mask(self) -> Tensor | None:
        """Which of the head's tokens may follow, bool `[token]`; None allows all."""

    def advance(self, token: int) -> None:
        """Take one token."""


@dataclass(frozen=True)
class Prompt:
    """Tokens to be read, in two parts; prompts with the same `stem` share the reading of it."""

    stem: tuple[int, ...]
    ending: tuple[int, ...] = ()

    @classmethod
    def of(cls, tokens: Sequence[int], stem: Sequence[int] = ()) -> Prompt:
        """The prompt of these tokens, cut where they leave another prompt, the `stem`."""
        shared = 0
        while shared < min(len(tokens), len(stem)) and tokens[shared] == stem[shared]:
            shared += 1
        if not shared:
            return cls(tuple(tokens))
        return cls(tuple(tokens[:shared]), tuple(tokens[shared:]))

    @property
    def tokens(self) -> tuple[int, ...]:
        """All of it."""
        return self.stem + self.ending


@dataclass
class Line:
    """One take while it is written: its form, its prompts (conditional; unconditional under guidance).

    It ends when its form is done, and after `most` tokens in any case.
    """

    form: Form
    prompts: tuple[Prompt, ...]
    generator: torch.Generator
    most: int
    written: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether nothing more is written."""
        return self.form.done or len(self.written) >= self.most

    def take(self, token: int) -> None:
        """Write one token."""
        self.form.advance(token)
        self.written.append(token)
        self.unread.append(token)

    def force(self) -> None:
        """Write what alone can follow."""
        while not self.done and (tokens := self.form.forced()):
            for token in tokens:
                self.take(token)


class Head:
    """The rows of a model's output layer that are needed: all of them, or those of some tokens.

    Neighbouring tokens stay a view of the weights: nothing is copied.
    """

    def __init__(self, weight: Tensor, tokens: Sequence[int] | None = None) -> None:
        self.tokens = range(weight.shape[0]) if tokens is None else tokens
        self._weight = weight  # not a part of it: its data moves when networks take turns on the device
        self._runs = [(0, weight.shape[0])] if tokens is None else list(_runs(tokens))
        self._index = (
            {token: index for index, token in enumerate(self.tokens)} if tokens is not None else None
        )

    def __len__(self) -> int:
        return len(self.tokens)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits float32 `[row, token]` of hidden states `[row, width]`."""
        return torch.cat([F.linear(hidden, self._weight[a:b]) for a, b in self._runs], dim=-1).float()

    def marks(self, tokens: Iterable[int]) -> list[int]:
        """Where the head has these tokens; those that it lacks are left out."""
        if self._index is None:
            return list(tokens)
        return [self._index[token] for token in tokens if token in self._index]


class Rows:
    """Rows that a network reads, with all that it remembers of them; each grows by itself.

    Keys and values are `[layer, row, head, slot, width]`; `hidden` `[row, width]` is the state after the last
    token that a row has read. The last row may have twins behind it (`ROWS`), `count` leaves them out.
    """

    def __init__(
        self, network: Any, keys: Tensor, values: Tensor, lengths: Tensor, hidden: Tensor, count: int = 1
    ) -> None:
        self.network, self.count = network, count
        self.keys, self.values, self.lengths, self.hidden = keys, values, lengths, hidden

    @classmethod
    def blank(cls, network: Any) -> Rows:
        """One row that has read nothing."""
        config, weight = network.config, network.lm_head.weight
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        empty = weight.new_zeros((config.num_hidden_layers, 1, config.num_key_value_heads, 0, width))
        lengths = torch.zeros(1, dtype=torch.long, device=weight.device)
        return cls(network, empty, empty, lengths, weight.new_zeros((1, config.hidden_size)))

    @staticmethod
    def joined(parts: Sequence[Rows], rows: Sequence[tuple[int, int]]) -> Rows:
        """A batch of copied rows, each named by its part and its row there, with twins behind."""
        named = [*rows, *[rows[-1]] * (_whole(len(rows)) - len(rows))]
        most = max(part.keys.shape[3] for part in parts)
        keys, values = (
            torch.stack([_longer(stores[i][:, row], most) for i, row in named], dim=1)
            for stores in ([part.keys for part in parts], [part.values for part in parts])
        )
        lengths = torch.stack([parts[i].lengths[row] for i, row in named])
        hidden = torch.stack([parts[i].hidden[row] for i, row in named])
        return Rows(parts[0].network, keys, values, lengths, hidden, len(rows))

    def chosen(self, rows: Sequence[int]) -> Rows:
        """A copy of these rows in this order, with twins behind."""
        return Rows.joined([self], [(0, row) for row in rows])

    def copy(self) -> Rows:
        """The same rows, to be read on without changing these."""
        return Rows(
            self.network,
            self.keys.clone(),
            self.values.clone(),
            self.lengths.clone(),
            self.hidden.clone(),
            self.count,
        )

    def read(self, tokens: Sequence[Sequence[int]], rows: Sequence[int] | None = None) -> None:
        """Read one or more tokens for each of the rows (all by default), the same number for each."""
        ids = torch.tensor(tokens, device=self.keys.device)
        number = torch.arange(self.lengths.shape[0], device=ids.device)
        which: Tensor | slice = slice(None)
        if rows is not None and len(rows) < self.count:
            which = number = _with_twins(torch.tensor(rows, device=ids.device), _whole(len(rows)))
        ids = _with_twins(ids, number.shape[0])
        begin = self.lengths[which]
        slots = begin[:, None] + torch.arange(ids.shape[1], device=ids.device)
        used = -(-(int(slots.max()) + 1) // _BLOCK) * _BLOCK
        if used > self.keys.shape[3]:
            self.keys, self.values = (_longer(store, used + _SPARE) for store in (self.keys, self.values))
        where = _Where(which, number[:, None], slots, used)
        state = self.network.model(
            input_ids=ids,
            position_ids=slots,
            attention_mask=torch.arange(used, device=ids.device) <= slots[:, None, :, None],
            past_key_values=Cache(layers=[_Layer(*pair, where) for pair in zip(self.keys, self.values)]),
            use_cache=True,
        ).last_hidden_state
        self.lengths[which] = begin + ids.shape[1]
        self.hidden[which] = state[:, -1]


@dataclass(frozen=True)
class _Where:
    """Which rows read, and the slots of their new tokens `[row, token]`; `used` slots are looked at."""

    which: Tensor | slice
    numbers: Tensor
    slots: Tensor
    used: int


class _Layer(DynamicLayer):  # type: ignore[misc]
    """The keys and values `[row, head, slot, width]` of one layer, as the network's attention wants them."""

    def __init__(self, keys: Tensor, values: Tensor, where: _Where) -> None:
        super().__init__()
        self._stores, self._where = (keys, values), where

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Put those of the tokens being read into their slots; gives all that the rows may look at."""
        where = self._where
        for store, new in zip(self._stores, (key_states, value_states), strict=True):
            store[where.numbers, :, where.slots] = new.transpose(1, 2)
        keys, values = (store[where.which, :, : where.used] for store in self._stores)
        return keys, values


def room(network: Any, prompts: Iterable[Prompt]) -> int:
    """How many tokens can be written after the longest of the prompts; `InputError` when there is no room."""
    most = network.config.max_position_embeddings
    longest = max(len(prompt.tokens) for prompt in prompts)
    if longest >= most:
        raise InputError(
            f"the words are {longest:,} tokens long; this planner reads at most {most:,}",
            field="lyrics",
            value=longest,
            allowed=f"fewer than {most:,} tokens of caption and lyrics together",
            remedy="Shorten the lyrics, or load another planner.",
        )
    return int(most - longest)


class Reader:
    """Reads prompts, and each stem only once as long as the reader lives."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self._stems: dict[tuple[int, ...], Rows] = {}

    def batch(self, prompts: Sequence[Prompt]) -> Rows:
        """Rows that have read their prompts, in this order; equal prompts are read once."""
        distinct = {prompt: index for index, prompt in enumerate(dict.fromkeys(prompts))}
        read = [self._read(prompt) for prompt in distinct]
        return Rows.joined(read, [(distinct[prompt], 0) for prompt in prompts])

    def _read(self, prompt: Prompt) -> Rows:
        if prompt.stem not in self._stems:
            row = Rows.blank(self.network)
            row.read([prompt.stem])
            self._stems[prompt.stem] = row
        row = self._stems[prompt.stem]
        if prompt.ending:
            row = row.copy()
            row.read([prompt.ending])
        return row


@torch.inference_mode()
def write(
    reader: Reader,
    lines: Sequence[Line],
    head: Head,
    options: PlanOptions,
    on_token: Callable[[], None],
) -> None:
    """Write all lines to their end, together; a line that is done leaves the batch.

    With two prompts in each line, guidance of `options.cfg_scale` leads away from the second. `on_token` is
    called before each token and may raise to stop. Raises `RenderError` for logits that are not finite.
    """
    for line in lines:
        line.force()
    active = [line for line in lines if not line.done]
    if not active:
        return
    on_token()
    rows = reader.batch(_by_kind([line.prompts for line in active]))
    seen = None if options.repetition_penalty == 1 else _marked(head, active).to(rows.keys.device)
    while True:
        _catch_up(rows, active)
        tokens = _choose(rows, active, head, options, seen)
        for index, (line, token) in enumerate(zip(active, tokens, strict=True)):
            line.take(token)
            line.force()
            if seen is not None:
                seen[index, head.marks(line.unread)] = True
        on_token()
        left = [index for index, line in enumerate(active) if not line.done]
        if not left:
            return
        if len(left) < len(active):
            kinds = range(rows.count // len(active))
            rows = rows.chosen([kind * len(active) + index for kind in kinds for index in left])
            seen = None if seen is None else seen[left]
            active = [active[index] for index in left]


def _choose(
    rows: Rows, active: Sequence[Line], head: Head, options: PlanOptions, seen: Tensor | None
) -> list[int]:
    """The next token of each line."""
    logits = head.logits(rows.hidden)[: rows.count]
    if rows.count > len(active):
        logits = guided(logits[: len(active)], logits[len(active) :], options.cfg_scale)
    for row, line in zip(logits, active, strict=True):
        allowed = line.form.mask()
        if allowed is not None:
            row.masked_fill_(~allowed.to(row.device), NEVER)
        if line.form.greedy:
            row.masked_fill_(torch.arange(len(row), device=row.device) != row.argmax(), NEVER)
    chosen = sampled(logits, seen, options, [line.generator for line in active])
    return [head.tokens[index] for index in chosen]


def _catch_up(rows: Rows, active: Sequence[Line]) -> None:
    """Let the rows read what their lines have written; lines with as many new tokens read in one pass.

    Lines with fewer are not padded: the arithmetic of a line would depend on the others.
    """
    kinds = len(active[0].prompts)
    waiting = sorted(range(len(active)), key=lambda index: len(active[index].unread))
    for length, group in groupby(waiting, key=lambda index: len(active[index].unread)):
        members = sorted(group)
        if length:
            tokens = [active[index].unread for index in members] * kinds
            rows.read(tokens, [kind * len(active) + index for kind in range(kinds) for index in members])
    for line in active:
        line.unread.clear()


def _by_kind(prompts: Sequence[tuple[Prompt, ...]]) -> list[Prompt]:
    """All conditional prompts, then all unconditional ones."""
    return [prompt for kind in zip(*prompts, strict=True) for prompt in kind]


def _marked(head: Head, active: Sequence[Line]) -> Tensor:
    seen = torch.zeros((len(active), len(head)), dtype=torch.bool)
    for row, line in zip(seen, active, strict=True):
        row[head.marks([*line.prompts[0].tokens, *line.written])] = True
    return seen


def _runs(tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Stretches of consecutive numbers as (first, end)."""
    starts = [i for i in range(len(tokens)) if i == 0 or tokens[i] != tokens[i - 1] + 1]
    ends = [*starts[1:], len(tokens)]
    return [(tokens[a], tokens[b - 1] + 1) for a, b in zip(starts, ends, strict=True)]


def _whole(rows: int) -> int:
    return -(-rows // ROWS) * ROWS


def _longer(store: Tensor, slots: int) -> Tensor:
    """The same keys or values with room for so many slots; zeros where nothing is written."""
    return F.pad(store, (0, 0, 0, slots - store.shape[-2]))


def _with_twins(rows: Tensor, count: int) -> Tensor:
    """So many rows, the last one repeated."""
    return torch.cat([rows, rows[-1:].expand(count - rows.shape[0], *rows.shape[1:])])
