"""The planner as a judge: it reads the codes of a take and is asked how well it would guess the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import yaml
from torch import Tensor

from acestep_nb.errors import InputError
from acestep_nb.scores.likelihood import CAPTION, LYRICS, METAS, SENSITIVITY, TOP, pmi_score, recall

_ROWS = 64  # rows of the head at a time: a vocabulary of 217,000 makes long rows


@dataclass(frozen=True)
class Guess:
    """How the planner would have guessed a text: float32 log-probability and rank (0 is first) of each token."""

    log_probabilities: Tensor
    ranks: Tensor

    @property
    def mean(self) -> float:
        """Mean log-probability of the tokens."""
        return float(self.log_probabilities.mean())


def targets(caption: str, lyrics: str, metas: Mapping[str, object]) -> dict[str, str]:
    """The text that the planner would write for each condition, by its name; what is empty is left out.

    `metas` are values of `likelihood.METAS`, such as bpm 120 or keyscale `"G major"`.
    """
    written = {name: metas[name] for name in METAS if metas.get(name) not in (None, "")}
    if caption:
        written[CAPTION] = caption
    texts = {
        name: f"<think>\n{yaml.dump({name: value}, allow_unicode=True).strip()}\n</think>\n"
        for name, value in written.items()
    }
    if lyrics:
        texts[LYRICS] = f"<think>\n</think>\n# Lyric\n{lyrics}\n"
    return texts


@torch.inference_mode()
def conditions(
    network: Any,
    tokenizer: Any,
    prompt: str,
    blank: str,
    wanted: Mapping[str, str],
    *,
    sensitivity: float = SENSITIVITY,
    top: int = TOP,
) -> dict[str, float]:
    """0–1 for each condition of `wanted` (see `targets`): recall for metas, gain over `blank` for free text.

    `prompt` asks the causal language model to understand the codes of a take, `blank` asks the same about no
    codes at all. All of it is one forward pass.
    """
    free = [name for name in wanted if name in (CAPTION, LYRICS)]
    told, untold = guesses(
        network,
        tokenizer,
        [(prompt, list(wanted.values())), (blank, [wanted[name] for name in free])],
    )
    without = dict(zip(free, untold))
    return {
        name: pmi_score(guess.mean - without[name].mean, sensitivity)
        if name in without
        else recall(guess.ranks.numpy(), top)
        for name, guess in zip(wanted, told)
    }


@dataclass(frozen=True)
class _Part:
    """A prompt, or a text behind one: its tokens, the place of the first, and which part is its prompt."""

    tokens: list[int]
    place: int
    prompt: int


@torch.inference_mode()
def guesses(network: Any, tokenizer: Any, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[Guess]]:
    """How a causal language model would have guessed each of the texts that may follow each prompt.

    All of them stand in one row and go through the network at once, so that a prompt is read but once. A token
    sees its own text and its prompt, and counts its place from there, as if nothing else were written.
    """
    parts: list[_Part] = []
    for prompt, texts in asked:
        read, number = _ids(tokenizer, prompt), len(parts)
        parts.append(_Part(read, 0, number))
        parts += [_Part(_ids(tokenizer, text), len(read), number) for text in texts]
    states = _states(network, parts)
    found: list[list[Guess]] = []
    for number, (part, state) in enumerate(zip(parts, states)):
        if part.prompt == number:
            found.append([])
        else:
            before = torch.cat([states[part.prompt][-1:], state[:-1]])
            found[-1].append(_guess(network.lm_head, before, part.tokens))
    return found


def _states(network: Any, parts: Sequence[_Part]) -> tuple[Tensor, ...]:
    """The hidden states `[token, width]` of each part; `InputError` where one ends beyond what the network reads."""
    longest = max(part.place + len(part.tokens) for part in parts)
    if longest > network.config.max_position_embeddings:
        raise InputError(
            f"codes and words are {longest:,} tokens long together",
            field="lyrics",
            value=longest,
            allowed=f"at most {network.config.max_position_embeddings:,} tokens for this planner",
        )
    lengths = [len(part.tokens) for part in parts]
    repeats = torch.tensor(lengths)
    owner = torch.arange(len(parts)).repeat_interleave(repeats)
    prompt = torch.tensor([part.prompt for part in parts]).repeat_interleave(repeats)
    sees = ((owner[:, None] == owner) | (prompt[:, None] == owner)).tril()
    tokens = [token for part in parts for token in part.tokens]
    places = [part.place + i for part in parts for i in range(len(part.tokens))]
    hidden: Tensor = network.model(
        torch.tensor([tokens], device=network.device),
        position_ids=torch.tensor([places], device=network.device),
        attention_mask=sees.to(network.device)[None, None],
        use_cache=False,
    ).last_hidden_state[0]
    return tuple(torch.split(hidden, lengths))


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def _guess(head: Any, hidden: Tensor, row: list[int]) -> Guess:
    true = torch.tensor(row, device=hidden.device)[:, None]
    found, ranks = [], []
    for states, ids in zip(torch.split(hidden, _ROWS), torch.split(true, _ROWS)):
        told = head(states).float().log_softmax(-1)
        own = told.gather(1, ids)
        found.append(own[:, 0])
        ranks.append((told > own).sum(1))
    return Guess(torch.cat(found).cpu(), torch.cat(ranks).cpu())
