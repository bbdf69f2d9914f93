"""Folders of songs become datasets, datasets the exchanged JSON, and what is wrong with them is told."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_nb import Audio, InputError, ProjectError, Song
from acestep_nb.adapters.dataset import INSTRUMENTAL, Dataset, Sample
from acestep_nb.adapters.labelling import label
from acestep_nb.errors import Cancelled

# as other programs write it; `mood` is a key that nobody knows
EXCHANGED = {
    "metadata": {
        "name": "winter",
        "custom_tag": "zyx",
        "tag_position": "append",
        "created_at": "2026-02-03T04:05:06",
        "num_samples": 2,
        "all_instrumental": False,
        "genre_ratio": 50,
        "mood": "blue",
    },
    "samples": [
        {
            "id": "0a1b2c3d",
            "audio_path": "a.wav",
            "filename": "a.wav",
            "caption": "slow piano",
            "genre": "ambient",
            "lyrics": "[Verse]\nsnow",
            "raw_lyrics": "snow",
            "formatted_lyrics": "[Verse]\nsnow",
            "bpm": 70,
            "keyscale": "D minor",
            "timesignature": "3",
            "duration": 31,
            "language": "en",
            "is_instrumental": False,
            "custom_tag": "zyx",
            "labeled": True,
            "prompt_override": "genre",
        },
        {"audio_path": "b.wav"},
    ],
}


def silent_file(path: Path, seconds: float = 6.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return Audio(np.zeros((2, int(48_000 * seconds))), 48_000).save(path)


def test_the_exchanged_json_is_read_and_written_field_for_field(tmp_path):
    (tmp_path / "songs.json").write_text(json.dumps(EXCHANGED))
    dataset = Dataset.load(tmp_path / "songs.json")
    assert dataset.samples[1] == Sample("b.wav", "b.wav", "b.wav")
    written = json.loads(dataset.save(tmp_path / "deep" / "again.json").read_text())
    known = {key: value for key, value in EXCHANGED["metadata"].items() if key != "mood"}
    assert written["metadata"] == known
    assert written["samples"][0] == EXCHANGED["samples"][0]
    assert Dataset.load(tmp_path / "deep" / "again.json") == dataset


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.lists(
        st.builds(
            Sample,
            id=words.filter(bool),
            audio_path=words,
            filename=words,
            caption=words,
            genre=words,
            lyrics=words,
            bpm=st.none() | st.integers(30, 300),
            duration=st.integers(0, 600),
            labeled=st.booleans(),
            prompt_override=st.sampled_from([None, "caption", "genre"]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_dataset_survives_its_file(tmp_path_factory, samples):
    dataset = Dataset(tuple(samples), name="x")
    assert Dataset.load(dataset.save(tmp_path_factory.mktemp("set") / "x.json")) == dataset


def test_a_folder_with_lyrics_tables_and_folders_in_it(tmp_path):
    for name in ("one.wav", "two.FLAC", "inner/three.ogg"):
        silent_file(tmp_path / name) if name != "two.FLAC" else silent_file(tmp_path / "two.flac").rename(
            tmp_path / name
        )
    (tmp_path / "one.txt").write_text("\ufeff[Verse]\r\nhey", "utf-8")
    (tmp_path / "any.csv").write_text(
        "FILE;BPM;Key;Caption\nx/one.wav;92.6;am;soft rock\nthree.ogg;fast;H;\n"
    )
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    dataset = Dataset.scan(tmp_path, custom_tag="zyx", name="mine")
    one, three, two = sorted(dataset.samples, key=lambda sample: sample.filename)
    assert (one.bpm, one.keyscale, one.caption, one.labeled) == (92, "A minor", "soft rock", True)
    assert (
        one.lyrics == one.raw_lyrics
        and not one.is_instrumental
        and one.song("x").lyrics.startswith("[Verse]")
    )
    assert (two.lyrics, two.is_instrumental, two.labeled, two.duration) == (INSTRUMENTAL, True, False, 6)
    assert (three.bpm, three.keyscale) == (None, "")
    assert len(dataset.problems) == 3 and all(sample.custom_tag == "zyx" for sample in dataset.samples)
    assert dataset.path_of(three) == (tmp_path / "inner" / "three.ogg").resolve()
    assert len({sample.id for sample in dataset.samples}) == 3


def test_files_that_are_no_sound_are_told_and_the_rest_goes_on(tmp_path):
    silent_file(tmp_path / "good.wav")
    (tmp_path / "bad.mp3").write_bytes(b"no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    dataset = Dataset.scan(tmp_path)
    assert [sample.filename for sample in dataset.samples] == ["good.wav"]
    assert len(dataset.problems) == 2 and "bad.mp3" in dataset.problems[0]


@pytest.mark.parametrize(
    "sample",
    [{"audio_path": 5}, {"audio_path": "a.wav", "filename": None}, {"audio_path": "a.wav", "bpm": 1e999}],
)
def test_values_of_another_kind_are_no_dataset(tmp_path, sample):
    (tmp_path / "songs.json").write_text(json.dumps({"samples": [sample]}))
    with pytest.raises(InputError, match="is not a dataset"):
        Dataset.load(tmp_path / "songs.json")


@pytest.mark.parametrize("path", ["~no-such-user/a.wav", "a\0b.wav", "a" * 300])
def test_a_path_that_cannot_be_is_told_when_it_is_asked_for(tmp_path, path):
    (tmp_path / "songs.json").write_text(json.dumps({"samples": [{"audio_path": path}]}))
    dataset = Dataset.load(tmp_path / "songs.json")
    with pytest.raises(InputError) as caught:
        dataset.path_of(dataset.samples[0])
    assert caught.value.field == "audio_path"


def test_lyrics_that_are_not_utf_8_are_told(tmp_path):
    silent_file(tmp_path / "good.wav")
    silent_file(tmp_path / "song.wav")
    (tmp_path / "song.txt").write_bytes("élan".encode("latin-1"))
    assert "UTF-8" in Dataset.scan(tmp_path).problems[0]


@pytest.mark.parametrize(
    "make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")]
)
def test_a_folder_without_songs(tmp_path, make):
    make(tmp_path / "songs")
    with pytest.raises(InputError) as caught:
        Dataset.scan(tmp_path / "songs")
    assert caught.value.field == "folder" and caught.value.remedy


def test_a_twenty_minute_file_is_told(tmp_path):
    Audio(np.zeros(1200 * 100), 100).save(tmp_path / "long.wav")
    dataset = Dataset.scan(tmp_path)
    assert dataset.samples[0].duration == 1200 and "first 240 s" in dataset.problems[0]


@pytest.mark.parametrize(
    ("position", "caption", "expected"),
    [
        ("prepend", "slow", "zyx, slow"),
        ("append", "slow", "slow, zyx"),
        ("replace", "slow", "zyx"),
        ("prepend", "", "zyx"),
    ],
)
def test_the_activation_word(position, caption, expected):
    sample = Sample("1", "a.wav", caption=caption, custom_tag="zyx")
    assert Dataset((sample,), tag_position=position).captions == (expected,)
    assert Dataset((replace(sample, custom_tag=""),), tag_position=position).captions == (caption,)


def test_the_genre_ratio_chooses_the_same_songs_every_time():
    samples = tuple(Sample(str(i), f"{i}.wav", caption="c", genre="g") for i in range(10))
    told = Dataset(samples, genre_ratio=30).captions
    assert told.count("g") == 3 and told == Dataset(samples, genre_ratio=30).captions
    own = (replace(samples[0], prompt_override="genre"), *samples[1:])
    assert Dataset(own).captions == ("g", *["c"] * 9)
    assert Dataset((replace(samples[0], genre="", prompt_override="genre"),)).captions == ("c",)


def test_one_song_is_corrected_and_settings_reach_every_song():
    samples = (Sample("1", "a.wav", "a.wav"), Sample("2", "b.wav", "b.wav", raw_lyrics="la", lyrics="la"))
    dataset = Dataset(samples).changed("a.wav", caption="x", bpm=90, lyrics="la", is_instrumental=True)
    assert dataset.samples[0].labeled and dataset.samples[0].lyrics == INSTRUMENTAL
    told = dataset.told(custom_tag="t", all_instrumental=False)
    assert [sample.custom_tag for sample in told.samples] == ["t", "t"]
    assert [sample.is_instrumental for sample in told.samples] == [False, True]
    for name, values in (("c.wav", {}), ("a.wav", {"bpm": 7}), ("a.wav", {"prompt_override": "mood"})):
        with pytest.raises(InputError):
            dataset.changed(name, **values)


def test_the_linter_reads_the_captions():
    busy = Sample("1", "a.wav", "a.wav", caption="nice song, 120 bpm")
    assert any(hint.id == "metas-in-caption" for hint in Dataset((busy,)).hints["a.wav"])


def test_a_dataset_that_was_moved_finds_its_songs(tmp_path):
    silent_file(tmp_path / "old" / "a.wav")
    Dataset.scan(tmp_path / "old").save(tmp_path / "old" / "songs.json")
    (tmp_path / "old").rename(tmp_path / "new")
    dataset = Dataset.load(tmp_path / "new" / "songs.json")
    assert dataset.path_of(dataset.samples[0]).is_file()


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"samples": 3}', '{"samples": [{}]}', '{"samples": [{"audio_path": "a", "bpm": "x"}]}'],
)
def test_a_file_that_is_no_dataset(tmp_path, text):
    (tmp_path / "songs.json").write_text(text)
    with pytest.raises(InputError) as caught:
        Dataset.load(tmp_path / "songs.json")
    assert caught.value.field == "dataset" and caught.value.remedy


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    dataset = Dataset((Sample("1", "a.wav"),))
    before = dataset.save(tmp_path / "songs.json").read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("acestep_nb.files.write_synced", full)
    with pytest.raises(ProjectError, match="free"):
        replace(dataset, name="other").save(tmp_path / "songs.json")
    assert (tmp_path / "songs.json").read_bytes() == before
    with pytest.raises(InputError, match="no songs"):
        Dataset(()).save(tmp_path / "songs.json")


HEARD = Song(
    caption="heard",
    lyrics="[Verse]\nheard",
    vocal_language="ja",
    bpm=99,
    keyscale="C major",
    timesignature="4",
)


def test_labelling_fills_in_what_is_missing_and_nothing_else():
    samples = (
        Sample("1", "a.wav", "a.wav", bpm=70, keyscale="N/A"),
        Sample("2", "b.wav", "b.wav", is_instrumental=False),
        Sample("3", "c.wav", "c.wav", caption="mine", labeled=True),
    )
    told = []
    labelled = label(
        Dataset(samples), lambda path: HEARD, transcribe_lyrics=True, on_song=lambda *p: told.append(p)
    )
    first, second, third = labelled.samples
    assert (first.caption, first.bpm, first.keyscale, first.language) == ("heard", 70, "C major", "unknown")
    assert first.lyrics == INSTRUMENTAL and first.labeled
    assert (second.bpm, second.language, second.lyrics) == (99, "ja", HEARD.lyrics)
    assert third == samples[2] and told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_labelling_puts_lyrics_in_form():
    sample = Sample("1", "a.wav", "a.wav", raw_lyrics="la", lyrics="la", is_instrumental=False)
    formed = label(
        Dataset((sample,)), lambda path: HEARD, lambda song: replace(song, lyrics=f"[Verse]\n{song.lyrics}")
    )
    assert formed.samples[0].lyrics == formed.samples[0].formatted_lyrics == "[Verse]\nla"
    assert formed.samples[0].raw_lyrics == "la"


def test_a_song_that_cannot_be_heard_is_told_and_a_stop_keeps_what_is_done():
    samples = tuple(Sample(name, name, name) for name in "abc")

    def hear(path):
        if path.name == "a":
            raise InputError("too quiet")
        if path.name == "c":
            raise Cancelled("stopped")
        return HEARD

    labelled = label(Dataset(samples), hear)
    assert [sample.labeled for sample in labelled.samples] == [False, True, False]
    assert "too quiet" in labelled.problems[0] and "stopped" in labelled.problems[1]
