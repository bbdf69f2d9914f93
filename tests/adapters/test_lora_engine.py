"""`engine.adapters`: songs become an adapter, adapters become takes, and nothing is left behind."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers_lora import QUICK

from acestep_nb import Audio, Cancelled, Engine, InputError, RenderError, RenderOptions, Song
from acestep_nb.adapters import files
from acestep_nb.adapters.dataset import Dataset, Sample
from acestep_nb.adapters.files import WEIGHTS, find_adapter
from acestep_nb.adapters.lessons import prepare, read_prepared
from acestep_nb.adapters.loading import lora_layers
from acestep_nb.adapters.uses import AdapterUse
from acestep_nb.history import History
from acestep_nb.takes import read_take

SONG = Song(caption="piano ballad", lyrics="[Verse]\nmoonlight", duration=10)
STEPS = RenderOptions(inference_steps=2)
SHORT = replace(QUICK, epochs=1)


def take_of(engine):
    return engine.generate(SONG, seeds=[7], options=STEPS)[0]


def same(one, other):
    return np.array_equal(one.latents, other.latents)


@pytest.fixture
def engine(tiny_models):
    engine = Engine(tiny_models)
    yield engine
    engine.adapters.unload()


@pytest.fixture(scope="module")
def taught(tiny_models, tmp_path_factory):
    """A folder with a finished training."""
    from helpers_songs import write_songs

    folder = tmp_path_factory.mktemp("taught")
    songs = Dataset.scan(write_songs(folder / "songs"), custom_tag="zyx")
    Engine(tiny_models).adapters.train(songs, folder / "lora", replace(QUICK, learning_rate=5e-2))
    return folder / "lora"


def test_unloaded_the_engine_gives_the_same_takes_to_the_last_bit(engine, taught):
    before = take_of(engine)
    adapter = engine.adapters.load(taught, name="mine")
    changed = take_of(engine)
    assert not same(before, changed)
    assert changed.adapters == (AdapterUse("mine", 1.0, adapter.hash, adapter.source),)
    assert adapter.hash.startswith("sha256:") and adapter.source == str(taught / "final" / "adapter")
    engine.adapters.change("mine", scale=0)
    silent = take_of(engine)
    assert same(before, silent) and silent.adapters == (replace(changed.adapters[0], scale=0.0),)
    engine.adapters.change("mine", scale=1.0, on=False)
    assert same(before, take_of(engine)) and take_of(engine).adapters == ()
    engine.adapters.change("mine", on=True)
    assert same(changed, take_of(engine))
    engine.adapters.unload("mine")
    assert same(before, take_of(engine)) and len(engine.adapters) == 0


def test_a_kept_take_knows_its_adapters(engine, taught, tmp_path):
    engine.adapters.load(taught, name="mine", scale=0.5)
    kept = History(tmp_path).add(take_of(engine))
    assert read_take(kept.folder).adapters == kept.adapters and kept.adapters[0].scale == 0.5


def test_several_at_once(engine, taught):
    first = engine.adapters.load(taught)
    second = engine.adapters.load(taught / "checkpoints" / "epoch_1", name="early", scale=0.25)
    assert (
        [one.name for one in engine.adapters] == ["lora", "early"] and first.rank == 4 and second.alpha == 8
    )
    both = take_of(engine)
    engine.adapters.unload("lora")
    assert not same(both, take_of(engine)) and [use.name for use in take_of(engine).adapters] == ["early"]
    assert "early 0.25" in repr(engine.adapters)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda adapters, folder: adapters.load(folder, name="mine"), "name"),
        (lambda adapters, folder: adapters.load(folder, scale=2), "scale"),
        (lambda adapters, folder: adapters.load(folder, scale="much"), "scale"),
        (lambda adapters, folder: adapters.load(folder / "nothing"), "adapter"),
        (lambda adapters, folder: adapters.load(""), "adapter"),
        (lambda adapters, folder: adapters.change("other", scale=1), "adapter"),
        (lambda adapters, folder: adapters.change("mine", scale=-1), "scale"),
        (lambda adapters, folder: adapters.change("mine", on="yes"), "on"),
        (lambda adapters, folder: adapters.unload("other"), "adapter"),
        (lambda adapters, folder: adapters.train(folder, folder / "x", SHORT), "adapters"),
    ],
)
def test_bad_input_leaves_what_is_loaded(engine, taught, call, field):
    engine.adapters.load(taught, name="mine")
    before = take_of(engine)
    with pytest.raises(InputError) as caught:
        call(engine.adapters, taught)
    assert caught.value.field == field and caught.value.allowed
    assert same(before, take_of(engine)) and len(engine.adapters) == 1


def test_a_name_that_two_ask_for_at_once_is_given_once(engine, taught, monkeypatch):
    """Both have read the files before either may change the network."""
    read, both, refused = files.read_adapter, threading.Barrier(3), []

    def reading(folder):
        weights = read(folder)
        both.wait(60)
        return weights

    def load():
        try:
            engine.adapters.load(taught, name="mine")
        except InputError as error:
            refused.append(error.field)

    monkeypatch.setattr(files, "read_adapter", reading)
    threads = [threading.Thread(target=load) for _ in range(2)]
    with engine._turn(None):
        for thread in threads:
            thread.start()
        both.wait(60)
        time.sleep(0.2)  # long enough to come to the networks and wait for them
    for thread in threads:
        thread.join(60)
    assert refused == ["name"] and [one.name for one in engine.adapters] == ["mine"]
    engine.adapters.unload()
    assert not list(lora_layers(engine._models.transformer))


def test_a_published_adapter_has_a_name(tmp_path, taught, monkeypatch):
    monkeypatch.setenv("ACESTEP_CHECKPOINTS_DIR", str(tmp_path))
    place = tmp_path / "ACE-Step-v1.5-chinese-new-year-LoRA"
    place.mkdir()
    for file in (taught / "final" / "adapter").iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    assert find_adapter("chinese-new-year") == place


def test_while_one_is_trained_nothing_else_is_done_with_the_engine(
    engine, songs, taught, tiny_models, tmp_path
):
    refused = []

    def meanwhile(progress):
        if progress.stage != "training" or refused:
            return
        other = Engine(tiny_models)
        for work in (
            lambda: engine.adapters.load(taught),
            lambda: take_of(engine),
            lambda: take_of(other),
            lambda: other.adapters.train(songs, tmp_path / "b", SHORT),
        ):
            thread = threading.Thread(target=lambda work=work: refused.append(error_of(work)))
            thread.start()
            thread.join()

    before = take_of(engine)
    trained = engine.adapters.train(songs, tmp_path / "a", SHORT, on_progress=meanwhile)
    assert [type(error) for error in refused] == [InputError] * 4 and "trained" in str(refused[0])
    assert trained.steps == 2 and same(before, take_of(engine)) and not (tmp_path / "b").exists()


def error_of(work):
    try:
        work()
    except Exception as error:
        return error
    return None


def test_stopped_and_gone_on_with(engine, songs, tmp_path):
    cancel = threading.Event()

    def stop(progress):
        if progress.stage == "training" and progress.step == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        engine.adapters.train(songs, tmp_path / "a", QUICK, cancel=cancel, on_progress=stop)
    told = []
    trained = engine.adapters.train(songs, tmp_path / "a", QUICK, on_progress=told.append)
    whole = engine.adapters.train(songs, tmp_path / "b", QUICK)
    assert [progress.step for progress in told if progress.stage == "training"] == [3, 4, 5, 6]
    assert trained.losses == whole.losses
    assert (trained.adapter / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()


def test_previews_are_takes_of_one_seed(engine, songs, tmp_path):
    before, heard = take_of(engine), []
    options = replace(QUICK, preview_every=2, learning_rate=5e-2)
    engine.adapters.train(songs, tmp_path, options, preview=SONG, on_preview=heard.append)
    assert [take.adapters[0].name for take in heard] == ["epoch 0", "epoch 2"]
    assert {take.seed for take in heard} == {7} and not same(*heard)
    assert same(engine.generate(SONG, seeds=[7])[0], heard[0]), "before the first step nothing is changed"
    assert sorted(path.name for path in (tmp_path / "previews").iterdir()) == ["epoch_0.flac", "epoch_2.flac"]
    assert same(before, take_of(engine)) and take_of(engine).adapters == ()


def test_a_second_run_prepares_only_what_changed(engine, songs, tmp_path, monkeypatch):
    renders, counted = engine._renders, {"sound": 0, "words": 0}
    encode, primary = renders.codec.encode, renders.conditioner.primary

    def count(name, work):
        def counting(*args):
            counted[name] += 1
            return work(*args)

        return counting

    monkeypatch.setattr(renders.codec, "encode", count("sound", encode))
    monkeypatch.setattr(renders.conditioner, "primary", count("words", primary))

    def lessons(dataset):
        counted.update(sound=0, words=0)
        made, problems = prepare(
            renders.models,
            renders.codec,
            renders.conditioner,
            dataset,
            tmp_path / "cache",
            lambda *done: None,
        )
        assert not problems
        return [lesson.mark for lesson in made], dict(counted)

    first, work = lessons(songs)
    assert work == {"sound": 3, "words": 3}
    again, work = lessons(songs)
    assert again == first and work == {"sound": 0, "words": 0}
    other, work = lessons(songs.changed("song1.wav", caption="loud rock"))
    assert work == {"sound": 0, "words": 1} and [a == b for a, b in zip(first, other)] == [True, False, True]
    sound = Audio.load(songs.path_of(songs.samples[2]))
    Audio(sound.samples * 0.5, sound.rate).save(songs.path_of(songs.samples[2]))
    other, work = lessons(songs)
    assert work == {"sound": 1, "words": 0} and [a == b for a, b in zip(first, other)] == [True, True, False]


def test_lessons_are_what_the_network_sees_when_it_renders(engine, songs, tmp_path):
    """The words and the context of a song as they are learned and as they are rendered."""
    seen = []
    renders = engine._renders
    made, _ = prepare(renders.models, renders.codec, renders.conditioner, songs, tmp_path, lambda *done: None)
    sample, caption = songs.samples[0], songs.captions[0]
    song = replace(sample.song(caption), duration=None)
    codec = renders.codec.encode(Audio.load(songs.path_of(sample)))
    assert np.array_equal(made[0].latents.numpy(), codec)
    hook = renders.models.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["context_latents"][0]), with_kwargs=True
    )
    take = engine.generate(replace(song, duration=10), seeds=[1], options=STEPS)[0]
    hook.remove()
    assert torch.equal(made[0].context, seen[0][: len(made[0].context)]) and take.song.lyrics == sample.lyrics


def prepared_file(path, **changed):
    values = {
        "target_latents": torch.randn(130, 64),
        "attention_mask": torch.ones(130),
        "encoder_hidden_states": torch.randn(9, 32),
        "encoder_attention_mask": torch.tensor([1] * 7 + [0] * 2),
        "context_latents": torch.randn(130, 128),
        "metadata": {"caption": "x", "bpm": 90},
    }
    torch.save(values | changed, path)


def test_tensors_of_the_original_are_learned(engine, tmp_path):
    for number in range(2):
        prepared_file(tmp_path / f"{number}.pt")
    (tmp_path / "manifest.json").write_text(json.dumps({"samples": ["1.pt", str(tmp_path / "0.pt")]}))
    lessons = read_prepared(tmp_path)
    assert [lesson.name for lesson in lessons] == ["1.pt", "0.pt"] and lessons[0].hidden.shape == (7, 32)
    assert engine.adapters.train(tmp_path, tmp_path / "lora", SHORT).steps == 1


class Hostile:
    def __reduce__(self):
        return (print, ("this must never run",))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: torch.save({"target_latents": Hostile()}, folder / "a.pt"), "no prepared song"),
        (lambda folder: (folder / "a.pt").write_bytes(b"\x80\x04."), "no prepared song"),
        (lambda folder: prepared_file(folder / "a.pt", context_latents=torch.ones(3, 3)), "shapes"),
        (lambda folder: prepared_file(folder / "a.pt", target_latents=7), "no prepared song"),
        (lambda folder: (folder / "manifest.json").write_text('{"samples": ["../a.pt"]}'), "outside"),
        (lambda folder: (folder / "manifest.json").write_text('{"samples": ["/etc/hostname"]}'), "outside"),
        (lambda folder: (folder / "manifest.json").write_text('{"samples": ["a\\u0000"]}'), "cannot be read"),
        (lambda folder: (folder / "manifest.json").write_text('{"samples": 3}'), "manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text('{"samples": []}'), "holds no"),
    ],
)
def test_tensors_that_are_not_to_be_trusted(engine, tmp_path, capsys, spoil, words):
    folder = tmp_path / "tensors"
    folder.mkdir()
    spoil(folder)
    with pytest.raises(InputError, match=words) as caught:
        engine.adapters.train(folder, tmp_path / "lora", SHORT)
    assert caught.value.field == "dataset" and "never run" not in capsys.readouterr().out


def test_songs_that_cannot_be_learned(engine, songs, tmp_path):
    unlabelled = replace(songs, samples=tuple(replace(sample, labeled=False) for sample in songs.samples))
    with pytest.raises(InputError, match="none of 3 songs is labelled"):
        engine.adapters.train(unlabelled, tmp_path / "a", SHORT)
    gone = Sample("x", str(tmp_path / "gone.wav"), "gone.wav", caption="x", labeled=True)
    Audio(np.zeros((2, 48_000)), 48_000).save(tmp_path / "short.wav")
    short = Sample("y", str(tmp_path / "short.wav"), "short.wav", caption="x", labeled=True)
    wrong = replace(songs.samples[0], filename="wrong.wav", bpm=7)
    trained = engine.adapters.train(
        replace(songs, samples=(*songs.samples, gone, short, wrong)), tmp_path / "b", SHORT
    )
    assert trained.steps == 2 and len(trained.problems) == 3
    assert [problem.split(":")[0] for problem in trained.problems] == ["gone.wav", "short.wav", "wrong.wav"]
    with pytest.raises(InputError, match=r"gone\.wav"):
        engine.adapters.train(replace(songs, samples=(gone,)), tmp_path / "c", SHORT)


def test_only_the_first_four_minutes_of_a_long_file_are_read(engine, tmp_path, monkeypatch):
    rate = 8_000
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 300 * rate)
    Audio(noise, rate).save(tmp_path / "long.wav")
    lengths = []
    latents = np.zeros((6_000, 64), np.float32)
    monkeypatch.setattr(
        engine._renders.codec, "encode", lambda audio: lengths.append(audio.duration) or latents
    )
    dataset = Dataset.scan(tmp_path).changed("long.wav", caption="x")
    renders = engine._renders
    [lesson], _ = prepare(
        renders.models, renders.codec, renders.conditioner, dataset, tmp_path / "c", lambda *d: None
    )
    assert lengths == [240.0] and lesson.latents.shape == (6_000, 64) and lesson.context.shape == (6_000, 128)


def test_memory_that_runs_out_while_training_is_told(engine, songs, tmp_path):
    before = take_of(engine)

    def fail(*call):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    hook = engine._models.transformer.register_forward_pre_hook(fail)
    with pytest.raises(RenderError, match="memory"):
        engine.adapters.train(songs, tmp_path, SHORT)
    hook.remove()
    assert same(before, take_of(engine))


def test_the_memory_is_told_in_words_before_the_first_step(engine, songs, tmp_path):
    told = []
    engine.adapters.train(songs, tmp_path, SHORT, on_progress=lambda progress: told.append(str(progress)))
    at = next(i for i, words in enumerate(told) if "GiB" in words)
    assert told[at - 1].startswith("preparing") and told[at + 1].startswith("epoch 1")
    small, large = (engine.adapters.memory_need(60, replace(QUICK, batch_size=size)) for size in (1, 8))
    spare = engine.adapters.memory_need(60, replace(QUICK, batch_size=8, gradient_checkpointing=True))
    assert small.more < spare.more < large.more and small.fits
    assert "may not fit" in str(replace(small, free=0))


def test_weights_of_one_byte_take_no_adapter(songs, taught, tiny_checkpoint, tmp_path):
    small = Engine.load(tiny_checkpoint, device="cpu", int8=True)
    for work in (lambda: small.adapters.load(taught), lambda: small.adapters.train(songs, tmp_path, SHORT)):
        with pytest.raises(InputError, match="int8=False"):
            work()


def test_networks_that_take_turns(songs, taught, tiny_checkpoint, tmp_path):
    """They wait in main memory, here the only one there is; adapters and training must not be lost on the way."""
    by_turns = Engine.load(tiny_checkpoint, device="cpu", offload=True)
    before = take_of(by_turns)
    by_turns.adapters.load(taught, name="mine")
    changed = take_of(by_turns)
    by_turns.adapters.unload()
    assert same(before, take_of(by_turns)) and not same(before, changed)
    heard = []
    options = replace(SHORT, preview_every=1, learning_rate=5e-2)
    trained = by_turns.adapters.train(songs, tmp_path, options, preview=SONG, on_preview=heard.append)
    assert not same(*heard) and same(before, take_of(by_turns))
    by_turns.adapters.load(trained.adapter)
    assert same(by_turns.generate(SONG, seeds=[7])[0], heard[1]), "the last preview is the finished adapter"
