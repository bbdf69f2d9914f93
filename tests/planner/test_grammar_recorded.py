"""The form of plans against the original's: every recorded walk, token by token.

Ours leaves the original's way on purpose in the places that `DELIBERATE` names.
"""

import golden
import pytest
from helpers_planner import Codes

from acestep_nb.codes import code_count
from acestep_nb.planner.grammar import CodeCount, PlanRequest

RECORDED = "functions/constrained.json"
LOGITS = golden.tensors("functions/constrained_logits.safetensors")
OPTIONS = {"max_duration", "skip_caption", "skip_language", "skip_genres", "phase"}
OPTIONS |= {"stop_at_reasoning", "user", "target_duration"}
DELIBERATE = {
    "skip_genres": "a line of free text here; the original takes none of its list's, for want of a space before it",
    "stop_at_reasoning": "a plan in words closes its tag; the original ends the turn instead, its tag left open",
    "target_duration": "`duration: 2` as in every other plan; the original forces `duration:2`",
}


def deliberate(options):
    """Why ours goes another way under these options; empty where it does not."""
    asked = {**options, "skip_genres": options.get("skip_genres") is False}
    return [reason for name, reason in DELIBERATE.items() if asked.get(name)]


class Turn:
    """A planner's turn in the original's way: the plan, then codes behind it without a prompt between."""

    def __init__(self, grammar, tokenizer, options):
        assert set(options) <= OPTIONS
        skipped = {name for name in ("caption", "language") if options.get(f"skip_{name}")}
        seconds = options.get("target_duration")
        fixed = dict(options.get("user", {}))
        if seconds:
            fixed["duration"] = str(int(seconds))
        self.walk = grammar.walk(
            PlanRequest(
                fixed=fixed,
                skipped=frozenset(skipped if options.get("skip_genres") is False else {*skipped, "genres"}),
                max_duration=options.get("max_duration", 600),
                phase="understand" if options.get("phase") == "understand" else "plan",
            )
        )
        count = CodeCount(None if seconds is None else code_count(seconds))
        self.codes = Codes(tokenizer, grammar.vocabulary, count)
        self.ends = bool(options.get("stop_at_reasoning"))

    @property
    def now(self):
        return self.codes if self.walk.done and not self.ends else self.walk

    @property
    def done(self):
        return self.now.done


@pytest.mark.parametrize("case", golden.cases(RECORDED, "teacher_forced"))
def test_a_recorded_text(case, grammar, tokenizer):
    options = case["options"]
    turn = Turn(grammar, tokenizer, options)
    tokens = tokenizer.encode(case["text"], add_special_tokens=False)
    for i, token in enumerate(tokens):
        mask = turn.now.mask()
        if not mask[token]:
            _check_rejection(case, i, mask, tokenizer)
            return
        turn.now.advance(token)
    assert case["accepted"] or deliberate(options)
    assert turn.walk.done == (options.get("phase") != "understand")


def _check_rejection(case, at, mask, tokenizer):
    assert not case["accepted"] and at == case["rejected_at_token"]
    allowed = [int(i) for i in mask.nonzero().flatten()]
    if isinstance(case["allowed_next"], list):
        assert sorted(tokenizer.decode([i]) for i in allowed) == sorted(case["allowed_next"])
    elif case["state"] == "CODES_GENERATION":
        assert f"{len(allowed)} tokens" == case["allowed_next"]
    else:  # free text: theirs takes control tokens and halves of characters too
        theirs = int(case["allowed_next"].split()[0])
        assert theirs // 2 < len(allowed) < theirs


@pytest.mark.parametrize("case", golden.cases(RECORDED, "greedy"))
def test_a_recorded_greedy_walk(case, grammar, tokenizer):
    options, theirs = case["options"], list(case["token_ids"])
    if options.get("target_duration"):  # see DELIBERATE: the space has no logits of its own
        at = theirs.index(tokenizer.encode("duration")[0]) + 2
        theirs.insert(at, tokenizer.encode(" ")[0])
    if options.get("stop_at_reasoning"):
        theirs[-1] = tokenizer.convert_tokens_to_ids("</think>")
    turn = Turn(grammar, tokenizer, options)
    rows = iter(LOGITS[f"{case['name']}.logits"].float())
    ours = []
    while not turn.done and len(ours) < len(theirs):
        now, mask = turn.now, turn.now.mask()
        spaced = options.get("target_duration") and len(ours) == at
        token = now.forced()[0] if spaced else _likeliest(next(rows), mask)
        now.advance(token)
        ours.append(token)
    assert ours == theirs


def _likeliest(logits, mask):
    return int(logits.masked_fill(~mask[: len(logits)], float("-inf")).argmax())


@pytest.mark.parametrize("case", golden.cases(RECORDED, "codes_phase"))
def test_a_recorded_number_of_codes(case):
    count = CodeCount(code_count(case["target_duration_seconds"]))
    made = case["n_codes"]
    rejected = next((i for i in range(made) if not count.more(i)), None)
    if rejected is None and case["then_eos"] and not count.end(made):
        rejected = made
    assert (rejected is None, rejected) == (case["accepted"], case["rejected_at"])
