"""The parameter files of others, read as songs and options: the original's JSON, and records of our own takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from acestep_nb.codes import checked_codes, codes_in
from acestep_nb.edits import RepaintOptions, checked_tracks
from acestep_nb.errors import AceStepError, InputError, shown
from acestep_nb.files import read_json
from acestep_nb.kinds import TASKS
from acestep_nb.knobs import knob
from acestep_nb.locales import _
from acestep_nb.options import RenderOptions
from acestep_nb.plans import PlanOptions
from acestep_nb.seeds import Seeds, checked_seeds, parse_seeds
from acestep_nb.song import Song
from acestep_nb.takes import parse_take

INSTRUMENTAL = "[Instrumental]"


@dataclass(frozen=True, kw_only=True)
class Params:
    """What a parameter file asks for, as a form holds it; ``notes`` tell what of it could not be taken over.

    ``seeds`` is empty where a file leaves them to chance, an end of ``region`` None where it is that of the source.
    ``source`` and ``reference`` are the paths that the file names; they may be from another machine.
    """

    song: Song = field(default_factory=Song)
    options: RenderOptions = field(default_factory=RenderOptions)
    planning: PlanOptions = field(default_factory=PlanOptions)
    seeds: tuple[Seeds, ...] = ()
    task: str = "text2music"
    codes: tuple[int, ...] = ()
    source: str | None = None
    reference: str | None = None
    region: tuple[float, float | None] | None = None
    tracks: tuple[str, ...] = ()
    quantize: bool = True
    repaint: RepaintOptions | None = None
    notes: tuple[str, ...] = ()


def read_params(text: str | bytes) -> Params:
    """What a parameter file asks for: the JSON of the original, or the ``take.json`` of a take of ours.

    A field that is not known, or whose value cannot be, is left out and told in the notes. Text that is not a JSON
    object raises ``InputError``.
    """
    try:
        record = read_json(text)
    except ValueError as error:
        raise _no_file(text, str(error)) from error
    if not isinstance(record, dict):
        raise _no_file(text, _("it is not an object"))
    return _own(text) if "schema" in record else _Reading(record).params()


def _no_file(text: str | bytes, reason: str) -> InputError:
    return InputError(
        _("the parameters cannot be read: {reason}", reason=reason),
        field="params",
        value=text if isinstance(text, str) else text.decode("utf-8", "replace"),
        allowed=_("a JSON object"),
        remedy=_("Choose the JSON file that was saved beside a sound."),
    )


def _own(text: str | bytes) -> Params:
    take = parse_take(text)
    asked = None if take.planned is None else take.planned.asked
    edit = take.edit
    more: dict[str, Any] = {}
    if edit is not None:
        names = ("region", "tracks", "quantize", "repaint")
        more = {name: getattr(edit, name) for name in names} | {"source": edit.sources[0].name or None}
    return Params(
        song=asked or take.song,
        options=take.options,
        planning=PlanOptions.nothing() if take.planned is None else take.planned.options,
        seeds=(take.seeds,),
        task=take.task,
        codes=() if asked else take.codes,
        reference=None if take.reference is None else take.reference.name or None,
        **more,
    )


_SONG = {
    "caption": "caption",
    "lyrics": "lyrics",
    "vocal_language": "vocal_language",
    "language": "vocal_language",
    "bpm": "bpm",
    "keyscale": "keyscale",
    "timesignature": "timesignature",
    "duration": "duration",
}
_OPTIONS = {
    **{name: name for name in ("inference_steps", "guidance_scale", "shift", "infer_method", "timesteps")},
    **{name: name for name in ("cfg_interval_start", "cfg_interval_end", "audio_cover_strength")},
    **{name: name for name in ("cover_noise_strength", "velocity_norm_threshold", "velocity_ema_factor")},
    "retake_variance": "retake_variance",
    "sampler_mode": "sampler",
    "enable_normalization": "normalize",
}
_PLANNING = {
    **{name: name for name in ("thinking", "use_cot_metas", "use_cot_caption", "use_cot_language")},
    "think": "thinking",
    "lm_temperature": "temperature",
    "lm_cfg_scale": "cfg_scale",
    "lm_top_k": "top_k",
    "lm_top_p": "top_p",
    "lm_repetition_penalty": "repetition_penalty",
    "lm_negative_prompt": "negative_prompt",
}
_REPAINT = {
    **{name: name for name in ("repaint_mode", "repaint_strength")},
    **{name: name for name in ("repaint_latent_crossfade_frames", "repaint_wav_crossfade_sec")},
}
_PARTS = ((Song, _SONG), (RenderOptions, _OPTIONS), (PlanOptions, _PLANNING), (RepaintOptions, _REPAINT))
_OPEN = (None, "", "N/A", "NO USER INPUT")
"""How the original writes that a field is left open."""
_OTHERS: dict[str, Any] = {
    "normalization_db": -1.0,
    "fade_in_duration": 0.0,
    "fade_out_duration": 0.0,
    "latent_shift": 0.0,
    "latent_rescale": 1.0,
    "dcw_enabled": False,
    "flow_edit_morph": False,
    "chunk_mask_mode": "auto",
    "global_caption": "",
    "use_constrained_decoding": True,
    "use_cot_lyrics": False,
}
"""Fields of the original that we have not, by the value at which they do nothing."""
_SILENT = re.compile(
    r"cot_.*|dcw_.*|flow_edit_.*|mp3_.*|batch_size|audio_format|use_random_seed|instruction|genres?"
)
"""Fields that ask for nothing here: answers of the planner, details of what is off, the original's file formats."""


