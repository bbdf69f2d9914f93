"""The verbs that make music: new from words, and of music that is there already."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from acestep_nb.codes import CODE_RATE, SAMPLE_RATE, checked_codes, parse_codes
from acestep_nb.edits import LONGEST, REGION_ADVICE, Edit, RepaintOptions
from acestep_nb.errors import InputError
from acestep_nb.kinds import TASKS
from acestep_nb.knobs import Knob, checked_kind, checked_number
from acestep_nb.locales import _
from acestep_nb.options import RenderOptions, replaced, resolved
from acestep_nb.pieces import Piece, length_of, pieces_of
from acestep_nb.renders import Order, Progress, Words
from acestep_nb.seeds import Seeds, batch_seeds
from acestep_nb.song import DEFAULT_DURATION, Song, knob
from acestep_nb.sources import Opened, Sounding, joined, opened
from acestep_nb.takes import Take

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from acestep_nb.audio import Audio
    from acestep_nb.edits import Source
    from acestep_nb.kinds import Kind
    from acestep_nb.plans import Planned

_DEFAULTS = RenderOptions()
_BLANK = Song()
MORE = Knob("Seconds", "How much longer the sound gets.", unit="s", minimum=0.1, maximum=36_000)
OVERLAP = Knob("Overlap", "Seconds of the old end that are made anew.", unit="s", minimum=0, maximum=30)
SEAM = Knob("Seam", "Seconds around the joint that are made anew.", unit="s", minimum=1, maximum=90)


class How(TypedDict, total=False):
    """What every verb takes besides, as it is told at `generate`."""

    seeds: Iterable[int | Seeds] | None
    options: RenderOptions
    reference_audio: Sounding | None
    on_progress: Callable[[Progress], None] | None
    cancel: threading.Event | None
    on_take: Callable[[Take], None] | None


class Verbs(ABC):
    """Each verb checks what it is given before any network runs, and gives one take for each seed.

    A `source` is an `Audio`, the path of a sound file, or a take; of a take the sound is encoded anew, as the
    original does, so that every source of the same sound gives the same takes. Mono is doubled and other rates
    are resampled. A source that is missing, broken, silent or shorter than a second raises `InputError`, and so
    does a task that the checkpoint was not trained for.
    """

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """What kind of checkpoint works here: what it was trained for, and its defaults."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the checkpoint."""

    @abstractmethod
    def _carry_out(self, order: Order, on_take: Callable[[Take], None] | None) -> list[Take]:
        """The takes of an order."""

    def generate(
        self,
        song: Song,
        *,
        codes: Iterable[int] | str = (),
        seeds: Iterable[int | Seeds] | None = None,
        options: RenderOptions = _DEFAULTS,
        reference_audio: Sounding | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
        on_take: Callable[[Take], None] | None = None,
    ) -> list[Take]:
        """One take of the song for each seed (1–8 of them; None draws one), in their order.

        `codes` (numbers or text, five a second) give the outline and the length; else a song without a duration
        lasts `DEFAULT_DURATION` seconds. `reference_audio` gives the timbre. A seed is a number, or a `Seeds`
        record such as `take.seeds` that says every kind of chance. `on_take` gets each take as soon as it is
        ready: on an error or a stop those are not lost. Setting `cancel` raises `Cancelled` within one denoising
        step.
        Raises `InputError` for a song without words and for what else is unusable, `RenderError` when the result
        is not music or memory runs out.
        """
        how: How = {
            "seeds": seeds,
            "options": options,
            "reference_audio": reference_audio,
            "on_progress": on_progress,
            "cancel": cancel,
        }
        outline = parse_codes(codes) if isinstance(codes, str) else checked_codes(codes)
        return self._carry_out(self._order_of_words(words_of(song, outline), how), on_take)

    def _order_of_words(self, words: Words, how: How) -> Order:
        """The order of music that is made from words, or from words and codes."""
        words.song.require_words()
        self._require("text2music")
        return self._order(words, (Piece((0, round(words.seconds * SAMPLE_RATE))),), how)

    def cover(
        self,
        source: Sounding,
        song: Song,
        *,
        strength: float | None = None,
        quantize: bool = True,
        **how: Unpack[How],
    ) -> list[Take]:
        """The source's outline with the song's words and style: one take for each seed, as long as the source.

        `strength` is `audio_cover_strength`: 1 follows the source to the end, about 0.2 takes over the style of
        the words. With `quantize=False` the source is shown as it is instead of through codes.
        """
        if strength is not None:
            options = checked_kind("options", how.get("options", _DEFAULTS), RenderOptions)
            how["options"] = replace(options, audio_cover_strength=strength)
        return self.rework(source, song, "cover", quantize=quantize, **how)

    def repaint(
        self,
        source: Sounding,
        song: Song,
        region: tuple[float | None, float | None],
        *,
        repaint: RepaintOptions | None = None,
        context: float | None = None,
        step: float | None = None,
        **how: Unpack[How],
    ) -> list[Take]:
        """The source with the region made anew: outside it the same samples, but for the crossfades.

        `region` is (start, end) in seconds; None stands for the beginning and the end of the source. A start
        before 0 leads in, an end behind the source's goes on. `repaint` says how firmly the outside is held;
        with `context` only so many seconds on either side of the region are heard, which is quicker; then a
        region that goes past the end can be made in pieces of at most `step` seconds, as `extend` does. Levels
        are not touched: `options.normalize` holds for the aggressive mode only.
        """
        return self.rework(
            source, song, "repaint", region=region, repaint=repaint, context=context, step=step, **how
        )

    def lego(
        self,
        source: Sounding,
        song: Song,
        track: str,
        *,
        region: tuple[float | None, float | None] | None = None,
        **how: Unpack[How],
    ) -> list[Take]:
        """One more track (out of `edits.TRACKS`) that fits the source; the takes are that track alone.

        With a `region` the track plays there; the source is heard under it.
        """
        return self.rework(source, song, "lego", tracks=track, region=region, **how)

    def extract(self, source: Sounding, track: str, song: Song = _BLANK, **how: Unpack[How]) -> list[Take]:
        """One track (out of `edits.TRACKS`) of the source, alone; words about the source may help."""
        return self.rework(source, song, "extract", tracks=track, **how)

    def complete(
        self, source: Sounding, song: Song, tracks: Iterable[str] | str = (), **how: Unpack[How]
    ) -> list[Take]:
        """The source, a track such as a voice alone, with the other tracks around it: the whole mix."""
        return self.rework(source, song, "complete", tracks=tracks, **how)

    def extend(
        self,
        source: Sounding,
        seconds: float,
        song: Song | None = None,
        *,
        overlap: float = 0.0,
        step: float = 30.0,
        context: float = 30.0,
        repaint: RepaintOptions | None = None,
        **how: Unpack[How],
    ) -> list[Take]:
        """The source going on for so many seconds more; without a `song` that of the take it is.

        Pieces of at most `step` seconds are repainted behind the end, one after the other; each hears
        `context` seconds before it, so that any length needs the memory of one piece. With `overlap` that much
        of every end is made anew: music often closes there.
        """
        more, again = _number("seconds", seconds, MORE), _number("overlap", overlap, OVERLAP)
        read = self._read(source)
        length = read.sound.duration
        region = (max(0.0, length - again), length + more)
        edit = {"task": "repaint", "region": region, "repaint": repaint, "step": step, "context": context}
        return self._rework([read], read.song or _BLANK if song is None else song, edit, how)

    def stitch(
        self,
        first: Sounding,
        second: Sounding,
        song: Song | None = None,
        *,
        seam: float = 6.0,
        context: float = 30.0,
        repaint: RepaintOptions | None = None,
        **how: Unpack[How],
    ) -> list[Take]:
        """The two sources one behind the other, the joint made anew: `seam` seconds, half on either side.

        Of each side `context` seconds are heard. Without a `song` that of the first take holds.
        """
        half = _number("seam", seam, SEAM) / 2
        reads = [self._read(first), self._read(second)]
        joint, end = reads[0].sound.duration, reads[0].sound.duration + reads[1].sound.duration
        region = (max(0.0, joint - half), min(end, joint + half))
        edit = {"task": "repaint", "region": region, "repaint": repaint, "context": context}
        return self._rework(reads, reads[0].song or _BLANK if song is None else song, edit, how)

    def rework(
        self,
        source: Sounding,
        song: Song,
        task: str,
        *,
        region: tuple[float | None, float | None] | None = None,
        tracks: Iterable[str] | str = (),
        quantize: bool = True,
        repaint: RepaintOptions | None = None,
        context: float | None = None,
        step: float | None = None,
        **how: Unpack[How],
    ) -> list[Take]:
        """What the verb of that task gives, for programs that have the task as a word; see those verbs.

        Raises `InputError` for what the task does not take.
        """
        self._require(task)
        read = self._read(source)
        fields = {
            "task": task,
            "region": _closed(region, read),
            "tracks": tracks,
            "quantize": quantize,
            "repaint": repaint,
            "context": context,
            "step": step,
        }
        return self._rework([read], song, fields, how)

    def _rework(self, reads: list[Opened], song: Song, edit: dict[str, Any], how: How) -> list[Take]:
        """The takes of an edit; its fields come as names and values, all but the sources."""
        self._require(edit["task"])
        checked_kind("song", song, Song)
        work = Edit(sources=tuple(read.record for read in reads), **edit)
        source = joined(*(read.sound for read in reads))
        pieces = pieces_of(work, source.samples.shape[1])
        words = Words(lasting_song(song, length_of(pieces, source.samples.shape[1])), source.duration)
        order = self._order(words, pieces, how, edit=work, source=source, parent=reads[0].parent)
        return self._carry_out(replace(order, notes=(*_advice(work), *order.notes)), how.get("on_take"))

    def _order(self, words: Words, pieces: tuple[Piece, ...], how: How, **more: Any) -> Order:
        """The order with everything checked that all verbs share."""
        from acestep_nb.renderer.schedules import schedule

        if unknown := how.keys() - How.__annotations__.keys():
            raise TypeError(f"no verb takes {', '.join(sorted(unknown))}")
        options = checked_kind("options", how.get("options", _DEFAULTS), RenderOptions)
        reference, referred, notes = self._reference(how.get("reference_audio"))
        seeds = batch_seeds(how.get("seeds"))
        return Order(
            words=(words,) * len(seeds),
            pieces=pieces,
            options=resolved(options, self.kind),
            steps=schedule(options, self.kind).steps,
            seeds=seeds,
            reference=reference,
            referred=referred,
            notes=(*replaced(options, self.kind), *notes),
            on_progress=how.get("on_progress"),
            cancel=how.get("cancel"),
            **more,
        )

    def _require(self, task: str) -> None:
        if task not in TASKS:
            remedy = _("Use for example {choice}.", choice=TASKS[1])
            raise InputError(field="task", value=task, allowed=", ".join(TASKS), remedy=remedy)
        if task not in self.kind.tasks:
            raise InputError(
                _("{name} was not trained for the task {task}", name=self.name, task=task),
                field="task",
                value=task,
                allowed=", ".join(self.kind.tasks),
                remedy=_("Load a base checkpoint for it, or nano."),
            )

    def _read(self, source: Sounding, field: str = "source") -> Opened:
        """The source with its sound as the networks take it."""
        from acestep_nb.codec import checked_source

        read = opened(source, field)
        return replace(read, sound=checked_source(read.sound, field))

    def _reference(self, source: Sounding | None) -> tuple[Audio | None, Source | None, tuple[str, ...]]:
        """The reference as the networks take it, its record, and a note when there is nothing to hear in it."""
        if source is None:
            return None, None, ()
        sound = opened(source, "reference_audio").sound
        if sound.samples.size and not sound.samples.any():
            return None, None, ("the reference audio is silent: the timbre was left open",)
        read = self._read(source, "reference_audio")
        return read.sound, read.record, ()


