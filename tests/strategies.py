"""Random songs, options and takes for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from acestep_nb import Audio, RenderOptions, Song, Take
from acestep_nb.knobs import knob, knobs
from acestep_nb.seeds import MAX_SEED

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
maybe_number = {
    name: st.none() | st.integers(int(knob(Song, name).minimum), int(knob(Song, name).maximum))
    for name in ("bpm", "duration")
}
songs = st.builds(
    Song,
    caption=words,
    lyrics=words,
    vocal_language=st.none() | st.sampled_from(knob(Song, "vocal_language").choices),
    bpm=maybe_number["bpm"],
    keyscale=st.none() | st.sampled_from(knob(Song, "keyscale").choices),
    timesignature=st.none() | st.sampled_from(knob(Song, "timesignature").choices),
    duration=maybe_number["duration"] | st.floats(10, 600),
)


def _setting(name: str) -> st.SearchStrategy[object]:
    """Any value that one knob of the options allows."""
    rule = knob(RenderOptions, name)
    numbers = st.floats(rule.minimum, rule.maximum) if rule.minimum is not None else st.nothing()
    if rule.choices:
        allowed = st.sampled_from(rule.choices)
    elif rule.switch:
        allowed = st.booleans()
    elif rule.max_items:
        allowed = st.lists(numbers, unique=True, max_size=30).map(lambda given: sorted(given, reverse=True))
    elif rule.step == 1:
        allowed = st.integers(rule.minimum, rule.maximum)
    else:
        allowed = numbers
    return st.none() | allowed if rule.optional else allowed


def _agreed(values: dict[str, object]) -> RenderOptions:
    """The options, where two knobs contradict each other one of them turned."""
    start, end = sorted([values["cfg_interval_start"], values["cfg_interval_end"]])
    method = "ode" if values["sampler"] == "heun" else values["infer_method"]
    return RenderOptions(
        **values | {"cfg_interval_start": start, "cfg_interval_end": end, "infer_method": method}
    )


options = st.fixed_dictionaries({name: _setting(name) for name in knobs(RenderOptions)}).map(_agreed)
takes = st.builds(
    Take,
    song=songs,
    options=options,
    seed=st.integers(0, MAX_SEED),
    task=st.sampled_from(["text2music", "cover"]),
    checkpoint=words,
    checkpoint_hash=words,
    dtype=st.sampled_from(["float32", "bfloat16"]),
    device=words,
    versions=st.dictionaries(words, words, max_size=4),
    timings=st.dictionaries(words, st.floats(0, 1e6), max_size=4),
    parent=st.none() | words,
    audio=st.just(Audio(np.zeros((2, 1920), np.float32), 48_000)),
    latents=st.just(np.zeros((1, 64), np.float32)),
)
