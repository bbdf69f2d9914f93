"""Training: every step follows from seed and number, so that whatever stops it, going on gives the same bits."""

from __future__ import annotations

import copy
import errno
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers_lora import QUICK, WIDTH, lessons, trained, trainer_of

from acestep_nb import Cancelled, InputError, ProjectError, RenderError
from acestep_nb.adapters.files import read_adapter
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.adapters.progress import TrainingProgress, read_losses
from acestep_nb.adapters.teaching import teach
from acestep_nb.adapters.training import Plan, Trainer

HELPERS = Path(__file__).parent / "helpers_lora.py"


@pytest.fixture
def network(tiny_models):
    return copy.deepcopy(tiny_models.transformer)


def quiet(progress: TrainingProgress) -> None:
    """Hears nothing."""


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "final" / "adapter").iterdir()}


def test_each_epoch_hears_every_lesson_once_in_its_own_order():
    plan = Plan(5, replace(QUICK, batch_size=2, accumulation=2, epochs=3))
    assert (plan.steps_per_epoch, plan.steps) == (2, 6)
    orders = [
        [i for step in (2 * epoch, 2 * epoch + 1) for batch in plan.batches(step) for i in batch]
        for epoch in range(3)
    ]
    assert all(sorted(order) == list(range(5)) for order in orders) and orders[0] != orders[1]
    assert [len(batch) for batch in plan.batches(0)] == [2, 2]
    assert plan.batches(3) == Plan(5, plan.options).batches(3)


def test_the_rate_warms_up_and_falls_as_a_cosine():
    plan = Plan(1, replace(QUICK, epochs=400, batch_size=1, learning_rate=0.1))
    rates = [10 * plan.rate(step) for step in range(plan.steps)]
    assert rates[0] == pytest.approx(0.1) and rates[20] == pytest.approx(0.55)
    assert rates[40] == max(rates) == pytest.approx(1.0)
    assert rates[220] == pytest.approx(0.01 + 0.99 * 0.5) and 0.01 < rates[-1] < 0.011


