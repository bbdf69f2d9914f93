"""Fills in what a dataset does not say about its songs, by listening to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from acestep_nb.adapters.dataset import INSTRUMENTAL, UNKNOWN, Dataset, Sample, known
from acestep_nb.errors import AceStepError, Cancelled
from acestep_nb.song import Song

Hear = Callable[[Path], Song]
"""What a sound is, as a song."""
Form = Callable[[Song], Song]
"""A song with its lyrics put in form."""


def label(
    dataset: Dataset,
    hear: Hear,
    form: Form | None = None,
    *,
    only_unlabeled: bool = True,
    transcribe_lyrics: bool = False,
    on_song: Callable[[int, int], None] = lambda done, songs: None,
) -> Dataset:
    """The dataset with everything filled in that it left open; what it says stays.

    With `transcribe_lyrics` songs that sing and have no words get those that are heard; with `form` lyrics are
    put in form. A song that cannot be heard is named in `problems`, and the others go on. `on_song` hears how
    many are done; when it or the work raises `Cancelled`, the rest stays as it was.
    """
    samples, problems = list(dataset.samples), []
    try:
        for number, sample in enumerate(samples):
            on_song(number, len(samples))
            if only_unlabeled and sample.labeled and sample.caption:
                continue
            try:
                heard = hear(dataset.path_of(sample))
                samples[number] = _in_form(_filled(sample, heard, transcribe_lyrics), form)
            except Cancelled:
                raise
            except AceStepError as error:
                problems.append(f"{sample.filename}: {error}")
        on_song(len(samples), len(samples))
    except Cancelled:
        problems.append("stopped: the songs behind are not labelled")
    return replace(dataset, samples=tuple(samples), problems=(*dataset.problems, *problems))


def _filled(sample: Sample, heard: Song, transcribe_lyrics: bool) -> Sample:
    found: dict[str, Any] = {"labeled": True}
    if not sample.caption:
        found["caption"] = heard.caption
    if sample.bpm is None:
        found["bpm"] = heard.bpm
    if known(sample.keyscale) is None:
        found["keyscale"] = heard.keyscale or ""
    if known(sample.timesignature) is None:
        found["timesignature"] = heard.timesignature or ""
    if sample.language == UNKNOWN and not sample.is_instrumental:
        found["language"] = heard.vocal_language or UNKNOWN
    wordless = not sample.is_instrumental and sample.lyrics in ("", INSTRUMENTAL)
    if transcribe_lyrics and wordless and heard.lyrics.strip():
        found["lyrics"] = heard.lyrics
    return replace(sample, **found)


def _in_form(sample: Sample, form: Form | None) -> Sample:
    """The sample with its own lyrics in form, if it sings any."""
    if form is None or sample.is_instrumental or not sample.raw_lyrics:
        return sample
    formed = form(sample.song(sample.caption)).lyrics
    return replace(sample, lyrics=formed, formatted_lyrics=formed)
