import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import takes

from acestep_nb import InputError, PlanOptions, ProjectError, RenderOptions, RepaintOptions, Song
from acestep_nb.params import Params, read_params
from acestep_nb.seeds import Seeds

FULL = {
    **{
        "task_type": "text2music",
        "instruction": "Fill the audio semantic mask based on the given conditions:",
    },
    **{"reference_audio": None, "src_audio": None, "audio_codes": "", "instrumental": False},
    **{"caption": "warm piano ballad", "lyrics": "[Verse]\nstay", "vocal_language": "en", "bpm": 76},
    **{"keyscale": "F# minor", "timesignature": "4", "duration": 30.0, "inference_steps": 8, "seed": 4711},
    **{"guidance_scale": 7.0, "use_adg": False, "cfg_interval_start": 0.0, "cfg_interval_end": 1.0},
    **{"shift": 3.0, "infer_method": "ode", "timesteps": None, "repainting_start": 0.0, "repainting_end": -1},
    **{"audio_cover_strength": 1.0, "thinking": True, "lm_temperature": 0.85, "lm_cfg_scale": 2.0},
    **{"lm_top_k": 0, "lm_top_p": 0.9, "lm_negative_prompt": "NO USER INPUT", "use_cot_metas": True},
    **{"use_cot_caption": True, "use_cot_lyrics": False, "use_cot_language": True},
    **{"use_constrained_decoding": True, "cot_bpm": None, "cot_caption": "x", "enable_normalization": True},
    **{"normalization_db": -1.0, "dcw_enabled": False, "dcw_mode": "double", "fade_in_duration": 0},
}


def read(**record) -> Params:
    return read_params(json.dumps(record))


def test_a_whole_file_of_the_original_is_understood():
    found = read(**FULL)
    song = Song("warm piano ballad", "[Verse]\nstay", "en", 76, "F# minor", "4", 30)
    options = RenderOptions(inference_steps=8, guidance_scale=7, shift=3)
    assert found == Params(song=song, options=options, seeds=(Seeds.of(4711),))


def test_what_is_left_open_stays_open():
    bare = {"bpm": "N/A", "keyscale": "", "timesignature": "N/A", "duration": -1, "vocal_language": "unknown"}
    assert read(caption="x", seed=-1, lyrics="", **bare) == Params(song=Song("x"))
    assert read(bpm=0, duration=0, seed="-1", seeds=[-1, -1]) == Params()


def test_a_task_with_a_source_is_understood():
    found = read(
        task_type="repaint",
        src_audio="/a/b.flac",
        repainting_start=-2,
        repainting_end=8.5,
        repaint_mode="conservative",
        reference_audio="c.mp3",
        seed=[1, 2.0],
        retake_seed=5,
        retake_variance=0.2,
    )
    assert (found.task, found.source, found.reference) == ("repaint", "/a/b.flac", "c.mp3")
    assert found.region == (-2, 8.5) and found.repaint == RepaintOptions("conservative")
    assert [own.noise for own in found.seeds] == [1, 2] and {own.retake for own in found.seeds} == {5}
    assert found.options.retake_variance == 0.2 and found.notes == ()
    assert read(task_type="repaint", repainting_start=3).region == (3, None)
    assert read(task_type="cover-nofsq").quantize is False and read(task_type="cover").quantize


@pytest.mark.parametrize(
    ("task", "sentence", "tracks"),
    [
        ("lego", "Generate the DRUMS track based on the audio context:", ("drums",)),
        ("extract", "Extract the BACKING_VOCALS track from the audio:", ("backing_vocals",)),
        ("complete", "Complete the input track with BASS | DRUMS:", ("bass", "drums")),
        ("complete", "Complete the input track:", ()),
        ("text2music", "Generate the DRUMS track based on the audio context:", ()),
    ],
)
def test_tracks_stand_in_the_instruction(task, sentence, tracks):
    found = read(task_type=task, instruction=sentence)
    assert found.tracks == tracks and found.notes == () and found.region is None


