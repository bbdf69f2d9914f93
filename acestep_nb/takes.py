"""A take: one sounding result together with everything that made it."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

from acestep_nb.adapters.uses import AdapterUse
from acestep_nb.audio import Audio, Samples, seconds_of
from acestep_nb.edits import Edit, Source
from acestep_nb.errors import AceStepError, InputError, ProjectError
from acestep_nb.files import disk_errors, json_bytes, read_json
from acestep_nb.knobs import from_dict, to_dict
from acestep_nb.options import RenderOptions
from acestep_nb.plans import Plan, Planned
from acestep_nb.seeds import Seeds
from acestep_nb.song import Song

if TYPE_CHECKING:
    from acestep_nb.scores.values import Scores

SCHEMA = 3
RECORD, AUDIO, LATENTS, PEAKS = "take.json", "audio.flac", "latents.safetensors", "peaks.npy"


class _Beside:
    """A field that is given by whoever makes the take, or read from its folder on first use."""

    def __init__(self, file: str, read: Callable[[Path], Any]) -> None:
        self.file = file
        self.read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, take: Take | None, owner: type) -> Any:
        if take is None:
            return self
        if self.name not in take.__dict__:
            if take.folder is None:
                raise ProjectError(f"this take has no {self.name}: it was made without and is not kept")
            take.__dict__[self.name] = self.read(take.folder / self.file)
        return take.__dict__[self.name]

    def __set__(self, take: Take, value: Any) -> None:
        if value is not self:  # the dataclass hands the default, this very object, when none is given
            take.__dict__[self.name] = value


def _read_latents(path: Path) -> Samples:
    with disk_errors(path):
        data = path.read_bytes()
    try:
        return safetensors.numpy.load(data)["latents"]
    except (safetensors.SafetensorError, KeyError) as error:
        raise ProjectError(f"{path} is damaged: {error}", field="latents", value=str(path)) from error


_NOT_KEPT = {"kept": False}
_AUDIO: Any = _Beside(AUDIO, Audio.load)
_LATENTS: Any = _Beside(LATENTS, _read_latents)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Take:
    """One sounding result and all that made it: the same song, options, seeds and checkpoint make it again.

    ``options`` leave nothing open: what the checkpoint decided stands there. ``edit`` tells what was reworked
    (None: music from words), ``codes`` and ``reference`` what else the network was given, ``planned`` how song
    and codes came about when a planner wrote them, ``adapters`` which adapters were switched on, ``notes`` what a
    person should know about the result.
    ``name`` and ``folder`` are set when a :class:`~acestep_nb.history.History` keeps the take; ``audio``
    and ``latents`` (float32 ``[frame, 64]``, 25 frames/s) of a kept take are read when first asked for.
    ``parent`` is the name of the take that it was made from; ``timings`` are seconds by stage.
    """

    song: Song
    options: RenderOptions
    seeds: Seeds
    edit: Edit | None = None
    codes: tuple[int, ...] = ()
    planned: Planned | None = None
    reference: Source | None = None
    adapters: tuple[AdapterUse, ...] = ()
    notes: tuple[str, ...] = ()
    checkpoint: str
    checkpoint_hash: str
    dtype: str
    device: str
    versions: Mapping[str, str] = field(hash=False)
    timings: Mapping[str, float] = field(hash=False)
    created: str = field(default_factory=_now)
    parent: str | None = None
    name: str = field(default="", metadata=_NOT_KEPT)
    folder: Path | None = field(default=None, compare=False, metadata=_NOT_KEPT)
    audio: Audio = field(default=_AUDIO, repr=False, compare=False, metadata=_NOT_KEPT)
    latents: Samples = field(default=_LATENTS, repr=False, compare=False, metadata=_NOT_KEPT)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", tuple(self.codes))
        object.__setattr__(self, "adapters", tuple(self.adapters))
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "versions", dict(self.versions))
        object.__setattr__(self, "timings", dict(self.timings))

    def __repr__(self) -> str:
        title = self.name or " ".join(self.song.caption.split())[:40]
        return f"Take({title!r}, seed {self.seed}, {self.checkpoint})"

    @property
    def seed(self) -> int:
        """The noise seed: the one that a person types."""
        return self.seeds.noise

    @property
    def task(self) -> str:
        """What the take is: ``"text2music"``, or the task of its edit."""
        return "text2music" if self.edit is None else self.edit.task

    @property
    def plan(self) -> Plan:
        """The song and codes of the take as a plan, to be changed and rendered again."""
        if self.planned is None:
            return Plan(self.song, self.codes)
        how = self.planned
        return Plan(
            self.song,
            self.codes,
            how.text,
            self.seeds.planner,
            how.options,
            how.planner,
            how.planner_hash,
            how.asked,
        )

    @property
    def duration(self) -> float:
        """Length of the sound in seconds, without reading all of a kept one."""
        if "audio" in self.__dict__ or self.folder is None:
            return self.audio.duration
        return seconds_of(self.folder / AUDIO)

    @property
    def peaks(self) -> Samples:
        """The outline of the waveform: float32 ``[800]``, 0–1."""
        if self.folder is not None:
            # the file only saves time: without it, or with a damaged one, the sound itself tells
            with contextlib.suppress(OSError, ValueError, EOFError):
                return np.asarray(np.load(self.folder / PEAKS, allow_pickle=False), dtype=np.float32)
        return self.audio.peaks()

    @property
    def scores(self) -> Scores | None:
        """What the engine last said about a kept take and its own lyrics; None before it was scored."""
        from acestep_nb.scores.keeping import kept

        return None if self.folder is None else kept(self.folder)

    def export(self, to: str | Path, *formats: str) -> list[Path]:
        """Write the take for others, as :func:`acestep_nb.exports.export` tells: ``take.export("song.mp3")``."""
        from acestep_nb.exports import export

        return export(self, to, *formats)

    def plot_alignment(self, scores: Scores | None = None) -> Any:
        """A picture of how lyrics and music belong together, from these scores or those that are kept with the take.

        Raises ``InputError`` for a take that was not scored, and for scores without an alignment.
        """
        import acestep_nb  # a picture is made a layer above: it is asked for by its public name

        known = self.scores if scores is None else scores
        if known is None:
            raise InputError(
                "this take was not scored",
                field="scores",
                allowed="what engine.score(take) tells",
                remedy="Write take.plot_alignment(engine.score(take)).",
            )
        return acestep_nb.alignment_map(known)

    def flac_bytes(self) -> bytes:
        """The sound as a FLAC file in memory: of a kept take the kept file itself, else 16 bit."""
        if self.folder is None:
            return self.audio.flac_bytes()
        with disk_errors(self.folder / AUDIO):
            return (self.folder / AUDIO).read_bytes()

    def to_json(self) -> str:
        """The record of the take, as kept in ``take.json``: every field but name, folder and sound."""
        record = {"schema": SCHEMA, **to_dict(self)}
        return json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def files(self) -> dict[str, bytes]:
        """The files that keep the take, by name: record, sound, latents and peaks."""
        peaks = io.BytesIO()
        np.save(peaks, self.audio.peaks(), allow_pickle=False)
        latents = np.ascontiguousarray(self.latents, dtype=np.float32)
        return {
            RECORD: json_bytes(self.to_json()),
            AUDIO: self.audio.flac_bytes(bits=24),
            LATENTS: safetensors.numpy.save({"latents": latents}),
            PEAKS: peaks.getvalue(),
        }


def read_take(folder: Path) -> Take:
    """The take kept in a folder, its sound not yet read; ``ProjectError`` when its record is damaged."""
    path = folder / RECORD
    with disk_errors(path):
        text = path.read_bytes()
    return parse_take(text, path)


def parse_take(text: str | bytes, path: Path | None = None) -> Take:
    """The take of a record, which lies at ``path`` if it is kept; ``ProjectError`` when it is damaged."""
    place = {} if path is None else {"name": path.parent.name, "folder": path.parent}
    try:
        return from_dict(Take, _migrated(read_json(text)), **place)
    except (ValueError, TypeError, KeyError, AttributeError, AceStepError) as error:
        where = "the record of the take" if path is None else path
        remedy = (
            "Choose another file." if path is None else "Repair the file, or move its folder out of takes/."
        )
        raise ProjectError(
            f"{where} cannot be read: {error}", field="take", value=str(where), remedy=remedy
        ) from error


def _migrated(record: dict[str, Any]) -> dict[str, Any]:
    """A record of any schema up to ours, as ours; without its ``schema``."""
    schema = record.pop("schema")
    if schema == 1:  # one seed, the task in words, and loudness as it came
        del record["task"]
        record["seeds"] = to_dict(Seeds.of(record.pop("seed")))
        record["options"] = {**record["options"], "normalize": False}
    elif schema not in (2, SCHEMA):  # the second knew no adapters, and a record without them had none
        raise ProjectError(f"schema {schema!r} is not known; update acestep_nb")
    return record
