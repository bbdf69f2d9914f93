"""Makes a dataset of a folder: sound files, lyrics beside them, and tables with what is known."""

from __future__ import annotations

import csv
import io
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import soundfile

from acestep_nb.adapters.dataset import INSTRUMENTAL, Dataset, Sample
from acestep_nb.audio import Audio, seconds_of
from acestep_nb.errors import AceStepError, InputError
from acestep_nb.files import disk_errors, given_path, is_dir, is_file
from acestep_nb.song import Song

EXTENSIONS = (".wav", ".mp3", ".flac", ".ogg", ".opus")
LONGEST = 240
"""Seconds of a song that are learned: what lies behind is left out, as the original does."""


def scan(folder: str | Path, name: str | None = None, **settings: Any) -> Dataset:
    """The songs in a folder and the folders in it, with what stands beside them.

    `song.txt` beside `song.mp3` is its lyrics. CSV files in the top folder with a column `file`, and `bpm`, `key`
    or `caption`, tell about the songs of those names. `settings` are those of `Dataset`, such as `custom_tag`.
    Files that cannot be read are left out and named in `problems`.
    Raises `InputError` for a folder that is missing or holds no sound that can be read.
    """
    place = given_path(folder, "folder")
    if not is_dir(place):
        wanted = "a folder, not a file" if is_file(place) else "a folder that is there"
        raise InputError(field="folder", value=str(folder), allowed=wanted, remedy="Check the name.")
    with disk_errors(place, "folder"):
        files = sorted(
            path for path in place.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file()
        )
        tables = sorted(path for path in place.iterdir() if path.suffix.lower() == ".csv")
    made = Dataset((), name=name or place.resolve().name, folder=place.resolve(), **settings)
    samples: list[Sample] = []
    problems: list[str] = []
    rows = [row for table in tables for row in _rows(table, problems)]
    for path in files:
        try:
            samples.append(_sample(path, made, rows, problems))
        except AceStepError as error:
            problems.append(str(error))
    if not samples:
        raise InputError(
            f"{folder} holds no sound that can be read" + "".join(f"; {problem}" for problem in problems),
            field="folder",
            value=str(folder),
            allowed=f"a folder with {', '.join(EXTENSIONS)}",
            remedy="Put the songs in there.",
        )
    return replace(made, samples=tuple(samples), problems=tuple(problems))


def beginning(file: BinaryIO) -> Audio:
    """The part of a sound file that is learned, its first four minutes; `LibsndfileError` for what is no sound."""
    with soundfile.SoundFile(file) as sound:
        samples = sound.read(LONGEST * sound.samplerate, dtype="float32", always_2d=True)
        return Audio(samples.T, sound.samplerate)


def _sample(path: Path, made: Dataset, rows: list[dict[str, str]], problems: list[str]) -> Sample:
    seconds = seconds_of(path)
    if seconds > LONGEST:
        problems.append(f"{path.name} lasts {seconds:.0f} s: its first {LONGEST} s are learned")
    sample = Sample(
        id=uuid.uuid4().hex[:8],
        audio_path=str(path.resolve()),
        filename=path.name,
        duration=int(seconds),
        is_instrumental=made.all_instrumental,
        custom_tag=made.custom_tag,
    )
    if (beside := path.with_suffix(".txt")).is_file():
        lyrics = _text(beside).strip()
        if lyrics:
            sample = replace(
                sample,
                raw_lyrics=lyrics,
                lyrics=lyrics,
                is_instrumental=lyrics.lower() == INSTRUMENTAL.lower(),
            )
    for row in rows:
        if Path(row["file"]).name == path.name:
            sample = _with_row(sample, row, problems)
    sample.song(sample.caption)
    return sample


def _text(path: Path) -> str:
    with disk_errors(path, "lyrics"):
        data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        remedy = "Save it as UTF-8."
        raise InputError(
            f"{path.name} is not UTF-8", field="lyrics", value=str(path), remedy=remedy
        ) from error


def _rows(table: Path, problems: list[str]) -> list[dict[str, str]]:
    """The rows of a CSV file by lower-case column names; none when it has no column `file`."""
    try:
        text = _text(table)
    except AceStepError as error:
        problems.append(str(error))
        return []
    try:
        dialect: Any = csv.Sniffer().sniff(text.partition("\n")[0], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    lines = csv.DictReader(io.StringIO(text), dialect=dialect)
    rows = [
        {
            (key or "").strip().lower(): (value or "")
            for key, value in line.items()
            if isinstance(value, str | None)
        }
        for line in lines
    ]
    if rows and "file" not in rows[0]:
        problems.append(f"{table.name} has no column “file” and was passed over")
        return []
    return [row for row in rows if row["file"].strip()]


def _with_row(sample: Sample, row: dict[str, str], problems: list[str]) -> Sample:
    """The sample with what a table says of it; a value that no song can have is told and left out."""
    found: dict[str, Any] = {}
    if caption := row.get("caption", "").strip():
        found |= {"caption": caption, "labeled": True}
    for field, column, read in (("bpm", "bpm", lambda text: int(float(text))), ("keyscale", "key", str)):
        if not (text := row.get(column, "").strip()):
            continue
        try:
            values: dict[str, Any] = {field: read(text)}
            found[field] = getattr(Song(**values), field)
        except (AceStepError, ValueError, OverflowError):
            problems.append(f"{column} of {sample.filename} is not understood: {text}")
    return replace(sample, **found)
