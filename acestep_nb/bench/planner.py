"""Planning beside `transformers`' own `generate`: the same random model, prompts, guidance and sampling.

Ours writes the codes of all takes together; theirs writes one take after the other, each with a mask over the
whole vocabulary. Runs alternate, so that whatever else the machine does meets both; the figure is the median of
the ratios of neighbouring runs. Reading the prompts counts on both sides. On a slow machine fewer pairs are run, and
a model of fewer layers, so that all of it takes about eleven minutes at most.
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from acestep_nb.codes import CODEBOOK
from acestep_nb.planner.decoding import Form, Head, Line, Prompt, Reader, write
from acestep_nb.planner.grammar import END_THINK, THINK, CodeCount, PlanGrammar, PlanRequest
from acestep_nb.planner.planner import CodesForm
from acestep_nb.plans import PlanOptions

TEXT_TOKENS, SPECIALS = 151_643, ("<|endoftext|>", "<|im_start|>", "<|im_end|>", THINK, END_THINK)
VOCABULARY = 217_204
FIRST_CODE = TEXT_TOKENS + len(SPECIALS)
END = TEXT_TOKENS + SPECIALS.index("<|im_end|>")
TAKES, CODES, PAIRS = 4, 100, 3
TARGET, GRAMMAR_TARGET = 2.5, 0.02
_PROMPT, _EMPTY = 400, 320  # tokens of the two prompts, of a song with lyrics
_WORDS = 48  # tokens that are written under the grammar
_SPARE_MEMORY = 3.0  # times the size of the weights
_LAYERS = (28, 14, 7, 3)  # that are tried, the released number first
_RACE_SECONDS = 540.0  # for all pairs together
_TRIAL = (2, 8)  # codes that are written to see whether both sides agree, and how long a pair will take
_BOTH = 1.4  # times the seconds of their run, the target being what it is
_TOLD = 25  # codes between words about how far a run is
_OPTIONS = PlanOptions()
Tell = Callable[[str], None]


def _silent(words: str) -> None:
    pass


@dataclass(frozen=True)
class Size:
    """How large the model is; by default the smallest of the released ones, Qwen3 0.6B."""

    width: int = 1024
    layers: int = 28
    heads: int = 16
    head_dim: int = 128

    def network(self, device: torch.device, dtype: torch.dtype) -> Any:
        """The model with random weights."""
        torch.manual_seed(0)
        config = Qwen3Config(
            vocab_size=VOCABULARY,
            hidden_size=self.width,
            intermediate_size=3 * self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=max(self.heads // 2, 1),
            head_dim=self.head_dim,
            max_position_embeddings=8192,
            tie_word_embeddings=True,
            dtype=dtype,
        )
        with torch.device(device):
            return Qwen3ForCausalLM(config).to(dtype).eval().requires_grad_(False)

    @property
    def weights(self) -> int:
        """About how many there are."""
        attention = 3 * self.width * self.heads * self.head_dim
        return VOCABULARY * self.width + self.layers * (attention + 9 * self.width**2)


class OnlyCodes(LogitsProcessor):  # type: ignore[misc]
    """The mask over the whole vocabulary that `generate` needs: codes alone may follow."""

    def __init__(self, device: torch.device) -> None:
        self.banned = torch.ones(VOCABULARY, dtype=torch.bool, device=device)
        self.banned[FIRST_CODE : FIRST_CODE + CODEBOOK] = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The logits with all else banned."""
        return scores.masked_fill(self.banned, float("-inf"))


