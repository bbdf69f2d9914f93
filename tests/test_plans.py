"""Plans and how they are asked for: checked when made, kept as JSON, changed like any value."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import songs, words

from acestep_nb import InputError, Song
from acestep_nb.knobs import knobs
from acestep_nb.plans import Plan, PlanOptions

options = st.builds(
    PlanOptions,
    thinking=st.booleans(),
    use_cot_metas=st.booleans(),
    use_cot_caption=st.booleans(),
    use_cot_language=st.booleans(),
    temperature=st.floats(0, 2),
    cfg_scale=st.floats(1, 3),
    top_k=st.integers(0, 100),
    top_p=st.floats(0, 1),
    repetition_penalty=st.floats(1, 2),
    negative_prompt=words,
)
plans = st.builds(
    Plan,
    song=songs,
    codes=st.lists(st.integers(0, 63_999), max_size=20),
    text=words,
    seed=st.none() | st.integers(0, 2**32 - 1),
    options=options,
    planner=words,
)


@given(plans)
def test_a_plan_comes_back_from_json(plan):
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan and hash(again) == hash(plan)


@given(options)
def test_options_come_back_from_json(asked):
    assert PlanOptions.from_dict(json.loads(json.dumps(asked.to_dict()))) == asked


def test_a_plan_is_changed_like_any_value():
    plan = Plan(Song("calm piano", bpm=90), codes=range(60))
    assert plan.duration == 12
    shorter = dataclasses.replace(plan, codes=plan.codes[:50], song=dataclasses.replace(plan.song, bpm=120))
    assert (shorter.duration, shorter.song.bpm, shorter.codes[-1]) == (10, 120, 49)


def test_without_codes_the_song_says_how_long():
    assert Plan(Song("a", duration=30)).duration == 30
    assert Plan(Song("a")).duration is None


@pytest.mark.parametrize("codes", [[64_000], [-1], ["la"], "<|audio_code_1|>", None, [1.5]])
def test_a_plan_with_codes_that_are_none(codes):
    with pytest.raises(InputError, match="codes"):
        Plan(Song("a"), codes=codes)


@pytest.mark.parametrize(("field", "value"), [("song", "calm piano"), ("seed", -1), ("seed", 1.5)])
def test_a_plan_of_something_else(field, value):
    with pytest.raises(InputError):
        Plan(**{"song": Song("a"), field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("thinking", 1),
        ("use_cot_metas", None),
        ("temperature", -0.1),
        ("temperature", "hot"),
        ("cfg_scale", 0.5),
        ("cfg_scale", float("nan")),
        ("top_k", 1.5),
        ("top_p", 1.1),
        ("repetition_penalty", 0.9),
        ("negative_prompt", "x" * 513),
        ("negative_prompt", None),
    ],
)
def test_options_out_of_range(field, value):
    with pytest.raises(InputError) as caught:
        PlanOptions(**{field: value})
    assert caught.value.field == field and caught.value.allowed and caught.value.remedy


def test_every_option_says_what_it_does():
    assert list(knobs(PlanOptions)) == [field.name for field in dataclasses.fields(PlanOptions)]
    assert all(knob.label and knob.help and knob.allowed for knob in knobs(PlanOptions).values())


def test_the_defaults_are_the_references():
    asked = PlanOptions()
    assert (asked.temperature, asked.cfg_scale, asked.top_k, asked.top_p) == (0.85, 2.0, 0, 0.9)
