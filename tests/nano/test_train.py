import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.distributed as dist

from acestep_nb.nano import train
from acestep_nb.nano.lessons import Teacher
from acestep_nb.nano.networks import use_matmul_attention
from acestep_nb.nano.train import Stage, Trainer

TINY = Stage("tiny", steps=4, rate=1e-3, after=None, planning=True, fall_from=0.5, size=2)


def interrupted(monkeypatch, stage, folder, after):
    """Trains until step `after` is saved, then as if the power had gone."""
    update, done = Trainer._update, []

    def update_or_stop(trainer):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(trainer.step)
        return update(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", update_or_stop)
        with pytest.raises(KeyboardInterrupt):
            train._process(0, stage, folder, 1, save_minutes=0.0, rendezvous=folder / "met")
    dist.destroy_process_group()


def state(stage, folder):
    return torch.load(folder / f"{stage.name}.pt", weights_only=True)


def same(a, b):
    """Equal to the last bit, through dictionaries and lists."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """Two steps, a stop, and the rest in another process: weights, averages, optimizer and draws are equal."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    train._process(0, TINY, whole, 1, save_minutes=60.0, rendezvous=whole / "met")
    interrupted(monkeypatch, TINY, parts, after=2)
    assert state(TINY, parts)["step"] == 2
    assert not same(state(TINY, parts)["weights"], state(TINY, whole)["weights"])
    train.run(TINY, parts, world=1)
    assert state(TINY, parts)["step"] == 4
    assert same(state(TINY, parts), state(TINY, whole))


def test_a_stage_that_is_done_is_not_run_again(tmp_path, monkeypatch):
    torch.save({"step": 4}, tmp_path / "tiny.pt")
    monkeypatch.setattr(train, "_process", None)
    train.run(TINY, tmp_path)


def test_a_stage_starts_from_the_averages_of_the_one_before(corpus_folder, tmp_path):
    """Words alone first, then all tasks on the corpus; the whole way of the product in three steps."""
    shutil.copytree(corpus_folder, tmp_path / "corpus")
    first = replace(TINY, steps=2)
    second = replace(TINY, name="second", steps=1, after="tiny", planning=False, rate=1e-9)
    train._process(0, first, tmp_path, 1, 60.0, tmp_path / "met_first")
    train._process(0, second, tmp_path, 1, 60.0, tmp_path / "met_second")
    before, after = state(first, tmp_path), state(second, tmp_path)
    assert not same(before["average"], before["weights"])
    for old, new in zip(before["average"], after["average"], strict=True):
        assert torch.allclose(old, new, atol=1e-6)
    assert after["stage"]["after"] == "tiny"


def test_the_log_has_a_line_every_so_often(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "LOG_EVERY", 1)
    train._process(0, replace(TINY, steps=2), tmp_path, 1, 60.0, tmp_path / "met")
    lines = [json.loads(line) for line in (tmp_path / "tiny.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert all(line["metas"] > 0 and line["clips_per_second"] > 0 for line in lines)


@pytest.fixture
def trainer(networks, writer, rng, tmp_path):
    """A trainer in a group of one process."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield Trainer(
        TINY, networks, use_matmul_attention(networks), Teacher(None, writer, networks, rng), rng, 1
    )
    dist.destroy_process_group()


def set_gradients(trainer, value):
    for p in trainer.parameters:
        p.grad = torch.full_like(p, value)


def test_alone_gradients_are_only_clipped(trainer):
    count = sum(p.numel() for p in trainer.parameters)
    small, large = 0.5 / count**0.5, 40 / count**0.5
    for value, wanted in ((small, small), (large, 1 / count**0.5)):
        set_gradients(trainer, value)
        trainer._share_gradients()
        assert all(torch.allclose(p.grad, torch.tensor(wanted), rtol=0.01) for p in trainer.parameters)


@pytest.mark.parametrize("evil", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_does_no_harm(trainer, evil):
    set_gradients(trainer, 1.0)
    trainer.parameters[0].grad.view(-1)[0] = evil
    trainer._share_gradients()
    assert not any(p.grad.any() for p in trainer.parameters)


def test_the_5_hz_pair_is_frozen(trainer):
    trained = {id(p) for p in trainer.parameters}
    for module in (trainer.networks.audio_tokenizer, trainer.networks.audio_token_detokenizer):
        assert not trained & {id(p) for p in module.parameters()}
    assert trained >= {id(p) for p in trainer.networks.transformer.parameters()}


def test_the_rate_warms_up_and_falls(trainer, monkeypatch):
    monkeypatch.setattr(train, "WARMUP", 10)
    trainer.stage = replace(TINY, steps=100, rate=1.0, fall_from=0.5)

    def rate(step):
        trainer.step = step
        return trainer._rate()

    assert [rate(step) for step in (0, 4, 9, 50, 75, 99)] == pytest.approx([0.1, 0.5, 1, 1, 0.5, 0.04])


def test_noise_levels(trainer):
    assert (trainer._levels(5) == 1).all()  # the planning stage sees pure noise only
    trainer.stage = replace(TINY, planning=False, shift=5.0, pure_noise=0.35)
    levels = trainer._levels(4000).numpy()
    assert levels.min() > 0 and levels.max() == 1 and (levels == 1).mean() == pytest.approx(0.35, abs=0.04)
    assert np.median(levels[levels < 1]) == pytest.approx(5 * 0.5 / (1 + 4 * 0.5), abs=0.03)


def test_stages_follow_each_other():
    names = list(train.STAGES)
    assert [stage.after for stage in train.STAGES.values()] == [None, *names[:-1]]
    assert len({stage.seed for stage in train.STAGES.values()}) == len(names)
