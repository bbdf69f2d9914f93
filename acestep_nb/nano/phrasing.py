"""Draws pieces at random and says in words what they are: caption, lyrics and metas of the corpus.

A caption may stay silent about whatever the genre decides by itself; everything else is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from transformers import PreTrainedTokenizerFast

from acestep_nb.languages import LANGUAGES
from acestep_nb.nano.lexicon import CONCEPTS
from acestep_nb.nano.music import (
    CHORD_INSTRUMENTS,
    DEFAULT_KEY,
    FAST_BPM,
    GENRES,
    HABITS,
    LEAD_INSTRUMENTS,
    MODES,
    NOTES,
    SLOW_BPM,
    TEMPI,
    VOICES,
    Piece,
)
from acestep_nb.nano.tokenizer import classes, lyric_slots, syllables
from acestep_nb.renderer.prompts import lyric_prompt

TAGS = ("[Verse]", "[Verse 1]", "[Verse 2]", "[Chorus]", "[Bridge]", "[Pre-Chorus]", "[Intro - piano]",
        "[Chorus - powerful]", "[Bridge - whispered]", "[Outro]", "[Final Chorus]")  # fmt: skip
FILLERS = ("a", "the", "with", "and", "song", "track", "music", "piece", "beat", "solo", "melody", "vocals",
           "warm", "intimate", "atmosphere", "building to", "powerful", "chorus", "soft", "dreamy", "epic",
           "cinematic", "polished", "catchy", "in the style of", "reminiscent of", "80s", "textured",
           "lush")  # fmt: skip
SUNG_WORDS = (
    "rock", "house", "soul", "dance", "happy", "dark", "man", "slow", "fast", "bright", "sad", "drum",
)  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """What is asked for a piece, as a person would write it; None is left to the model."""

    caption: str
    lyrics: str
    vocal_language: str
    bpm: int | None
    keyscale: str | None
    timesignature: str | None


class Writer:
    """Writes pieces and their prompts; knows the tokenizer, because one lyric token is one beat."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.classes = classes(tokenizer)

    def tokens(self, text: str) -> list[int]:
        """Token classes of `text`."""
        return [int(c) for c in self.classes[self.tokenizer(text)["input_ids"]]]

    def piece(self, rng: np.random.Generator, seconds: float, sings: bool | None = None) -> tuple[Piece, str]:
        """A random piece of `seconds` and its lyrics."""
        genre = str(rng.choice(GENRES))
        habits = HABITS[genre]
        mode = str(rng.choice(MODES))
        key = DEFAULT_KEY[mode] if rng.random() < 0.2 else int(rng.integers(len(NOTES)))
        usual = rng.random() < 0.2
        tempo = TEMPI[rng.integers(len(TEMPI))] * rng.uniform(0.98, 1.02)
        bpm = int(rng.choice((habits.bpm, habits.bpm, SLOW_BPM, FAST_BPM))) if usual else round(tempo)
        voiced = bool(rng.random() < 0.55) if sings is None else sings
        lyrics = self.lyrics(rng, int(seconds * bpm / 60)) if voiced else "[Instrumental]"
        slots = lyric_slots(self.tokens(lyric_prompt(lyrics, "en")))
        piece = Piece(
            genre=genre, bpm=bpm, key=key, mode=mode,
            drums=_usually(habits.rhythm_section, rng), bass=_usually(habits.rhythm_section, rng),
            chords=habits.chords if rng.random() < 0.25 else str(rng.choice(CHORD_INSTRUMENTS)),
            lead=str(rng.choice(LEAD_INSTRUMENTS)) if rng.random() < (0.35 if voiced else 0.6) else None,
            voice=str(rng.choice(VOICES)) if voiced else None,
            slots=slots if voiced else (), seconds=seconds, seed=int(rng.integers(1 << 31)),
        )  # fmt: skip
        return piece, lyrics

    def lyrics(self, rng: np.random.Generator, beats: int) -> str:
        """Lyrics in one random script: sections of lines, at times shorter or much longer than `beats`."""
        share = rng.choice((rng.uniform(0.4, 1.0), 1.1, rng.uniform(1.2, 2.5)), p=(0.3, 0.5, 0.2))
        wanted, pool = int(beats * share) + 4, _pools()[int(rng.integers(len(_pools())))]
        sections: list[str] = []
        while wanted > 0:
            tagged = rng.random() < 0.6
            lines = [self._line(rng, pool, int(rng.integers(3, 10))) for _ in range(int(rng.integers(1, 5)))]
            sections.append("\n".join([str(rng.choice(TAGS))] * tagged + lines))
            if rng.random() < 0.1:
                sections.append(str(rng.choice(TAGS)))
            wanted -= sum(len(line.split()) + 1 for line in lines) + 2
        return "\n\n".join(sections)

    def _line(self, rng: np.random.Generator, pool: list[list[str]], length: int) -> str:
        words = []
        for _ in range(length):
            if rng.random() < 0.03:
                words.append(str(rng.choice(SUNG_WORDS)))
            else:
                sounds = pool[int(rng.integers(len(pool)))]
                words.append(sounds[int(rng.integers(len(sounds)))])
        return " ".join(words)

    def prompt(self, piece: Piece, lyrics: str, rng: np.random.Generator) -> Prompt:
        """One of many ways to ask for `piece`."""
        habits, names = HABITS[piece.genre], []
        speed = {habits.bpm: None, SLOW_BPM: "slow", FAST_BPM: "fast"}
        silent_bpm = piece.bpm in speed and rng.random() < 0.7
        silent_key = piece.key == DEFAULT_KEY[piece.mode] and rng.random() < 0.7
        if silent_bpm and speed[piece.bpm]:
            names.append(str(speed[piece.bpm]))
        if (silent_key and piece.mode == "minor") or rng.random() < 0.2:
            names.append(f"{piece.mode} mood")
        if piece.genre != "pop" or rng.random() < 0.6:
            names.append(piece.genre)
        for part, sounds in (("drums", piece.drums), ("bass", piece.bass)):
            if sounds != habits.rhythm_section or rng.random() < 0.6:
                names.append(part if sounds else f"no {part}")
        if piece.chords != habits.chords or rng.random() < 0.6:
            names.append(piece.chords)
        if piece.lead:
            names.append(piece.lead)
        if piece.voice == "male" or (piece.voice and rng.random() < 0.7):
            names.append(str(piece.voice))
        if not piece.voice and rng.random() < 0.5:
            names.append("instrumental")
        return Prompt(
            caption=self._sentence(names, rng), lyrics=lyrics,
            vocal_language=str(rng.choice(tuple(LANGUAGES))),
            bpm=None if silent_bpm else piece.bpm, keyscale=None if silent_key else piece.keyscale,
            timesignature="4" if rng.random() < 0.6 else None,
        )  # fmt: skip

    def _sentence(self, names: list[str], rng: np.random.Generator) -> str:
        words = [str(rng.choice(CONCEPTS[name])) for name in names]
        rng.shuffle(words)
        joints = (", ", ", ", ", ", " and ", " with ")
        text = ""
        for i, word in enumerate(words):
            while rng.random() < 0.3:
                word = f"{rng.choice(FILLERS)} {word}"
            text += str(rng.choice(joints)) * (i > 0) + word
        return text.capitalize() if rng.random() < 0.3 else text


def _usually(habit: bool, rng: np.random.Generator) -> bool:
    return habit if rng.random() < 0.55 else bool(rng.random() < 0.6)


@lru_cache(maxsize=1)
def _pools() -> list[list[list[str]]]:
    """Written syllables of each script, grouped by the sound that they are sung on."""
    scripts = (("a", "z"), ("ぁ", "ヿ"), ("가", "힣"), ("一", "鿿"))
    pools = []
    for first, last in scripts:
        sounds: dict[object, list[str]] = {}
        for text, syllable in syllables().items():
            if first <= text[0] <= last:
                sounds.setdefault(syllable, []).append(text)
        pools.append(list(sounds.values()))
    return pools
