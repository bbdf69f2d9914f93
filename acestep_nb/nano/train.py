"""Trains nano: first planning (words only), then all six tasks by flow matching.

Processes share the work by averaging gradients (gloo). Every stage is seeded, counts steps, saves its whole
state and goes on from it; the log of each stage is one JSON line every LOG_EVERY steps.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from acestep_nb.nano.corpus import load_corpus
from acestep_nb.nano.heads import PLAN_WEIGHTS, WEIGHTS, Heads, losses
from acestep_nb.nano.lessons import Teacher
from acestep_nb.nano.networks import MatmulAttention, Networks, use_matmul_attention
from acestep_nb.nano.phrasing import Writer
from acestep_nb.nano.tokenizer import build

BETAS, WEIGHT_DECAY, CLIP, EMA = (0.9, 0.98), 0.01, 1.0, 0.997
WARMUP = 80
LOG_EVERY = 50


@dataclass(frozen=True)
class Stage:
    """One stage of training; from `fall_from` (share of the steps) on, the rate falls linearly to 4 %."""

    name: str
    steps: int
    rate: float
    after: str | None  # stage whose weights it starts from
    planning: bool = False
    fall_from: float = 1.0
    shift: float = 5.0  # pushes noise levels towards 1
    pure_noise: float = 0.35  # share of items at exactly 1
    size: int = 8  # items a step and process
    seed: int = 0


STAGES = {
    stage.name: stage
    for stage in (
        Stage("plan", 2400, 1.8e-3, None, planning=True, fall_from=0.5),
        Stage("main", 5500, 1.2e-3, "plan", fall_from=0.45, shift=4.0, pure_noise=0.15, seed=1),
        Stage("polish", 4500, 8e-4, "main", fall_from=0.2, shift=3.0, pure_noise=0.1, seed=2),
        Stage("finish", 1600, 5e-4, "polish", fall_from=0.0, shift=4.0, pure_noise=0.15, seed=3),
    )
}


def run(stage: Stage, folder: Path, world: int = 2, save_minutes: float = 3.0) -> None:
    """Trains `stage` in `folder` (which holds `corpus/` and `tokens.safetensors`) to its last step."""
    state = folder / f"{stage.name}.pt"
    if state.exists() and torch.load(state, weights_only=True, mmap=True)["step"] >= stage.steps:
        return
    with TemporaryDirectory() as meeting:
        spawn(_process, (stage, folder, world, save_minutes, Path(meeting) / "rendezvous"), nprocs=world)


def _process(
    rank: int, stage: Stage, folder: Path, world: int, save_minutes: float, rendezvous: Path
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=rendezvous.as_uri(), rank=rank, world_size=world)
    torch.manual_seed(stage.seed)
    rng = np.random.default_rng((stage.seed, rank))
    networks = Networks()
    alignment = use_matmul_attention(networks)
    corpus = None if stage.planning else load_corpus(folder / "corpus", rank, world)
    teacher = Teacher(corpus, Writer(build()), networks, rng)
    trainer = Trainer(stage, networks, alignment, teacher, rng, world)
    if stage.after:
        trainer.start_from(torch.load(folder / f"{stage.after}.pt", weights_only=True))
    load_tokens(networks, folder)
    if (folder / f"{stage.name}.pt").exists():
        trainer.resume(torch.load(folder / f"{stage.name}.pt", weights_only=True), rank)
    trainer.go(folder, rank, save_minutes)
    dist.destroy_process_group()


def load_tokens(networks: Networks, folder: Path) -> None:
    """Loads the trained 5 Hz tokenizer pair into `networks`, frozen."""
    path = folder / "tokens.safetensors"
    if path.exists():
        networks.load_state_dict(load_file(path), strict=False)
    for module in (networks.audio_tokenizer, networks.audio_token_detokenizer):
        module.requires_grad_(False)


class Trainer:
    """Weights, optimizer and running average of one stage."""

    def __init__(self, stage: Stage, networks: Networks, alignment: MatmulAttention, teacher: Teacher,
                 rng: np.random.Generator, world: int) -> None:  # fmt: skip
        self.stage, self.networks, self.alignment = stage, networks, alignment
        self.teacher, self.rng, self.world = teacher, rng, world
        self.heads = Heads(networks)
        self.whole = nn.ModuleDict({"networks": networks, "heads": self.heads})
        for module in (
            networks.audio_tokenizer,
            networks.audio_token_detokenizer,
            networks.condition_encoder.timbre_encoder,
        ):
            module.requires_grad_(False)
        self.parameters = [p for p in self.whole.parameters() if p.requires_grad]
        matrices = [p for p in self.parameters if p.ndim >= 2]
        vectors = [p for p in self.parameters if p.ndim < 2]
        groups = [
            {"params": matrices, "weight_decay": WEIGHT_DECAY},
            {"params": vectors, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=stage.rate, betas=BETAS, fused=True)
        self.average = [p.detach().clone() for p in self.parameters]
        self.step = 0

    def start_from(self, state: dict[str, Any]) -> None:
        """Takes the averaged weights of an earlier stage."""
        self.whole.load_state_dict(state["weights"])
        with torch.no_grad():
            torch._foreach_copy_([p.data for p in self.parameters], state["average"])
        self.average = [p.detach().clone() for p in self.parameters]

    def resume(self, state: dict[str, Any], rank: int) -> None:
        """Goes on from the exact next step of an interrupted run."""
        self.whole.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step = state["average"], state["step"]
        self.rng.bit_generator.state = json.loads(state["rng"][rank])

    def go(self, folder: Path, rank: int, save_minutes: float) -> None:
        """Trains to the last step; process 0 logs and saves."""
        started = saved = time.time()
        record: dict[str, list[float]] = {}
        first = self.step
        while self.step < self.stage.steps:
            for name, value in self._update().items():
                record.setdefault(name, []).append(value)
            due = torch.tensor(float(time.time() - saved > 60 * save_minutes))
            dist.broadcast(due, 0)
            if due or self.step == self.stage.steps:
                self._save(folder, rank)
                saved = time.time()
            if rank == 0 and self.step % LOG_EVERY == 0:
                speed = (self.step - first) * self.stage.size * self.world / (time.time() - started)
                line = {"step": self.step, "clips_per_second": round(speed, 1)}
                line |= {name: round(float(np.mean(values)), 4) for name, values in record.items()}
                with (folder / f"{self.stage.name}.jsonl").open("a") as log:
                    log.write(json.dumps(line) + "\n")
                record.clear()

    def _levels(self, size: int) -> Tensor:
        """Noise levels `[item]`."""
        if self.stage.planning:
            return torch.ones(size)
        u = self.rng.random(size)
        t = self.stage.shift * u / (1 + (self.stage.shift - 1) * u)
        t = np.where(self.rng.random(size) < self.stage.pure_noise, 1.0, t)
        return torch.from_numpy(t.clip(0.005, 1).astype(np.float32))

    def _rate(self) -> float:
        fall = self.stage.fall_from
        done = self.step / self.stage.steps
        share = 1.0 if done <= fall else max(0.04, (1 - done) / (1 - fall))
        return self.stage.rate * share * min(1.0, (self.step + 1) / WARMUP)

    def _update(self) -> dict[str, float]:
        draw = self.teacher.plan if self.stage.planning else self.teacher.draw
        batch = draw(self.stage.size)
        noise = torch.from_numpy(self.rng.standard_normal(tuple(batch.target.shape), dtype=np.float32))
        levels = self._levels(self.stage.size)
        terms = losses(self.networks, self.heads, self.alignment, batch, levels, noise, self.stage.planning)
        weight = PLAN_WEIGHTS if self.stage.planning else WEIGHTS
        sum(weight[name] * term for name, term in terms.items() if name in weight).backward()  # type: ignore[union-attr]
        self._share_gradients()
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        with torch.no_grad():
            keep = min(EMA, self.step / (self.step + 20))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - keep)
        return {name: float(term.detach()) for name, term in terms.items()}

    def _share_gradients(self) -> None:
        """Averages gradients over the processes and clips them; one that is not finite counts as zero."""
        flat = torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in self.parameters]
        )
        dist.all_reduce(flat)
        flat /= self.world
        norm = flat.norm()
        if torch.isfinite(norm):
            flat *= min(1.0, CLIP / (float(norm) + 1e-6))
        else:
            flat.zero_()  # times 0 would keep a nan
        sizes = [p.numel() for p in self.parameters]
        for p, gradient in zip(self.parameters, flat.split(sizes), strict=True):
            p.grad = gradient.view_as(p)

    def _save(self, folder: Path, rank: int) -> None:
        states: list[object] = [None] * self.world
        dist.all_gather_object(states, json.dumps(self.rng.bit_generator.state))
        if rank:
            return
        path = folder / f"{self.stage.name}.pt"
        torch.save(
            {"weights": self.whole.state_dict(), "average": self.average,
             "optimizer": self.optimizer.state_dict(), "step": self.step, "rng": states,
             "stage": asdict(self.stage)}, path.with_suffix(".tmp"),
        )  # fmt: skip
        path.with_suffix(".tmp").replace(path)


def trainer_of(stage: Stage, networks: Networks) -> Trainer:
    """A trainer that holds weights and heads but has no lessons to give."""
    return Trainer(stage, networks, MatmulAttention(), None, np.random.default_rng(0), 1)  # type: ignore[arg-type]


def averaged(folder: Path, stage: str) -> Trainer:
    """The averaged networks and heads of `stage`, with the tokenizer pair."""
    trainer = trainer_of(STAGES[stage], Networks())
    trainer.start_from(torch.load(folder / f"{stage}.pt", weights_only=True))
    load_tokens(trainer.networks, folder)
    trainer.networks.eval()
    return trainer
