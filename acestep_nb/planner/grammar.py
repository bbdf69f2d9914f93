"""Which token may come next: the form of a plan, described as data and walked token by token.

Names and values are written as the tokenizer itself spells them, which is how the planner has read them in
training; captions, genres and lyrics are free text. llguidance turns the description into masks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import llguidance
import numpy as np
import torch

from acestep_nb.codes import AUDIO_CODE, CODEBOOK
from acestep_nb.errors import CheckpointError, InputError
from acestep_nb.planner.cot import FIELDS
from acestep_nb.planner.prompts import require_readable
from acestep_nb.song import Song, knob

GENRES, CAPTION, LANGUAGE = "genres", "caption", "language"
PHASES = ("plan", "understand")
MAX_DURATION = 600
THINK, END_THINK = "<think>", "</think>"

# Free text in llguidance's Lark dialect. No backtick, which would open a Markdown block, and no <, which would
# begin a tag; a caption goes on in lines that are indented, as in YAML. What reaches its limit of tokens ends.
_TEXT = {
    CAPTION: r"""
caption: first "\n" (more "\n"){0,15}
first[max_tokens=512]: / [^\s`<][^`<\x00-\x1f\x7f]*/
more[max_tokens=512]: /[ \t]+[^\s`<][^`<\x00-\x1f\x7f]*/
""",
    GENRES: r"""
genres: listed "\n"
listed[max_tokens=64]: / [^\s`<][^`<\x00-\x1f\x7f]*/
""",
    "lyrics": r"""
