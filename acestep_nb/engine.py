"""The engine: loaded networks, one lock, and the verb that makes takes of a song."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from acestep_nb.codes import latent_frames
from acestep_nb.errors import Cancelled, CheckpointError, InputError
from acestep_nb.options import RenderOptions
from acestep_nb.renderer.schedules import schedule
from acestep_nb.seeds import Seeds, checked_seeds, fresh_seeds
from acestep_nb.song import DEFAULT_DURATION, Song

if TYPE_CHECKING:  # torch and the networks are imported when the first checkpoint is loaded
    import torch

    from acestep_nb.audio import Audio
    from acestep_nb.checkpoints.loading import Models
    from acestep_nb.renderer.conditions import Condition
    from acestep_nb.takes import Take

DTYPES = ("float32", "bfloat16", "float16")
_DEFAULTS = RenderOptions()
_RENDER_SHARE = 0.75  # of a take's time; the rest is decoding
_POLL = 0.1  # seconds between looks at the cancel event while another thread renders


@dataclass(frozen=True)
class Progress:
    """How far a batch is; `str(progress)` says it in words, such as "rendering take 1 of 2 · step 5/8".

    `stage` is "reading", "rendering" or "decoding". `take` counts from 1, and is 0 while the takes are
    rendered all at once; `step` of `steps` denoising steps are done.
    """

    stage: str
    take: int
    takes: int
    step: int
    steps: int

    def __str__(self) -> str:
        if self.stage == "reading":
            return "reading the words"
        which = f"take {self.take} of {self.takes}" if self.take else f"{self.takes} takes"
        steps = f" · step {self.step}/{self.steps}" if self.stage == "rendering" else ""
        return f"{self.stage} {which}{steps}"

    @property
    def fraction(self) -> float:
        """Share of the whole batch that is done, 0 to 1."""
        rendered = self.step / self.steps * _RENDER_SHARE
        return (self.take - 1 + rendered) / self.takes if self.take else rendered


@dataclass(frozen=True)
class _Batch:
    """What one call of `generate` was asked for."""

    song: Song  # with a duration
    seconds: float
    options: RenderOptions
    steps: int
    seeds: tuple[int, ...]
    on_progress: Callable[[Progress], None] | None
    cancel: threading.Event | None

    def tell(self, stage: str, take: int, step: int) -> None:
        """Stop here if that is wished, else report."""
        _stop_if(self.cancel)
        if self.on_progress is not None:
            self.on_progress(Progress(stage, take, len(self.seeds), step, self.steps))


class Engine:
    """A loaded checkpoint that makes takes of songs; threads may share it, they take turns.

    Rendering is repeatable: on one machine a seed gives the same bits again, whatever the other seeds are.
    On an accelerator the takes of a batch are computed together, so there another batch size is only near.
    """

    def __init__(self, models: Models) -> None:
        from acestep_nb.codec import Codec
        from acestep_nb.renderer.renderer import Renderer

        self._models = models
        self._renderer = Renderer(models)
        self._codec = Codec(models.vae)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls, name_or_path: str | Path = "nano", device: str | None = None, dtype: str | None = None
    ) -> Engine:
        """An engine over the checkpoint of that name or in that folder, ready when this returns.

        `device` is "cpu", "cuda", "cuda:1", "mps" …; by default the first CUDA device if there is one, else
        the CPU. `dtype` is "float32", "bfloat16" or "float16"; by default bfloat16 on CUDA devices that
        compute in it, else float32.
        Raises `CheckpointError` when the files are missing or damaged, `InputError` for the other two.
        """
        # Before torch starts its threads: waiting ones shall sleep. When they spin, as they do by default,
        # a second busy program on the machine makes rendering ten times slower.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from acestep_nb.checkpoints import find
        from acestep_nb.checkpoints.loading import load

        place = _device(device)
        models = load(find(name_or_path), place, _dtype(dtype, place))
        if not models.is_turbo:
            raise CheckpointError(
                f"{models.name} needs guidance, which this version does not have",
                field="checkpoint",
                value=models.name,
                allowed="a turbo checkpoint",
                remedy="Load a turbo checkpoint such as nano.",
            )
        return cls(models)

    @property
    def name(self) -> str:
        """Name of the checkpoint."""
        return self._models.name

    @property
    def checkpoint_hash(self) -> str:
        """Hash over all files of the checkpoint."""
        return self._models.hash

    @property
    def device(self) -> str:
        """Where the networks are, such as "cpu" or "cuda:0"."""
        return str(self._models.device)

    @property
    def dtype(self) -> str:
        """Number format of the renderer, such as "float32"."""
        return str(self._models.dtype).removeprefix("torch.")

    def generate(
        self,
        song: Song,
        *,
        seeds: Iterable[int] | None = None,
        options: RenderOptions = _DEFAULTS,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
        on_take: Callable[[Take], None] | None = None,
    ) -> list[Take]:
        """One take of the song for each seed (1–8 of them; None draws one), in their order.

        `on_take` gets each take as soon as it is ready: on an error or a stop those are not lost. Setting
        `cancel` raises `Cancelled` within one denoising step. A song without a duration lasts
        `DEFAULT_DURATION` seconds.
        Raises `InputError` for a song without words or for unusable seeds, `RenderError` when the result is
        not music or memory runs out.
        """
        song.require_words()
        batch = _Batch(
            song=replace(song, duration=song.duration or DEFAULT_DURATION),
            seconds=song.duration or DEFAULT_DURATION,
            options=options,
            steps=schedule(options, self._models.kind).steps,
            seeds=fresh_seeds(1) if seeds is None else checked_seeds(seeds),
            on_progress=on_progress,
            cancel=cancel,
        )
        takes = []
        with self._turn(cancel):
            for take in self._takes(batch):
                takes.append(take)
                if on_take is not None:
                    on_take(take)
        return takes

    @contextmanager
    def _turn(self, cancel: threading.Event | None) -> Iterator[None]:
        """The networks for this thread alone; waiting for another thread can be cancelled."""
        while not self._lock.acquire(timeout=_POLL):
            _stop_if(cancel)
        try:
            yield
        finally:
            self._lock.release()

    def _takes(self, batch: _Batch) -> Iterator[Take]:
        """The takes as they get ready: one by one on the CPU, all at once on an accelerator."""
        batch.tell("reading", 0, 0)
        together = self.device != "cpu"
        groups = [batch.seeds] if together else [(seed,) for seed in batch.seeds]
        began = time.perf_counter()
        condition = self._renderer.condition([batch.song] * len(groups[0]))
        timings = {"condition": time.perf_counter() - began}
        for number, seeds in enumerate(groups, start=1):
            which = number if len(seeds) == 1 else 0
            for seed, latents, audio, more in self._group(batch, condition, seeds, which):
                yield self._take(batch, seed, latents, audio, timings | more)

    def _group(
        self, batch: _Batch, condition: Condition, seeds: tuple[int, ...], number: int
    ) -> Iterator[tuple[int, torch.Tensor, Audio, dict[str, float]]]:
        """Seed, latents, sound and timings of takes rendered together; `number` is 0 for several."""
        from acestep_nb.renderer.guard import render_errors
        from acestep_nb.renderer.request import Request

        began = time.perf_counter()
        request = Request(condition, tuple(Seeds.of(seed) for seed in seeds))
        latents = self._renderer.render(
            request, batch.options, lambda step: batch.tell("rendering", number, step)
        ).latents
        render_seconds = time.perf_counter() - began
        for seed, own in zip(seeds, latents, strict=True):
            batch.tell("decoding", number, batch.steps)
            began = time.perf_counter()
            with render_errors("decoding"):
                audio = self._codec.decode(own, batch.seconds)
            yield seed, own, audio, {"render": render_seconds, "decode": time.perf_counter() - began}

    def _take(
        self, batch: _Batch, seed: int, latents: torch.Tensor, audio: Audio, timings: dict[str, float]
    ) -> Take:
        from acestep_nb.takes import Take

        return Take(
            song=batch.song,
            options=batch.options,
            seeds=Seeds.of(seed),
            checkpoint=self.name,
            checkpoint_hash=self.checkpoint_hash,
            dtype=self.dtype,
            device=self.device,
            versions=_versions(),
            timings={stage: round(seconds, 4) for stage, seconds in timings.items()},
            audio=audio,
            latents=latents[: latent_frames(batch.seconds)].cpu().numpy().copy(),
        )


def _stop_if(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("stopped; takes that were ready are kept")


def _device(name: str | None) -> torch.device:
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise InputError(
            field="device",
            value=name,
            allowed="one that torch can use here",
            remedy='Leave it out, or use device="cpu".',
        ) from error
    return device


def _dtype(name: str | None, device: torch.device) -> torch.dtype:
    import torch

    if name is None:
        half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if half else torch.float32
    short = str(name).removeprefix("torch.")
    if short not in DTYPES:
        raise InputError(field="dtype", value=name, allowed=", ".join(DTYPES), remedy='Use dtype="float32".')
    dtype: torch.dtype = getattr(torch, short)
    return dtype


def _versions() -> dict[str, str]:
    """Versions of what takes part in the arithmetic."""
    import diffusers
    import torch
    import transformers

    import acestep_nb

    return {
        "acestep_nb": acestep_nb.__version__,
        "diffusers": diffusers.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
