"""The renderer beside `AceStepPipeline.__call__`: the same random networks, words, noise and steps.

Both sides read the words and run the loop, up to latents. Their runs alternate, so that whatever else the machine
does meets both; the figure is the median of the ratios of neighbouring runs.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import AceStepPipeline, FlowMatchEulerDiscreteScheduler
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from acestep_nb.bench.modules import Size, random_models
from acestep_nb.checkpoints.loading import Models
from acestep_nb.codes import CODE_RATE
from acestep_nb.options import RenderOptions, resolved
from acestep_nb.renderer.conditions import Ask, Conditioner, batch_frames
from acestep_nb.renderer.renderer import Renderer, noise_of
from acestep_nb.renderer.request import Request
from acestep_nb.renderer.schedules import schedule
from acestep_nb.seeds import Seeds
from acestep_nb.song import Song

PAIRS = 5
SECONDS = (10.0, 30.0)
LYRIC_TOKENS = 600
AGREEMENT = 1e-3  # most that two results may differ


@dataclass(frozen=True)
class Setting:
    """One thing to be measured; `targets` are the shares of the pipeline's time that are aimed at, by length."""

    name: str
    kind: str
    options: RenderOptions
    takes: int
    targets: tuple[float, ...]


SETTINGS = (
    Setting("turbo", "turbo", RenderOptions(), takes=2, targets=(0.80, 0.93)),
    Setting(
        "guidance 7",
        "base",
        RenderOptions(inference_steps=32, guidance_scale=7),
        takes=1,
        targets=(0.72, 0.88),
    ),
    Setting(
        "cover strength 0.5", "turbo", RenderOptions(audio_cover_strength=0.5), takes=2, targets=(0.50, 0.55)
    ),
)


@dataclass(frozen=True)
class Race:
    """Both ways to one batch of latents; `seconds` is its length."""

    models: Models
    setting: Setting
    seconds: float
    lyric_tokens: int = LYRIC_TOKENS

    @property
    def song(self) -> Song:
        """What is rendered."""
        lyrics = ("la " * self.lyric_tokens)[: self.lyric_tokens]
        return Song(caption="warm piano ballad", lyrics=lyrics, vocal_language="en", duration=self.seconds)

    @property
    def codes(self) -> tuple[int, ...]:
        """The outline of a cover; nothing for new music."""
        covers = self.setting.options.audio_cover_strength < 1
        return tuple(range(int(self.seconds * CODE_RATE))) if covers else ()

    @property
    def seeds(self) -> tuple[Seeds, ...]:
        """One for each take."""
        return tuple(Seeds.of(seed) for seed in range(self.setting.takes))

    def ours(self, options: RenderOptions) -> Tensor:
        """Latents by this program, which has read nothing of it before."""
        asks = [Ask(self.song, codes=self.codes)] * self.setting.takes
        conditioner = Conditioner(self.models)
        secondary = conditioner.secondary(asks) if options.audio_cover_strength < 1 else None
        request = Request(conditioner.primary(asks), self.seeds, secondary)
        return Renderer(self.models).render(request, options, lambda step: None).latents

    def theirs(self, options: RenderOptions) -> Tensor:
        """Latents by the pipeline; its noise is given, because it miscounts the frames of some lengths."""
        asked, song, takes = resolved(options, self.models.kind), self.song, self.setting.takes
        frames = batch_frames([Ask(song, codes=self.codes)])
        codes = "".join(f"<|audio_code_{code}|>" for code in self.codes)
        result = self._pipeline()(
            prompt=[song.caption] * takes,
            lyrics=[song.lyrics] * takes,
            vocal_language=[song.vocal_language] * takes,
            audio_duration=self.seconds,
            num_inference_steps=asked.inference_steps,
            shift=asked.shift,
            guidance_scale=asked.guidance_scale,
            latents=noise_of([seeds.noise for seeds in self.seeds], frames),
            audio_codes=[codes] * takes if codes else None,
            task_type="cover" if codes else "text2music",
            audio_cover_strength=asked.audio_cover_strength,
            output_type="latent",
        )
        latents: Tensor = result.audios
        return latents

    def _pipeline(self) -> Any:
        parts = ("vae", "text_encoder", "tokenizer", "transformer", "condition_encoder")
        networks = {
            name: getattr(self.models, name)
            for name in (*parts, "audio_tokenizer", "audio_token_detokenizer")
        }
        scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0)
        pipeline = AceStepPipeline(**networks, scheduler=scheduler)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def measure(
    on_progress: Callable[[str], None],
    size: Size | None = None,
    pairs: int = PAIRS,
    lengths: tuple[float, ...] = SECONDS,
    lyric_tokens: int = LYRIC_TOKENS,
) -> dict[str, Any]:
    """The figures of every setting and length, of the machine, and whether both sides agree."""
    size = size or Size()
    results = []
    for setting in SETTINGS:
        models = random_models(size, setting.kind)
        for seconds, target in zip(lengths, setting.targets):
            on_progress(f"{setting.name}, {seconds:g} s")
            race = Race(models, setting, seconds, lyric_tokens)
            results.append({**_raced(race, pairs), "target": target})
    return {
        "benchmark": "renderer",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "width": size.width,
        "layers": size.layers,
        "lyric_tokens": lyric_tokens,
        "pairs": pairs,
        "results": results,
    }


