"""Sampling beside transformers' own processors, and what a draw promises."""

import math

import pytest
import torch
from transformers.generation.logits_process import (
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from acestep_nb.errors import RenderError
from acestep_nb.planner.sampling import NEVER, among_top_k, among_top_p, draw, guided, penalized, sampled
from acestep_nb.plans import PlanOptions


@pytest.fixture
def logits():
    found = 4 * torch.randn(3, 200, generator=torch.Generator().manual_seed(1))
    found[:, 150:] = NEVER
    return found


def chance(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_guidance_leads_away_from_the_unconditional():
    conditional, unconditional = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 3.0]])
    assert guided(conditional, unconditional, 2.0).tolist() == [[2.0, 1.0]]
    assert torch.equal(guided(conditional, unconditional, 1.0), conditional)
    half = guided(conditional.bfloat16(), unconditional.bfloat16(), 1.5)
    assert half.dtype == torch.float32 and half.tolist() == [[1.5, 1.5]]


@pytest.mark.parametrize("penalty", [1.0, 1.3, 2.0])
def test_repetition_penalty_is_that_of_transformers(logits, penalty):
    read = torch.randint(0, 200, (3, 30), generator=torch.Generator().manual_seed(2))
    seen = torch.zeros(3, 200, dtype=torch.bool).scatter_(1, read, True)
    assert torch.equal(
        penalized(logits, seen, penalty), RepetitionPenaltyLogitsProcessor(penalty)(read, logits.clone())
    )


@pytest.mark.parametrize("k", [1, 7, 100, 200, 500])
def test_top_k_is_that_of_transformers(logits, k):
    assert torch.equal(among_top_k(logits, k), TopKLogitsWarper(k)(None, logits))


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.999])
def test_top_p_is_that_of_transformers(logits, p):
    assert torch.equal(among_top_p(logits, p), TopPLogitsWarper(p)(None, logits))


def test_top_p_keeps_the_token_that_crosses():
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    assert among_top_p(logits, 0.6).isfinite().tolist() == [[True, True, False]]
    assert among_top_p(logits, 0.1).isfinite().tolist() == [[True, False, False]]


def test_the_order_is_top_k_then_top_p_then_temperature():
    """Over the three likeliest the first two reach 0.75; heated before, they would not."""
    logits = torch.tensor([[0.40, 0.25, 0.20, 0.15]]).log()
    options = PlanOptions(top_k=3, top_p=0.75, temperature=2.0)
    drawn = {sampled(logits, None, options, chance(seed))[0] for seed in range(200)}
    assert drawn == {0, 1}


def test_temperature_zero_takes_the_likeliest(logits):
    assert draw(logits, 0.0, chance(1, 2, 3)) == logits.argmax(dim=-1).tolist()
    assert sampled(logits, None, PlanOptions(temperature=0), chance(1, 2, 3)) == logits.argmax(-1).tolist()


def test_draws_follow_the_shares():
    shares = torch.tensor([0.1, 0.2, 0.7])
    generator = torch.Generator().manual_seed(0)
    drawn = [draw(shares.log()[None], 1.0, [generator])[0] for _ in range(3000)]
    for token, share in enumerate(shares.tolist()):
        assert abs(drawn.count(token) / 3000 - share) < 4 * math.sqrt(share * (1 - share) / 3000)


def test_a_take_draws_the_same_whatever_its_neighbours(logits):
    together = draw(logits, 1.0, chance(5, 6, 7))
    assert together == [draw(row[None], 1.0, chance(seed))[0] for row, seed in zip(logits, (5, 6, 7))]
    assert draw(logits, 1.0, chance(5, 6, 7)) == together


def test_rounding_hardly_ever_changes_a_draw():
    """Flat shares over 20,000 tokens, where walking along summed shares would go astray at every tenth token."""
    noise = torch.Generator().manual_seed(3)
    changed = 0
    for seed in range(60):
        row = torch.randn(1, 20_000, generator=noise)
        near = row + 1e-6 * torch.randn(row.shape, generator=noise)
        options = PlanOptions(top_p=0.9)
        changed += sampled(row, None, options, chance(seed)) != sampled(near, None, options, chance(seed))
    assert changed <= 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_numbers_are_no_plan(logits, bad):
    logits[1, 3] = bad
    with pytest.raises(RenderError, match="not finite"):
        sampled(logits, None, PlanOptions(), chance(1, 2, 3))


def test_a_form_that_allows_nothing_is_told():
    with pytest.raises(RenderError):
        sampled(torch.full((1, 5), NEVER), None, PlanOptions(), chance(1))
