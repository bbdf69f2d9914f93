"""The planner's verbs: fill in a song and compose it as codes, invent one, put one in form, understand a sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from acestep_nb.codes import CODE_RATE, CODEBOOK, checked_codes, code_count
from acestep_nb.errors import InputError
from acestep_nb.knobs import checked_text
from acestep_nb.locales import later
from acestep_nb.planner import prompts
from acestep_nb.planner.cot import Answer, cot_text, known_metas, merged, parse_answer
from acestep_nb.planner.decoding import Head, Line, Prompt, Reader, room, write
from acestep_nb.planner.grammar import (
    CAPTION,
    GENRES,
    LANGUAGE,
    CodeCount,
    PlanGrammar,
    PlanRequest,
)
from acestep_nb.planner.loading import Language, load_language
from acestep_nb.plans import Plan, PlanOptions
from acestep_nb.renderer.guard import render_errors
from acestep_nb.seeds import derived
from acestep_nb.song import Song, knob

OnToken = Callable[[int, int], None]
"""Called before every token with the codes made so far and how many there will be (0, 0 while words are written)."""
METAS = ("bpm", "duration", "keyscale", "timesignature")
INSTRUMENTAL = "[Instrumental]"
_DEFAULTS = PlanOptions()
_SHORTEST = code_count(float(knob(Song, "duration").minimum or 0))
_LONGEST = code_count(float(knob(Song, "duration").maximum or 0))


@dataclass(frozen=True)
class Thoughts:
    """What was written for one take before its codes: the song filled in, the text, and its metas."""

    song: Song
    text: str
    answer: Answer


class Planner:
    """A language model that plans songs; takes of a batch are written together, each with its own seed.

    The same seed gives the same plan, whatever the other seeds of the batch are (`decoding` says how far that
    holds to the bit). Every take thinks for itself: tempo, caption and all else may differ from seed to seed.
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        self.network, self.tokenizer = language.network, language.tokenizer

    @classmethod
    def load(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> Planner:
        """The planner in a folder; see `loading.load_language`."""
        return cls(load_language(folder, device, dtype))

    @cached_property
    def grammar(self) -> PlanGrammar:
        """The form of plans over the tokenizer; made on first use, which takes about a second."""
        return PlanGrammar(self.tokenizer, self._head.shape[0])

    def plan(
        self,
        song: Song,
        seeds: Sequence[int],
        options: PlanOptions = _DEFAULTS,
        on_token: OnToken | None = None,
    ) -> list[Plan]:
        """A plan of the song for each seed: open fields filled in as the options allow, then its codes.

        With a duration there are exactly `int(duration * 5)` codes; without one the model ends them itself,
        between 10 and 600 s. Raises `InputError` for a song without words or with words that the tokenizer
        cannot read or the network has no room for.
        """
        song.require_words()
        self._check_words(caption=song.caption, lyrics=song.lyrics, negative_prompt=options.negative_prompt)
        tell = on_token or _silent
        with render_errors(later("planning")):
            reader = Reader(self.network)
            thoughts = self._think(reader, song, seeds, options, tell)
            codes: list[tuple[int, ...]] = [()] * len(seeds)
            if options.thinking:
                codes = self._compose(reader, song, thoughts, seeds, options, tell)
        name, checksum = self.language.name, self.language.hash
        return [
            Plan(_lasting(thought.song, own), own, thought.text, seed, options, name, checksum, song)
            for thought, own, seed in zip(thoughts, codes, seeds, strict=True)
        ]

    def create_song(
        self,
        query: str,
        instrumental: bool,
        vocal_language: str | None,
        seed: int,
        options: PlanOptions = _DEFAULTS,
        on_token: OnToken | None = None,
    ) -> Song:
        """A whole song out of a few words (or none): caption, lyrics and metas."""
        query = checked_text("query", query, knob(Song, "caption"))
        self._check_words(query=query)
        asked = Song(vocal_language=vocal_language)
        talk = prompts.create_messages(query, instrumental)
        song = merged(asked, self._answer(talk, known_metas(asked), seed, options, on_token))
        return replace(song, lyrics=song.lyrics or INSTRUMENTAL) if instrumental else song

    def format_song(
        self, song: Song, seed: int, options: PlanOptions = _DEFAULTS, on_token: OnToken | None = None
    ) -> Song:
        """The song with caption and lyrics in the form that the model knows best; what it fixes stays."""
        self._check_words(caption=song.caption, lyrics=song.lyrics)
        talk = prompts.format_messages(song.caption or prompts.NO_INPUT, song.lyrics or INSTRUMENTAL)
        answer = self._answer(talk, known_metas(song), seed, options, on_token)
        return merged(song, answer, frozenset({"caption", "lyrics"}))

    def understand(
        self,
        codes: Iterable[int],
        seed: int,
        options: PlanOptions = _DEFAULTS,
        on_token: OnToken | None = None,
    ) -> Song:
        """The song that a sound is, from its codes: caption, lyrics, language and metas."""
        heard = self.readable_codes(codes)
        known = _lasting(Song(), heard)
        answer = self._answer(prompts.understand_messages(heard), known_metas(known), seed, options, on_token)
        return merged(known, answer)

    def readable_codes(self, codes: Iterable[int]) -> tuple[int, ...]:
        """The codes, of which the tokenizer knows each one; else, and for no codes, `InputError`."""
        heard = checked_codes(codes, CODEBOOK)
        lacking = [code for code in heard if code not in self.language.code_tokens]
        if lacking or not heard:
            raise InputError(
                field="codes",
                value=lacking[0] if lacking else "none",
                allowed=f"at least one of the {len(self.language.code_tokens):,} that this planner knows",
                remedy="Take the codes from a plan, or from engine.codes(audio).",
            )
        return heard

    def _think(
        self, reader: Reader, song: Song, seeds: Sequence[int], options: PlanOptions, on_token: OnToken
    ) -> list[Thoughts]:
        """What is filled in before the codes, for each seed; without anything to fill in nothing is written."""
        request = _request(song, options)
        if request is None:
            bare = Thoughts(song, "", Answer(dict(known_metas(song)), "", ()))
            return [bare] * len(seeds)
        talks = [prompts.plan_messages(song.caption, song.lyrics)]
        if options.cfg_scale > 1:
            talks.append(prompts.plan_negative(song.lyrics, options.negative_prompt))
        ask = tuple(Prompt.of(self._encoded(talk)) for talk in talks)
        rewritten = frozenset({CAPTION} if options.use_cot_caption else ())
        found = []
        for text in self._write_words(reader, [ask] * len(seeds), request, seeds, options, on_token):
            answer = parse_answer(text)
            found.append(Thoughts(merged(song, answer, rewritten), text, answer))
        return found

    def _compose(
        self,
        reader: Reader,
        song: Song,
        thoughts: Sequence[Thoughts],
        seeds: Sequence[int],
        options: PlanOptions,
        on_token: OnToken,
    ) -> list[tuple[int, ...]]:
        """The codes of each take; the prompt holds the person's own caption, the rewritten one is in the thoughts."""
        stem = self._encoded(prompts.plan_messages(song.caption, song.lyrics))
        asks = []
        for thought in thoughts:
            cot = cot_text(thought.answer.metas)
            talks = [prompts.codes_messages(song.caption, song.lyrics, cot)]
            if options.cfg_scale > 1:
                talks.append(prompts.codes_negative(song.caption, song.lyrics, options.negative_prompt))
            asks.append(tuple(Prompt.of(self._encoded(talk), stem) for talk in talks))
        most = room(self.network, (prompt for ask in asks for prompt in ask))
        forms = [self._codes_form(thought.song.duration, most) for thought in thoughts]
        lines = [
            Line(form, ask, self._generator(seed, "codes"), most)
            for form, ask, seed in zip(forms, asks, seeds, strict=True)
        ]
        wanted = max(form.count.wanted or min(most, _LONGEST) for form in forms)
        write(
            reader,
            lines,
            self._codes_head,
            options,
            lambda: on_token(max(form.made for form in forms), wanted),
        )
        code_of = {token: code for code, token in self.language.code_tokens.items()}
        return [tuple(code_of[token] for token in line.written if token in code_of) for line in lines]

    def _codes_form(self, duration: float | None, most: int) -> CodesForm:
        wanted = None if duration is None else code_count(duration)
        if (wanted or _SHORTEST) > most:
            raise InputError(
                f"{wanted or _SHORTEST:,} codes do not fit behind the words; this planner has room for {most:,}",
                field="duration",
                value=duration,
                allowed=f"at most {most // CODE_RATE} s with these words",
                remedy="Ask for a shorter song or shorter lyrics, or load another planner.",
            )
        return CodesForm(
            CodeCount(wanted), self.tokenizer.eos_token_id, len(self._codes_head), self._head.device
        )

    def _answer(
        self,
        talk: prompts.Messages,
        fixed: dict[str, str],
        seed: int,
        options: PlanOptions,
        on_token: OnToken | None,
    ) -> Answer:
        """What the model says to a talk, metas and lyrics, without guidance."""
        request = PlanRequest(fixed, phase="understand")
        ask = (Prompt.of(self._encoded(talk)),)
        with render_errors(later("planning")):
            reader = Reader(self.network)
            (text,) = self._write_words(reader, [ask], request, [seed], options, on_token or _silent)
        return parse_answer(text)

    def _write_words(
        self,
        reader: Reader,
        asks: Sequence[tuple[Prompt, ...]],
        request: PlanRequest,
        seeds: Sequence[int],
        options: PlanOptions,
        on_token: OnToken,
    ) -> list[str]:
        """The words that follow each prompt, in the form of the request."""
        most = room(self.network, (prompt for ask in asks for prompt in ask))
        lines = [
            Line(self.grammar.walk(request), ask, self._generator(seed, "words"), most)
            for ask, seed in zip(asks, seeds, strict=True)
        ]
        write(reader, lines, Head(self._head), options, lambda: on_token(0, 0))
        return [
            str(self.tokenizer.decode(line.written, clean_up_tokenization_spaces=False)) for line in lines
        ]

    def _generator(self, seed: int, purpose: str) -> torch.Generator:
        """The chance of one part of a plan; codes do not depend on how many words were drawn before them."""
        return torch.Generator(self.language.device).manual_seed(derived(seed, purpose))

    def _encoded(self, talk: prompts.Messages) -> list[int]:
        return prompts.encoded(self.tokenizer, talk)

    def _check_words(self, **texts: str) -> None:
        prompts.require_readable(self.tokenizer, texts)

    @property
    def _head(self) -> Tensor:
        weight: Tensor = self.network.lm_head.weight
        return weight

    @cached_property
    def _codes_head(self) -> Head:
        """The rows of the codes and of the end of the turn, which is the last."""
        return Head(self._head, [*self.language.code_tokens.values(), self.tokenizer.eos_token_id])


class CodesForm:
    """Codes until there are as many as wanted; without a number until the model ends them, within 10–600 s."""

    greedy = False

    def __init__(self, count: CodeCount, end: int, tokens: int, device: torch.device) -> None:
        self.count, self.made, self.done = count, 0, False
        self._end = end
        self._going_on = torch.ones(tokens, dtype=torch.bool, device=device)
        self._going_on[-1] = False

    def forced(self) -> list[int]:
        """The end of the turn where the song is as long as a song can be."""
        return [self._end] if self.count.wanted is None and self.made >= _LONGEST else []

    def mask(self) -> Tensor | None:
        """All tokens of the head, but not its last, the end of the turn, while there must be more codes."""
        return None if self.count.wanted is None and self.made >= _SHORTEST else self._going_on

    def advance(self, token: int) -> None:
        """Count a code, or end."""
        ended = token == self._end
        self.made += not ended
        self.done = ended or not self.count.more(self.made)


def _request(song: Song, options: PlanOptions) -> PlanRequest | None:
    """What is to be written before the codes; None when nothing is open, or nothing may be filled in."""
    fixed = known_metas(song)
    may = {CAPTION: options.use_cot_caption, LANGUAGE: options.use_cot_language}
    may |= dict.fromkeys(METAS, options.use_cot_metas)
    written = [name for name, allowed in may.items() if allowed and name not in fixed]
    if not written:
        return None
    return PlanRequest(fixed, frozenset({GENRES, *(name for name in may if name not in {*written, *fixed})}))


def _lasting(song: Song, codes: Sequence[Any]) -> Song:
    """The song, its duration that of the codes where it was open and they are as long as a song."""
    if song.duration is not None or not _SHORTEST <= len(codes) <= _LONGEST:
        return song
    return replace(song, duration=len(codes) / CODE_RATE)


def _silent(made: int, wanted: int) -> None:
    pass