def _raced(race: Race, pairs: int) -> dict[str, Any]:
    """Times of both sides in seconds, the median ratio, the difference of results, the share of the peak."""
    options = race.setting.options
    # Below strength 1 the pipeline mixes two velocities where the original switches: only full ones compare.
    whole = replace(options, audio_cover_strength=1.0)
    difference = (race.ours(whole) - race.theirs(whole)).abs().max().item()
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    sides = {"ours": race.ours, "theirs": race.theirs}
    for pair in range(pairs):
        for name in sorted(sides, reverse=bool(pair % 2)):
            began = time.perf_counter()
            sides[name](options)
            times[name].append(time.perf_counter() - began)
    ratios = [own / other for own, other in zip(times["ours"], times["theirs"])]
    speed, peak = _step_speed(race), matmul_peak()
    return {
        "setting": race.setting.name,
        "seconds": race.seconds,
        "takes": race.setting.takes,
        "steps": schedule(options, race.models.kind).steps,
        **{f"{name}_s": round(statistics.median(values), 4) for name, values in times.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "difference": difference,
        "agrees": difference <= AGREEMENT,
        "step_gflops_per_s": round(speed / 1e9, 1),
        "matmul_peak_gflops_per_s": round(peak / 1e9, 1),
        "share_of_peak": round(speed / peak, 3),
    }


def _step_speed(race: Race) -> float:
    """Operations a second in one call of the network within our loop, of its matrix products alone."""
    network = race.models.transformer
    count, spent, began = FlopCounterMode(display=False), [], [0.0]
    quick = replace(race.setting.options, inference_steps=2, audio_cover_strength=1.0)
    with count:
        race.ours(quick)
    module = type(network).__name__
    calls = schedule(quick, race.models.kind).steps
    operations = sum(count.get_flop_counts().get(module, {}).values()) / calls
    hooks = [
        network.register_forward_pre_hook(lambda *call: began.__setitem__(0, time.perf_counter())),
        network.register_forward_hook(lambda *call: spent.append(time.perf_counter() - began[0])),
    ]
    try:
        race.ours(quick)
    finally:
        for hook in hooks:
            hook.remove()
    return float(operations / min(spent))


def matmul_peak(width: int = 1024, runs: int = 5) -> float:
    """Operations a second of the best of a few float32 matrix products of this machine."""
    a, b = torch.randn(width, width), torch.randn(width, width)
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        torch.mm(a, b)
        times.append(time.perf_counter() - began)
    return float(2 * width**3 / min(times[1:]))
