"""Lessons of noise for the tiny network; as a program, a whole training that prints its steps."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from acestep_nb.adapters.lessons import Lesson
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.adapters.training import Trainer

WIDTH = 32
QUICK = LoraOptions(rank=4, alpha=8, epochs=3, batch_size=2, learning_rate=1e-2, save_every=1)


def lessons(count: int = 3, frames: int = 40) -> list[Lesson]:
    """Lessons of seeded noise."""
    made = []
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: B023, E731
        made.append(
            Lesson(
                str(number), draw(frames + number, 64), draw(5 + number, WIDTH), draw(frames + number, 128)
            )
        )
    return made


def trainer_of(network, options: LoraOptions, count: int = 3) -> Trainer:
    """A trainer of the network."""
    return Trainer(network, torch.full((1, 1, WIDTH), 0.5), lessons(count), options, is_turbo=True)


def trained(network, options: LoraOptions) -> dict[str, torch.Tensor]:
    """The weights of an adapter after a whole training; the network is as before."""
    trainer = trainer_of(network, options)
    for _ in trainer.steps():
        pass
    weights = {key: value.clone() for key, value in trainer.tensors.items()}
    trainer.close()
    return weights


def main(folder: Path) -> None:
    """Train a fixed network in the folder."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import conftest

    from acestep_nb.adapters.teaching import teach

    torch.manual_seed(0)
    network = conftest._transformer().eval()
    options = LoraOptions(rank=4, alpha=8, epochs=6, batch_size=2, learning_rate=1e-2, save_every=2)
    teach(trainer_of(network, options), folder, "tiny", lambda p: p.step and print(p.step, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
