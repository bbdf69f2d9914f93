"""Sound as a plain value: samples with their rate, to and from files, resampled, and as a picture's peaks."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from acestep_nb.errors import InputError
from acestep_nb.files import disk_errors, given_path, growing
from acestep_nb.knobs import Knob, checked_number
from acestep_nb.locales import _

Samples = npt.NDArray[np.float32]
_FLAC_CHANNELS, _FLAC_RATE = 8, 655_350  # the most that the format has
_FORMATS: dict[str, dict[str, Any]] = {
    ".flac": {"format": "FLAC", "subtype": "PCM_24"},
    ".wav": {"format": "WAV", "subtype": "PCM_24"},
    ".mp3": {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "VARIABLE",  # about 230 kbit/s
        "compression_level": 0.0,
    },
    ".ogg": {"format": "OGG", "subtype": "VORBIS"},
}
ENDINGS = tuple(_FORMATS)
"""How names of sound files that we write end."""
RATE = Knob("Rate", "Samples per second.", unit="Hz", minimum=1, maximum=10_000_000, step=1)


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound: ``samples`` float32 ``[channel, sample]`` around ±1, ``rate`` in Hz.

    Samples of one dimension become one channel; any other shape, and a rate that is none, raises ``InputError``.
    """

    samples: Samples
    rate: int

    def __post_init__(self) -> None:
        try:
            samples = np.asarray(self.samples, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise _no_samples(self.samples) from error
        if samples.ndim == 1:
            samples = samples[np.newaxis]
        if samples.ndim != 2:
            raise _no_samples(samples.shape)
        object.__setattr__(self, "samples", np.ascontiguousarray(samples))
        object.__setattr__(self, "rate", checked_number("rate", self.rate, RATE))

    def __repr__(self) -> str:
        channels = len(self.samples)
        return f"Audio({self.duration:.2f} s, {channels} channel{'s' * (channels != 1)}, {self.rate} Hz)"

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.rate)

    @property
    def peak(self) -> float:
        """The largest sample, sign dropped; 0.0 for no samples."""
        return float(np.abs(self.samples).max(initial=0.0))

    def resample(self, rate: int) -> Audio:
        """The same sound at another rate in Hz (soxr, very high quality)."""
        if rate == self.rate:
            return self
        return Audio(soxr.resample(self.samples.T, self.rate, rate, quality="VHQ").T, rate)

    def peaks(self, bins: int = 800) -> Samples:
        """The outline to draw a waveform from: float32 ``[bins]``, 0–1, the loudest sample of each bin."""
        length = self.samples.shape[1]
        if length == 0:
            return np.zeros(bins, dtype=np.float32)
        starts = np.arange(bins) * length // bins
        loudest = np.maximum.reduceat(np.abs(self.samples).max(axis=0), starts)
        return np.minimum(loudest, np.float32(1.0))

    @classmethod
    def load(cls, path: str | Path) -> Audio:
        """The sound in a file (WAV, FLAC, OGG, MP3 …); ``InputError`` when it cannot be read or is too long."""
        file = given_path(path, "audio")
        try:
            with disk_errors(file, "audio"):
                data = file.read_bytes()
            samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _no_sound(file, error) from error
        except MemoryError as error:
            raise _too_long(file) from error
        return cls(samples.T, rate)

    def save(self, path: str | Path) -> Path:
        """Write ``.flac`` or ``.wav`` (both 24 bit), ``.mp3`` or ``.ogg``; the file is whole or not there at all."""
        return write_sound(path, self._blocks(), self.rate, len(self.samples))

    def flac_bytes(self, bits: int = 16) -> bytes:
        """The sound as a FLAC file in memory, 16 or 24 bit: what a player is sent."""
        return self._encode(format="FLAC", subtype=f"PCM_{bits}")

    def exact_file(self) -> tuple[str, bytes]:
        """An ending and a file in memory that give these very samples again: FLAC where 24 bits hold them, else WAV."""
        inside = bool(((self.samples >= -1) & (self.samples < 1)).all())
        steps = np.rint(self.samples * np.float32(2**23)) + np.float32(
            0
        )  # a negative zero becomes a plain one
        fits = inside and (steps / np.float32(2**23)).tobytes() == self.samples.tobytes()
        if fits and len(self.samples) <= _FLAC_CHANNELS and self.rate <= _FLAC_RATE:
            return ".flac", self._encode(format="FLAC", subtype="PCM_24")
        return ".wav", self._encode(format="WAV", subtype="FLOAT")

    def _encode(self, **how: Any) -> bytes:
        buffer = io.BytesIO()
        _pour(buffer, self._blocks(), self.rate, len(self.samples), how)
        return buffer.getvalue()

    def _blocks(self) -> Iterator[Samples]:
        """The samples as ``[sample, channel]``, a second at a time."""
        for start in range(0, self.samples.shape[1], self.rate):
            yield self.samples[:, start : start + self.rate].T


