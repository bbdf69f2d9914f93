import dataclasses
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import takes

from acestep_nb import InputError, ProjectError, Take
from acestep_nb.seeds import Seeds
from acestep_nb.takes import RECORD, read_take

FIRST = """{"schema": 1, "song": {"caption": "rain", "lyrics": "", "vocal_language": null, "bpm": null,
"keyscale": null, "timesignature": null, "duration": 12.0}, "options": {"inference_steps": 8, "shift": 3.0},
"seed": 7, "task": "text2music", "checkpoint": "nano", "checkpoint_hash": "sha256:0", "dtype": "float32",
"device": "cpu", "versions": {"acestep_nb": "0.1.0"}, "timings": {"render": 0.5},
"created": "2026-01-02T03:04:05+00:00", "parent": null}"""


def test_a_record_of_the_first_schema_still_opens(tmp_path):
    (tmp_path / RECORD).write_text(FIRST)
    take = read_take(tmp_path)
    assert (take.seed, take.seeds, take.task, take.edit) == (7, Seeds.of(7), "text2music", None)
    assert (take.options.inference_steps, take.options.shift) == (8, 3.0)
    assert not take.options.normalize, "it was kept as loud as it came"
    assert take.song.duration == 12 and take.created == "2026-01-02T03:04:05+00:00"
    assert json.loads(take.to_json())["schema"] == 3


def test_a_record_of_the_second_schema_still_opens(tmp_path, make_take):
    record = json.loads(make_take().to_json())
    assert record.pop("adapters") == []
    (tmp_path / RECORD).write_text(json.dumps(record | {"schema": 2}))
    assert read_take(tmp_path).adapters == ()


@pytest.mark.parametrize("wrong", ['"seed": -7', '"seed": "x"', '"tasks": 1, "seed": 7'])
def test_a_damaged_record_of_the_first_schema_is_told(tmp_path, wrong):
    (tmp_path / RECORD).write_text(FIRST.replace('"seed": 7', wrong))
    with pytest.raises(ProjectError, match=RECORD):
        read_take(tmp_path)


@given(takes)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_take_survives_its_record(tmp_path, take):
    folder = tmp_path / "0001_x_s1"
    folder.mkdir(exist_ok=True)
    (folder / RECORD).write_bytes(take.to_json().encode("utf-8"))
    back = read_take(folder)
    assert dataclasses.replace(take, name="0001_x_s1") == back
    assert back.folder == folder


def test_the_record_holds_every_field_that_made_the_take(make_take):
    record = json.loads(make_take().to_json())
    apart = {"name", "folder", "audio", "latents"}
    assert set(record) == {field.name for field in dataclasses.fields(Take)} - apart | {"schema"}
    assert set(record["song"]) == {field.name for field in dataclasses.fields(type(make_take().song))}


def test_sound_is_read_when_it_is_asked_for(tmp_path, make_take):
    take = make_take(seconds=0.5)
    for name, data in take.files().items():
        (tmp_path / name).write_bytes(data)
    back = read_take(tmp_path)
    assert "audio" not in vars(back) and back.duration == 0.5 and "audio" not in vars(back)
    np.testing.assert_allclose(back.audio.samples, take.audio.samples, atol=2**-23)
    assert back.audio is back.audio
    np.testing.assert_array_equal(back.latents, take.latents)
    np.testing.assert_array_equal(back.peaks, take.peaks)


def test_a_player_is_sent_the_kept_file(tmp_path, make_take):
    take = make_take()
    assert take.flac_bytes() == take.audio.flac_bytes()
    for name, data in take.files().items():
        (tmp_path / name).write_bytes(data)
    assert read_take(tmp_path).flac_bytes() == (tmp_path / "audio.flac").read_bytes()


def test_peaks_are_found_again_from_the_sound(tmp_path, make_take):
    take = make_take()
    for name, data in take.files().items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "peaks.npy").write_bytes(b"not peaks")
    np.testing.assert_allclose(read_take(tmp_path).peaks, take.peaks, atol=2**-23)


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: "{",
        lambda record: "[]",
        lambda record: "[" * 100_000,
        lambda record: json.dumps(record | {"schema": 4}),
        lambda record: json.dumps(record | {"mood": "blue"}),
        lambda record: json.dumps({key: record[key] for key in record if key != "seeds"}),
        lambda record: json.dumps(record | {"song": {"bpm": 12}}),
        lambda record: json.dumps(record | {"song": None}),
        lambda record: json.dumps(record | {"seeds": 7}),
        lambda record: json.dumps(record | {"edit": {"task": "remix", "sources": []}}),
        lambda record: json.dumps(record | {"edit": 3}),
        lambda record: json.dumps(record | {"versions": 3}),
    ],
)
def test_a_damaged_record_is_told(tmp_path, make_take, damage):
    record = json.loads(make_take().to_json())
    (tmp_path / RECORD).write_text(damage(record))
    with pytest.raises(ProjectError, match=RECORD) as caught:
        read_take(tmp_path)
    assert caught.value.remedy


def test_damaged_sound_and_latents_are_told(tmp_path, make_take):
    for name, data in make_take().files().items():
        (tmp_path / name).write_bytes(data if name == RECORD else b"nothing")
    with pytest.raises(InputError, match="sound file"):
        _ = read_take(tmp_path).audio
    with pytest.raises(InputError, match="sound file"):
        _ = read_take(tmp_path).duration
    with pytest.raises(ProjectError, match="latents"):
        _ = read_take(tmp_path).latents


def test_a_take_without_sound_says_so(make_take):
    record = {field.name: getattr(make_take(), field.name) for field in dataclasses.fields(Take)}
    with pytest.raises(ProjectError, match="no audio"):
        _ = Take(**{name: value for name, value in record.items() if name != "audio"}).audio


def test_a_take_is_frozen_and_its_seed_checked(make_take):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_take().seed = 8
    with pytest.raises(InputError, match="seeds"):
        make_take(seed=-1)
    assert "seed 7" in repr(make_take())
