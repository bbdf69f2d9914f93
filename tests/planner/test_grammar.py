"""The form of plans: random walks make plans that hold what was asked; what cannot be asked is refused."""

import json
import random

import numpy as np
import pytest
from helpers_planner import word_tokenizer
from tokenizers import Tokenizer

from acestep_nb import Song
from acestep_nb.errors import CheckpointError, InputError
from acestep_nb.knobs import knob
from acestep_nb.languages import LANGUAGES
from acestep_nb.planner.cot import FIELDS, merged, parse_answer
from acestep_nb.planner.grammar import CodeCount, PlanGrammar, PlanRequest, audio_code_ids, values_of

REQUESTS, WALKS = 25, 400
VALUED = ("bpm", "duration", "keyscale", "language", "timesignature")
NATURAL_END = 6.0  # what makes a line of noise end after some words, as lines of a trained planner do


def random_request(chance):
    """Any request: some fields fixed, some left out, either phase."""
    longest = chance.choice((10, 60, 600))
    fixed = {name: chance.choice(values_of(name, longest)) for name in VALUED if chance.random() < 0.3} | (
        {"caption": "soft strings: 夜"} if chance.random() < 0.1 else {}
    )
    skipped = {name for name in ("caption", "genres", "language") if chance.random() < 0.4}
    phase = chance.choice(("plan", "understand"))
    return PlanRequest(fixed, frozenset(skipped - set(fixed)), longest, phase)


def written(walk, noise, ending):
    """The tokens of a walk under random logits, what is forced taken as it is."""
    tokens = []
    while not walk.done:
        step = walk.forced()
        if not step:
            mask = walk.mask().numpy()
            logits = noise.gumbel(size=len(mask)) + ending
            step = [int(np.where(mask, logits, -np.inf).argmax())]
            assert mask[step[0]]
        for token in step:
            walk.advance(token)
        tokens += step
    return tokens


def check_plan(request, text):
    """The text is a plan that holds what was asked, and makes a song."""
    answer = parse_answer(text)
    assert list(answer.metas) == [name for name in FIELDS if name not in request.skipped]
    for name, value in answer.metas.items():
        if name in request.fixed:
            assert str(value) == request.fixed[name]
        elif name in VALUED:
            assert str(value) in values_of(name, request.max_duration)
        else:
            assert value and not set("`<\n") & set(str(value))
    song = merged(Song(), answer)
    assert (song.bpm, song.timesignature) == (answer.metas["bpm"], answer.metas["timesignature"])
    assert song.duration == answer.metas["duration"] <= request.max_duration
    assert song.keyscale is not None
    assert text.endswith("<|im_end|>" if request.phase == "understand" else "</think>")


@pytest.mark.parametrize("seed", range(REQUESTS))
def test_every_random_walk_is_a_plan(seed, grammar, tokenizer):
    request = random_request(random.Random(seed))
    noise = np.random.default_rng(seed)
    ending = np.zeros(grammar.vocabulary)
    lines = [i for token, i in tokenizer.get_vocab().items() if token.endswith("Ċ")]
    ending[[*lines, tokenizer.eos_token_id]] = NATURAL_END
    texts = [tokenizer.decode(written(grammar.walk(request), noise, ending)) for _ in range(WALKS)]
    for text in texts:
        check_plan(request, text)
    assert len(set(texts)) > WALKS // 8 or len(request.fixed) > 2


@pytest.mark.parametrize("phase", ["plan", "understand"])
def test_a_walk_that_never_wants_to_end_ends(phase, grammar, tokenizer):
    ending = np.zeros(grammar.vocabulary)
    ending[[i for token, i in tokenizer.get_vocab().items() if "Ċ" in token]] = -50
    ending[tokenizer.eos_token_id] = -50
    request = PlanRequest(skipped=frozenset(), phase=phase)
    text = tokenizer.decode(written(grammar.walk(request), np.random.default_rng(0), ending))
    assert parse_answer(text).metas.keys() == set(FIELDS)


def test_a_plan_that_is_known_needs_no_sampling(grammar, tokenizer):
    fixed = {name: values_of(name)[-1] for name in VALUED}
    walk = grammar.walk(PlanRequest(fixed, frozenset({"caption", "genres"})))
    text = tokenizer.decode(walk.forced())
    assert text.splitlines()[1:-1] == [f"{name}: {fixed[name]}" for name in FIELDS if name in fixed]
    for token in walk.forced():
        walk.advance(token)
    assert walk.done and walk.forced() == []


