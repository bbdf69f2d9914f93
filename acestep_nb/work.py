"""Work: everything that makes the takes of one batch but the engine, as a value that is also a script."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acestep_nb.adapters.uses import AdapterUse
from acestep_nb.audio import Audio
from acestep_nb.edits import ONE_TRACK, Edit, RepaintOptions, checked_region, checked_tracks
from acestep_nb.errors import InputError
from acestep_nb.kinds import TASKS
from acestep_nb.locales import _
from acestep_nb.options import RenderOptions
from acestep_nb.plans import PlanOptions
from acestep_nb.seeds import Seeds
from acestep_nb.song import Song
from acestep_nb.sources import Sounding
from acestep_nb.takes import Take

_DEFAULTS = RenderOptions()
_LINE = 80  # characters of a call that stays on one line


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one press of Generate asks of an engine; the fields are those of the engine's verbs.

    `task` is one of `TASKS`. `planning`, `codes` belong to text2music, `region`, `repaint`, `context` and `step`
    to repaint (a region also to lego), `tracks` to lego, extract and complete, `quantize` to cover. `source` and
    `reference` are kept takes or paths of sound files: what a script can name.
    """

    song: Song
    seeds: tuple[Seeds, ...]
    task: str = "text2music"
    options: RenderOptions = _DEFAULTS
    planning: PlanOptions | None = None
    codes: tuple[int, ...] = ()
    source: Sounding | None = None
    reference: Sounding | None = None
    region: tuple[float, float] | None = None
    tracks: tuple[str, ...] = ()
    quantize: bool = True
    repaint: RepaintOptions | None = None
    context: float | None = None
    step: float | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(
                field="task",
                value=self.task,
                allowed=", ".join(TASKS),
                remedy=f"Write for example {TASKS[0]}.",
            )
        if self.task == "text2music":
            self.song.require_words()
            return
        if self.source is None:
            raise InputError(
                _("the task {task} needs a source", task=self.task),
                field="source",
                allowed=_("a take or a sound file"),
                remedy=_("Choose a take of the project, or a file."),
            )
        if self.task == "repaint" and self.region is None:
            raise InputError(
                field="region",
                allowed=_("given for a repaint"),
                remedy=_("Drag over the waveform, or type it."),
            )
        if self.task in ONE_TRACK and len(self.tracks) != 1:
            raise InputError(
                field="tracks",
                value=", ".join(self.tracks) or "none",
                allowed=_("one track for the task {task}", task=self.task),
                remedy=_("Choose one; ask for one after the other."),
            )
        object.__setattr__(self, "region", None if self.region is None else checked_region(self.region))
        object.__setattr__(self, "tracks", checked_tracks(self.tracks))

    def carry_out(self, engine: Any, **hooks: Any) -> list[Take]:
        """The takes that the engine makes of it; `hooks` are `on_progress`, `on_take` and `cancel`."""
        verb, given, named = self.call
        takes: list[Take] = getattr(engine, verb)(*given.values(), **named, **hooks)
        return takes

    @property
    def call(self) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The engine's verb, its arguments in their order, and those that go by name and are not the default."""
        if self.task == "text2music":
            verb, given = "generate", {"song": self.song}
            own: dict[str, Any] = {
                "planning": self.planning if self.planning != PlanOptions() else None,
                "codes": self.codes,
            }
        else:
            verb, given, own = self._edit()
        seeds = [seed.noise if seed == Seeds.of(seed.noise) else seed for seed in self.seeds]
        own["options"] = self.options if self.options != _DEFAULTS else None
        own["reference_audio"] = self.reference
        named = {"seeds": seeds} | {name: value for name, value in own.items() if value not in (None, ())}
        return verb, given, named

    def _edit(self) -> tuple[str, dict[str, Any], dict[str, Any]]:
        given: dict[str, Any] = {"source": self.source, "song": self.song}
        repaint = self.repaint if self.repaint != RepaintOptions() else None
        if self.task == "repaint":
            own = {"repaint": repaint, "context": self.context, "step": self.step}
            return "repaint", given | {"region": self.region}, own
        if self.task == "lego":
            return "lego", given | {"track": self.tracks[0]}, {"region": self.region}
        if self.task == "extract":
            return "extract", {"source": self.source, "track": self.tracks[0], "song": self.song}, {}
        if self.task == "complete":
            return "complete", given, {"tracks": self.tracks}
        return "cover", given, {"quantize": None if self.quantize else False}

    def script(self, checkpoint: str, planner: str | None = None, adapters: Iterable[AdapterUse] = ()) -> str:
        """Python that makes the same takes with that checkpoint and adapters, ready to run on this machine.

        Raises `InputError` for sounds and adapters that a script cannot name.
        """
        verb, given, named = self.call
        values = given | named
        apart = {name: _source_code(value) for name, value in values.items() if _stands_apart(name, value)}
        words = [name if name in apart else _source_code(value) for name, value in given.items()]
        words += [f"{name}={name if name in apart else _source_code(value)}" for name, value in named.items()]
        load = [_text(checkpoint), *([f"planner={_text(planner)}"] if planner else [])]
        return "\n".join(
            [
                f"from acestep_nb import {', '.join(sorted(_imports(values.values())))}",
                "",
                *(f"{name} = {code}" for name, code in apart.items()),
                f"engine = {_call('Engine.load', load)}",
                *(_loading(adapter) for adapter in adapters),
                f"takes = {_call(f'engine.{verb}', words)}",
                "Player(takes)",
            ]
        )

    @classmethod
    def of(cls, take: Take, source: Sounding | None = None, reference: Sounding | None = None) -> Work:
        """The work that makes this very take again; `source` and `reference` are what it was made from.

        A take that was planned is planned anew with its own planner seed, from the song as it was asked.
        Raises `InputError` when a source is needed and not given, and for a stitched take, which has two.
        """
        own: dict[str, Any] = {"song": take.song, "codes": take.codes}
        if take.planned is not None and take.planned.asked is not None:
            own = {"song": take.planned.asked, "planning": take.planned.options}
        elif take.edit is None:
            own["planning"] = PlanOptions.nothing()
        if take.edit is not None:
            own |= _edit_fields(take.edit)
        return cls(
            task=take.task,
            seeds=(take.seeds,),
            options=take.options,
            source=source,
            reference=reference,
            **own,
        )


