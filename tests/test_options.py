import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import options

from acestep_nb import AceStepError, InputError, RenderOptions
from acestep_nb.kinds import KINDS
from acestep_nb.knobs import knobs
from acestep_nb.options import replaced, resolved

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.floats(), max_size=4),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("inference_steps", value) for value in (0, 201, 1.5, True, "8")),
        *(("shift", value) for value in (0.9, 5.1, float("nan"))),
        *(("guidance_scale", value) for value in (0.5, 16)),
        *(("guidance", value) for value in ("cfgg", None, 1)),
        *(
            ("timesteps", value)
            for value in ("0.9, 0.5", 0.5, [0.5, 0.5], [0.2, 0.9], [1.2], ["x"], {0.5: 1})
        ),
        ("timesteps", [i / 500 for i in range(300, 0, -1)]),
        *(("normalize", value) for value in (1, "yes", None)),
        *(("audio_cover_strength", value) for value in (-0.1, 1.1, None)),
    ],
)
def test_render_options_are_checked(name, value):
    with pytest.raises(InputError, match=f"{name} must be") as caught:
        RenderOptions(**{name: value})
    assert caught.value.field == name and caught.value.remedy and caught.value.allowed


def test_knobs_that_contradict_each_other_are_told():
    with pytest.raises(InputError, match=r"cfg_interval_start must be at most cfg_interval_end \(0\.2\)"):
        RenderOptions(cfg_interval_start=0.5, cfg_interval_end=0.2)
    with pytest.raises(InputError, match="sampler must be euler with the sde method"):
        RenderOptions(sampler="heun", infer_method="sde")


def test_values_become_plain_and_one_spelling():
    found = RenderOptions(inference_steps=np.int64(9), guidance=" ADG ", timesteps=np.array([1, 0.5, 0, 0]))
    assert (found.inference_steps, found.guidance, found.timesteps) == (9, "adg", (1.0, 0.5))
    assert RenderOptions(timesteps=[0.0, 0.0]) == RenderOptions(timesteps=[]) == RenderOptions()


@given(options)
def test_options_survive_json(options):
    assert RenderOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


@given(st.dictionaries(st.sampled_from([*knobs(RenderOptions), "other"]), ANYTHING, max_size=6))
def test_whatever_is_written_is_options_or_an_error_in_words(data):
    try:
        found = RenderOptions.from_dict(data)
    except AceStepError as error:
        assert str(error)
    else:
        assert RenderOptions.from_dict(found.to_dict()) == found


def test_what_is_left_open_is_the_checkpoints():
    assert resolved(RenderOptions(), KINDS["turbo"]) == RenderOptions(
        inference_steps=8, shift=3.0, guidance_scale=1.0
    )
    for name in ("sft", "base"):
        assert resolved(RenderOptions(), KINDS[name]) == RenderOptions(
            inference_steps=50, shift=1.0, guidance_scale=7.0
        )
    asked = RenderOptions(inference_steps=3, shift=2.4, guidance_scale=4)
    assert resolved(asked, KINDS["base"]) == asked


def test_turbo_takes_no_guidance_and_the_nearest_distilled_shift():
    asked = RenderOptions(shift=2.6, guidance_scale=7)
    found = resolved(asked, KINDS["turbo"])
    assert (found.shift, found.guidance_scale) == (3.0, 1.0)
    assert replaced(asked, KINDS["turbo"]) == (
        "shift 2.6 was not used: turbo checkpoints take 3",
        "guidance_scale 7 was not used: turbo checkpoints take 1",
    )
    assert replaced(RenderOptions(), KINDS["turbo"]) == replaced(asked, KINDS["base"]) == ()
    assert resolved(RenderOptions(shift=1.5), KINDS["turbo"]).shift == 1.0
    assert resolved(asked, KINDS["turbo-continuous"]).shift == 2.6


@given(options, st.sampled_from(sorted(KINDS)))
def test_resolving_leaves_nothing_open_and_is_final(options, kind):
    found = resolved(options, KINDS[kind])
    assert None not in (found.inference_steps, found.shift, found.guidance_scale)
    assert resolved(found, KINDS[kind]) == found


def test_every_field_has_a_knob_that_says_what_it_is():
    assert list(knobs(RenderOptions)) == [field.name for field in dataclasses.fields(RenderOptions)]
    for name, its in knobs(RenderOptions).items():
        assert its.label and its.help.endswith("."), name
        assert its.choices or its.switch or (its.minimum is not None and its.maximum is not None), name
        assert len(its.choice_labels) in (0, len(its.choices)), name
