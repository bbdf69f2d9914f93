"""The loop beside one plain forward pass; rows that do not feel their neighbours; forms that are kept to."""

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from acestep_nb.errors import InputError
from acestep_nb.planner import decoding
from acestep_nb.planner.decoding import Head, Line, Prompt, Reader, room, write
from acestep_nb.plans import PlanOptions

WORDS = 300
BOLD = PlanOptions(temperature=1.5)


@pytest.fixture(
    scope="module", params=[(4, 2), (4, 4), (8, 2)], ids=["two to one", "one to one", "four to one"]
)
def network(request):
    heads, shared = request.param
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=WORDS,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        head_dim=16,
        max_position_embeddings=512,
        initializer_range=0.2,
    )
    return Qwen3ForCausalLM(config).eval()


class Count:
    """So many tokens; behind some of them others are forced."""

    greedy = False

    def __init__(self, wanted, forced=None):
        self.wanted, self.made, self._forced = wanted, 0, forced or {}

    @property
    def done(self):
        return self.made >= self.wanted

    def forced(self):
        return self._forced.get(self.made, [])

    def mask(self):
        return None

    def advance(self, token):
        self.made += 1


def tokens(count, seed):
    return torch.randint(0, WORDS, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def plain(network, read):
    """Logits after the last of the tokens, by one forward pass without any cache."""
    with torch.inference_mode():
        return network(torch.tensor([read])).logits[0, -1]


def test_rows_read_like_a_plain_forward_pass(network):
    first, second = tokens(40, 1), tokens(23, 2)
    head = Head(network.lm_head.weight)
    with torch.inference_mode():
        rows = Reader(network).batch(
            [Prompt.of(first, first[:9]), Prompt.of(second), Prompt.of(first, first[:9])]
        )
        assert rows.count == 3
        read = [list(first), list(second), list(first)]
        # all rows by one, by several, and some rows only
        for more, which in [
            ([[5], [6], [7]], None),
            ([[1, 2, 3]] * 3, None),
            ([[9, 8]], [1]),
            ([[4], [3]], [0, 2]),
        ]:
            rows.read(more, which)
            for row, own in zip(which or range(3), more):
                read[row] += own
            logits = head.logits(rows.hidden)[:3]
            for row in range(3):
                assert torch.allclose(logits[row], plain(network, read[row]), atol=1e-4)


def test_rows_grow_past_their_first_room(network):
    start = tokens(10, 1)
    with torch.inference_mode():
        rows = Reader(network).batch([Prompt.of(start)])
        for token in tokens(400, 3):
            rows.read([[token]])
            start.append(token)
        assert torch.allclose(
            Head(network.lm_head.weight).logits(rows.hidden)[0], plain(network, start), atol=1e-4
        )


def test_a_stem_is_read_once(network, monkeypatch):
    lengths = []
    forward = network.model.forward
    monkeypatch.setattr(
        network.model, "forward", lambda **call: lengths.append(call["input_ids"].numel()) or forward(**call)
    )
    stem = tuple(tokens(30, 1))
    reader = Reader(network)
    with torch.inference_mode():
        reader.batch([Prompt(stem)] * 4)
        reader.batch([Prompt(stem, (1, 2, 3)), Prompt(stem, (4, 5)), Prompt(stem, (4, 5)), Prompt((7, 8, 9))])
    assert lengths == [30, 3, 2, 3]


def test_prompts_are_cut_where_they_leave_the_stem():
    assert Prompt.of([1, 2, 3, 4], [1, 2, 9]) == Prompt((1, 2), (3, 4))
    assert Prompt.of([1, 2], [1, 2, 9]) == Prompt((1, 2))
    assert Prompt.of([5, 6], [1]) == Prompt((5, 6)) == Prompt.of([5, 6])


def lines_of(seeds, guided=True):
    """Takes with prompts and forms of different length, each with tokens that are forced here and there."""
    lines = []
    for seed in seeds:
        stem = tokens(30, 0)
        prompts = (Prompt.of(stem + tokens(3 + seed % 5, seed), stem), Prompt.of([*stem, 1, 2, 3], stem))
        form = Count(20 + seed % 3 * 4, {4: [3] * (1 + seed % 3), 9: [4, 4]})
        generator = torch.Generator().manual_seed(seed)
        lines.append(Line(form, prompts if guided else prompts[:1], generator, 1000))
    return lines


def written(network, seeds, guided=True, options=BOLD):
    lines = lines_of(seeds, guided)
    write(Reader(network), lines, Head(network.lm_head.weight), options, lambda: None)
    return dict(zip(seeds, (line.written for line in lines)))


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("penalty", [1.0, 1.4])
def test_a_seed_writes_the_same_whatever_the_batch(network, guided, penalty):
    options = PlanOptions(temperature=1.5, repetition_penalty=penalty)
    everyone = written(network, [1, 2, 3, 4, 5, 6, 7, 8], guided, options)
    assert len({tuple(own) for own in everyone.values()}) == 8
    for seeds in ([3], [8, 1], [5, 6, 7], [8, 6, 4, 2]):
        assert written(network, seeds, guided, options) == {seed: everyone[seed] for seed in seeds}


def test_every_form_is_kept_to(network):
    for seed, own in written(network, [1, 2, 3]).items():
        extra = 1 + seed % 3
        assert own[4 : 4 + extra] == [3] * extra and own[9:11] == [4, 4]
        assert len(own) == 20 + seed % 3 * 4


def test_without_chance_the_loop_is_transformers_generate(network):
    prompt = tokens(25, 4)
    line = Line(Count(30), (Prompt.of(prompt),), torch.Generator(), 1000)
    write(Reader(network), [line], Head(network.lm_head.weight), PlanOptions(temperature=0), lambda: None)
    read = torch.tensor([prompt])
    expected = network.generate(
        read, attention_mask=torch.ones_like(read), max_new_tokens=30, do_sample=False, eos_token_id=None
    )
    assert line.written == expected[0, len(prompt) :].tolist()


def test_guidance_is_that_of_two_plain_passes(network):
    conditional, unconditional = tokens(20, 5), tokens(12, 6)
    line = Line(Count(8), (Prompt.of(conditional), Prompt.of(unconditional)), torch.Generator(), 1000)
    options = PlanOptions(temperature=0, cfg_scale=2.5)
    write(Reader(network), [line], Head(network.lm_head.weight), options, lambda: None)
    for index, token in enumerate(line.written):
        before = line.written[:index]
        with_words, without = plain(network, conditional + before), plain(network, unconditional + before)
        assert (without + 2.5 * (with_words - without)).argmax() == token


def test_a_head_of_some_tokens_gives_their_logits(network, monkeypatch):
    hidden = torch.randn(4, 64)
    some = [7, 8, 9, 50, 51, 3]
    weight = network.lm_head.weight
    head = Head(weight, some)
    assert torch.allclose(head.logits(hidden), (hidden @ weight.T)[:, some], atol=1e-5)
    assert [head.tokens[i] for i in head.marks([50, 99, 3])] == [50, 3]
    read = []
    linear = decoding.F.linear
    monkeypatch.setattr(decoding.F, "linear", lambda x, rows: read.append(rows) or linear(x, rows))
    head.logits(hidden)
    own = weight.untyped_storage().data_ptr()
    assert [rows.untyped_storage().data_ptr() for rows in read] == [own] * 3, "nothing is copied"


def test_stopping_acts_within_one_token(network):
    reads, told = [], []
    hook = network.model.register_forward_pre_hook(lambda *call: reads.append(len(told)))

    def stop_at_seven():
        told.append(1)
        if len(told) == 7:
            raise InterruptedError

    lines = lines_of([1, 2])
    try:
        with pytest.raises(InterruptedError):
            write(Reader(network), lines, Head(network.lm_head.weight), PlanOptions(), stop_at_seven)
    finally:
        hook.remove()
    assert max(reads) == 6  # nothing was read after the stop


def test_a_line_ends_after_the_most_tokens_that_there_is_room_for(network):
    line = Line(Count(50), (Prompt.of(tokens(10, 1)),), torch.Generator().manual_seed(1), 12)
    write(Reader(network), [line], Head(network.lm_head.weight), PlanOptions(), lambda: None)
    assert len(line.written) == 12


def test_prompts_need_room(network):
    assert room(network, [Prompt((1,) * 500), Prompt((1,) * 12)]) == 12
    with pytest.raises(InputError, match="512") as caught:
        room(network, [Prompt((1,) * 512)])
    assert caught.value.field == "lyrics" and caught.value.remedy