def _edit_fields(edit: Edit) -> dict[str, Any]:
    if len(edit.sources) != 1:
        raise InputError(
            "the take was stitched from two sounds",
            field="source",
            allowed="a take of one source",
            remedy="Use Engine.stitch with both.",
        )
    names = ("region", "tracks", "quantize", "repaint", "context", "step")
    return {name: getattr(edit, name) for name in names}


def _loading(adapter: AdapterUse) -> str:
    """The line that lets an adapter work; ``InputError`` for one that cannot be loaded again."""
    if not adapter.source:
        raise InputError(
            f"where the adapter “{adapter.name}” came from is not known",
            field="adapters",
            value=adapter.name,
            allowed="adapters of a folder or of the hub",
            remedy="Load the finished adapter with engine.adapters.load, and make the take with it.",
        )
    words = [_text(adapter.source), f"name={_text(adapter.name)}", f"scale={adapter.scale!r}"]
    return _call("engine.adapters.load", words)


def _stands_apart(name: str, value: Any) -> bool:
    """Whether a script gives the value a line of its own: sounds, records, seeds that say more than one number."""
    items = value if isinstance(value, list) else [value]
    return name in ("source", "reference_audio") or any(dataclasses.is_dataclass(item) for item in items)


def _imports(values: Iterable[Any]) -> set[str]:
    items = [item for value in values for item in (value if isinstance(value, list) else [value])]
    records = {type(item).__name__ for item in items if dataclasses.is_dataclass(item)}
    return {"History" if name == "Take" else name for name in records} | {"Engine", "Player"}


def _source_code(value: Any) -> str:
    """The value as Python; ``InputError`` for a sound that a script cannot name."""
    if isinstance(value, Take):
        if value.folder is None:
            raise InputError("the source is a take that is not kept", field="source", remedy="Keep it first.")
        return f"History({_text(str(value.folder.parents[1]))}).get({_text(value.name)})"
    if isinstance(value, Audio):
        raise InputError("the source is sound in memory", field="source", remedy="Save it into a file first.")
    if isinstance(value, list):
        lines = [_source_code(item) for item in value]
        line = f"[{', '.join(lines)}]"
        return line if len(line) <= _LINE else "\n".join(["[", *(f"    {item}," for item in lines), "]"])
    if dataclasses.is_dataclass(value):
        fields = [field for field in dataclasses.fields(value) if getattr(value, field.name) != field.default]
        words = [f"{field.name}={_source_code(getattr(value, field.name))}" for field in fields]
        one_line = isinstance(value, Seeds)
        return f"Seeds({', '.join(words)})" if one_line else _call(type(value).__name__, words)
    return _text(str(value)) if isinstance(value, (str, Path)) else repr(value)


def _call(name: str, words: list[str]) -> str:
    """``Song(caption="…", bpm=76)``: one line if it is short, else one line per argument."""
    line = f"{name}({', '.join(words)})"
    if len(line) <= _LINE and "\n" not in line:
        return line
    return "\n".join([f"{name}(", *(f"    {word}," for word in words), ")"])


def _text(value: str) -> str:
    readable = all(character.isprintable() or character == "\n" for character in value)
    if "\n" in value and readable and "\\" not in value and '"' not in value:
        return f'"""{value}"""'
    return json.dumps(value, ensure_ascii=False) if readable else ascii(value)