def seconds_of(path: Path) -> float:
    """How long the sound in a file is, without reading all of it; errors as those of ``Audio.load``."""
    try:
        with disk_errors(path, "audio"), path.open("rb") as file:
            return float(soundfile.info(file).duration)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise _no_sound(path, error) from error


def _no_sound(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "error_string", "") or error
    return InputError(
        _("audio must be a sound file (WAV, FLAC, OGG, MP3); {path}: {reason}", path=path, reason=reason),
        field="audio",
        value=str(path),
        allowed=_("a sound file"),
        remedy=_("Choose another file, or convert it first."),
    )


def _too_long(path: Path) -> InputError:
    return InputError(
        _("the sound of {path} does not fit into memory", path=path),
        field="audio",
        value=str(path),
        allowed=_("a sound that fits into memory"),
        remedy=_("Give a shorter piece of it; if it is short, its file is damaged: choose another."),
    )


def _no_samples(value: object) -> InputError:
    allowed, remedy = "numbers [channel, sample]", "Give one row per channel."
    return InputError(field="samples", value=value, allowed=allowed, remedy=remedy)


def write_sound(path: str | Path, blocks: Iterable[Samples], rate: int, channels: int) -> Path:
    """A sound file made of blocks ``[sample, channel]``, no more than one of them in memory.

    The ending of its name, one of ``ENDINGS``, says which kind; the file is whole or not there at all. Raises
    ``InputError`` for another ending and for sound that such a file cannot hold, ``ProjectError`` for the disk.
    """
    target = given_path(path, "path")
    ending = target.suffix.lower()
    if ending not in _FORMATS:
        allowed = f"a name that ends in {', '.join(ENDINGS)}"
        raise InputError(field="path", value=str(path), allowed=allowed, remedy="Name it song.flac, say.")
    with disk_errors(target, "path"), growing(target) as file:
        watched = _Watched(file)
        try:
            _pour(watched, blocks, rate, channels, _FORMATS[ending])
        except soundfile.LibsndfileError as error:
            if watched.error is None:
                message = f"a {ending} file cannot hold this sound: {error.error_string}"
                remedy = "Resample it to 48,000 Hz, or choose .wav."
                raise InputError(message, field="path", value=str(path), remedy=remedy) from error
        if watched.error is not None:
            raise watched.error
    return target


class _Watched:
    """A file that keeps its first error, which libsndfile would forget, and from then on takes nothing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, data: bytes) -> int:
        """The bytes go into the file, or nowhere after an error."""
        if self.error is None:
            try:
                self._file.write(data)
                self._file.flush()
            except OSError as error:
                self.error = error
        return len(data)


def _pour(file: Any, blocks: Iterable[Samples], rate: int, channels: int, how: Mapping[str, Any]) -> None:
    # blocks of a second: libsndfile's Vorbis encoder crashes the process on long single writes
    with soundfile.SoundFile(file, "w", samplerate=rate, channels=channels, **how) as sound:
        for block in blocks:
            sound.write(block)
