"""Turns songs into what the network learns from: latents, words and context, as it sees them when it renders."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors.torch
import soundfile
import torch
from safetensors import SafetensorError
from torch import Tensor

from acestep_nb.adapters.dataset import Dataset
from acestep_nb.adapters.scanning import LONGEST, beginning
from acestep_nb.checkpoints.loading import Models
from acestep_nb.codec import Codec, checked_source
from acestep_nb.codes import LATENT_CHANNELS, LATENT_RATE, MIN_LATENT_FRAMES
from acestep_nb.errors import AceStepError, InputError, ProjectError, first_line
from acestep_nb.files import disk_errors, read_json, write_atomic
from acestep_nb.renderer.conditions import Ask, Conditioner
from acestep_nb.song import Song

SHORTEST = MIN_LATENT_FRAMES / LATENT_RATE
"""Seconds that a song must last: the network never sees less."""
MANIFEST = "manifest.json"
_TENSORS = ("target_latents", "encoder_hidden_states", "context_latents")


@dataclass(frozen=True, eq=False)
class Lesson:
    """One song as the network learns it, on the CPU.

    `latents` are float32 `[frame, 64]`, `hidden` is the condition sequence `[token, width]` in the network's number
    format, `context` `[frame, 128]` what a song made from words is shown. `mark` is a hash of all of it.
    """

    name: str
    latents: Tensor
    hidden: Tensor
    context: Tensor

    @cached_property
    def mark(self) -> str:
        """A hash of everything that is learned."""
        digest = hashlib.sha256()
        for tensor in (self.latents, self.hidden, self.context):
            digest.update(tensor.float().contiguous().numpy().tobytes())
        return digest.hexdigest()


def prepare(
    models: Models,
    codec: Codec,
    conditioner: Conditioner,
    dataset: Dataset,
    cache: Path,
    on_song: Callable[[int, int], None],
) -> tuple[list[Lesson], list[str]]:
    """A lesson for each labelled song of the dataset, and why others have none.

    What was worked out is kept in `cache` by the content of the files and by the words, so that another time only
    what changed is done again. Raises `InputError` when no song is labelled or none can be used.
    """
    labeled = [
        (sample, caption) for sample, caption in zip(dataset.samples, dataset.captions) if sample.labeled
    ]
    if not labeled:
        raise InputError(
            f"none of {len(dataset)} songs is labelled",
            field="dataset",
            value=dataset.name,
            allowed="songs with captions",
            remedy="Give them captions in a CSV file, by hand, or with engine.adapters.label(dataset).",
        )
    with disk_errors(cache, "cache"):
        cache.mkdir(parents=True, exist_ok=True)
    lessons, problems = [], []
    for number, (sample, caption) in enumerate(labeled):
        on_song(number, len(labeled))
        try:
            song = sample.song(caption)
            song.require_words()
            latents = _latents(models, codec, dataset.path_of(sample), cache)
            lessons.append(_lesson(models, conditioner, sample.filename, song, latents, cache))
        except InputError as error:
            problems.append(f"{sample.filename}: {error}")
    on_song(len(labeled), len(labeled))
    if not lessons:
        raise InputError(
            "no song can be learned: " + "; ".join(problems), field="dataset", value=dataset.name
        )
    return lessons, problems


def read_prepared(folder: Path) -> list[Lesson]:
    """The lessons in a folder of tensors that the original's preprocessing wrote: `.pt` files and a manifest.

    They are opened as tensors and nothing else. Raises `InputError` for a path of the manifest that leads out of
    the folder, for a file that holds anything else, and when there is none.
    """
    files = _listed(folder) if (folder / MANIFEST).is_file() else sorted(folder.glob("*.pt"))
    if not files:
        remedy = "Choose the folder that preprocessing wrote, or a dataset's JSON."
        raise InputError(
            f"{folder} holds no prepared songs (.pt)", field="dataset", value=str(folder), remedy=remedy
        )
    return [_unpacked(file) for file in files]


def _latents(models: Models, codec: Codec, path: Path, cache: Path) -> Tensor:
    """Latents `[frame, 64]` of the beginning of a sound file."""
    digest = hashlib.sha256(f"{type(models.vae).__name__} {models.hash} {LONGEST}".encode())
    try:
        with disk_errors(path, "audio"), path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
            file.seek(0)
            kept = cache / f"latents-{digest.hexdigest()[:24]}.safetensors"
            if (known := _kept(kept)) is not None:
                return known
            heard = beginning(file)
    except (soundfile.LibsndfileError, TypeError, ProjectError) as error:
        raise InputError(f"cannot be read as sound: {error}", field="audio", value=str(path)) from error
    if heard.duration < SHORTEST:
        raise InputError(field="audio", value=f"{heard.duration:g} s", allowed=f"{SHORTEST:g} s or more")
    latents = torch.from_numpy(codec.encode(checked_source(heard, "audio")))
    return _keep(kept, latents)


def _lesson(
    models: Models, conditioner: Conditioner, name: str, song: Song, latents: Tensor, cache: Path
) -> Lesson:
    ask = Ask(song, seconds=len(latents) / LATENT_RATE)
    told = json.dumps([song.to_dict(), ask.told_seconds, models.hash, str(models.dtype)])
    kept = cache / f"words-{hashlib.sha256(told.encode()).hexdigest()[:24]}.safetensors"
    condition = None
    hidden = _kept(kept)
    if hidden is None:
        condition = conditioner.primary([ask])
        hidden = _keep(kept, condition.hidden[0])
    context = _context(models, len(latents)) if condition is None else condition.context[0]
    frames = min(len(latents), len(context))
    return Lesson(name, latents[:frames], hidden, context[:frames].cpu().clone())


def _context(models: Models, frames: int) -> Tensor:
    from acestep_nb.renderer.conditions import context, silence

    return context(silence(models, frames), torch.ones(1, frames, device=models.device))[0]


def _kept(path: Path) -> Tensor | None:
    """What the cache holds there; a damaged file counts as none."""
    try:
        return safetensors.torch.load_file(path)["value"]
    except (OSError, SafetensorError, KeyError):
        return None


def _keep(path: Path, value: Tensor) -> Tensor:
    kept = value.detach().cpu().contiguous().clone()
    with disk_errors(path, "cache"):
        write_atomic(path, safetensors.torch.save({"value": kept}))
    return kept


def _listed(folder: Path) -> list[Path]:
    """The files that the manifest names, all of them inside the folder."""
    try:
        listed = read_json((folder / MANIFEST).read_text(encoding="utf-8"))["samples"]
        files = [folder / str(name) for name in listed]
        places = [file.resolve() for file in files]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / MANIFEST} cannot be read: {error!r}", field="dataset", value=str(folder)
        ) from error
    for file, place in zip(files, places):
        if not place.is_relative_to(folder.resolve()):
            raise InputError(
                f"the manifest names a file outside its folder: {file}",
                field="dataset",
                value=str(file),
                allowed=f"paths inside {folder}",
                remedy="Do not use it unless you trust where it comes from; then put the file inside.",
            )
    return files


def _unpacked(file: Path) -> Lesson:
    try:
        with disk_errors(file, "dataset"):
            data = file.read_bytes()
        stored: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        latents, hidden, context = (stored[name] for name in _TENSORS)
        if latents.shape[1:] != (LATENT_CHANNELS,) or context.shape != (len(latents), 2 * LATENT_CHANNELS):
            raise ValueError(f"shapes {tuple(latents.shape)} and {tuple(context.shape)}")
        told = stored.get("encoder_attention_mask")
        hidden = hidden if told is None else hidden[told.bool()]
        return Lesson(file.name, latents.float(), hidden, context)
    except AceStepError:
        raise
    except Exception as error:  # what a garbled file makes the reader raise cannot be foreseen
        reason = first_line(error)
        raise InputError(
            f"{file.name} is no prepared song: {reason[:120]}",
            field="dataset",
            value=str(file),
            allowed=f"tensors {', '.join(_TENSORS)}",
            remedy="Prepare the songs again.",
        ) from error


def longest_of(lessons: Sequence[Lesson]) -> tuple[int, int]:
    """Most frames and most condition tokens of the lessons."""
    return max(len(lesson.latents) for lesson in lessons), max(len(lesson.hidden) for lesson in lessons)