def words_of(song: Song, codes: tuple[int, ...] = (), planned: Planned | None = None) -> Words:
    """The words of a take without a source: its length is that of the codes, of the song, or the default."""
    checked_kind("song", song, Song)
    seconds = len(codes) / CODE_RATE or song.duration or DEFAULT_DURATION
    if seconds > LONGEST:
        raise InputError(
            field="codes",
            value=f"{seconds:g} s",
            allowed=f"at most {LONGEST:g} s",
            remedy="Leave some out.",
        )
    return Words(song if song.duration else lasting_song(song, seconds), seconds, codes, planned)


def _closed(region: Any, read: Opened) -> Any:
    """The region with the ends of the source where it leaves them open."""
    if isinstance(region, (tuple, list)) and len(region) == 2:
        start, end = region
        return (0.0 if start is None else start, read.sound.duration if end is None else end)
    return region


def lasting_song(song: Song, seconds: float) -> Song:
    """The song with this duration; with none where a song cannot be that long."""
    rule = knob(Song, "duration")
    within = (rule.minimum or 0) <= round(seconds, 1) <= (rule.maximum or 0)
    return replace(song, duration=seconds if within else None)


def _number(name: str, value: object, rule: Knob) -> float:
    return float(checked_number(name, value, rule) or 0.0)


def _advice(edit: Edit) -> tuple[str, ...]:
    """A note when the region is longer or shorter than those that models were trained with."""
    if edit.region is None or edit.step is not None:
        return ()
    seconds, (shortest, longest) = edit.region[1] - edit.region[0], REGION_ADVICE
    if shortest <= seconds <= longest:
        return ()
    return (f"the region lasts {seconds:g} s; {shortest:g}–{longest:g} s work best",)
