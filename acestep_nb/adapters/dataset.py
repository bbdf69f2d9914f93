"""The songs that an adapter learns from: audio files with words, in the file format that people exchange."""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from acestep_nb.errors import InputError
from acestep_nb.files import disk_errors, given_path, is_file, json_bytes, read_json, write_atomic
from acestep_nb.knobs import Knob, checked_choice, checked_number
from acestep_nb.languages import LANGUAGES
from acestep_nb.song import Song
from acestep_nb.writing import Hint, lint

INSTRUMENTAL = "[Instrumental]"
UNKNOWN = "unknown"
TAG_POSITION = Knob("Position", "Where the activation word stands.", choices=("prepend", "append", "replace"))
OVERRIDES = ("caption", "genre")
GENRE_RATIO = Knob("Genre ratio", "Percent of the songs told by genre.", minimum=0, maximum=100, step=1)
_SHUFFLE_SEED = 42  # of the original: which songs are told by their genre
_NO_VALUE = ("", "n/a", "none", "null")


@dataclass(frozen=True)
class Sample:
    """One song of a dataset, field for field as in the exchanged JSON.

    `lyrics` is what is learned; `raw_lyrics` came with the file. An empty `caption`, `keyscale` … is not known.
    `prompt_override` is "caption", "genre" or None: as the dataset's `genre_ratio` decides.
    """

    id: str
    audio_path: str
    filename: str = ""
    caption: str = ""
    genre: str = ""
    lyrics: str = INSTRUMENTAL
    raw_lyrics: str = ""
    formatted_lyrics: str = ""
    bpm: int | None = None
    keyscale: str = ""
    timesignature: str = ""
    duration: int = 0
    language: str = UNKNOWN
    is_instrumental: bool = True
    custom_tag: str = ""
    labeled: bool = False
    prompt_override: str | None = None

    def song(self, caption: str) -> Song:
        """The sample as a song with that caption; `InputError` for values that a song cannot have."""
        return Song(
            caption=caption,
            lyrics=INSTRUMENTAL if self.is_instrumental else self.lyrics,
            vocal_language=self.language if self.language in LANGUAGES else None,
            bpm=self.bpm,
            keyscale=known(self.keyscale),
            timesignature=known(self.timesignature),
        )


