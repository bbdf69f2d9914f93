"""Carries out what a verb was asked for: sources to latents, latents to sound, piece after piece, to takes."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from acestep_nb.adapters.uses import AdapterUse
from acestep_nb.audio import Audio, Samples
from acestep_nb.codes import LATENT_CHANNELS, SAMPLE_RATE, SAMPLES_PER_LATENT
from acestep_nb.edits import Edit, Source
from acestep_nb.errors import Cancelled
from acestep_nb.locales import _, later
from acestep_nb.options import RenderOptions
from acestep_nb.pieces import Piece, length_of, splice
from acestep_nb.plans import Planned
from acestep_nb.seeds import Seeds, derived
from acestep_nb.song import Song
from acestep_nb.takes import Take

if TYPE_CHECKING:  # torch and the networks are imported when the first checkpoint is loaded
    from acestep_nb.checkpoints.loading import Models
    from acestep_nb.renderer.conditions import Ask
    from acestep_nb.renderer.request import Request

_RENDER_SHARE = 0.75  # of a take's time; the rest is decoding


@dataclass(frozen=True)
class Progress:
    """How far a batch is; `str(progress)` says it in words, such as "rendering take 1 of 2 · step 5/8".

    `stage` is "planning", "reading", "rendering" or "decoding". `take` counts from 1, and is 0 while the takes
    are planned or rendered all at once; `step` of `steps` denoising steps are done, or codes made (0 of 0 while
    words are planned). `overall` is the share of the whole that is done, where this is only a part of it.
    """

    stage: str
    take: int
    takes: int
    step: int
    steps: int
    overall: float | None = None

    def __str__(self) -> str:
        if self.stage == "reading":
            return _("reading the words")
        if self.stage == "planning":
            codes = {"made": self.step, "wanted": self.steps}
            return _("planning {made}/{wanted} codes", **codes) if self.steps else _("planning the words")
        which = (
            _("take {number} of {count}", number=self.take, count=self.takes)
            if self.take
            else _("{count} takes", count=self.takes)
        )
        if self.stage == "decoding":
            return _("decoding {takes}", takes=which)
        return _("rendering {takes} · step {step}/{steps}", takes=which, step=self.step, steps=self.steps)

    @property
    def fraction(self) -> float:
        """Share of the whole batch that is done, 0 to 1."""
        if self.overall is not None:
            return self.overall
        share = self.step / self.steps if self.steps else 0.0
        if self.stage == "planning":
            return share
        rendered = share * _RENDER_SHARE
        return (self.take - 1 + rendered) / self.takes if self.take else rendered


@dataclass(frozen=True)
class Words:
    """What one take is asked for in words: its song, its length without a source, and codes if it has any.

    `planned` tells how song and codes came about, where a planner wrote them.
    """

    song: Song
    seconds: float
    codes: tuple[int, ...] = ()
    planned: Planned | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one call of a verb was asked for: a batch with one take for each of the seeds.

    `words` are those of each take, in the order of the seeds. `pieces` are rendered one after the other.
    `options` leave nothing open; `steps` is what one rendering takes of them. `source` (all sources joined) and
    `reference` are stereo at 48 kHz.
    """

    words: tuple[Words, ...]
    pieces: tuple[Piece, ...]
    options: RenderOptions
    steps: int
    seeds: tuple[Seeds, ...]
    edit: Edit | None = None
    source: Audio | None = None
    parent: str | None = None
    reference: Audio | None = None
    referred: Source | None = None
    notes: tuple[str, ...] = ()
    on_progress: Callable[[Progress], None] | None = None
    cancel: threading.Event | None = None

    def tell(self, stage: str, take: int, piece: int, step: int) -> None:
        """Stop here if that is wished, else report."""
        stop_if(self.cancel)
        if self.on_progress is not None:
            done, steps = piece * self.steps + step, len(self.pieces) * self.steps
            self.on_progress(Progress(stage, take, len(self.seeds), done, steps))


def _no_latents() -> Samples:
    return np.zeros((0, LATENT_CHANNELS), np.float32)


@dataclass(frozen=True)
class _Draft:
    """A take on its way: what it sounds like so far, and the latents of that.

    Where several pieces go on past the end, `sound` is the beginning of `room`, which has the finished length:
    each piece is written there, so that no copy of all before is made.
    """

    words: Words
    seeds: Seeds
    sound: Samples  # [2, sample]
    room: Samples | None = None  # [2, sample]
    latents: Samples = field(default_factory=_no_latents)  # [frame, 64]; none before the first piece
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Heard:
    """What the network hears of a source for one piece, lengthened where the region goes past an end."""

    sound: Samples  # [2, sample]
    seconds: float  # before it was lengthened: the model is told of no more
    latents: Samples  # [frame, 64]
    around: tuple[Samples, Samples]  # latents of the source before and behind the window
    frames: tuple[int, int] | None = None  # first frame to be made new, and the one behind the last
    region: tuple[int, int] | None = None  # the same in samples


