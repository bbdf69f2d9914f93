"""From logits to tokens: guidance, penalty, top-k, top-p, temperature and the draw, as pure functions.

Logits are float32 `[take, token]`; tokens that must not follow are minus infinity already. The order (guidance,
form, repetition penalty, top-k, top-p, temperature) is that of the original's PyTorch loop.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from acestep_nb.errors import RenderError
from acestep_nb.plans import PlanOptions

NEVER = float("-inf")


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance in float32: `unconditional + scale * (conditional - unconditional)`."""
    base = unconditional.float()
    return base + scale * (conditional.float() - base)


def penalized(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Logits of tokens that were `seen` (bool, of the same shape) divided by the penalty, multiplied if negative.

    The rule of CTRL (Keskar et al. 2019, arXiv 1909.05858) for logits of either sign.
    """
    weaker = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(seen, weaker, logits)


def among_top_k(logits: Tensor, k: int) -> Tensor:
    """Only the `k` likeliest tokens of each take, and those that are as likely as the last of them."""
    least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, NEVER)


def among_top_p(logits: Tensor, p: float) -> Tensor:
    """Only the likeliest tokens that together reach the share `p`, the one that crosses it among them."""
    ranked, order = logits.sort(dim=-1, descending=True, stable=True)
    shares = ranked.softmax(dim=-1)
    late = shares.cumsum(dim=-1) - shares > p
    late[..., 0] = False
    return logits.masked_fill(torch.zeros_like(late).scatter_(-1, order, late), NEVER)


def draw(logits: Tensor, temperature: float, generators: Sequence[torch.Generator]) -> list[int]:
    """One token per take, each drawn with its own generator; temperature 0 takes the likeliest.

    A generator is used the same number of times whatever is drawn. The draw is a race of exponential clocks
    (`argmax(share / exponential)`), not a walk along summed shares: rounding in the last place of a logit
    changes it only where two tokens arrive together.
    """
    if temperature == 0:
        return [int(token) for token in logits.argmax(dim=-1)]
    shares = (logits / temperature).softmax(dim=-1)
    rows = zip(shares, generators, strict=True)
    return [int(torch.multinomial(row, 1, generator=generator)) for row, generator in rows]


def sampled(
    logits: Tensor, seen: Tensor | None, options: PlanOptions, generators: Sequence[torch.Generator]
) -> list[int]:
    """One token per take under the options; `seen` (bool `[take, token]`) is needed for a penalty above 1.

    Raises `RenderError` when the logits are not numbers: then the model is damaged or overflowed.
    """
    if logits.isnan().any() or (logits == float("inf")).any() or (logits.amax(dim=-1) == NEVER).any():
        raise RenderError(
            "the planner gave numbers that are not finite (NaN or Inf)",
            field="planner",
            allowed="finite",
            remedy='Load it with dtype="float32"; if it is float32 already, its files may be damaged.',
        )
    if seen is not None:
        logits = penalized(logits, seen, options.repetition_penalty)
    if options.top_k:
        logits = among_top_k(logits, options.top_k)
    if 0 < options.top_p < 1:
        logits = among_top_p(logits, options.top_p)
    return draw(logits, options.temperature, generators)
