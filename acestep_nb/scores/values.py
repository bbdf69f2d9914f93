"""What scoring a take tells: plain values, kept beside the take as JSON and one small array file."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from acestep_nb.errors import AceStepError, InputError, ProjectError
from acestep_nb.files import read_json
from acestep_nb.knobs import from_dict, to_dict

SCHEMA = 1
BANDS = {
    "bass": (20.0, 120.0),
    "low middle": (120.0, 500.0),
    "middle": (500.0, 2000.0),
    "high middle": (2000.0, 6000.0),
    "treble": (6000.0, 20000.0),
}
"""Bands of a sound's balance by name, each from and to in Hz."""
WEAK = 0.5
"""Below this share of what is usual in its song a line counts as weak.

Scores have no scale of their own (they are stretched to each take), so a line is held against the other lines of
its take. Lines that are sung lie within a fifth of the median there; one that is cut off or left out is far below.
"""
_NOT_KEPT = {"kept": False}


@dataclass(frozen=True)
class Line:
    """One line of the lyrics: when it is sung, in seconds, and how well, 0–1.

    `score` is read from the renderer's attention, and is None for a line of tags. `heard` is there after a
    listening test: −1 to 1, above 0 where the line makes the music likelier, below 0 where it contradicts it.
    """

    text: str
    start: float
    end: float
    score: float | None = None
    heard: float | None = None

    @property
    def clarity(self) -> float | None:
        """How clearly it is sung, all in all: the lower of `score` and `heard`, −1 where it is given no time at all."""
        if self.score is None:
            return None
        if self.end <= self.start:
            return -1.0
        return self.score if self.heard is None else min(self.score, self.heard)

    @property
    def bar(self) -> float | None:
        """The clarity as a bar shows it, 0–1: nothing at all below 0."""
        return None if self.clarity is None else max(self.clarity, 0.0)


@dataclass(frozen=True)
class Signal:
    """What can be measured on any sound.

    `loudness` in LUFS (BS.1770, gated; None for silence or less than 0.4 s), `peak` in dBFS (None for silence),
    `clipped` the share of samples at full scale in runs, `silent` the share of the time below −60 dBFS, `bpm`
    and `keyscale` as heard (None where there is no pulse or no pitch), `balance` the share of the energy in each
    band of `BANDS`.
    """

    loudness: float | None
    peak: float | None
    clipped: float
    silent: float
    bpm: float | None
    keyscale: str | None
    balance: Mapping[str, float] = field(hash=False)


@dataclass(frozen=True, eq=False)
class Alignment:
    """How lyric tokens and music belong together: the picture behind the numbers.

    `texts` `[token]`, `energy` float32 `[token, frame]` 0–1, `path` int64 `[step, 2]` of (token, frame),
    `times` `[token, 2]` start and end in seconds. 12.5 frames are one second.
    """

    texts: tuple[str, ...]
    energy: Any
    path: Any
    times: Any

    def to_bytes(self) -> bytes:
        """The alignment as an `.npz` file; energy is kept in steps of 1/255."""
        buffer = io.BytesIO()
        texts = np.frombuffer(json.dumps(self.texts).encode(), dtype=np.uint8)
        energy = np.round(self.energy * 255).astype(np.uint8)
        np.savez_compressed(buffer, texts=texts, energy=energy, path=self.path, times=self.times)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Alignment:
        """The alignment that `to_bytes` wrote; `ProjectError` when it is damaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                texts = tuple(read_json(file["texts"].tobytes()))
                energy = file["energy"].astype(np.float32) / 255
                return cls(texts, energy, file["path"], file["times"])
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise ProjectError(f"the alignment is damaged: {error}", field="alignment") from error


@dataclass(frozen=True)
class Scores:
    """How well a take holds what was asked; a number that cannot be had is None, and `notes` say why.

    `lyrics_alignment` 0–1: how clearly and in order the `lyrics` are followed by the music (coverage² ·
    monotonicity² · confidence); good takes are well below 1, so compare takes of one song only.
    `plan_alignment` the same from the codes alone, before any sound. `lyrics_heard` −1 to 1, after a listening
    test: how much likelier the lyrics make the music. `quality` 0–1: how well the planner would guess the words
    from the codes; `conditions` are its parts by name. `lines` follow the lyrics; `alignment` is the map.
    """

    lyrics: str
    signal: Signal
    lyrics_alignment: float | None = None
    plan_alignment: float | None = None
    lyrics_heard: float | None = None
    quality: float | None = None
    conditions: Mapping[str, float] = field(default_factory=dict, hash=False)
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()
    alignment: Alignment | None = field(default=None, repr=False, compare=False, metadata=_NOT_KEPT)

    @property
    def worst_line(self) -> Line | None:
        """The line that is sung least clearly, if any is to be sung."""
        known = [line for line in self.lines if line.clarity is not None]
        return min(known, key=lambda line: line.clarity or 0.0, default=None)

    @property
    def weak_lines(self) -> tuple[Line, ...]:
        """The lines that a person should look at: not sung, or less than half as clear (`WEAK`) as is usual here."""
        known = [(line, line.clarity) for line in self.lines if line.clarity is not None]
        usual = np.median([clarity for line, clarity in known if line.end > line.start] or [0.0])
        return tuple(line for line, clarity in known if clarity <= max(0.0, WEAK * usual))

    def to_json(self) -> str:
        """The scores as kept in `scores.json`: everything but the map."""
        lines = [to_dict(line) for line in self.lines]
        record = {"schema": SCHEMA, **to_dict(self), "lines": lines}
        return json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, alignment: Alignment | None = None) -> Scores:
        """The scores that `to_json` wrote; `ProjectError` when they are damaged."""
        try:
            record = read_json(text)
            if (schema := record.pop("schema")) != SCHEMA:
                raise ProjectError(f"schema {schema!r} is not known; update acestep_nb")
            lines = tuple(from_dict(Line, line) for line in record.pop("lines"))
            notes = tuple(record.pop("notes"))
            return from_dict(cls, record, lines=lines, notes=notes, alignment=alignment)
        except (ValueError, TypeError, KeyError, AttributeError, AceStepError) as error:
            remedy = "Score the take again."
            raise ProjectError(
                f"the scores cannot be read: {error}", field="scores", remedy=remedy
            ) from error


def numbers(scores: Mapping[str, Scores], by: str) -> dict[str, float | None]:
    """One number of each take by its name, such as that of `by="quality"`; `InputError` when no take has it."""
    values = {name: getattr(one, by, None) for name, one in scores.items()}
    if not any(isinstance(value, float) for value in values.values()):
        raise InputError(
            field="by",
            value=by,
            allowed="a number that one of the takes has",
            remedy='Score the takes first, or choose another number, such as "lyrics_alignment".',
        )
    return values