def test_codes_negative_prompt_and_examples_are_understood():
    assert (
        read(audio_codes="<|audio_code_7|><|audio_code_42|>").codes
        == (7, 42)
        == read(audio_codes=[7, 42]).codes
    )
    assert read(lm_negative_prompt="drums").planning == PlanOptions(negative_prompt="drums")
    found = read(
        think=False, caption="x", language="ja", bpm="92", timesignature=3, instrumental=True, lyrics="la"
    )
    assert found.song == Song("x", "[Instrumental]", "ja", 92, timesignature="3")
    assert found.planning == PlanOptions(thinking=False) and found.notes == ()
    assert read(use_adg=True, sampler_mode="heun", timesteps="0.9, 0.5, 0").options == RenderOptions(
        guidance="adg", sampler="heun", timesteps=(0.9, 0.5)
    )


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"bpm": 12}, ["bpm 12 is left out", "30–300"]),
        ({"duration": 5}, ["duration 5 s became 10 s"]),
        ({"duration": 9000}, ["duration 9000 s became 600 s"]),
        ({"caption": 3}, ["caption 3 is left out", "text"]),
        ({"mood": "blue"}, ["mood 'blue'", "not known"]),
        ({"task_type": "remix"}, ["task_type 'remix'", "text2music"]),
        ({"seed": "x"}, ["seed 'x'"]),
        ({"seed": 2**40}, ["seed"]),
        ({"timesteps": [0.2, 0.9]}, ["timesteps", "noisy"]),
        ({"shift": "high"}, ["shift 'high'"]),
        ({"thinking": 1}, ["thinking 1"]),
        ({"cfg_interval_start": 0.8, "cfg_interval_end": 0.2}, ["cfg_interval_end 0.2"]),
        ({"sampler_mode": "heun", "infer_method": "sde"}, ["sampler_mode 'heun'"]),
        ({"dcw_enabled": True}, ["dcw_enabled True", "nothing like it"]),
        ({"normalization_db": -3}, ["normalization_db -3"]),
        ({"task_type": "repaint", "repainting_start": 5, "repainting_end": 2}, ["repainting_end 2", "after"]),
        ({"repainting_start": "soon"}, ["repainting_start 'soon'"]),
        ({"task_type": "lego", "instruction": "Generate the KAZOO track"}, ["instruction", "drums"]),
        ({"audio_codes": [1, -2]}, ["audio_codes"]),
    ],
)
def test_what_cannot_be_taken_over_is_told(record, words):
    found = read(**record)
    assert len(found.notes) == 1 and all(word in found.notes[0] for word in words), found.notes
    assert read(**record, lyrics="la").song.lyrics == "la", "the rest is taken over"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_parameter_file_is_refused(text):
    with pytest.raises(InputError, match="parameters cannot be read") as caught:
        read_params(text)
    assert caught.value.field == "params" and caught.value.remedy


SILENT = ("cot_", "dcw_", "flow_edit_", "mp3_")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from([*FULL, "repaint_mode", "retake_seed", "sampler_mode", "seeds"]) | st.text(max_size=5)


@given(st.dictionaries(names.filter(lambda name: name != "schema"), values, max_size=9))
@settings(max_examples=300)
def test_any_object_is_read_or_told(record):
    found = read_params(json.dumps(record))
    told = " ".join(found.notes)
    known = set(FULL) | {
        "repaint_mode",
        "retake_seed",
        "sampler_mode",
        "seeds",
        "use_random_seed",
    }
    assert all(name in told or name.startswith(SILENT) for name in record.keys() - known)
    for field in dataclasses.fields(found):
        assert getattr(found, field.name) is not None or field.default is None


@given(takes)
@settings(max_examples=60)
def test_the_record_of_any_take_of_ours_fills_a_form_too(take):
    found = read_params(take.to_json())
    asked = take.planned and take.planned.asked
    assert (found.song, found.options, found.seeds) == (asked or take.song, take.options, (take.seeds,))
    assert (found.task, found.codes, found.notes) == (take.task, () if asked else take.codes, ())
    assert found.planning == (take.planned.options if take.planned else PlanOptions.nothing())
    if take.edit is not None:
        assert (found.region, found.tracks, found.quantize) == (
            take.edit.region,
            take.edit.tracks,
            take.edit.quantize,
        )


def test_a_damaged_record_of_ours_is_told(make_take):
    record = json.loads(make_take().to_json()) | {"seeds": 3}
    with pytest.raises(ProjectError, match="record of the take") as caught:
        read_params(json.dumps(record))
    assert caught.value.remedy