def test_the_same_seed_learns_the_same_and_another_does_not(network):
    one, two, other = (trained(network, replace(QUICK, seed=seed)) for seed in (1, 1, 2))
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_what_was_taught_is_taken_out_to_the_last_bit(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    needed = [parameter.requires_grad for parameter in network.parameters()]
    trained(network, QUICK)
    after = network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert [parameter.requires_grad for parameter in network.parameters()] == needed and not network.training


@pytest.mark.parametrize("change", [{"gradient_checkpointing": True}, {"save_every": 2}])
def test_what_only_saves_memory_or_keeps_files_learns_the_same(network, change):
    one, two = trained(network, QUICK), trained(network, replace(QUICK, **change))
    assert all(torch.allclose(one[key], two[key], atol=1e-6) for key in one)


@pytest.mark.parametrize(
    "options", [{"recipe": "logit-normal"}, {"recipe": "discrete", "condition_dropout": 0.5}]
)
def test_it_learns(network, options):
    """What is learned is heard at one and the same noise, before and after."""
    own = replace(QUICK, epochs=40, dropout=0.0, rank=16, alpha=32, learning_rate=2e-2, **options)
    trainer = trainer_of(network, own)

    def loss():
        with torch.no_grad():
            return sum(
                float(trainer._loss(trainer.lessons, torch.Generator().manual_seed(i))) for i in range(20)
            )

    before = loss()
    for _ in trainer.steps():
        pass
    assert loss() < 0.97 * before


def test_the_noise_levels_of_both_recipes(network):
    generator = torch.Generator().manual_seed(0)
    discrete = trainer_of(copy.deepcopy(network), replace(QUICK, recipe="discrete"))._levels(4000, generator)
    expected = [1, 21 / 22, 0.9, 5 / 6, 0.75, 9 / 14, 0.5, 0.3]
    assert sorted({round(float(level), 4) for level in discrete}) == sorted(
        round(level, 4) for level in expected
    )
    normal = trainer_of(network, replace(QUICK, recipe="logit-normal"))._levels(4000, generator)
    assert float(torch.logit(normal).mean()) == pytest.approx(-0.4, abs=0.06)
    assert float(torch.logit(normal).std()) == pytest.approx(1.0, abs=0.05)


def test_recipes_suit_the_checkpoint():
    options = LoraOptions()
    assert (options.recipe_for(True), options.condition_dropout_for(True)) == ("discrete", 0.0)
    assert (options.recipe_for(False), options.condition_dropout_for(False)) == ("logit-normal", 0.15)


def test_a_song_without_words_is_shown_the_null_condition(network, tiny_models):
    seen = []
    trainer = trainer_of(network, replace(QUICK, condition_dropout=0.9, epochs=20))
    null = trainer._null[0, 0]
    hook = network.register_forward_pre_hook(
        lambda module, args, kwargs: seen.extend(
            torch.all(row == null) for row in kwargs["encoder_hidden_states"]
        ),
        with_kwargs=True,
    )
    for _ in trainer.steps():
        pass
    hook.remove()
    assert 0.7 < sum(map(float, seen)) / len(seen) < 1.0


def test_padding_is_not_learned(network):
    """Two songs of different length in one batch: each of their own frames counts alike, the padding nothing."""
    songs = [lessons(1, frames=40)[0], lessons(1, frames=80)[0]]
    trainer = Trainer(network, torch.zeros(1, 1, WIDTH), songs, replace(QUICK, dropout=0.0), True)
    seen = []
    hook = network.register_forward_hook(lambda module, args, out: seen.append(out[0].detach()))
    loss = float(trainer._loss(songs, torch.Generator().manual_seed(3)).detach())
    hook.remove()
    noise = torch.randn(2, 80, 64, generator=torch.Generator().manual_seed(3))
    errors = [
        ((velocity - (own - song.latents)) ** 2).mean(-1)
        for velocity, own, song in zip(seen[0], noise, songs)
        for velocity, own in [(velocity[: len(song.latents)], own[: len(song.latents)])]
    ]
    assert loss == pytest.approx(float(torch.cat(errors).mean()), rel=1e-5)


def test_killed_and_gone_on_with_is_the_same_as_never_stopped(network, tmp_path):
    """A process that is killed without warning, twice, in the middle of its steps; beside it runs a whole one."""
    whole = subprocess.Popen(
        [sys.executable, str(HELPERS), str(tmp_path / "whole")], stdout=subprocess.PIPE, text=True
    )
    for number in range(3):
        process = subprocess.Popen(
            [sys.executable, str(HELPERS), str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            if number < 2 and int(line) >= 3 + 4 * number:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait()
        assert process.returncode == (0 if number == 2 else -signal.SIGKILL)
    assert len(whole.communicate()[0].split()) == 12 and whole.returncode == 0
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert read_losses(tmp_path / "killed") == read_losses(tmp_path / "whole")


@pytest.mark.parametrize("at", [1, 4, 5])
def test_stopped_at_any_step_nothing_is_lost(network, tmp_path, at):
    def stop(progress):
        if progress.step == at:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        teach(trainer_of(copy.deepcopy(network), QUICK), tmp_path / "stopped", "tiny", stop)
    assert len(read_losses(tmp_path / "stopped")) == at
    assert read_adapter(tmp_path / "stopped" / "latest" / "adapter").ranks
    again = trainer_of(copy.deepcopy(network), QUICK)
    told = []
    teach(again, tmp_path / "stopped", "tiny", told.append)
    assert told[0].step == at
    whole = teach(trainer_of(network, QUICK), tmp_path / "whole", "tiny", quiet)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert read_losses(tmp_path / "stopped") == whole.losses and len(whole.losses) == 6


def test_a_training_that_is_done_is_not_done_again(network, tmp_path):
    first = teach(trainer_of(copy.deepcopy(network), QUICK), tmp_path, "tiny", quiet)
    again = teach(trainer_of(network, QUICK), tmp_path, "tiny", quiet)
    assert first == again
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("adapter_model.safetensors")}
    assert kept == {f"{name}/adapter/adapter_model.safetensors" for name in (
        "final", "latest", "checkpoints/epoch_1", "checkpoints/epoch_2", "checkpoints/epoch_3")}  # fmt: skip


def test_other_songs_or_options_do_not_go_on_with_it(network, tmp_path):
    teach(trainer_of(copy.deepcopy(network), QUICK), tmp_path, "tiny", quiet)
    for options, count in ((replace(QUICK, rank=2), 3), (replace(QUICK, learning_rate=1e-3), 3), (QUICK, 2)):
        with pytest.raises(InputError, match="other songs or options"):
            teach(trainer_of(copy.deepcopy(network), options, count), tmp_path, "tiny", quiet)
    (tmp_path / "state.safetensors").write_bytes(b"cut")
    with pytest.raises(ProjectError, match="damaged"):
        teach(trainer_of(network, QUICK), tmp_path, "tiny", quiet)


def test_two_trainings_in_one_folder(network, tmp_path):
    def begin_another(progress):
        with pytest.raises(InputError, match="another training"):
            teach(trainer_of(copy.deepcopy(network), QUICK), tmp_path, "tiny", quiet)
        raise Cancelled("seen")

    with pytest.raises(Cancelled, match="seen"):
        teach(trainer_of(copy.deepcopy(network), QUICK), tmp_path, "tiny", begin_another)


def test_a_full_disk_keeps_what_was_kept(network, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(progress):
        if progress.step == 3:
            monkeypatch.setattr("acestep_nb.files.write_synced", full)

    with pytest.raises(ProjectError, match="free"):
        teach(trainer_of(copy.deepcopy(network), QUICK), tmp_path / "full", "tiny", fill)
    monkeypatch.undo()
    teach(trainer_of(copy.deepcopy(network), QUICK), tmp_path / "full", "tiny", quiet)
    teach(trainer_of(network, QUICK), tmp_path / "whole", "tiny", quiet)
    assert files(tmp_path / "full") == files(tmp_path / "whole")


def test_a_loss_that_is_not_a_number_stops_before_it_spoils_anything(network, tmp_path):
    trainer = trainer_of(network, QUICK)
    calls = []
    hook = network.register_forward_hook(
        lambda module, args, out: (out[0] * (float("nan") if len(calls) > 3 else calls.append(1) or 1),)
    )
    with pytest.raises(RenderError, match="not a number at step 5") as caught:
        teach(trainer, tmp_path, "tiny", quiet)
    hook.remove()
    assert caught.value.field == "learning_rate" and "smaller" in caught.value.remedy
    assert all(
        torch.isfinite(value).all()
        for value in read_adapter(tmp_path / "latest" / "adapter").tensors.values()
    )
    assert len(read_losses(tmp_path)) == 4


def test_half_precision(tiny_models):
    network = copy.deepcopy(tiny_models.transformer).to(torch.bfloat16)
    trainer = trainer_of(network, QUICK)
    assert {parameter.dtype for parameter in trainer.parameters} == {torch.float32}
    assert all(math.isfinite(step.loss) for step in trainer.steps())
    trainer.close()
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
    with pytest.raises(InputError, match="float16"):
        trainer_of(network.to(torch.float16), QUICK)


def test_progress_in_words():
    progress = TrainingProgress("training", 120, 500, 3, 10, 0.123456, 2.5, 4000.0)
    assert str(progress) == "epoch 3 of 10 · step 120/500 · loss 0.1235 · 2.50 steps/s · 1 h 7 min left"
    assert progress.fraction == 0.24
    assert str(TrainingProgress("preparing", 2, 10)) == "preparing song 3 of 10"
    assert str(TrainingProgress("preview", 120, 500, 3, 10)) == "preview after epoch 3 of 10 · step 120/500"


def test_speed_and_time_left_are_told(network, tmp_path):
    told = []
    began = time.monotonic()
    teach(trainer_of(network, QUICK), tmp_path, "tiny", told.append)
    spent = time.monotonic() - began
    last = told[-1]
    assert last.step == last.steps == 6 and last.seconds_left == 0 and last.steps_per_second > 5 / spent
    assert [progress.epoch for progress in told] == [1, 1, 1, 2, 2, 3, 3]
    assert last.loss == pytest.approx(sum(read_losses(tmp_path)) / 6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", 0),
        ("rank", 1.5),
        ("alpha", "much"),
        ("dropout", 0.9),
        ("targets", ()),
        ("targets", ("to_q",)),
        ("recipe", "linear"),
        ("learning_rate", float("nan")),
        ("epochs", -1),
        ("gradient_checkpointing", 1),
    ],
)
def test_options_out_of_range(field, value):
    with pytest.raises(InputError) as caught:
        LoraOptions(**{field: value})
    assert caught.value.field == field and caught.value.allowed


def test_options_survive_json():
    options = LoraOptions(rank=8, targets=("v_proj", "q_proj"), recipe="discrete")
    assert LoraOptions.from_dict(options.to_dict()) == options and options.targets == ("q_proj", "v_proj")
