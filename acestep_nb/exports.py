"""Takes as files for others: sound, timed lyrics, the record, and the Python that makes the take again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import soundfile

from acestep_nb.audio import ENDINGS, Samples, write_sound
from acestep_nb.edits import Source
from acestep_nb.errors import InputError, ProjectError
from acestep_nb.files import disk_errors, given_path, json_bytes, write_atomic
from acestep_nb.history import History, slug
from acestep_nb.scores.lrc import to_lrc, to_srt, to_vtt
from acestep_nb.scores.values import Line
from acestep_nb.takes import AUDIO, Take
from acestep_nb.work import Work

SOUNDS = tuple(ending.removeprefix(".") for ending in ENDINGS)


def export(take: Take, to: str | Path, *formats: str) -> list[Path]:
    """The files that were written: one called ``to``, whose ending says what it is, or several in that folder.

    ``export(take, "song.mp3")``; ``export(take, "songs", "wav", "lrc", "json")``. Formats are those of ``FORMATS``:
    sound, lyrics with their times (of a scored take), ``json`` (all that made the take) and ``py`` (the Python that
    makes it again). In a folder, which is made if it is missing, the files are called like the take. Sound is
    written block by block. Raises ``InputError`` for another format and for lyrics without times, ``ProjectError``
    for the disk.
    """
    target = given_path(to, "path")
    if not formats:
        _write(take, target, target.suffix.lower().removeprefix("."))
        return [target]
    with disk_errors(target, "path"):
        target.mkdir(parents=True, exist_ok=True)
    files = [target / f"{file_name(take)}.{format}" for format in formats]
    for file, format in zip(files, formats):
        _write(take, file, format)
    return files


def file_name(take: Take) -> str:
    """What the files of a take are called, without an ending; safe in every folder."""
    return take.name or f"{slug(take.song.caption)}_s{take.seed}"


def script(take: Take) -> str:
    """The Python that makes the take again; of a kept take the sources are found in its project.

    Its adapters are loaded from where they were. Raises ``ProjectError`` when the project does not have what the
    take was made from, ``InputError`` for an adapter that came from nowhere, such as a preview's.
    """
    source = reference = None
    if take.edit is not None:
        source = _found(take, take.edit.sources[0], "source")
    if take.reference is not None:
        reference = _found(take, take.reference, "reference_audio")
    planner = None if take.planned is None else take.planned.planner
    return Work.of(take, source, reference).script(take.checkpoint, planner, take.adapters) + "\n"


def _found(take: Take, record: Source, field: str) -> Take | Path:
    if take.folder is None:
        raise InputError(
            "the take is not kept: its source is not known", field=field, remedy="Keep it in a project."
        )
    return History(take.folder.parents[1]).source(record)


def _lines(take: Take) -> tuple[Line, ...]:
    scores = take.scores
    if scores is None or not scores.lines:
        reason = "; ".join(scores.notes) if scores else "the take was not scored"
        raise InputError(
            f"its lyrics have no times: {reason}",
            field="format",
            allowed="a kept and scored take with words to sing",
            remedy="Score it first: engine.score(take).",
        )
    return scores.lines


def _sound(take: Take, target: Path) -> None:
    if take.folder is None:
        take.audio.save(target)
        return
    with disk_errors(take.folder / AUDIO, "audio"), (take.folder / AUDIO).open("rb") as data:
        facts, blocks = _opened(take, data)
        write_sound(target, blocks, facts.samplerate, facts.channels)


def _opened(take: Take, data: BinaryIO) -> tuple[soundfile.SoundFile, Iterator[Samples]]:
    """A kept sound and its samples, a second at a time; ``ProjectError`` where it is damaged."""

    def damaged(error: soundfile.LibsndfileError) -> ProjectError:
        reason = f"the sound of {take.name} is damaged: {error.error_string}"
        return ProjectError(reason, field="audio", value=take.name)

    def blocks() -> Iterator[Samples]:
        try:
            yield from file.blocks(blocksize=file.samplerate, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise damaged(error) from error

    try:
        file = soundfile.SoundFile(data)
    except soundfile.LibsndfileError as error:
        raise damaged(error) from error
    return file, blocks()


TEXTS: dict[str, Callable[[Take], str]] = {
    "lrc": lambda take: to_lrc(_lines(take)) + "\n",
    "srt": lambda take: to_srt(_lines(take), take.duration),
    "vtt": lambda take: to_vtt(_lines(take), take.duration),
    "json": Take.to_json,
    "py": script,
}
FORMATS = (*SOUNDS, *TEXTS)
"""What a take can be written as, by the ending of the file."""


def _write(take: Take, file: Path, format: str) -> None:
    if format in SOUNDS:
        _sound(take, file)
    elif format in TEXTS:
        text = TEXTS[format](take)
        with disk_errors(file, "path"):
            # half letters, which UTF-8 cannot spell, are question marks where nobody reads escapes
            write_atomic(file, json_bytes(text) if format == "json" else text.encode("utf-8", "replace"))
    else:
        raise InputError(
            field="format",
            value=format,
            allowed=", ".join(FORMATS),
            remedy="Name the file song.flac, say, or name the formats.",
        )
