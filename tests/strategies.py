"""Random songs, options and takes for property tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from acestep_nb import Audio, PlanOptions, RenderOptions, Song, Take
from acestep_nb.adapters.uses import AdapterUse
from acestep_nb.edits import EDIT_TASKS, REPAINT_MODES, TRACKS, Edit, RepaintOptions, Source
from acestep_nb.knobs import knob, knobs
from acestep_nb.plans import Planned
from acestep_nb.seeds import MAX_SEED, Seeds

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
sources = st.builds(Source, name=words, sha256=words, duration=st.floats(0.1, 60))


def _edit(task: str, region: tuple[float, float], tracks: list[str], repaint: RepaintOptions, quantize: bool):
    """An edit with what its task takes."""
    taken = {
        "cover": {"quantize": quantize},
        "repaint": {"region": region, "repaint": repaint},
        "lego": {"region": region, "tracks": tracks[:1]},
        "extract": {"tracks": tracks[:1]},
        "complete": {"tracks": tracks},
    }
    how = {name: st.just(value) for name, value in taken[task].items()}
    return st.builds(Edit, task=st.just(task), sources=st.lists(sources, min_size=1, max_size=2), **how)


regions = st.tuples(st.floats(-60, 60), st.floats(0.1, 60)).map(lambda given: (given[0], given[0] + given[1]))
repaints = st.builds(
    RepaintOptions,
    repaint_mode=st.sampled_from(REPAINT_MODES),
    repaint_strength=st.floats(0, 1),
    repaint_latent_crossfade_frames=st.none() | st.integers(0, 250),
    repaint_wav_crossfade_sec=st.none() | st.floats(0, 10),
)
edits = st.tuples(
    st.sampled_from(EDIT_TASKS),
    regions,
    st.lists(st.sampled_from(TRACKS), unique=True, max_size=3),
    repaints,
    st.booleans(),
).flatmap(lambda given: _edit(*given))
seeds = st.builds(Seeds, *[st.integers(0, MAX_SEED)] * 5)
plannings = st.builds(
    PlanOptions,
    thinking=st.booleans(),
    temperature=st.floats(0, 2),
    top_k=st.integers(0, 100),
    negative_prompt=words,
)
planned = st.builds(Planned, words, words, plannings, words, st.none() | songs)
takes = st.builds(
    Take,
    song=songs,
    options=options,
    seeds=seeds,
    edit=st.none() | edits,
    codes=st.lists(st.integers(0, 63_999), max_size=5).map(tuple),
    planned=st.none() | planned,
    reference=st.none() | sources,
    adapters=st.lists(st.builds(AdapterUse, words, st.floats(0, 1), words, words), max_size=2).map(tuple),
    notes=st.lists(words, max_size=2).map(tuple),
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