class Renders:
    """The networks of one checkpoint at work; one thread at a time."""

    def __init__(self, models: Models) -> None:
        from acestep_nb.codec import Codec
        from acestep_nb.renderer.conditions import Conditioner
        from acestep_nb.renderer.renderer import Renderer

        self.models = models
        self.codec = Codec(models.vae, models.residence)
        self.conditioner = Conditioner(models)
        self.adapters: tuple[AdapterUse, ...] = ()
        """The adapters that the renderer has, as its takes tell of them."""
        self._renderer = Renderer(models)

    @property
    def together(self) -> bool:
        """Whether the takes of a batch are computed at once; on the CPU each alone, for the same bits every time."""
        return self.models.device.type != "cpu"

    def takes(self, order: Order) -> Iterator[Take]:
        """The takes as they get ready: one by one on the CPU, all at once on an accelerator."""
        order.tell("reading", 0, 0, 0)
        asked = list(zip(order.words, order.seeds, strict=True))
        groups = [asked] if self.together else [[own] for own in asked]
        timings: dict[str, float] = {}
        empty = np.zeros((2, 0), np.float32) if order.source is None else order.source.samples
        first = None
        if order.source is not None:
            with _timed(timings, "encode"):
                first = self._hear(order, _Draft(*asked[0], empty), order.pieces[0])
        for number, group in enumerate(groups, start=1):
            drafts = [_Draft(*own, *_roomy(order, empty), timings=dict(timings)) for own in group]
            which = number if len(group) == 1 else 0
            for piece in range(len(order.pieces) - 1):
                drafts = list(self._piece(order, drafts, piece, which, first))
            for draft in self._piece(order, drafts, len(order.pieces) - 1, which, first):
                yield self._take(order, draft)

    def _piece(
        self, order: Order, drafts: list[_Draft], index: int, number: int, first: _Heard | None
    ) -> Iterator[_Draft]:
        """The drafts with one piece more, as they get ready; `number` is 0 for several that are rendered together."""
        from acestep_nb.renderer.guard import render_errors

        piece, timings = order.pieces[index], dict.fromkeys(("condition", "render"), 0.0)
        heard: list[_Heard | None] = [first] * len(drafts)
        if index:
            with _timed(timings, "encode"):
                heard = [self._hear(order, draft, piece) for draft in drafts]
        with _timed(timings, "condition"):
            asks = [self._ask(order, draft, own) for draft, own in zip(drafts, heard, strict=True)]
            request = self._request(order, asks, tuple(_of_piece(draft.seeds, index) for draft in drafts))
        with _timed(timings, "render"):
            rendered = self._renderer.render(
                request, order.options, lambda step: order.tell("rendering", number, index, step)
            )
        for draft, own, latents, ask in zip(drafts, heard, rendered.latents, asks, strict=True):
            order.tell("decoding", number, index, order.steps)
            spent = dict(timings)
            seconds = draft.words.seconds if own is None else own.sound.shape[1] / SAMPLE_RATE
            spliced = order.edit is not None and order.edit.splices
            with _timed(spent, "decode"), render_errors(later("decoding")):
                sound = self.codec.decode(latents, seconds, order.options.normalize and not spliced).samples
            found: Samples = latents[: ask.frames].float().cpu().numpy().copy()
            if own is not None:
                sound, found = _put_back(order, piece, draft, own, sound, found)
            yield replace(
                draft,
                sound=sound,
                latents=found,
                notes=tuple(dict.fromkeys((*draft.notes, *rendered.notes))),
                timings=_sum(draft.timings, spent),
            )

    def _hear(self, order: Order, draft: _Draft, piece: Piece) -> _Heard:
        """The source of a piece as latents: the sound of the draft so far, where the window of the piece is."""
        from acestep_nb.renderer.guard import render_errors
        from acestep_nb.renderer.regions import window

        begin, end = piece.window
        sound = draft.sound[:, begin:end]
        seconds = sound.shape[1] / SAMPLE_RATE
        where: dict[str, Any] = {}
        if piece.region is not None:
            place = window(*piece.region, sound.shape[1])
            sound = place.lengthened(sound)
            region = [round(second * SAMPLE_RATE) + place.before for second in piece.region]
            where = {"frames": place.region, "region": tuple(region)}
        with render_errors(later("reading the source")):
            stop_if(order.cancel)
            if len(draft.latents):
                around = draft.latents[: begin // SAMPLES_PER_LATENT], draft.latents[:0]
            else:
                around = self._encode(draft.sound[:, :begin]), self._encode(draft.sound[:, end:])
            return _Heard(sound, seconds, self._encode(sound), around, **where)

    def _ask(self, order: Order, draft: _Draft, heard: _Heard | None) -> Ask:
        """What one take is asked for, all but its noise."""
        from acestep_nb.renderer.conditions import Ask

        reference = self._reference(order.reference, draft.seeds.reference)
        if heard is None or order.edit is None:
            return Ask(draft.words.song, codes=draft.words.codes, reference=reference)
        edit = order.edit
        return Ask(
            draft.words.song,
            edit.task,
            source=heard.latents,
            region=heard.frames,
            reference=reference,
            tracks=edit.tracks,
            quantize=edit.quantize,
            seconds=heard.seconds,
        )

    def _request(self, order: Order, asks: list[Ask], seeds: tuple[Seeds, ...]) -> Request:
        from acestep_nb.renderer.conditions import chunk_masks, sources
        from acestep_nb.renderer.request import Kept, Request

        primary = self.conditioner.primary(asks)
        source = None if order.source is None else sources(self.models, asks)
        kept = None
        if order.edit is not None and order.edit.repaint is not None and source is not None:
            how = order.edit.repaint
            outside = ~chunk_masks(asks, primary.frames).to(source.device)
            kept = Kept(source.float(), outside, how.injection_ratio, how.crossfade_frames)
        switches = order.options.audio_cover_strength < 1
        return Request(primary, seeds, self.conditioner.secondary(asks) if switches else None, source, kept)

    def _reference(self, reference: Audio | None, seed: int) -> Samples | None:
        """Latents `[750, 64]` of the segments that the seed chooses."""
        from acestep_nb.renderer.guard import render_errors
        from acestep_nb.renderer.regions import reference_clip

        clip = None if reference is None else reference_clip(reference, seed)
        with render_errors(later("reading the reference audio")):
            return None if clip is None else self._encode(clip.samples)

    def _encode(self, sound: Samples) -> Samples:
        if not sound.size:
            return _no_latents()
        return self.codec.encode(Audio(sound, SAMPLE_RATE))

    def _take(self, order: Order, draft: _Draft) -> Take:
        return Take(
            song=draft.words.song,
            options=order.options,
            seeds=draft.seeds,
            edit=order.edit,
            codes=draft.words.codes,
            planned=draft.words.planned,
            reference=order.referred,
            adapters=self.adapters,
            notes=(*order.notes, *draft.notes),
            checkpoint=self.models.name,
            checkpoint_hash=self.models.hash,
            dtype=str(self.models.dtype).removeprefix("torch."),
            device=str(self.models.device),
            versions=_versions(),
            timings={stage: round(seconds, 4) for stage, seconds in draft.timings.items()},
            parent=order.parent,
            audio=Audio(draft.sound, SAMPLE_RATE),
            latents=draft.latents,
        )


def stop_if(cancel: threading.Event | None) -> None:
    """Raise `Cancelled` when a stop is wished."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("stopped; takes that were ready are kept")


def _put_back(
    order: Order, piece: Piece, draft: _Draft, heard: _Heard, sound: Samples, latents: Samples
) -> tuple[Samples, Samples]:
    """The sound and the latents of the whole, the window of the piece replaced by what was rendered."""
    edit = order.edit
    if edit is not None and edit.repaint is not None and edit.splices and heard.region is not None:
        sound = splice(heard.sound, sound, heard.region, round(edit.repaint.crossfade_seconds * SAMPLE_RATE))
    begin, end = piece.window
    if draft.room is None:
        whole = np.concatenate([draft.sound[:, :begin], sound, draft.sound[:, end:]], axis=1)
    else:
        whole = draft.room[:, : begin + sound.shape[1]]
        whole[:, begin:] = sound
    return whole, np.concatenate([heard.around[0], latents, heard.around[1]])


def _roomy(order: Order, source: Samples) -> tuple[Samples, Samples | None]:
    """The source to begin with, and room for what several pieces make of it."""
    if len(order.pieces) == 1:
        return source, None
    room = np.zeros((2, round(length_of(order.pieces, source.shape[1]) * SAMPLE_RATE)), np.float32)
    beginning = room[:, : source.shape[1]]
    beginning[:] = source
    return beginning, room


def _of_piece(seeds: Seeds, index: int) -> Seeds:
    """The seeds of a later piece: the same every time, and unlike those of the piece before."""
    if index == 0:
        return seeds
    return Seeds(*(derived(getattr(seeds, own.name), f"piece {index}") for own in fields(seeds)))


def _sum(timings: dict[str, float], more: dict[str, float]) -> dict[str, float]:
    return {stage: timings.get(stage, 0.0) + more.get(stage, 0.0) for stage in timings | more}


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    """Note how many seconds the work inside took."""
    began = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - began


def _versions() -> dict[str, str]:
    """Versions of what takes part in the arithmetic."""
    import diffusers
    import torch
    import transformers

    import acestep_nb

    return {
        "acestep_nb": acestep_nb.__version__,
        "diffusers": diffusers.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
