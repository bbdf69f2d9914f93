"""The engine's thinking verbs, on tiny random networks: plans, takes of plans, and what needs a planner."""

import inspect
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from planners import build_planner

from acestep_nb import Audio, Engine, RenderOptions, Song, Take
from acestep_nb.codes import format_codes, mix_codes
from acestep_nb.engine import Progress
from acestep_nb.errors import Cancelled, InputError
from acestep_nb.history import History
from acestep_nb.planner.planner import Planner
from acestep_nb.planning import Planning
from acestep_nb.plans import Plan, PlanOptions
from acestep_nb.seeds import Seeds
from acestep_nb.verbs import Verbs

SONG = Song(caption="calm piano", lyrics="[Verse]\nhello world", duration=10)
QUICK = RenderOptions(inference_steps=2)
BRIEF = PlanOptions(use_cot_caption=False)


@pytest.fixture(scope="module")
def planner_folder(tmp_path_factory):
    return build_planner(tmp_path_factory.mktemp("planners") / "planner")


@pytest.fixture(scope="module")
def engine(tiny_models, planner_folder):
    import torch

    return Engine(tiny_models, Planner.load(planner_folder, torch.device("cpu"), torch.float32))


def sound(seconds=6.0):
    time = np.arange(int(48_000 * seconds)) / 48_000
    return Audio(np.stack([np.sin(440 * time), np.sin(550 * time)]).astype(np.float32) * 0.3, 48_000)


def same(one, other):
    return np.array_equal(one.latents, other.latents) and one.song == other.song and one.codes == other.codes


def test_generate_plans_and_renders(engine):
    takes = engine.generate(SONG, planning=BRIEF, seeds=[1, 2], options=QUICK)
    for take, seed in zip(takes, (1, 2), strict=True):
        assert take.seeds == Seeds.of(seed) and take.seeds.planner != seed
        plan = engine.plan(SONG, seed=take.seeds.planner, options=BRIEF)
        assert (take.plan, take.song, take.codes) == (plan, plan.song, plan.codes)
        assert take.planned.asked == SONG and take.song.bpm and take.duration == 10.0
    assert takes[0].codes != takes[1].codes and takes[0].song != takes[1].song


def test_a_seed_gives_the_same_take_whatever_its_neighbours(engine):
    alone = engine.generate(SONG, planning=BRIEF, seeds=[8], options=QUICK)[0]
    together = engine.generate(SONG, planning=BRIEF, seeds=[7, 8, 9], options=QUICK)
    assert same(alone, together[1]) and not same(alone, together[0])
    other = engine.generate(SONG, planning=BRIEF, seeds=[replace(Seeds.of(8), planner=5)], options=QUICK)[0]
    assert other.seeds.noise == 8 and other.codes != alone.codes


def test_thinking_is_on_when_there_is_a_planner(engine, tiny_engine):
    assert engine.generate(SONG, seeds=[1], options=QUICK)[0].planned.options == PlanOptions()
    plain = tiny_engine.generate(SONG, seeds=[1], options=QUICK)[0]
    assert plain.planned is None and plain.plan == Plan(plain.song)
    off = PlanOptions.nothing()
    assert same(engine.generate(SONG, planning=off, seeds=[1], options=QUICK)[0], plain)


def test_words_alone_may_be_planned(engine):
    take = engine.generate(SONG, planning=replace(BRIEF, thinking=False), seeds=[1], options=QUICK)[0]
    assert take.codes == () and take.song.bpm and take.planned.text


def test_codes_that_are_given_stay(engine):
    codes = tuple(range(60))
    take = engine.generate(
        replace(SONG, duration=None), codes=codes, planning=BRIEF, seeds=[1], options=QUICK
    )[0]
    assert take.codes == codes and take.song.bpm and take.duration == take.song.duration == 12.0


def test_a_plan_is_rendered_as_often_as_wished(engine):
    plan = engine.plan(SONG, seed=3, options=BRIEF)
    one, other = engine.render(plan, seeds=[1, 2], options=QUICK)
    assert one.plan == other.plan == plan and not np.array_equal(one.latents, other.latents)
    assert same(engine.render(plan, seeds=[2], options=QUICK)[0], other)
    assert (one.seeds.noise, one.seeds.planner) == (1, 3)