@dataclass(frozen=True)
class Race:
    """Both ways from a prompt to the codes of all takes."""

    network: Any
    takes: int = TAKES
    codes: int = CODES

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device(self.network.device)

    @property
    def prompts(self) -> tuple[Prompt, Prompt]:
        """With and without the plan in words; they begin alike."""
        tokens = torch.randint(
            0, TEXT_TOKENS, (_PROMPT,), generator=torch.Generator().manual_seed(1)
        ).tolist()
        stem = tokens[: _EMPTY - 5]
        return Prompt.of(tokens, stem), Prompt.of([*stem, *tokens[-5:]], stem)

    def ours(self, options: PlanOptions, tell: Tell = _silent) -> list[list[int]]:
        """The tokens of each take by our loop."""
        head = Head(self.network.lm_head.weight, [*range(FIRST_CODE, FIRST_CODE + CODEBOOK), END])
        lines = [
            Line(
                CodesForm(CodeCount(self.codes), END, len(head), self.device),
                self.prompts,
                torch.Generator(self.device).manual_seed(seed),
                self.codes,
            )
            for seed in range(self.takes)
        ]

        def on_token() -> None:
            made = len(lines[0].written)
            if made % _TOLD == 0:
                tell(f"ours, code {made} of {self.codes}")

        write(Reader(self.network), lines, head, options, on_token)
        return [line.written for line in lines]

    def theirs(self, options: PlanOptions, tell: Tell = _silent) -> list[list[int]]:
        """The tokens of each take by `generate`."""
        conditional, unconditional = (
            torch.tensor([prompt.tokens], device=self.device) for prompt in self.prompts
        )
        chance: dict[str, Any] = {"do_sample": False}
        if options.temperature:
            chance = {
                "do_sample": True,
                "temperature": options.temperature,
                "top_p": options.top_p,
                "top_k": options.top_k,
            }
        found = []
        for seed in range(self.takes):
            tell(f"theirs, take {seed + 1} of {self.takes}")
            torch.manual_seed(seed)
            written = self.network.generate(
                conditional,
                attention_mask=torch.ones_like(conditional),
                negative_prompt_ids=unconditional,
                negative_prompt_attention_mask=torch.ones_like(unconditional),
                guidance_scale=options.cfg_scale,
                logits_processor=LogitsProcessorList([OnlyCodes(self.device)]),
                max_new_tokens=self.codes,
                eos_token_id=None,
                pad_token_id=END,
                **chance,
            )
            found.append(written[0, conditional.shape[1] :].tolist())
        return found


def measure(
    on_progress: Tell, size: Size | None = None, codes: int = CODES, pairs: int = PAIRS
) -> dict[str, Any]:
    """The figures of the race, of the grammar, and of the machine's memory."""
    cuda = torch.cuda.is_available()
    device, dtype = torch.device("cuda" if cuda else "cpu"), torch.bfloat16 if cuda else torch.float32
    sizes = _fitting(device, dtype) if size is None else [size]
    race, size, agrees = _racers(sizes, device, dtype, codes, on_progress)
    times = _raced(race, pairs, on_progress)
    made = race.takes * codes
    ratios = [other / own for own, other in zip(times["ours"], times["theirs"])]
    on_progress("the grammar and the machine's memory")
    return {
        "benchmark": "planner",
        "torch": torch.__version__,
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "layers": size.layers,
        "weights": size.weights,
        "vocabulary": VOCABULARY,
        "takes": race.takes,
        "codes": codes,
        "pairs": len(ratios),
        **{f"{name}_codes_per_s": round(made / statistics.median(spent), 2) for name, spent in times.items()},
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "target": TARGET,
        "agrees": agrees,
        "grammar": {**_grammar(race), "target": GRAMMAR_TARGET},
        "memory": _memory(race, size, statistics.median(times["ours"]) / codes),
    }


def _racers(
    sizes: Sequence[Size], device: torch.device, dtype: torch.dtype, codes: int, on_progress: Tell
) -> tuple[Race, Size, bool]:
    """A model of the first size that is quick enough (else of the last), and whether both sides write the same."""
    for size in sizes:
        on_progress(f"making a model of {size.weights / 1e6:,.0f} million weights")
        race = Race(size.network(device, dtype), codes=codes)
        on_progress("comparing what both write")
        agrees, seconds = _trial(race)
        if seconds <= _RACE_SECONDS:
            break
    return race, size, agrees


def _trial(race: Race) -> tuple[bool, float]:
    """Whether both sides write the same, and about how many seconds a pair of runs will take."""
    cold = PlanOptions(temperature=0)
    few, more = (Race(race.network, takes=1, codes=min(race.codes, count)) for count in _TRIAL)
    moments = [time.perf_counter()]
    for one in (few, more):
        other = one.theirs(cold)
        moments.append(time.perf_counter())
    begin, end = moments[1] - moments[0], moments[2] - moments[1]
    step = max(end - begin, 0.0) / max(more.codes - few.codes, 1)
    take = begin + step * (race.codes - few.codes)
    return more.ours(cold) == other, _BOTH * race.takes * take


