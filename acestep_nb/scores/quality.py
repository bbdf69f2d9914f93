"""The planner as a judge: it reads the codes of a take and is asked how well it would guess the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import yaml
from torch import Tensor
from transformers import DynamicCache

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
    codes at all. Each prompt is read once; the texts that may follow it go through the network as one batch.
    """
    free = [name for name in wanted if name in (CAPTION, LYRICS)]
    told = guesses(network, tokenizer, prompt, list(wanted.values()))
    untold = guesses(network, tokenizer, blank, [wanted[name] for name in free])
    without = dict(zip(free, untold))
    return {
        name: pmi_score(guess.mean - without[name].mean, sensitivity)
        if name in without
        else recall(guess.ranks.numpy(), top)
        for name, guess in zip(wanted, told)
    }


@torch.inference_mode()
def guesses(network: Any, tokenizer: Any, prompt: str, texts: list[str]) -> list[Guess]:
    """How a causal language model would have guessed each of `texts` behind `prompt`."""
    if not texts:
        return []
    asked = _ids(tokenizer, prompt)
    rows = [_ids(tokenizer, text) for text in texts]
    cache = DynamicCache(config=network.config)
    device = network.device
    read = network.model(torch.tensor([asked], device=device), past_key_values=cache, use_cache=True)
    first = read.last_hidden_state[:, -1:].expand(len(rows), -1, -1)
    cache.batch_repeat_interleave(len(rows))
    longest = max(map(len, rows))
    # what stands behind a text cannot be seen from in front of it, so any token fills the short ones up
    ids = torch.tensor([row + row[-1:] * (longest - len(row)) for row in rows], device=device)
    rest = network.model(ids[:, :-1], past_key_values=cache, use_cache=True).last_hidden_state
    hidden = torch.cat([first, rest], 1)
    return [_guess(network.lm_head, state[: len(row)], row) for state, row in zip(hidden, rows)]


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
