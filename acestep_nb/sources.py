"""Where a sound to rework comes from: a take, a file or samples in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from acestep_nb.audio import Audio
from acestep_nb.codes import SAMPLE_RATE
from acestep_nb.edits import Source
from acestep_nb.errors import InputError, ProjectError
from acestep_nb.takes import Take

Sounding = Audio | Take | str | Path
"""What a verb takes as a source: samples, a take, or the path of a sound file."""


def sound_of(source: Sounding, field: str = "source") -> Audio:
    """The samples of a source as they are; ``InputError`` when there are none."""
    if isinstance(source, Audio):
        return source
    try:
        if isinstance(source, Take):
            return source.audio
        if isinstance(source, (str, Path)) and str(source).strip():
            return Audio.load(Path(source).expanduser())
    except (InputError, ProjectError) as error:
        message = f"the {field} cannot be read: {error.args[0]}"
        raise InputError(message, field=field, value=error.value, remedy=error.remedy) from error
    raise InputError(
        field=field,
        value=source,
        allowed="an Audio, a take, or the path of a sound file",
        remedy='Give for example Audio.load("song.flac"), a take, or "song.flac".',
    )


def record_of(source: Sounding, audio: Audio) -> Source:
    """How a take tells where it came from: the name of the source and a hash of its samples."""
    if isinstance(source, Take):
        return Source.of(audio, source.name)
    return Source.of(audio, "" if isinstance(source, Audio) else Path(source).name)


def parent_of(source: Sounding) -> str | None:
    """The name of the kept take that the source is, if it is one."""
    return (source.name or None) if isinstance(source, Take) else None


def joined(*sounds: Audio) -> Audio:
    """The sounds one behind the other; all stereo at 48 kHz."""
    return Audio(np.concatenate([sound.samples for sound in sounds], axis=1), SAMPLE_RATE)
