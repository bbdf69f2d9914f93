"""How far a training is, what came of it, and the files that tell so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from acestep_nb.adapters.sharing import push_to_hub

FINAL, LATEST, STATE, LOG = "final/adapter", "latest/adapter", "state.safetensors", "log.jsonl"


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is; `str(progress)` says it in words.

    `stage` is "preparing", "memory", "training" or "preview"; `step` of `steps` are done (songs, while preparing),
    `loss` is the mean of the last steps and `last_loss` that of the last one, `seconds_left` an estimate from
    their speed (None before there is one). `words` tell about the memory.
    """

    stage: str
    step: int
    steps: int
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    steps_per_second: float | None = None
    seconds_left: float | None = None
    last_loss: float | None = None
    words: str = ""

    def __str__(self) -> str:
        if self.stage == "preparing":
            return f"preparing song {min(self.step + 1, self.steps)} of {self.steps}"
        if self.stage == "memory":
            return self.words
        said = [f"epoch {self.epoch} of {self.epochs}", f"step {self.step}/{self.steps}"]
        if self.stage == "preview":
            return f"preview after {' · '.join(said)}"
        if self.loss is not None:
            said.append(f"loss {self.loss:.4f}")
        if self.steps_per_second is not None and self.seconds_left is not None:
            said += [f"{self.steps_per_second:.2f} steps/s", f"{duration(self.seconds_left)} left"]
        return " · ".join(said)

    @property
    def fraction(self) -> float:
        """Share of the steps that is done, 0 to 1."""
        return self.step / self.steps if self.steps else 0.0


@dataclass(frozen=True)
class Trained:
    """What came of a training: its folder, the adapter in it, how many steps were made and their losses.

    `problems` tell which songs could not be learned.
    """

    folder: Path
    steps: int
    losses: tuple[float, ...]
    problems: tuple[str, ...] = ()

    @property
    def adapter(self) -> Path:
        """The folder of the finished adapter, as it is exchanged."""
        return self.folder / FINAL

    def push_to_hub(
        self, repo: str, *, private: bool = True, about: str = "", activation_word: str = ""
    ) -> str:
        """Put the adapter on the Hugging Face hub with a page about it, as `sharing.push_to_hub` tells."""
        return push_to_hub(self.adapter, repo, private=private, about=about, activation_word=activation_word)


def read_losses(folder: Path) -> tuple[float, ...]:
    """The loss of every step of the training in a folder, as far as it came; also while it runs."""
    try:
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    losses = []
    for line in lines:
        try:
            losses.append(float(json.loads(line)["loss"]))
        except (ValueError, KeyError, TypeError):  # the last line may be half written
            break
    return tuple(losses)


def duration(seconds: float) -> str:
    """Seconds in words: `45 s`, `12 min`, `1 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
