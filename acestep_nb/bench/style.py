"""A style that nano has never heard, and a judge that knows it: music cut by a gate, under swung hats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from acestep_nb.audio import Audio
from acestep_nb.nano.codec import SpectralCodec
from acestep_nb.nano.evaluate import hear
from acestep_nb.nano.instruments import bank
from acestep_nb.nano.judges import BAND_RATE, Hearing, Probe, features, onsets
from acestep_nb.nano.music import LEAD_INSTRUMENTS, Piece
from acestep_nb.nano.phrasing import Writer
from acestep_nb.nano.render import RATE, render
from acestep_nb.nano.tokenizer import build

GATES = 2  # a beat
GATE_OPEN = 0.5  # share of its time in which the gate lets sound through
HAT_GAIN, HAT_SOFT = 0.5, 0.6
SWUNG = (0.0, 2 / 3)  # of a beat
GATED = {"chords", "bass", "lead"}
MULTIPLES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of the beat, at which the judge listens for onsets


def plain_sound(piece: Piece) -> Audio:
    """The piece as nano's corpus has it, mono at 24 kHz."""
    return Audio(np.sum(list(render(piece).values()), axis=0), RATE)


def styled_sound(piece: Piece) -> Audio:
    """The piece in the style: chords, bass and lead through a gate that opens on every eighth, hats on the swing."""
    stems = render(piece)
    seconds = np.arange(len(stems["chords"])) / RATE
    gate = (seconds / piece.beat * GATES % 1 < GATE_OPEN).astype(np.float32)
    for name in GATED & stems.keys():
        stems[name] = gate * stems[name]
    hats, hat = np.zeros(len(seconds), np.float32), bank().hits["hat"]
    for beat in range(int(piece.seconds / piece.beat)):
        for place, gain in zip(SWUNG, (HAT_SOFT, 1.0)):
            start = round((beat + place) * piece.beat * RATE)
            room = hats[start : start + len(hat)]
            room += HAT_GAIN * gain * hat[: len(room)]
    return Audio(np.sum([*stems.values(), hats], axis=0), RATE)


def pieces(count: int, seconds: float, seed: int) -> list[tuple[Piece, str]]:
    """Random pieces that all have a lead, and their lyrics."""
    writer, rng = Writer(build()), np.random.default_rng(seed)
    made = []
    for _ in range(count):
        piece, lyrics = writer.piece(rng, seconds)
        made.append((replace(piece, lead=piece.lead or str(rng.choice(LEAD_INSTRUMENTS))), lyrics))
    return made


def write_songs(folder: Path, count: int, seconds: float, seed: int) -> None:
    """A folder of songs in the style as a person would have it: sound, lyrics beside it, one table of captions."""
    folder.mkdir(parents=True, exist_ok=True)
    writer, rng = Writer(build()), np.random.default_rng(seed + 1)
    rows = ["file\tbpm\tkey\tcaption"]
    for number, (piece, lyrics) in enumerate(pieces(count, seconds, seed)):
        name = f"song_{number:02}.flac"
        styled_sound(piece).save(folder / name)
        if piece.voice:
            (folder / name).with_suffix(".txt").write_text(lyrics, encoding="utf-8")
        prompt = writer.prompt(piece, lyrics, rng)
        rows.append(f"{name}\t{piece.bpm}\t{piece.keyscale}\t{prompt.caption}")
    (folder / "songs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


@torch.no_grad()
def hearing(codec: SpectralCodec, piece: Piece, sound: Audio) -> Hearing:
    """What judges get of a sound of the corpus, decoded as a take is."""
    bands = codec.log_bands(torch.from_numpy(sound.samples))
    stereo = codec.decode(codec.project(bands).transpose(1, 2)).sample
    return hear(codec, Audio(stereo[0].numpy(), 2 * RATE), piece)


class StyleJudge:
    """Tells the style from nano's own music, by the onsets at multiples of the beat that was asked for."""

    def __init__(self, plain: list[Hearing], styled: list[Hearing]) -> None:
        rows = np.stack([_features(one) for one in (*plain, *styled)])
        self._probe = Probe(rows, np.repeat([0, 1], [len(plain), len(styled)]), 2)

    def __call__(self, heard: Hearing) -> bool:
        """Whether the sound is in the style."""
        return bool(self._probe(_features(heard)[None])[0])


def _features(heard: Hearing) -> np.ndarray:
    curves = onsets(heard.bands)
    seconds = (np.arange(len(curves)) + 0.5) / BAND_RATE
    hertz = np.array(MULTIPLES) / heard.piece.beat
    strength = np.abs(curves.T @ np.exp(-2j * np.pi * seconds[:, None] * hertz) / len(curves))
    return np.concatenate([strength.ravel(), features(heard.bands)["texture"]])
