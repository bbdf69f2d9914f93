"""The gallery: one small sound and one picture for each thing that the engine does, for people who only look."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from acestep_nb.audio import Audio
from acestep_nb.charts import spectrograms
from acestep_nb.codes import mix_codes
from acestep_nb.engine import Engine
from acestep_nb.files import disk_errors, given_path, write_atomic
from acestep_nb.song import Song
from acestep_nb.takes import Take

INDEX = "README.md"
_SECONDS = 12
_SQUEEZED = 0.55  # of MP3's qualities 0 (best) to 1: about 130 kbit/s
_SUNG = "[Verse]\nla la lo la\nli la lo\n\n[Chorus]\nna na ne no"
_POP = Song(
    caption="pop, piano, flute, drums, bass, female vocal",
    lyrics=_SUNG,
    bpm=108,
    keyscale="C major",
    duration=_SECONDS,
)
_ROCK = Song(caption="rock, electric guitar, brass, drums, bass, male vocal", lyrics=_SUNG, bpm=108)
_HOUSE = Song(caption="house, synth pads, brass lead, drums, bass", bpm=108, duration=_SECONDS)
_DUO = Song(caption="ballad, piano, flute, no drums", bpm=108, keyscale="C major", duration=_SECONDS)


@dataclass(frozen=True)
class Shown:
    """What stands in the gallery: the sound, and the sounds of its picture by name with a framed region, if any."""

    sound: Audio
    beside: dict[str, Take | Audio]
    region: tuple[float, float] | None = None


@dataclass(frozen=True)
class Exhibit:
    """One entry: its file name, what it is, the notebook that teaches it, and how it is made."""

    name: str
    title: str
    words: str
    notebook: str
    make: Callable[[Engine], Shown]


def _pop(engine: Engine) -> Take:
    """The source of most exhibits; the same every time."""
    return engine.generate(_POP, seeds=[5])[0]


def _text2music(engine: Engine) -> Shown:
    take = _pop(engine)
    return Shown(take.audio, {"take": take})


def _reference(engine: Engine) -> Shown:
    lender = engine.generate(_HOUSE, seeds=[3])[0]
    take = engine.generate(_POP, seeds=[5], reference_audio=lender)[0]
    return Shown(take.audio, {"reference": lender, "take": take})


def _cover(engine: Engine) -> Shown:
    source = _pop(engine)
    take = engine.cover(source, _ROCK, strength=0.8, seeds=[5])[0]
    return Shown(take.audio, {"source": source, "cover": take})


def _repaint(engine: Engine) -> Shown:
    source, region = _pop(engine), (4.0, 8.0)
    take = engine.repaint(source, Song(caption="pop, piano, strings, no drums", bpm=108), region, seeds=[2])[
        0
    ]
    return Shown(take.audio, {"source": source, "4–8 s anew": take}, region)


def _extend(engine: Engine) -> Shown:
    source = _pop(engine)
    take = engine.extend(source, 6, overlap=1, seeds=[2])[0]
    return Shown(take.audio, {"source": source, "gone on": take}, (_SECONDS - 1.0, _SECONDS + 6.0))


def _lego(engine: Engine) -> Shown:
    source = engine.generate(_DUO, seeds=[2])[0]
    drums = engine.lego(source, Song(caption="pop drums, clap", bpm=108), "drums", seeds=[2])[0]
    together = Audio(np.float32(0.5) * (source.audio.samples + drums.audio.samples), source.audio.rate)
    return Shown(together, {"source": source, "drums alone": drums, "together": together})


def _extract(engine: Engine) -> Shown:
    source = _pop(engine)
    take = engine.extract(source, "drums", _POP, seeds=[2])[0]
    return Shown(take.audio, {"source": source, "drums alone": take})


def _complete(engine: Engine) -> Shown:
    voice = engine.extract(_pop(engine), "vocals", _POP, seeds=[2])[0]
    take = engine.complete(voice, _POP, ["drums", "bass", "keyboard"], seeds=[2])[0]
    return Shown(take.audio, {"voice alone": voice, "with a band": take})


def _codes(engine: Engine) -> Shown:
    one, other = _pop(engine), engine.generate(_HOUSE, seeds=[3])[0]
    mixed = mix_codes(engine.codes(one), engine.codes(other), levels=engine.code_levels)
    take = engine.generate(_DUO, codes=mixed, seeds=[2])[0]
    return Shown(take.audio, {"one": one, "other": other, "half of each": take})


EXHIBITS = (
    Exhibit("text2music", "Text to music", f"“{_POP.caption}”, {_POP.bpm} bpm, {_POP.keyscale}, sung syllables.",
            "06_text2music", _text2music),
    Exhibit("reference", "Reference audio", "The same song with the timbre of a house track.",
            "07_cover_and_reference", _reference),
    Exhibit("cover", "Cover", "The outline of the pop song, played as rock.", "07_cover_and_reference", _cover),
    Exhibit("repaint", "Repaint", "Seconds 4 to 8 made anew; outside them the same samples.",
            "08_repaint_extend_stitch", _repaint),
    Exhibit("extend", "Extend", "The song goes on for six seconds.", "08_repaint_extend_stitch", _extend),
    Exhibit("lego", "Lego", "Drums that listen to piano and flute, mixed with them.", "09_lego", _lego),
    Exhibit("extract", "Extract", "The drums of the pop song alone.", "10_extract", _extract),
    Exhibit("complete", "Complete", "A band around the voice of the pop song.", "11_complete", _complete),
    Exhibit("codes", "Codes", "The outlines of two songs mixed half and half, played as a ballad.",
            "12_understand_and_codes", _codes),
)  # fmt: skip


def make_gallery(
    engine: Engine, folder: str | Path, on_progress: Callable[[str], None] | None = None
) -> list[Path]:
    """The files of the gallery: an MP3 and a PNG for each of `EXHIBITS`, and an index that GitHub shows.

    `on_progress` hears the title of each exhibit before it is made. Files that are there are written over; each is
    whole or not there at all. Raises `ProjectError` when the folder cannot be written, and what the verbs raise.
    """
    target = given_path(folder, "folder")
    with disk_errors(target, "folder"):
        target.mkdir(parents=True, exist_ok=True)
    files = []
    for exhibit in EXHIBITS:
        if on_progress is not None:
            on_progress(exhibit.title)
        shown = exhibit.make(engine)
        picture = spectrograms(shown.beside, region=shown.region)._repr_png_()  # type: ignore[attr-defined]
        for ending, data in (("mp3", _mp3(shown.sound)), ("png", picture)):
            files.append(_written(target / f"{exhibit.name}.{ending}", data))
    return [*files, _written(target / INDEX, _index(engine).encode("utf-8"))]


def _mp3(audio: Audio) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        audio.samples.T,
        audio.rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=_SQUEEZED,
    )
    return buffer.getvalue()


def _written(file: Path, data: bytes) -> Path:
    with disk_errors(file, "folder"):
        write_atomic(file, data)
    return file


def _index(engine: Engine) -> str:
    """The page: a part for each exhibit with its picture, and who made all of it."""
    lines = [
        "# Gallery",
        "",
        f"What each task does, made by **{engine.name}** ({engine.checkpoint_hash[:15]}…) with one command,",
        "`acestep-nb gallery`, and not chosen among many. A full-size model sounds far better; what is done to",
        "which sound is the same. Press a title to hear it.",
        "",
    ]
    for exhibit in EXHIBITS:
        lines += [
            f"## [{exhibit.title}]({exhibit.name}.mp3)",
            "",
            f"{exhibit.words} ([notebook](../../notebooks/{exhibit.notebook}.ipynb))",
            "",
            f"[![The sound as a picture]({exhibit.name}.png)]({exhibit.name}.mp3)",
            "",
        ]
    return "\n".join(lines)
