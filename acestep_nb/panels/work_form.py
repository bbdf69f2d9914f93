"""Everything that a panel asks for, on one form: the work of a task, to be read, filled and kept as a draft."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Protocol

import ipywidgets

from acestep_nb.codes import CODE_RATE, SAMPLE_RATE, format_codes, parse_codes
from acestep_nb.edits import TRACKS, RepaintOptions, checked_region
from acestep_nb.errors import AceStepError
from acestep_nb.history import History
from acestep_nb.locales import _
from acestep_nb.options import RenderOptions
from acestep_nb.panels.editors import SongForm
from acestep_nb.panels.estimate import Asked
from acestep_nb.panels.form import Fields
from acestep_nb.panels.region import RegionForm
from acestep_nb.panels.seeds import SeedsForm
from acestep_nb.panels.sources import SoundForm
from acestep_nb.panels.tasks import STRENGTHS, TASK_VIEWS, TRACK_TASKS, EditOptions
from acestep_nb.panels.text import Picks, Text, box
from acestep_nb.panels.wording import error_in_words
from acestep_nb.pieces import stretches
from acestep_nb.plans import PlanOptions
from acestep_nb.seeds import Seeds
from acestep_nb.song import Song
from acestep_nb.work import Work

_DEFAULTS = RenderOptions()
_MINE = ("song", "options", "planning", "repaint", "edit", "seeds", "source", "reference", "region")


class Shows(Protocol):
    """Something that can show an error where a person looks."""

    def show(self, error: AceStepError | None) -> None:
        """Put an error there, or take it away."""


class CodesForm:
    """Codes as text, to be pasted, cut and mixed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.area = ipywidgets.Textarea(
            description=_("Codes"), placeholder="<|audio_code_123|><|audio_code_45|>…"
        )
        self.told = Text("", "ace-quiet-text", "ace-count")
        self.error = Text("", "ace-error")
        self.box = box([self.area, self.told, self.error], "ace-text-knob", "ace-codes")
        self.area.observe(self._typed, "value")

    @property
    def value(self) -> tuple[int, ...]:
        """The codes; ``InputError`` when the text holds anything else."""
        return parse_codes(self.area.value)

    @value.setter
    def value(self, codes: Iterable[int]) -> None:
        self.area.value = format_codes(codes)

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the text, or take it away."""
        self.error.say(error_in_words(error))
        (self.box.remove_class if error is None else self.box.add_class)("ace-wrong")

    def _typed(self, _change: object) -> None:
        try:
            count = len(self.value)
        except AceStepError as error:
            self.show(error)
        else:
            self.show(None)
            seconds = f"{count / CODE_RATE:g}"
            self.told.say(_("{count} codes · {seconds} s", count=count, seconds=seconds) if count else "")
        self._changed()


class TracksForm:
    """The track names of the model, one or several of them."""

    def __init__(self, changed: Callable[[], None]) -> None:
        names = {name: _(name.replace("_", " ")) for name in TRACKS}
        self.picks = Picks(names, changed, many=True, label=_("Tracks"))
        self.error = Text("", "ace-error")
        self.box = box([self.picks.box, self.error], "ace-tracks")

    @property
    def one(self) -> bool:
        """Whether one track at most can be chosen."""
        return not self.picks.many

    @one.setter
    def one(self, one: bool) -> None:
        self.picks.many = not one
        self.picks.value = self.picks.value

    def show(self, error: AceStepError | None) -> None:
        """Put an error under the names, or take it away."""
        self.error.say(error_in_words(error))


class WorkForm:
    """The form of all tasks; ``task`` says which fields count, ``work`` is what they ask for.

    ``planner`` is the name of the planner that will be used, None when there is none, and ``""`` while that is not
    known. ``seconds`` is the length of the chosen source.
    """

    def __init__(self, history: History, changed: Callable[[], None], lock: threading.RLock) -> None:
        self._changed = changed
        self.task = "text2music"
        self.planner: str | None = ""
        self.seconds = 0.0
        edited = self._edited
        self.song = SongForm(edited, lock)
        self.options = Fields(RenderOptions, edited, lock)
        self.planning = Fields(PlanOptions, edited, lock)
        self.repaint = Fields(RepaintOptions, edited, lock)
        self.edit = Fields(EditOptions, edited, lock)
        self.source = SoundForm("source", _("Source"), history, edited, lock)
        self.reference = SoundForm("reference_audio", _("Reference"), history, edited, lock)
        self.region = RegionForm(edited, lock)
        self.tracks = TracksForm(edited)
        self.codes = CodesForm(edited)
        self.seeds = SeedsForm(edited, lock)
        for form in (self.options, self.planning, self.repaint, self.edit):
            form.value = form.owner()

    @property
    def work(self) -> Work:
        """What the form asks for, with the seeds as they stand; ``InputError`` for the first thing that is wrong."""
        view = TASK_VIEWS[self.task]
        own: dict[str, Any] = {}
        if not view.source:
            own["planning"] = None if self.planner is None else self.planning.value
            own["codes"] = self.codes.value
        if view.source:
            own["source"] = self.source.sound
        if view.region:
            own["region"] = self.region.region(self.seconds)
        if self.task in TRACK_TASKS:
            self.tracks.show(None)
            own["tracks"] = self.tracks.picks.value
        if view.repaint:
            own["repaint"] = self.repaint.value
        edit = self.edit.value
        own |= {name: getattr(edit, name) for name in view.edit}
        return Work(
            task=self.task,
            song=self.song.value,
            seeds=self.seeds.seeds,
            options=self.options.value,
            reference=self.reference.sound,
            **own,
        )

    @work.setter
    def work(self, work: Work) -> None:
        self.task = work.task
        self.song.value, self.options.value = work.song, work.options
        self.reference.sound = work.reference
        if work.task == "text2music":
            self.codes.value = work.codes
            self.planning.value = work.planning or PlanOptions()
        else:
            self.source.sound = work.source
            self.region.set(work.region)
            self.tracks.picks.value = work.tracks
        if work.repaint is not None:
            self.repaint.value = work.repaint
        self.edit.value = EditOptions(work.quantize, work.context, work.step)
        self.seeds.seeds = work.seeds

    @property
    def asked(self) -> Asked | None:
        """How much there is to do, without a word about it on the form; None while a source is to be chosen.

        ``AceStepError`` when a field is wrong.
        """
        view, planning = TASK_VIEWS[self.task], PlanOptions.nothing()
        if view.source and not self.seconds:
            return None
        if not view.source:
            codes = self.codes.value
            planning = replace(PlanOptions(**self.planning.raw), **({"thinking": False} if codes else {}))
            seconds = len(codes) / CODE_RATE or Song(duration=self.song.raw["duration"]).duration
        else:
            region = self.region.region(self.seconds) if view.region else None
            region = None if region is None else checked_region(region)
            edit = EditOptions(**self.edit.raw) if view.repaint else EditOptions()
            pieces = stretches(region, round(self.seconds * SAMPLE_RATE), edit.context, edit.step)
            seconds = sum(piece.seconds for piece in pieces)
        options = RenderOptions(**self.options.raw)
        return Asked(self.task, len(self.seeds.seeds), seconds, options, planning)

    @property
    def strengths(self) -> list[str]:
        """Which of ``STRENGTHS`` are to be seen: those of the task, and whatever is not at its default."""
        raw = self.options.raw
        own = TASK_VIEWS[self.task].strengths
        if self.task == "text2music" and not self.planner and not self.codes.area.value.strip():
            own = ()  # nothing that could be followed
        return [name for name in STRENGTHS if name in own or raw[name] != getattr(_DEFAULTS, name)]

    @property
    def used(self) -> list[str]:
        """The kinds of seeds that play a part, beside the noise."""
        raw, planning = self.options.raw, self.planning.raw
        thinks = [name for name in planning if name == "thinking" or name.startswith("use_cot")]
        plans = self.task == "text2music" and self.planner and any(planning[name] for name in thinks)
        part = {
            "planner": plans,
            "sde": raw["infer_method"] == "sde",
            "reference": self.reference.list.value != "",
            "retake": raw["retake_variance"],
        }
        assert {field.name for field in fields(Seeds)} == {"noise", *part}
        return [kind for kind, on in part.items() if on]

    def view_of(self, field: str | None) -> Shows | None:
        """What shows an error of this field; None when no field is at fault, or none that is shown."""
        view = TASK_VIEWS[self.task]
        own: dict[str, Shows] = {"seeds": self.seeds, "reference_audio": self.reference, "codes": self.codes}
        if view.source:
            own["source"] = self.source
        if view.region:
            own["region"] = self.region
        if self.task in TRACK_TASKS:
            own["tracks"] = self.tracks
        groups = (self.song, self.options, self.planning, self.repaint, self.edit)
        knobs: dict[str, Shows] = {name: knob for group in groups for name, knob in group.views.items()}
        return (own | knobs).get(field or "")

    @property
    def raw(self) -> dict[str, Any]:
        """Every field as it stands, checked or not, as plain JSON values."""
        own = {"task": self.task, "codes": self.codes.area.value, "tracks": list(self.tracks.picks.value)}
        return own | {name: getattr(self, name).raw for name in _MINE}

    def fill(self, values: Mapping[str, Any], task: bool = True) -> None:
        """Set what ``raw`` told, as far as it can be used."""
        if task and values.get("task") in TASK_VIEWS:
            self.task = values["task"]
        if isinstance(codes := values.get("codes"), str):
            self.codes.area.value = codes
        if isinstance(tracks := values.get("tracks"), list):
            self.tracks.picks.value = [track for track in tracks if track in TRACKS]
        for name in _MINE:
            if isinstance(part := values.get(name), Mapping):
                getattr(self, name).fill(part)

    def _edited(self) -> None:
        self._changed()