def test_plans_are_changed_before_they_are_rendered(engine):
    plan = engine.plan(SONG, seed=3, options=BRIEF)
    first = engine.render(plan, seeds=[1], options=QUICK)[0]
    shorter = replace(plan, codes=plan.codes[:30])
    slower = replace(plan, song=replace(plan.song, bpm=60, caption="slow strings"))
    mixed = replace(plan, codes=mix_codes(plan.codes, engine.plan(SONG, seed=4, options=BRIEF).codes))
    for changed, seconds in ((shorter, 6.0), (slower, 10.0), (mixed, 10.0)):
        take = engine.render(changed, seeds=[1], options=QUICK)[0]
        assert take.duration == seconds and take.codes == changed.codes
        assert take.latents.shape != first.latents.shape or not np.array_equal(take.latents, first.latents)
    by_hand = engine.render(Plan(SONG, codes=[1, 2, 3] * 10), seeds=[1], options=QUICK)[0]
    assert by_hand.planned is None and by_hand.duration == 6.0


def test_a_kept_take_knows_its_plan(engine, tmp_path):
    take = engine.generate(SONG, planning=BRIEF, seeds=[1], options=QUICK)[0]
    history = History(tmp_path / "project")
    name = history.add(take).name
    kept = next(found for found in History(tmp_path / "project").takes if found.name == name)
    assert kept.plan == take.plan and kept.seeds == take.seeds
    assert same(engine.render(kept.plan, seeds=[kept.seeds], options=QUICK)[0], take)


def test_songs_are_invented_put_in_form_and_understood(engine):
    song = engine.create_song("a soft love song", vocal_language="ja", seed=5)
    assert song.vocal_language == "ja" and song == engine.create_song(
        "a soft love song", vocal_language="ja", seed=5
    )
    formed = engine.format_song(SONG, seed=5)
    assert formed.duration == 10.0 and formed.caption != SONG.caption
    audio = sound()
    codes = engine.codes(audio)
    assert len(codes) == 30 and codes == engine.codes(audio)
    known = [code % 64 for code in codes]
    assert engine.understand(known, seed=1) == engine.understand(format_codes(known), seed=1)


def test_a_sound_is_understood_by_its_codes(engine, monkeypatch, tmp_path):
    """The tiny tokenizer has only 64 of the codes: they stand in for those of the sound."""
    heard = engine.codes(sound())
    few = tuple(code % 64 for code in heard)
    monkeypatch.setattr(type(engine), "codes", lambda self, audio, cancel=None: few)
    file = tmp_path / "sound.wav"
    sound().save(file)
    expected = engine.understand(few, seed=2)
    assert engine.understand(sound(), seed=2) == expected == engine.understand(file, seed=2)


def test_what_needs_a_planner_says_so(tiny_engine):
    assert tiny_engine.planner is None
    for call in (
        lambda: tiny_engine.plan(SONG),
        lambda: tiny_engine.create_song("x"),
        lambda: tiny_engine.format_song(SONG),
        lambda: tiny_engine.understand([1, 2]),
        lambda: tiny_engine.generate(SONG, planning=PlanOptions()),
    ):
        with pytest.raises(InputError, match="needs a planner") as caught:
            call()
        assert caught.value.field == "planner" and "planner=" in caught.value.remedy


def test_without_a_planner_codes_and_plans_work(tiny_engine):
    codes = tiny_engine.codes(sound())
    assert tiny_engine.render(Plan(SONG, codes), seeds=[1], options=QUICK)[0].codes == codes


def test_a_checkpoint_brings_its_planner(own_checkpoint, planner_folder):
    import shutil

    assert Engine.load(own_checkpoint, device="cpu").planner is None
    assert (
        Engine.load(own_checkpoint, device="cpu", planner=planner_folder).planner
        == planner_folder.parent.name
    )
    shutil.copytree(planner_folder, own_checkpoint / "planner")
    assert Engine.load(own_checkpoint, device="cpu").planner == own_checkpoint.name
    assert Engine.load(own_checkpoint, device="cpu", planner=False).planner is None


def test_progress_in_words(engine):
    told: list[Progress] = []
    engine.generate(SONG, planning=BRIEF, seeds=[1, 2], options=QUICK, on_progress=told.append)
    words = list(dict.fromkeys(map(str, told)))
    assert words[:2] == ["planning the words", "planning 0/50 codes"]
    assert words[51:55] == [
        "planning 50/50 codes",
        "reading the words",
        "rendering take 1 of 2 · step 0/2",
        "rendering take 1 of 2 · step 1/2",
    ]
    assert words[-1] == "decoding take 2 of 2"
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and 0.9 < fractions[-1] <= 1