lyrics[max_tokens=4096]: /[^\x00-\x08\x0b-\x1f\x7f]*/
""",
}


@dataclass(frozen=True)
class PlanRequest:
    """What a plan must hold: values that are fixed, fields that are left out, and what follows the metas.

    ``fixed`` maps a field of ``cot.FIELDS`` to its text (``{"bpm": "92", "language": "en"}``); ``skipped``
    are fields that are not written. Phase ``"plan"`` ends with ``</think>``, ``"understand"`` goes on with
    lyrics to the end of the turn. Values that contradict one another raise ``InputError``.
    """

    fixed: Mapping[str, str] = field(default_factory=dict, hash=False)
    skipped: frozenset[str] = frozenset({GENRES})
    max_duration: int = MAX_DURATION
    phase: Literal["plan", "understand"] = "plan"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixed", dict(self.fixed))
        if unknown := sorted({*self.fixed, *self.skipped} - set(FIELDS)):
            raise InputError(field="plan", value=unknown[0], allowed="made of " + ", ".join(FIELDS))
        if both := sorted(self.skipped & set(self.fixed)):
            raise InputError(
                f"{both[0]} cannot be fixed and left out at once", field=both[0], value=self.fixed[both[0]]
            )
        if self.phase not in PHASES:
            raise InputError(field="phase", value=self.phase, allowed="one of " + ", ".join(PHASES))
        shortest = int(knob(Song, "duration").minimum or 0)
        if not shortest <= self.max_duration <= MAX_DURATION:
            allowed = f"{shortest}–{MAX_DURATION} s"
            raise InputError(field="max_duration", value=self.max_duration, allowed=allowed)
        for name, value in self.fixed.items():
            self._check_value(name, value)

    def _check_value(self, name: str, value: str) -> None:
        if not value.strip() or "\n" in value:
            raise InputError(field=name, value=value, allowed="one line that is not empty")
        if name == "duration" and not (value.isdecimal() and int(value) <= self.max_duration):
            remedy = "Ask for a shorter song, or allow a longer one."
            allowed = f"whole seconds up to {self.max_duration}"
            raise InputError(field=name, value=value, allowed=allowed, remedy=remedy)


def values_of(name: str, max_duration: int = MAX_DURATION) -> tuple[str, ...]:
    """What a field may say: every tempo, duration, key, language or time; nothing for free text."""
    if name in _TEXT:
        return ()
    if name in ("bpm", "duration"):
        rule = knob(Song, name)
        last = max_duration if name == "duration" else int(rule.maximum or 0)
        return tuple(map(str, range(int(rule.minimum or 0), last + 1)))
    if name == "keyscale":
        keys = [f"{tonic}{sign}" for tonic in "CDEFGAB" for sign in ("", "#", "b", "♯", "♭")]
        return tuple(f"{key} {mode}" for key in keys for mode in ("major", "minor"))
    return knob(Song, "vocal_language" if name == LANGUAGE else name).choices


class PlanGrammar:
    """The form of plans over one tokenizer; ``vocabulary`` is the number of rows of the model's head.

    Making one takes a second or more with a large vocabulary: keep it. A tokenizer that cannot write a plan raises
    ``CheckpointError``.
    """

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._trie = _without_codes(tokenizer, vocabulary)
        self._compiled = lru_cache(maxsize=8)(self._compile)
        self._language = self._spelled("\n") + self._spelled(f"{LANGUAGE}:")

    def walk(self, request: PlanRequest) -> Walk:
        """A new walk through one plan; ``InputError`` when a fixed value is not in the vocabulary."""
        greedy = () if LANGUAGE in request.fixed else self._language
        return Walk(self._compiled(request).deep_copy(), self.vocabulary, greedy)

    def describe(self, request: PlanRequest) -> str:
        """The form of one plan in llguidance's Lark dialect; ``<[7]>`` is the token 7."""
        written = [name for name in FIELDS if name not in request.skipped]
        parts = [self._literal(THINK), self._literal("\n")]
        for name in written:
            parts += [self._literal(f"{name}:"), self._value(name, request)]
        parts.append(self._literal(END_THINK))
        if request.phase == "understand":
            written.append("lyrics")
            parts += ["lyrics", f"<[{self._tokenizer.eos_token_id}]>"]
        texts = [name for name in written if name in _TEXT and name not in request.fixed]
        return "".join(["start: ", " ".join(parts), *(_TEXT[name] for name in texts)])

    def _value(self, name: str, request: PlanRequest) -> str:
        if name in request.fixed:
            return _tokens(self._fixed(name, request.fixed[name]))
        if name in _TEXT:
            return name
        spelled = [self._spelled(f" {value}") for value in values_of(name, request.max_duration)]
        return f"{_choice(spelled)} {self._literal(chr(10))}"

    def _fixed(self, name: str, value: str) -> list[int]:
        require_readable(self._tokenizer, {name: value})
        return self._encoded(f" {value}\n")

    def _literal(self, text: str) -> str:
        return _tokens(self._spelled(text))

    def _spelled(self, text: str) -> tuple[int, ...]:
        tokens = self._encoded(text)
        if self._decoded(tokens) != text:
            raise CheckpointError(
                f"the planner's tokenizer cannot write {text!r}",
                field="tokenizer",
                value=text,
                remedy="Its files may be cut short: copy or download the checkpoint again.",
            )
        return tuple(tokens)

    def _encoded(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _decoded(self, tokens: Iterable[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    def _compile(self, request: PlanRequest) -> llguidance.LLMatcher:
        matcher = llguidance.LLMatcher(self._trie, self.describe(request), log_level=0)
        if matcher.is_error():
            reason = matcher.get_error().splitlines()[0]
            raise CheckpointError(f"plans have no form in this tokenizer: {reason}", field="tokenizer")
        return matcher


class Walk:
    """One plan while it is written; every take walks alone."""

    def __init__(self, matcher: llguidance.LLMatcher, vocabulary: int, greedy_after: tuple[int, ...]) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._greedy_after = greedy_after
        self._tail: tuple[int, ...] = ()

    def forced(self) -> list[int]:
        """The tokens that alone can follow (may be none); ``advance`` through them without sampling."""
        return [] if self.done else list(self._matcher.compute_ff_tokens())

    def mask(self) -> torch.Tensor:
        """Which tokens may follow: bool ``[vocabulary]``."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        return torch.from_numpy(np.unpackbits(bits, count=self._vocabulary, bitorder="little").view(np.bool_))

    def advance(self, token: int) -> None:
        """Take one token; ``InputError`` when it is not allowed, and the walk stays where it was."""
        if not self._allows(token) or not self._matcher.consume_token(token):
            raise InputError(field="token", value=token, allowed="one that the plan's form allows here")
        self._tail = (*self._tail, token)[-len(self._greedy_after) :] if self._greedy_after else ()

    def _allows(self, token: int) -> bool:
        if self.done or not 0 <= token < self._vocabulary:
            return False
        # the quick way does not know the end of the turn
        return self._matcher.validate_tokens([token]) == 1 or bool(self.mask()[token])

    @property
    def greedy(self) -> bool:
        """Whether the likeliest allowed token is taken whatever the temperature.

        So it is at a language's first token, as in the reference: a rare language is no bolder song.
        """
        return bool(self._greedy_after) and self._tail == self._greedy_after

    @property
    def done(self) -> bool:
        """Whether nothing is left to write."""
        return bool(self._matcher.is_stopped())


@dataclass(frozen=True)
class CodeCount:
    """When codes go on and when they end: exactly ``wanted`` of them, or, with ``None``, as the model likes."""

    wanted: int | None

    def more(self, made: int) -> bool:
        """Whether another code may follow ``made`` of them."""
        return self.wanted is None or made < self.wanted

    def end(self, made: int) -> bool:
        """Whether the turn may end after ``made`` codes."""
        return self.wanted is None or made >= self.wanted


def audio_code_ids(tokenizer: Any, size: int = CODEBOOK) -> dict[int, int]:
    """The token of each code of a codebook, by code in rising order, for those that the tokenizer has."""
    found = (
        (int(match[1]), token)
        for text, token in tokenizer.get_vocab().items()
        if (match := AUDIO_CODE.fullmatch(text))
    )
    return dict(sorted((code, token) for code, token in found if code < size))


def _without_codes(tokenizer: Any, vocabulary: int) -> llguidance.LLTokenizer:
    """The tokenizer as llguidance reads it: no plan holds a code, and 65,000 of them take 20 s to read, not 1."""
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    data["added_tokens"] = [t for t in data["added_tokens"] if not AUDIO_CODE.fullmatch(t["content"])]
    data["padding"] = data["truncation"] = None
    try:
        return llguidance.LLTokenizer(json.dumps(data), n_vocab=vocabulary, eos_token=tokenizer.eos_token_id)
    except ValueError as error:
        raise CheckpointError(
            f"the planner's tokenizer is of a kind that cannot be read: {error}",
            field="tokenizer",
            allowed="a tokenizer of bytes, such as Qwen's",
        ) from error


def _tokens(tokens: Iterable[int]) -> str:
    return " ".join(f"<[{token}]>" for token in tokens)


def _choice(spellings: Iterable[Iterable[int]]) -> str:
    """A choice between sequences of tokens, what they begin with in common written once."""
    branches: dict[int, list[list[int]]] = {}
    ends = False
    for spelling in map(list, spellings):
        if spelling:
            branches.setdefault(spelling[0], []).append(spelling[1:])
        else:
            ends = True
    written = " | ".join(f"<[{token}]> {_choice(rest)}".rstrip() for token, rest in branches.items())
    return f"({written}){'?' if ends else ''}" if branches else ""