@dataclass(frozen=True)
class Dataset:
    """Songs to learn from, and how they are told: activation word, its position, share told by genre.

    `problems` are files that could not be used and why; they are not part of the JSON. `folder` is where
    relative paths of the samples begin.
    """

    samples: tuple[Sample, ...]
    name: str = "untitled_dataset"
    custom_tag: str = ""
    tag_position: str = "prepend"
    created_at: str = field(default_factory=lambda: datetime.datetime.now().isoformat())
    all_instrumental: bool = True
    genre_ratio: int = 0
    folder: Path = field(default_factory=Path, compare=False)
    problems: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        position = checked_choice("tag_position", self.tag_position, TAG_POSITION)
        ratio = checked_number("genre_ratio", self.genre_ratio, GENRE_RATIO)
        object.__setattr__(self, "tag_position", position)
        object.__setattr__(self, "genre_ratio", ratio)
        object.__setattr__(self, "samples", tuple(self.samples))

    def __repr__(self) -> str:
        labeled = sum(sample.labeled for sample in self.samples)
        return f"Dataset({self.name!r}, {len(self.samples)} songs, {labeled} labelled)"

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def captions(self) -> tuple[str, ...]:
        """The caption of each song as it is learned: by caption or genre, with the activation word."""
        order = list(range(len(self.samples)))
        random.Random(_SHUFFLE_SEED).shuffle(order)
        by_genre = set(order[: int(len(order) * self.genre_ratio / 100)])
        return tuple(self._caption(sample, i in by_genre) for i, sample in enumerate(self.samples))

    def _caption(self, sample: Sample, by_genre: bool) -> str:
        if sample.prompt_override is not None:
            by_genre = sample.prompt_override == "genre"
        text = (sample.genre if by_genre else "") or sample.caption
        if not sample.custom_tag or not text:
            return sample.custom_tag or text
        arranged = {
            "prepend": f"{sample.custom_tag}, {text}",
            "append": f"{text}, {sample.custom_tag}",
            "replace": sample.custom_tag,
        }
        return arranged[self.tag_position]

    @property
    def hints(self) -> dict[str, list[Hint]]:
        """What the linter would say about the caption of each song, by the song's file name."""
        told = {}
        for sample, caption in zip(self.samples, self.captions):
            hints = [hint for hint in lint(Song(caption=caption)) if hint.span[0] == "caption"]
            if hints:
                told[sample.filename] = hints
        return told

    def path_of(self, sample: Sample) -> Path:
        """Where the sound of a sample is: as it says, or beside the dataset when that was moved.

        Raises `InputError` for what no path can be.
        """
        told = self.folder / given_path(sample.audio_path, "audio_path")
        beside = self.folder / sample.filename
        return beside if not is_file(told) and is_file(beside) else told

    def changed(self, song: str | int, **values: Any) -> Dataset:
        """The dataset with other values for one song, named by its file or its place; it counts as labelled then.

        An instrumental song loses its lyrics. Raises `InputError` for a file that it does not have, or values
        that a song cannot have.
        """
        names = [sample.filename for sample in self.samples]
        if song not in (*names, *range(len(names))):
            raise InputError(field="filename", value=song, allowed=f"one of {', '.join(names)}")
        at = names.index(song) if isinstance(song, str) else song
        sample = replace(self.samples[at], **{"labeled": True, **values})
        if sample.is_instrumental:
            sample = replace(sample, lyrics=INSTRUMENTAL)
        if sample.prompt_override not in (None, *OVERRIDES):
            allowed = f"{' or '.join(OVERRIDES)}, or None"
            raise InputError(field="prompt_override", value=sample.prompt_override, allowed=allowed)
        sample.song(sample.caption)
        return replace(self, samples=(*self.samples[:at], sample, *self.samples[at + 1 :]))

    def told(self, **settings: Any) -> Dataset:
        """The dataset with other settings, such as `custom_tag` or `all_instrumental`, for every song of it."""
        new = replace(self, **settings)
        samples = []
        for sample in new.samples:
            if "all_instrumental" in settings and not sample.raw_lyrics:
                instrumental = new.all_instrumental
                sample = replace(sample, is_instrumental=instrumental, language=UNKNOWN)
                sample = replace(sample, lyrics=INSTRUMENTAL) if instrumental else sample
            samples.append(replace(sample, custom_tag=new.custom_tag))
        return replace(new, samples=tuple(samples))

    def to_dict(self) -> dict[str, Any]:
        """The dataset as the exchanged JSON."""
        names = ("name", "custom_tag", "tag_position", "created_at", "all_instrumental", "genre_ratio")
        metadata = {name: getattr(self, name) for name in names}
        samples = [
            {item.name: getattr(sample, item.name) for item in fields(Sample)} for sample in self.samples
        ]
        return {"metadata": {**metadata, "num_samples": len(samples)}, "samples": samples}

    def save(self, path: str | Path) -> Path:
        """Write the exchanged JSON; the file is whole or what it was before."""
        if not self.samples:
            raise InputError("the dataset has no songs", field="dataset", value=self.name)
        target = given_path(path, "dataset")
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n"
        with disk_errors(target, "dataset"):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(target, json_bytes(text))
        return target

    @classmethod
    def scan(cls, folder: str | Path, **settings: Any) -> Dataset:
        """The songs in a folder and the folders in it, with lyrics and tables beside them; `scanning.scan`.

        `settings` are fields of the dataset, such as `custom_tag` or `name`. Files that cannot be used are named in
        `problems`. Raises `InputError` for a folder that is missing or holds no sound that can be read.
        """
        from acestep_nb.adapters.scanning import scan

        return scan(folder, **settings)

    @classmethod
    def load(cls, path: str | Path) -> Dataset:
        """The dataset in an exchanged JSON file; unknown keys are passed over, missing ones take their defaults.

        Relative paths of its songs begin in the folder of the file, or where this program runs if the sound is
        there. Raises `InputError` when the file is no such JSON.
        """
        source = given_path(path, "dataset")
        with disk_errors(source, "dataset"):
            data = source.read_bytes()
        try:
            parsed = read_json(data)
            samples = tuple(_sample(item) for item in parsed["samples"])
            metadata = parsed.get("metadata") or {}
            names = {item.name for item in fields(cls)} - {"samples", "folder", "problems"}
            known_values = {key: value for key, value in metadata.items() if key in names}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise InputError(
                f"{source} is not a dataset: {error!r}",
                field="dataset",
                value=str(source),
                allowed="JSON with metadata and samples",
                remedy="Make one of a folder of songs: Dataset.scan(folder).",
            ) from error
        return cls(samples, **known_values, folder=_base(source.parent, samples))


def known(text: str | None) -> str | None:
    """The text, or None where it says that nothing is known."""
    return None if text is None or str(text).strip().lower() in _NO_VALUE else str(text)


def _sample(item: Mapping[str, Any]) -> Sample:
    names = {entry.name for entry in fields(Sample)}
    values = {key: value for key, value in item.items() if key in names}
    values.setdefault("filename", Path(values["audio_path"]).name)
    for name in ("audio_path", "filename"):
        if not isinstance(values[name], str):
            raise TypeError(f"{name} {values[name]!r} is no text")
    values["id"] = str(values.get("id") or values["filename"])
    if values.get("bpm") is not None:
        values["bpm"] = int(float(values["bpm"]))
    return Sample(**values)


def _base(folder: Path, samples: tuple[Sample, ...]) -> Path:
    """Where relative paths begin: beside the JSON, unless only the current folder has the files."""
    relative = [Path(sample.audio_path) for sample in samples if not Path(sample.audio_path).is_absolute()]
    beside = sum(is_file(folder / path) for path in relative)
    return folder if beside >= sum(map(is_file, relative)) else Path()
