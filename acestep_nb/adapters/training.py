"""Teaches a network by low-rank adaptation; every step follows from the seed and its number alone."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import peft
import safetensors.torch
import torch
from diffusers.models.transformers.ace_step_transformer import AceStepAttnProcessor2_0
from safetensors import SafetensorError, safe_open
from torch import Tensor

from acestep_nb.adapters.lessons import Lesson
from acestep_nb.adapters.loading import detach, inject, lora_layers, tensors_of
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.errors import InputError, ProjectError, RenderError
from acestep_nb.locales import later
from acestep_nb.renderer.guard import render_errors
from acestep_nb.renderer.schedules import timesteps
from acestep_nb.seeds import derived

WEIGHT_DECAY, CLIP = 0.01, 1.0
WARMUP_STEPS, WARMUP_START, LAST_SHARE = 100, 0.1, 0.01
LOGIT_MEAN, LOGIT_SPREAD = -0.4, 1.0
DISCRETE_LEVELS = 8
SLOT = "taught"
_DIFFUSERS_NAMES = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "o_proj": "to_out.0"}
_FREE = ("save_every", "preview_every")  # options that do not change what is learned


@dataclass(frozen=True)
class Plan:
    """Which lessons each step hears: `epochs` times all of them, in an order that the seed decides."""

    lessons: int
    options: LoraOptions

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every lesson is heard once."""
        return math.ceil(self.lessons / (self.options.batch_size * self.options.accumulation))

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.options.epochs * self.steps_per_epoch

    def batches(self, step: int) -> list[list[int]]:
        """Numbers of the lessons of a step (counted from 0), batch by batch."""
        epoch, within = divmod(step, self.steps_per_epoch)
        generator = torch.Generator().manual_seed(derived(self.options.seed, f"epoch {epoch}"))
        order = torch.randperm(self.lessons, generator=generator).tolist()
        size, share = self.options.batch_size, self.options.batch_size * self.options.accumulation
        heard = order[within * share : (within + 1) * share]
        return [heard[i : i + size] for i in range(0, len(heard), size)]

    def rate(self, step: int) -> float:
        """Learning rate of a step: a tenth rising to the whole, then a cosine that falls to a hundredth."""
        whole, warmup = self.options.learning_rate, min(WARMUP_STEPS, self.steps // 10)
        if step < warmup:
            return whole * (WARMUP_START + (1 - WARMUP_START) * step / warmup)
        done = (step - warmup) / max(1, self.steps - warmup)
        last = whole * LAST_SHARE
        return last + (whole - last) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Step:
    """One step that was done, counted from 1: its loss, and the learning rate that it had."""

    number: int
    loss: float
    rate: float


class Trainer:
    """A network that is being taught; `close` gives it back as it was, down to the last bit."""

    def __init__(
        self, network: Any, null: Tensor, lessons: Sequence[Lesson], options: LoraOptions, is_turbo: bool
    ) -> None:
        """`null` `[1, 1, width]` is the condition without words. Raises `InputError` for a float16 network."""
        if network.dtype == torch.float16:
            raise InputError(
                field="dtype",
                value="float16",
                allowed="bfloat16 or float32",
                remedy="Load it with one of these.",
            )
        self.network, self.options, self.lessons = network, options, list(lessons)
        self.plan = Plan(len(lessons), options)
        self.step = 0
        self._rendering: list[Any] | None = None  # processors of the layers while they learn
        self._null = null.detach().clone()
        self._recipe, self._wordless = options.recipe_for(is_turbo), options.condition_dropout_for(is_turbo)
        self._needed = {parameter: parameter.requires_grad for parameter in network.parameters()}
        with torch.random.fork_rng(devices=_devices(network)):
            torch.manual_seed(options.seed)
            inject(network, SLOT, lora_config(options))
        for _, layer in lora_layers(network):
            for part in (layer.lora_A, layer.lora_B):
                part[SLOT].float()
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self.parameters, lr=options.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
        )

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The weights of the adapter as they are now."""
        return tensors_of(self.network, SLOT)

    @property
    def mark(self) -> str:
        """A hash of the adapter's weights as they are now."""
        digest = hashlib.sha256()
        for key, value in self.tensors.items():
            digest.update(key.encode() + value.cpu().numpy().tobytes())
        return "sha256:" + digest.hexdigest()

    def steps(self) -> Iterator[Step]:
        """The steps that are left, one after the other; `rest` before the network renders in between.

        Raises `RenderError` when the loss is not a number or memory runs out; the weights are those of the step
        before.
        """
        while self.step < self.plan.steps:
            self._learn()
            with torch.enable_grad(), render_errors(later("training")):
                done = self._next()
            yield done

    def close(self) -> None:
        """Take the adapter out; the network is what it was before."""
        self.rest()
        detach(self.network, SLOT)
        for parameter, needed in self._needed.items():
            parameter.requires_grad_(needed)

    def _next(self) -> Step:
        batches, rate = self.plan.batches(self.step), self.plan.rate(self.step)
        generator = torch.Generator().manual_seed(derived(self.options.seed, f"step {self.step}"))
        count, total = sum(map(len, batches)), 0.0
        with torch.random.fork_rng(devices=_devices(self.network)):
            torch.manual_seed(derived(self.options.seed, f"dropout {self.step}"))
            for numbers in batches:
                loss = self._loss([self.lessons[i] for i in numbers], generator) * (len(numbers) / count)
                loss.backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        if not (math.isfinite(total) and bool(torch.isfinite(norm))):
            self._optimizer.zero_grad(set_to_none=True)
            raise RenderError(
                f"the loss is not a number at step {self.step + 1}",
                field="learning_rate",
                value=self.options.learning_rate,
                remedy="Use a smaller learning rate in another folder; what was kept before is still good.",
            )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return Step(self.step, total, rate)

    def _loss(self, lessons: list[Lesson], generator: torch.Generator) -> Tensor:
        """Mean square error of the velocity `noise - latents` at one noise level for each lesson."""
        device, dtype = self._null.device, self.network.dtype
        latents, heard = _padded([lesson.latents for lesson in lessons])
        context, _ = _padded([lesson.context for lesson in lessons])
        hidden, _ = _padded([lesson.hidden for lesson in lessons])
        noise = torch.randn(latents.shape, generator=generator)
        level = self._levels(len(lessons), generator)
        wordless = torch.rand(len(lessons), generator=generator) < self._wordless
        mixed = level[:, None, None] * noise + (1 - level[:, None, None]) * latents
        hidden = hidden.to(device, dtype)
        hidden = torch.where(wordless.to(device)[:, None, None], self._null.to(dtype), hidden)
        given = level.to(device, dtype)
        velocity = self.network(
            hidden_states=mixed.to(device, dtype),
            timestep=given,
            timestep_r=given,
            encoder_hidden_states=hidden,
            context_latents=context.to(device, dtype),
            return_dict=False,
        )[0]
        error = (velocity.float() - (noise - latents).to(device)).square().mean(-1)
        weight = heard.to(device)
        loss: Tensor = (error * weight).sum() / weight.sum()
        return loss

    def _levels(self, count: int, generator: torch.Generator) -> Tensor:
        if self._recipe == "discrete":
            levels = torch.tensor(timesteps(DISCRETE_LEVELS, self.options.shift))
            return levels[torch.randint(DISCRETE_LEVELS, (count,), generator=generator)]
        return torch.sigmoid(LOGIT_MEAN + LOGIT_SPREAD * torch.randn(count, generator=generator))

    def _learn(self) -> None:
        """Bring the network into the state in which it learns, unless it is."""
        if self._rendering is None:
            layers = self.network.layers
            self._rendering = [layer.self_attn.processor for layer in layers]
            for layer in layers:
                layer.self_attn.set_processor(_Learning())
            self.network.train()
            if self.options.gradient_checkpointing:
                self.network.enable_gradient_checkpointing()

    def rest(self) -> None:
        """Bring the network into the state in which it renders; the next step finds its way back."""
        if self._rendering is not None:
            for layer, processor in zip(self.network.layers, self._rendering):
                layer.self_attn.set_processor(processor)
            self._rendering = None
            self.network.disable_gradient_checkpointing()
            self.network.eval()

    def state(self, about: dict[str, str]) -> bytes:
        """Everything that the next steps follow from, as a safetensors file; `about` goes into its header."""
        tensors = {f"adapter.{key}": value for key, value in self.tensors.items()}
        for number, parameter in enumerate(self.parameters):
            for name, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{number}.{name}"] = value
        kept = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        header = {**about, "step": str(self.step), "asked": self.asked}
        return safetensors.torch.save(kept, metadata=header)

    def resume(self, data: Any, file: str) -> None:
        """Go on from the step where a state was kept; `data` is the file's path.

        Raises `InputError` when it was kept by a training with other songs or options, `ProjectError` when the
        file is damaged.
        """
        try:
            with safe_open(data, framework="pt") as kept:
                header = kept.metadata()
                tensors = {key: kept.get_tensor(key) for key in kept.keys()}  # noqa: SIM118 - not a mapping
            step, asked = int(header["step"]), header["asked"]
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            remedy = "Delete it to begin anew."
            raise ProjectError(
                f"{file} is damaged: {error}", field="folder", value=file, remedy=remedy
            ) from error
        if asked != self.asked:
            raise InputError(
                f"{file} was kept by a training with other songs or options",
                field="folder",
                value=file,
                allowed="the same songs, options and checkpoint",
                remedy="Choose another folder, or delete this one to begin anew.",
            )
        own = self.tensors
        for key, value in own.items():
            value.copy_(tensors[f"adapter.{key}"])
        for number, parameter in enumerate(self.parameters):
            prefix = f"optimizer.{number}."
            found = {
                key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
            }
            if found:
                self._optimizer.state[parameter] = {
                    name: value.to(parameter.device) for name, value in found.items()
                }
        self.step = step

    @property
    def asked(self) -> str:
        """What decides everything that is learned: options, songs, and the number format of the network."""
        options = {key: value for key, value in self.options.to_dict().items() if key not in _FREE}
        marks = [lesson.mark for lesson in self.lessons]
        return json.dumps([options, self._recipe, self._wordless, marks, str(self.network.dtype)])


class _Learning(AceStepAttnProcessor2_0):  # type: ignore[misc]
    """Self attention that leaves out a mask that hides nothing: without one, faster kernels are used."""

    def __call__(self, attn: Any, hidden_states: Tensor, *more: Any, **named: Any) -> Tensor:
        window = attn.sliding_window
        if window is not None and hidden_states.shape[1] <= window + 1:
            named["attention_mask"] = None
        answer: Tensor = super().__call__(attn, hidden_states, *more, **named)
        return answer


def lora_config(options: LoraOptions) -> peft.LoraConfig:
    """The options as peft has them."""
    return peft.LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]
        lora_dropout=options.dropout,
        target_modules=[_DIFFUSERS_NAMES.get(name, name) for name in options.targets],
    )


def _padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows `[length, width]` as `[row, longest, width]`, zeros behind, and where they are: float `[row, longest]`."""
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    return padded, (torch.arange(padded.shape[1]) < lengths[:, None]).float()


def _devices(network: Any) -> list[int]:
    return [network.device.index or 0] if network.device.type == "cuda" else []
