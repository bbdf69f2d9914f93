"""Training beside a plain loop over peft on the same modules, and once at full size; as a program, one of them.

`python -m acestep_nb.bench.lora_race ours|plain|full` trains in a process of its own, whose peak memory is then its
own too, and prints one JSON object.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AceStepTransformer1DModel
from peft import get_peft_model
from torch import Tensor

from acestep_nb.adapters.lessons import Lesson
from acestep_nb.adapters.memory import memory_need
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.adapters.training import CLIP, WEIGHT_DECAY, Trainer, lora_config
from acestep_nb.bench.memory import peak_bytes
from acestep_nb.codes import LATENT_CHANNELS, LATENT_RATE
from acestep_nb.renderer.schedules import timesteps

SECONDS, TOKENS, SONGS = 10.0, 200, 4
SHAPE = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 8}
HEADS = {"num_key_value_heads": 4, "head_dim": 64}
OPTIONS = LoraOptions(rank=64, alpha=128, epochs=50)
FULL_STEPS = 2
_GIB = 2**30


def network_of(**shape: Any) -> Any:
    """A transformer of that shape with small random weights; of none, that of the released 2B models."""
    with torch.device("meta"):
        network = AceStepTransformer1DModel(**shape)
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.02, generator=generator)
        for name, buffer in network.named_buffers():
            raise AssertionError(f"{name} {tuple(buffer.shape)} was not made")
    return network.eval()


def songs_for(network: Any, count: int = SONGS) -> list[Lesson]:
    """Songs of noise."""
    frames, width = int(SECONDS * LATENT_RATE), network.condition_embedder.in_features
    shapes = ((frames, LATENT_CHANNELS), (TOKENS, width), (frames, 2 * LATENT_CHANNELS))
    return [Lesson(str(i), *(torch.randn(*shape) for shape in shapes)) for i in range(count)]


def ours(network: Any, songs: list[Lesson], options: LoraOptions) -> Iterator[object]:
    """The steps of our training."""
    width = network.condition_embedder.in_features
    return Trainer(network, torch.zeros(1, 1, width), songs, options, is_turbo=True).steps()


def plain(network: Any, songs: list[Lesson], options: LoraOptions) -> Iterator[object]:
    """The steps of a loop as one writes it with peft and torch alone."""
    model = get_peft_model(network, lora_config(options)).train()
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=options.learning_rate, weight_decay=WEIGHT_DECAY)
    levels = torch.tensor(timesteps(8, options.shift))
    while True:
        for song in songs:
            loss = _plain_loss(model, song, levels[torch.randint(8, (1,))])
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, CLIP)
            optimizer.step()
            optimizer.zero_grad()
            yield float(loss.detach())


def _plain_loss(model: Any, song: Lesson, level: Tensor) -> Tensor:
    latents = song.latents[None]
    noise = torch.randn_like(latents)
    velocity = model(
        hidden_states=level * noise + (1 - level) * latents,
        timestep=level,
        timestep_r=level,
        encoder_hidden_states=song.hidden[None],
        context_latents=song.context[None],
        return_dict=False,
    )[0]
    return F.mse_loss(velocity, noise - latents)


def race(pairs: int) -> dict[str, Any]:
    """Steps a second of both, by turns in one process, and the peak memory of each in its own."""
    torch.manual_seed(0)
    network = network_of(**SHAPE, **HEADS)
    songs = songs_for(network)
    sides = {name: side(copy.deepcopy(network), songs, OPTIONS) for name, side in SIDES.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for pair in range(pairs + 1):
        for name in sorted(sides, reverse=bool(pair % 2)):
            began = time.perf_counter()
            next(sides[name])
            times[name].append(time.perf_counter() - began)
    speeds = {name: 1 / statistics.median(values[1:]) for name, values in times.items()}  # the first warms up
    ratios = [theirs / own for own, theirs in zip(times["ours"][1:], times["plain"][1:])]
    peaks = {name: alone(name)["peak_bytes"] for name in sides}
    return {
        "seconds": SECONDS,
        "shape": {**SHAPE, **HEADS},
        "pairs": pairs,
        **{f"{name}_steps_per_s": round(speed, 3) for name, speed in speeds.items()},
        "speed_ratio": round(statistics.median(ratios), 3),
        **{f"{name}_peak_mib": round(peak / 2**20) for name, peak in peaks.items()},
        "memory_ratio": round(peaks["ours"] / peaks["plain"], 3),
        "targets": {"speed_ratio": 1.0, "memory_ratio": 1.0},
    }


SIDES = {"ours": ours, "plain": plain}


def alone(side: str) -> dict[str, Any]:
    """What that side tells when it trains in a process of its own."""
    command = [sys.executable, "-m", "acestep_nb.bench.lora_race", side]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def full() -> dict[str, Any]:
    """Two steps at rank 64 on a random network of the 2B models' shape: the memory told before, and used."""
    network = network_of()
    options = LoraOptions(rank=64, alpha=128, epochs=FULL_STEPS, gradient_checkpointing=True)
    songs = songs_for(network, 1)
    need = memory_need(network, options, len(songs[0].latents), TOKENS)
    began = time.perf_counter()
    steps = list(ours(network, songs, options))
    peak = peak_bytes()
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "seconds": SECONDS,
        "steps": len(steps),
        "seconds_per_step": round((time.perf_counter() - began) / len(steps), 1),
        "told": str(need),
        "estimate_gib": round(need.total / _GIB, 2),
        "peak_gib": round(peak / _GIB, 2),
        "ratio": round(peak / need.total, 3),
        "target": 1.1,
    }


def main(side: str) -> None:
    """Train as asked and print what it took."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    torch.manual_seed(0)
    if side == "full":
        print(json.dumps(full()))
        return
    network = network_of(**SHAPE, **HEADS)
    steps = SIDES[side](network, songs_for(network), OPTIONS)
    for _ in range(2 * SONGS):
        next(steps)
    print(json.dumps({"peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(sys.argv[1])
