"""The verbs that think: plan a song, invent one, put one in form, understand a sound, render a plan."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from acestep_nb.audio import Audio
from acestep_nb.codes import checked_codes, parse_codes
from acestep_nb.errors import InputError
from acestep_nb.knobs import checked_kind
from acestep_nb.locales import later
from acestep_nb.options import RenderOptions
from acestep_nb.plans import Plan, PlanOptions
from acestep_nb.renders import Order, Progress, Renders, stop_if
from acestep_nb.seeds import Seeds, batch_seeds, checked_seeds, fresh_seeds
from acestep_nb.song import Song
from acestep_nb.sources import Sounding
from acestep_nb.takes import Take
from acestep_nb.verbs import Verbs, words_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from acestep_nb.ladder import Ladder
    from acestep_nb.planner.planner import Planner
    from acestep_nb.verbs import How

OnProgress = Callable[[Progress], None]
_THINKING = PlanOptions()
_DEFAULTS = RenderOptions()
_PLANNING_SHARE = 0.5  # of the time of takes that are planned and rendered


class Hooks(TypedDict, total=False):
    """What hears how far the work is, and what stops it within one token."""

    on_progress: OnProgress | None
    cancel: threading.Event | None


class Planning(Verbs):
    """The verbs of an engine that has a planner; without one, what needs it says so.

    `seed` is a planner seed (None draws one): the same seed writes the same, whatever else is written with it.
    """

    _renders: Renders
    _planner: Planner | None
    _ladder: Ladder

    @abstractmethod
    def _turn(self, cancel: threading.Event | None) -> AbstractContextManager[None]:
        """The networks for this thread alone."""

    @property
    def planner(self) -> str | None:
        """Name of the planner; None when none is loaded."""
        return None if self._planner is None else self._planner.language.name

    @property
    def code_levels(self) -> tuple[int, ...]:
        """Steps of each digit of this checkpoint's codes, as `mix_codes` and `code_strip` take them."""
        from acestep_nb.renderer.hints import code_levels

        return code_levels(self._renders.models)

    def plan(
        self,
        song: Song,
        *,
        seed: int | None = None,
        options: PlanOptions = _THINKING,
        on_progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> Plan:
        """The song filled in and composed as codes; look at the plan, change it, and `render` it."""
        seeds = None if seed is None else [seed]
        return self.plans(song, seeds=seeds, options=options, on_progress=on_progress, cancel=cancel)[0]

    def plans(
        self,
        song: Song,
        *,
        seeds: Iterable[int] | None = None,
        options: PlanOptions = _THINKING,
        on_progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> list[Plan]:
        """One plan of the song for each planner seed (1–8 of them), written together.

        Setting `cancel` raises `Cancelled` within one token. Raises `InputError` without a planner, and as
        `generate` does.
        """
        return self._plans(song, seeds, options, on_progress, cancel)[0]

    def _plans(
        self,
        song: Song,
        seeds: Iterable[int] | None,
        options: PlanOptions,
        on_progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> tuple[list[Plan], tuple[str, ...]]:
        """The plans, and what was given up for lack of memory."""
        given = fresh_seeds(1) if seeds is None else checked_seeds(seeds)
        checked_kind("song", song, Song)
        checked_kind("options", options, PlanOptions)
        planner = self._needed_planner("planning")
        tell = _tell(on_progress, cancel, len(given))
        with self._turn(cancel):
            return self._ladder.plans(given, lambda some: planner.plan(song, some, options, tell))

    def create_song(
        self,
        query: str,
        *,
        instrumental: bool = False,
        vocal_language: str | None = None,
        seed: int | None = None,
        options: PlanOptions = _THINKING,
        **hooks: Unpack[Hooks],
    ) -> Song:
        """A whole song out of a few words, such as "a soft love song"; out of none, any song."""
        planner, own = self._needed_planner("inventing a song"), _one(seed)
        checked_kind("options", options, PlanOptions)
        with self._turn(hooks.get("cancel")):
            return self._ladder.work(
                "planning",
                lambda: planner.create_song(
                    query, instrumental, vocal_language, own, options, _tell(**hooks)
                ),
            )

    def format_song(
        self, song: Song, *, seed: int | None = None, options: PlanOptions = _THINKING, **hooks: Unpack[Hooks]
    ) -> Song:
        """The song with caption and lyrics as the models know them best, and its open fields filled in."""
        planner, own = self._needed_planner("putting a song in form"), _one(seed)
        checked_kind("song", song, Song)
        checked_kind("options", options, PlanOptions)
        with self._turn(hooks.get("cancel")):
            return self._ladder.work(
                "planning", lambda: planner.format_song(song, own, options, _tell(**hooks))
            )

    def understand(
        self,
        heard: Sounding | Iterable[int],
        *,
        seed: int | None = None,
        options: PlanOptions = _THINKING,
        **hooks: Unpack[Hooks],
    ) -> Song:
        """The song that a sound is, or that codes are: caption, lyrics, language and metas.

        `heard` is an `Audio`, a take, the path of a sound file, or codes as numbers or text.
        """
        planner, own = self._needed_planner("understanding a sound"), _one(seed)
        checked_kind("options", options, PlanOptions)
        codes = self._codes_of(heard, hooks.get("cancel"))
        with self._turn(hooks.get("cancel")):
            return self._ladder.work(
                "planning", lambda: planner.understand(codes, own, options, _tell(**hooks))
            )

    def codes(self, audio: Sounding, *, cancel: threading.Event | None = None) -> tuple[int, ...]:
        """The codes of a sound, five a second: its outline, to be sliced, joined, mixed and rendered again.

        Needs no planner, but a checkpoint with the audio tokenizer (`CheckpointError` without it).
        """
        import torch

        from acestep_nb.renderer.guard import render_errors
        from acestep_nb.renderer.hints import codes_of

        sound = self._read(audio, "audio").sound

        def read() -> tuple[int, ...]:
            with render_errors(later("reading the sound")), torch.inference_mode():
                latents = torch.from_numpy(self._renders.codec.encode(sound))
                return codes_of(self._renders.models, latents)

        with self._turn(cancel):
            return self._ladder.work("decoding", read)

    def render(self, plan: Plan, **how: Unpack[How]) -> list[Take]:
        """One take of the plan for each seed: the same song and codes, other sounds."""
        seeds = batch_seeds(how.get("seeds"))
        checked_kind("plan", plan, Plan)
        if plan.seed is not None:
            seeds = tuple(replace(own, planner=plan.seed) for own in seeds)
        words = words_of(plan.song, plan.codes, plan.record)
        return self._carry_out(self._order_of_words(words, {**how, "seeds": seeds}), how.get("on_take"))

    def generate(
        self,
        song: Song,
        *,
        planning: PlanOptions | None = None,
        codes: Iterable[int] | str = (),
        seeds: Iterable[int | Seeds] | None = None,
        options: RenderOptions = _DEFAULTS,
        reference_audio: Sounding | None = None,
        on_progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
        on_take: Callable[[Take], None] | None = None,
    ) -> list[Take]:
        """One take of the song for each seed (1–8 of them; None draws one), in their order.

        With a planner every take is planned first, as `planning` says: `PlanOptions()` by default, and with
        `thinking=False` only words are filled in. `codes` (numbers or text, five a second) give the outline and
        the length instead; else a song without a duration lasts as long as its plan, or `DEFAULT_DURATION`
        seconds. `reference_audio` gives the timbre. A seed is a number, or a `Seeds` record such as `take.seeds`
        that says every kind of chance. `on_take` gets each take as soon as it is ready: on an error or a stop
        those are not lost. Setting `cancel` raises `Cancelled` within one token or denoising step.
        Raises `InputError` for a song without words, for `planning` without a planner and for what else is
        unusable, `RenderError` when the result is not music or memory runs out.
        """
        if planning is not None and checked_kind("planning", planning, PlanOptions).anything:
            self._needed_planner("planning")
        wanted = planning or (_THINKING if self._planner is not None else PlanOptions.nothing())
        outline = parse_codes(codes) if isinstance(codes, str) else checked_codes(codes)
        if outline:  # they are the plan; words alone may be filled in
            wanted = replace(wanted, thinking=False)
        how: How = {
            "seeds": seeds,
            "options": options,
            "reference_audio": reference_audio,
            "on_progress": on_progress,
            "cancel": cancel,
        }
        order = self._order_of_words(words_of(song, outline), how)
        if wanted.anything:
            asked = order.words[0].song if outline else song
            order = self._planned(asked, outline, wanted, order)
        return self._carry_out(order, on_take)

    def _planned(self, song: Song, codes: tuple[int, ...], planning: PlanOptions, order: Order) -> Order:
        """The order with words of its own for each take, from its own plan; codes that are given stay."""
        listener = _within(order.on_progress, 0.0, _PLANNING_SHARE)
        seeds = [own.planner for own in order.seeds]
        plans, notes = self._plans(song, seeds, planning, listener, order.cancel)
        words = tuple(words_of(plan.song, codes or plan.codes, plan.record) for plan in plans)
        listener = _within(order.on_progress, _PLANNING_SHARE, 1.0)
        return replace(order, words=words, notes=(*order.notes, *notes), on_progress=listener)

    def _codes_of(self, heard: Any, cancel: threading.Event | None) -> tuple[int, ...]:
        if isinstance(heard, str) and heard.lstrip().startswith("<|"):
            return parse_codes(heard)
        if isinstance(heard, Iterable) and not isinstance(heard, (str, Audio, Take)):
            return checked_codes(heard)
        return self.codes(heard, cancel=cancel)

    def _needed_planner(self, work: str) -> Planner:
        if self._planner is None:
            raise InputError(
                f"{work} needs a planner, and none is loaded",
                field="planner",
                value=None,
                allowed="an engine with a planner",
                remedy='Load one: Engine.load(…, planner="acestep-5Hz-lm-0.6B").',
            )
        return self._planner


def _one(seed: int | None) -> int:
    return fresh_seeds(1)[0] if seed is None else checked_seeds([seed])[0]


def _tell(
    on_progress: OnProgress | None = None, cancel: threading.Event | None = None, takes: int = 1
) -> Callable[[int, int], None]:
    """What the planner calls at every token."""

    def tell(made: int, wanted: int) -> None:
        stop_if(cancel)
        if on_progress is not None:
            on_progress(Progress("planning", 0, takes, made, wanted))

    return tell


def _within(on_progress: OnProgress | None, begin: float, end: float) -> OnProgress | None:
    """Progress of a part of the work, told as the part of the whole from `begin` to `end`."""
    if on_progress is None:
        return None
    listener = on_progress
    return lambda progress: listener(replace(progress, overall=begin + (end - begin) * progress.fraction))