class _Reading:
    """One record of the original, taken field by field."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.notes: list[str] = []
        self.used: set[str] = set()

    def params(self) -> Params:
        song, options, planning, repaint = (self.part(owner, names) for owner, names in _PARTS)
        if self.take("use_adg") is True:
            options = replace(options, guidance="adg")
        if self.take("instrumental") is True:
            song = replace(song, lyrics=INSTRUMENTAL)
        task, quantize = self.task()
        found = Params(
            song=song,
            options=options,
            planning=planning,
            seeds=self.seeds(),
            task=task,
            codes=self.value("audio_codes", _codes, ()),
            source=self.value("src_audio", str, None),
            reference=self.value("reference_audio", str, None),
            region=self.region(task),
            tracks=self.tracks(task),
            quantize=quantize,
            repaint=repaint if task == "repaint" else None,
        )
        self.rest()
        return replace(found, notes=tuple(self.notes))

    def take(self, name: str) -> Any:
        """The value of a field as it stands, None where it is left open."""
        self.used.add(name)
        value = self.record.get(name)
        return None if isinstance(value, str | None) and (value or "").strip() in _OPEN else value

    def value(self, name: str, read: Callable[[Any], Any], default: Any) -> Any:
        """The value of a field as ``read`` makes it; what it refuses is told."""
        value = self.take(name)
        if value is None:
            return default
        try:
            return read(value)
        except (AceStepError, ValueError, TypeError) as error:
            return self.refuse(name, value, str(error), default)

    def refuse(self, name: str, value: object, reason: str, default: Any) -> Any:
        self.notes.append(f"{name} {shown(value)} is left out: {reason}")
        return default

    def part(self, owner: Any, names: Mapping[str, str]) -> Any:
        """One of our records, of the fields that it can take."""
        made = owner()
        for theirs, ours in names.items():
            value = self.take(theirs) if theirs in self.record else None
            if value is None or (ours == "vocal_language" and value == "unknown"):
                continue
            if ours in ("bpm", "duration") and _number(value) <= 0:
                continue
            try:
                made = replace(made, **{ours: self.fitted(owner, theirs, ours, value)})
            except AceStepError as error:
                self.refuse(theirs, value, str(error), None)
        return made

    def fitted(self, owner: Any, theirs: str, ours: str, value: Any) -> Any:
        """The value as our field takes it: numbers that are written as text, times brought into their range."""
        rule = knob(owner, ours)
        if rule.max_items is not None:
            items = re.split(r"[\s,]+", value.strip(" [],")) if isinstance(value, str) else value
            return [_number(item) for item in items] if isinstance(items, list) else items
        if rule.minimum is None:
            return str(value) if rule.choices else value
        number = _number(value)
        if ours == "duration" and number > 0:
            inside = min(max(number, rule.minimum), rule.maximum or number)
            if inside != number:
                self.notes.append(f"{theirs} {number:g} s became {inside:g} s")
            return inside
        return value if number != number else number

    def task(self) -> tuple[str, bool]:
        """The task, and whether a cover goes through codes."""
        name = self.take("task_type") or "text2music"
        if name == "cover-nofsq":
            return "cover", False
        if name not in TASKS:
            return self.refuse("task_type", name, f"one of {', '.join(TASKS)}", "text2music"), True
        return str(name), True

    def seeds(self) -> tuple[Seeds, ...]:
        noises = self.value("seeds" if self.take("seeds") else "seed", _seeds, ())
        self.used |= {"seed", "seeds"}
        retakes = self.value("retake_seed", _seeds, ())
        seeds = [Seeds.of(noise) for noise in noises]
        return tuple(
            replace(own, retake=retakes[min(i, len(retakes) - 1)]) if retakes else own
            for i, own in enumerate(seeds)
        )

    def region(self, task: str) -> tuple[float, float | None] | None:
        start = self.value("repainting_start", _finite, 0.0)
        end = self.value("repainting_end", _finite, -1.0)
        if task not in ("repaint", "lego") or (task == "lego" and (start, end) == (0.0, -1.0)):
            return None
        if 0 <= end <= start:
            self.refuse("repainting_end", end, f"it must be after the start, {start:g} s", None)
            return start, None
        return start, None if end < 0 else end

    def tracks(self, task: str) -> tuple[str, ...]:
        """The tracks of a stem task, which the original writes into its instruction only."""
        sentence = self.value("instruction", str, "")
        match = re.search(r"(?:the|with) ([A-Z][A-Z_ |]*)\b", sentence)
        if task not in ("lego", "extract", "complete") or match is None:
            return ()
        try:
            return checked_tracks(match[1].replace("|", ","))
        except InputError as error:
            self.refuse("instruction", sentence, str(error), None)
            return ()

    def rest(self) -> None:
        """Tell of every field that nobody has asked for."""
        for name, value in self.record.items():
            if name in self.used or (_SILENT.fullmatch(name) and name not in _OTHERS):
                continue
            if name in _OTHERS:
                if value is not None and value != _OTHERS[name]:
                    self.refuse(name, value, "there is nothing like it here", None)
            else:
                self.refuse(name, value, "this field is not known", None)


def _number(value: Any) -> float:
    """A number, also one that is written as text; NaN for anything else."""
    if isinstance(value, bool):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _finite(value: Any) -> float:
    number = _number(value)
    if not abs(number) < 1e6:
        raise InputError(field="seconds", value=value, allowed="a number")
    return number


def _codes(value: Any) -> tuple[int, ...]:
    return codes_in(value) if isinstance(value, str) else checked_codes(value)


def _seeds(value: Any) -> tuple[int, ...]:
    """Seeds as a number, a list or text; none where all are -1, which asks for chance."""
    if isinstance(value, str):
        return () if value.strip() == "-1" else parse_seeds(value)
    values = [int(one) if isinstance(one, float) and one.is_integer() else one for one in _listed(value)]
    return () if all(one == -1 for one in values) else checked_seeds(values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
