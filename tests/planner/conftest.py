"""The recorded tokenizer and the form of plans in it."""

from __future__ import annotations

import golden
import pytest


@pytest.fixture(scope="session")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(golden.ROOT / "tokenizer_tiny")


@pytest.fixture(scope="session")
def grammar(tokenizer):
    from acestep_nb.planner.grammar import PlanGrammar

    return PlanGrammar(tokenizer, len(tokenizer) + 40)  # heads have rows to spare