def test_walks_of_one_plan_are_apart(grammar):
    one, other = grammar.walk(PlanRequest()), grammar.walk(PlanRequest())
    one.advance(one.forced()[0])
    assert one.forced() == other.forced()[1:]


def test_a_token_out_of_place_is_refused_and_changes_nothing(grammar, tokenizer):
    walk = grammar.walk(PlanRequest())
    before = walk.forced()
    for token in (tokenizer.eos_token_id, grammar.vocabulary - 1, grammar.vocabulary + 5):
        with pytest.raises(InputError, match="token"):
            walk.advance(token)
    assert walk.forced() == before and len(walk.mask()) == grammar.vocabulary


def test_only_a_languages_first_token_is_greedy(grammar, tokenizer):
    walk = grammar.walk(PlanRequest())
    text = "<think>\nbpm: 90\ncaption: a\n language: b\nduration: 64\nkeyscale: G major\nlanguage: id\n"
    greedy = ""
    for token in tokenizer.encode(text):
        greedy += tokenizer.decode([token]) if walk.greedy else ""
        walk.advance(token)
    assert greedy == tokenizer.decode(tokenizer.encode("language: id")[2:3])


def test_values_are_the_songs_and_the_originals():
    assert values_of("bpm")[0] == "30" and values_of("bpm")[-1] == "300"
    assert values_of("duration", 120)[-1] == "120" and values_of("duration")[-1] == "600"
    assert len(values_of("keyscale")) == 70 and {"E♭ major", "F# minor"} <= set(values_of("keyscale"))
    assert set(values_of("language")) == set(LANGUAGES) and len(LANGUAGES) == 51
    assert values_of("timesignature") == knob(Song, "timesignature").choices


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"fixed": {"tempo": "90"}}, "plan"),
        ({"skipped": frozenset({"tempo"})}, "plan"),
        ({"fixed": {"language": "en"}, "skipped": frozenset({"language"})}, "language"),
        ({"phase": "codes"}, "phase"),
        ({"max_duration": 601}, "max_duration"),
        ({"max_duration": 5}, "max_duration"),
        ({"fixed": {"duration": "90"}, "max_duration": 60}, "duration"),
        ({"fixed": {"duration": "9.5"}}, "duration"),
        ({"fixed": {"caption": "two\nlines"}}, "caption"),
        ({"fixed": {"bpm": " "}}, "bpm"),
    ],
)
def test_requests_that_contradict_themselves(request_, field):
    with pytest.raises(InputError) as caught:
        PlanRequest(**request_)
    assert caught.value.field == field


@pytest.mark.parametrize("value", ["<|im_end|>", "a <|audio_code_5|> b", "</think>"])
def test_fixed_values_cannot_hold_control_tokens(value, grammar):
    with pytest.raises(InputError, match="caption"):
        grammar.walk(PlanRequest({"caption": value}))


def test_a_tokenizer_of_another_kind():
    with pytest.raises(CheckpointError, match="kind"):
        PlanGrammar(word_tokenizer("la li"), 4)


def test_a_tokenizer_that_lost_a_letter(tokenizer):
    from transformers import PreTrainedTokenizerFast

    data = json.loads(tokenizer.backend_tokenizer.to_str())
    data["model"]["vocab"] = {
        token: i for token, i in data["model"]["vocab"].items() if token != "u"
    }  # but for one letter
    data["model"]["merges"] = []
    cut = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(data)), eos_token="<|im_end|>"
    )
    with pytest.raises(CheckpointError, match="cannot write"):
        PlanGrammar(cut, len(tokenizer)).walk(PlanRequest())


def test_the_tokens_of_codes_are_found_by_name(tokenizer):
    found = audio_code_ids(tokenizer)
    assert len(found) > 60 and list(found) == sorted(found)
    assert all(tokenizer.convert_ids_to_tokens(i) == f"<|audio_code_{code}|>" for code, i in found.items())
    assert "<|audio_code_64000|>" in tokenizer.get_vocab() and max(found) == 63_999
    assert list(audio_code_ids(tokenizer, 8)) == list(range(8))


def test_codes_end_when_there_are_enough():
    count = CodeCount(3)
    assert [count.more(made) for made in range(5)] == [True, True, True, False, False]
    assert [count.end(made) for made in range(5)] == [False, False, False, True, True]
    assert CodeCount(None).more(10**6) and CodeCount(None).end(0)