@pytest.mark.parametrize("at", [0, 1, 20])
def test_a_stop_acts_within_one_token(engine, at):
    cancel, told, reads = threading.Event(), [], []

    def on_progress(progress):
        told.append(progress)
        if progress.stage == "planning" and progress.steps and progress.step == at:
            cancel.set()

    network = engine._planner.network.model
    hook = network.register_forward_pre_hook(lambda *call: reads.append(cancel.is_set()))
    try:
        with pytest.raises(Cancelled):
            engine.generate(
                SONG, planning=BRIEF, seeds=[1, 2], options=QUICK, on_progress=on_progress, cancel=cancel
            )
    finally:
        hook.remove()
    late = sum(reads)
    assert told[-1].step == at and late <= (
        4 if at == 0 else 1
    )  # the prompts are read between words and codes


def test_what_is_refused_is_refused_before_planning(engine):
    told = []
    with pytest.raises(InputError):
        engine.generate(SONG, reference_audio="no such file.wav", on_progress=told.append)
    with pytest.raises(InputError):
        engine.generate(SONG, seeds=[-1], on_progress=told.append)
    assert told == []


def test_an_accelerator_renders_takes_of_different_plans_together(engine, monkeypatch):
    """No accelerator here: the CPU stands in for one, so that the grouping runs."""
    from acestep_nb.renders import Renders

    free = replace(SONG, duration=None)
    options = replace(BRIEF, use_cot_metas=False)
    alone = [engine.generate(free, planning=options, seeds=[seed], options=QUICK)[0] for seed in (3, 4)]
    monkeypatch.setattr(Renders, "together", True)
    takes = engine.generate(free, planning=options, seeds=[3, 4], options=QUICK)
    assert takes[0].duration != takes[1].duration
    for take, own in zip(takes, alone, strict=True):
        assert (take.plan, take.duration, take.latents.shape) == (own.plan, own.duration, own.latents.shape)


def test_stopped_takes_keep_those_that_are_ready(engine):
    cancel, ready = threading.Event(), []

    def on_take(take):
        ready.append(take)
        cancel.set()

    with pytest.raises(Cancelled):
        engine.generate(SONG, planning=BRIEF, seeds=[1, 2], options=QUICK, cancel=cancel, on_take=on_take)
    assert [take.seed for take in ready] == [1]


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.plan(SONG, seed=-1),
        lambda engine: engine.plans(SONG, seeds=[]),
        lambda engine: engine.plans(SONG, seeds=[1] * 9),
        lambda engine: engine.plan(Song()),
        lambda engine: engine.create_song("x" * 5000),
        lambda engine: engine.create_song(7),
        lambda engine: engine.create_song("x", vocal_language="klingon"),
        lambda engine: engine.understand([64_000]),
        lambda engine: engine.understand([]),
        lambda engine: engine.understand("no such file.wav"),
        lambda engine: engine.codes("no such file.wav"),
        lambda engine: engine.generate(SONG, codes=[-1]),
        lambda engine: engine.generate(Song(), planning=BRIEF),
        lambda engine: engine.render(Plan(Song(), codes=[1])),
        lambda engine: engine.render(SONG),
        lambda engine: engine.plan({"caption": "rain"}),
        lambda engine: engine.plan(SONG, options={"thinking": True}),
        lambda engine: engine.format_song(None),
        lambda engine: engine.generate("rain"),
        lambda engine: engine.generate(SONG, options={}),
        lambda engine: engine.generate(SONG, planning=True),
        lambda engine: engine.repaint(sound(), {"caption": "rain"}, (0, 3)),
    ],
)
def test_bad_input_is_told(engine, call):
    with pytest.raises(InputError) as caught:
        call(engine)
    assert caught.value.field


def test_planning_takes_turns_with_rendering(engine):
    cancel = threading.Event()
    cancel.set()
    with engine._lock, pytest.raises(Cancelled):
        engine.plan(SONG, cancel=cancel)


def test_generate_takes_all_that_it_took_without_planning():
    ours, plain = (inspect.signature(cls.generate).parameters for cls in (Planning, Verbs))
    assert set(ours) - set(plain) == {"planning"} and set(plain) <= set(ours)


def test_a_take_of_a_plan_is_json(engine):
    take = engine.generate(SONG, planning=BRIEF, seeds=[1], options=QUICK)[0]
    record = json.loads(take.to_json())
    assert record["planned"]["planner"] == engine.planner and record["seeds"]["planner"] == take.seeds.planner
    assert isinstance(take, Take) and record["planned"]["asked"]["bpm"] is None