def _raced(race: Race, pairs: int, on_progress: Tell) -> dict[str, list[float]]:
    """Seconds of each run, `pairs` of them on either side, or as many as there is time for."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    sides = {"ours": race.ours, "theirs": race.theirs}
    start = time.perf_counter()
    for pair in range(pairs):
        if pair and (time.perf_counter() - start) * (pair + 1) / pair > _RACE_SECONDS:
            break
        number = f"run {pair + 1} of {pairs}"
        for name in sorted(sides, reverse=bool(pair % 2)):
            began = time.perf_counter()
            sides[name](_OPTIONS, lambda words, number=number: on_progress(f"{number}: {words}"))
            times[name].append(time.perf_counter() - began)
    return times


class _Timed:
    """A form, with the seconds that are spent in it."""

    def __init__(self, form: Form) -> None:
        self.form, self.seconds = form, 0.0

    @property
    def done(self) -> bool:
        return self.form.done

    @property
    def greedy(self) -> bool:
        return self.form.greedy

    def forced(self) -> list[int]:
        tokens: list[int] = self._clocked(self.form.forced)
        return tokens

    def mask(self) -> Tensor | None:
        allowed: Tensor | None = self._clocked(self.form.mask)
        return allowed

    def advance(self, token: int) -> None:
        self._clocked(self.form.advance, token)

    def _clocked(self, work: Callable[..., Any], *given: object) -> Any:
        began = time.perf_counter()
        result = work(*given)
        self.seconds += time.perf_counter() - began
        return result


def _grammar(race: Race) -> dict[str, float]:
    """What the form of a plan costs while words are written, masks and their use, as a share of a step."""
    grammar = PlanGrammar(large_tokenizer(), VOCABULARY)
    head = Head(race.network.lm_head.weight)
    forms = [_Timed(grammar.walk(PlanRequest())) for _ in range(race.takes)]
    generators = [torch.Generator(race.device).manual_seed(seed) for seed in range(race.takes)]
    lines = [Line(form, race.prompts, chance, _WORDS) for form, chance in zip(forms, generators, strict=True)]
    reader, moments = Reader(race.network), [0.0]
    with torch.inference_mode():
        reader.batch(race.prompts)  # the prompts are no step
    write(reader, lines, head, _OPTIONS, lambda: moments.append(time.perf_counter()))
    steps = len(moments) - 2
    step = (moments[-1] - moments[1]) / steps
    spent = sum(form.seconds for form in forms) / steps + race.takes * _fill_seconds(race)
    return {
        "ms_per_step": round(1e3 * spent, 3),
        "step_ms": round(1e3 * step, 1),
        "share": round(spent / step, 4),
    }


def _fill_seconds(race: Race) -> float:
    """Putting one mask over the logits of one take."""
    logits = torch.zeros(VOCABULARY, device=race.device)
    mask = torch.zeros(VOCABULARY, dtype=torch.bool)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        logits.masked_fill_(~mask.to(race.device), float("-inf"))
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _memory(race: Race, size: Size, step: float) -> dict[str, float]:
    """Bytes of weights that a step must read, a second, beside what the machine's memory gives."""
    weight = race.network.lm_head.weight
    head = (VOCABULARY - CODEBOOK) * size.width
    read = (size.weights - head) * weight.element_size() / step
    block = torch.zeros(2**28 // weight.element_size(), dtype=weight.dtype, device=race.device)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        float(block.sum())
        times.append(time.perf_counter() - began)
    bandwidth = block.numel() * block.element_size() / min(times)
    return {
        "step_gb_per_s": round(read / 1e9, 1),
        "bandwidth_gb_per_s": round(bandwidth / 1e9, 1),
        "share_of_bandwidth": round(read / bandwidth, 3),
    }


def _fitting(device: torch.device, dtype: torch.dtype) -> list[Size]:
    """The released size, and those with fewer layers, as far as they fit into memory."""
    free = psutil.virtual_memory().available if device.type == "cpu" else torch.cuda.mem_get_info()[0]
    bytes_each = torch.empty(0, dtype=dtype).element_size()
    sizes = [Size(layers=layers) for layers in _LAYERS]
    return [size for size in sizes if size.weights * bytes_each * _SPARE_MEMORY < free] or sizes[-1:]


def large_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer as large as the released one: bytes, made-up words, and all codes as tokens of their own."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = itertools.chain(letters, _made_up(letters))
    vocabulary = {word: i for i, word in enumerate(itertools.islice(words, TEXT_TOKENS))}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(SPECIALS))
    spare = VOCABULARY - FIRST_CODE
    backend.add_tokens([f"<|audio_code_{code}|>" for code in range(spare)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def _made_up(letters: list[str]) -> Iterator[str]:
    """Words of a language that nobody speaks, each once; some begin with a space."""
    chance, known = random.Random(0), set(letters)
    syllables = [a + b for a in "bcdfghjklmnprstvwyz" for b in "aeiou"]
    while True:
        word = "".join(chance.choices(syllables, k=chance.randint(1, 5)))
        word = chance.choice(("", "Ġ")) + word
        if word not in known:
            known.add(word)
            yield word
