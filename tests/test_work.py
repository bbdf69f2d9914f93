"""What a press of Generate asks: one value that is carried out, written as a script, and read from a take."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import options, songs

import acestep_nb
from acestep_nb import History, InputError, PlanOptions, RenderOptions, RepaintOptions, Seeds, Song
from acestep_nb.edits import TRACKS
from acestep_nb.kinds import TASKS
from acestep_nb.work import Work

WORDS = Song(caption="rainy night", lyrics="[Verse]\nla la la", bpm=76, duration=10)
SOURCE = "/music/a song.flac"
numbers = st.integers(0, 2**32 - 1)
seeds = st.lists(numbers.map(Seeds.of) | st.builds(Seeds, *[numbers] * 5), min_size=1, max_size=8).map(tuple)
OWN = {
    "text2music": {
        "planning": st.none() | st.builds(PlanOptions, thinking=st.booleans(), temperature=st.floats(0, 2)),
        "codes": st.lists(st.integers(0, 63_999), max_size=9).map(tuple),
    },
    "cover": {"quantize": st.booleans()},
    "repaint": {
        "region": st.tuples(st.floats(-5, 5), st.floats(6, 60)),
        "repaint": st.none() | st.builds(RepaintOptions, repaint_strength=st.floats(0, 1)),
        "context": st.none() | st.integers(1, 240),
    },
    "lego": {
        "tracks": st.sampled_from(TRACKS).map(lambda track: (track,)),
        "region": st.none() | st.just((1.0, 4.5)),
    },
    "extract": {"tracks": st.sampled_from(TRACKS).map(lambda track: (track,))},
    "complete": {"tracks": st.lists(st.sampled_from(TRACKS), unique=True).map(tuple)},
}


def _works(task: str) -> st.SearchStrategy[Work]:
    source = st.none() if task == "text2music" else st.just(SOURCE)
    wordy = songs.map(lambda song: replace(song, caption=song.caption or "x"))
    wordy = wordy.filter(lambda song: song.caption.strip() or song.lyrics.strip())
    return st.builds(
        Work,
        task=st.just(task),
        song=wordy,
        seeds=seeds,
        options=st.just(RenderOptions()) | options,
        source=source,
        reference=st.none() | st.just("piano.wav"),
        **OWN[task],
    )


works = st.sampled_from(TASKS).flatmap(_works)


class Heard:
    """An engine that only notes what it is asked."""

    def __init__(self, **loaded: object) -> None:
        self.loaded, self.asked = loaded, None

    def __getattr__(self, verb: str):
        def note(*given: object, **named: object) -> list[str]:
            self.asked = (verb, given, named)
            return ["take"]

        return note


def run(script: str) -> Heard:
    """The engine of the script, after it ran."""
    engines = []

    class Engine:
        @classmethod
        def load(cls, name: str, **more: object) -> Heard:
            engines.append(Heard(name=name, **more))
            return engines[0]

    stage = SimpleNamespace(**{**vars(acestep_nb), "Engine": Engine, "Player": list})
    for name in ("PlanOptions", "RepaintOptions", "Seeds", "Song", "RenderOptions", "History"):
        setattr(stage, name, getattr(acestep_nb, name))
    known, sys.modules["acestep_nb"] = sys.modules["acestep_nb"], stage
    try:
        exec(compile(script, "panel", "exec"), {})
    finally:
        sys.modules["acestep_nb"] = known
    return engines[0]


def text2music(**more: object) -> Work:
    return Work(**{"song": WORDS, "seeds": (Seeds.of(7),), **more})


@given(work=works)
@example(work=text2music(song=Song(caption='"""', lyrics='a\\\n"""\n')))
@example(work=text2music(song=Song(caption="x", lyrics='ends with "\n[Verse]\\n "')))
@example(work=text2music(song=Song(caption="\x00\u2028", lyrics="שלום\n😀\u202e\n")))
def test_the_script_asks_for_what_is_carried_out(work):
    engine = Heard()
    work.carry_out(engine)
    script = work.script("nano", planner="C:\\lm")
    written = run(script)
    assert written.asked == engine.asked and written.loaded == {"name": "nano", "planner": "C:\\lm"}
    assert max(script.count(f"import {name}") for name in ("Engine", "Player")) <= 1


def test_a_script_reads_well():
    work = text2music(
        song=Song(caption="rain", lyrics="[Verse]\nla la", bpm=76), seeds=(Seeds.of(7), Seeds.of(8))
    )
    assert work.script("nano") == (
        "from acestep_nb import Engine, Player, Song\n"
        "\n"
        "song = Song(\n"
        '    caption="rain",\n'
        '    lyrics="""[Verse]\nla la""",\n'
        "    bpm=76,\n"
        ")\n"
        'engine = Engine.load("nano")\n'
        "takes = engine.generate(song, seeds=[7, 8])\n"
        "Player(takes)"
    )
    work = Work(
        song=Song(caption="rain"),
        seeds=(replace(Seeds.of(7), retake=3),),
        task="repaint",
        source=SOURCE,
        region=(1, 4.5),
        options=RenderOptions(retake_variance=0.5),
    )
    assert work.script("nano").splitlines() == [
        "from acestep_nb import Engine, Player, RenderOptions, Seeds, Song",
        "",
        f'source = "{SOURCE}"',
        'song = Song(caption="rain")',
        "seeds = [",
        f"    Seeds(noise=7, retake=3, sde={work.seeds[0].sde}, "
        f"reference={work.seeds[0].reference}, planner={work.seeds[0].planner}),",
        "]",
        "options = RenderOptions(retake_variance=0.5)",
        'engine = Engine.load("nano")',
        "takes = engine.repaint(source, song, (1.0, 4.5), seeds=seeds, options=options)",
        "Player(takes)",
    ]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"song": Song()}, "caption"),
        ({"task": "sing"}, "task"),
        ({"task": "cover"}, "source"),
        ({"task": "repaint", "source": SOURCE}, "region"),
        ({"task": "repaint", "source": SOURCE, "region": (3, 1)}, "region"),
        ({"task": "lego", "source": SOURCE}, "tracks"),
        ({"task": "extract", "source": SOURCE, "tracks": ("bass", "drums")}, "tracks"),
        ({"task": "complete", "source": SOURCE, "tracks": ("tuba",)}, "tracks"),
    ],
)
def test_what_a_task_lacks_is_told(more, field):
    with pytest.raises(InputError) as caught:
        text2music(**more)
    assert caught.value.field == field and caught.value.remedy


def test_a_sound_that_no_script_can_name_is_told(make_take):
    for source in (make_take(), make_take().audio):
        with pytest.raises(InputError) as caught:
            text2music(task="cover", source=source).script("nano")
        assert caught.value.field == "source" and caught.value.remedy


MADE = {
    "text2music": {},
    "cover": {"quantize": False},
    "repaint": {"region": (2.0, 13.0), "repaint": RepaintOptions("conservative"), "context": 3, "step": 3},
    "lego": {"tracks": ("drums",), "region": (2.0, 6.0)},
    "extract": {"tracks": ("vocals",)},
    "complete": {"tracks": ("drums", "bass")},
}


@pytest.mark.parametrize("task", TASKS)
def test_a_take_tells_the_work_that_makes_it_again(task, tiny_engine, tmp_path, monkeypatch):
    monkeypatch.setattr(type(tiny_engine), "kind", replace(tiny_engine.kind, tasks=TASKS))
    history = History(tmp_path)
    short = RenderOptions(inference_steps=2, infer_method="sde")
    (first,) = text2music(options=short).carry_out(tiny_engine)
    source = None if task == "text2music" else history.add(first)
    work = text2music(
        task=task, source=source, options=short, seeds=(replace(Seeds.of(7), sde=3),), **MADE[task]
    )
    (made,) = work.carry_out(tiny_engine)
    kept = history.add(made)
    again = Work.of(kept, source)
    (second,) = again.carry_out(tiny_engine)
    assert np.array_equal(second.latents, kept.latents) and second.edit == kept.edit
    assert (again.task, again.seeds, again.region) == (task, work.seeds, work.region)


def test_a_stitched_take_has_two_sources(tiny_engine):
    (take,) = text2music(options=RenderOptions(inference_steps=1)).carry_out(tiny_engine)
    (both,) = tiny_engine.stitch(take, take, seeds=[1], options=RenderOptions(inference_steps=1))
    with pytest.raises(InputError, match="stitched"):
        Work.of(both, take)
