"""How much memory a training will need, found out beforehand without using it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from acestep_nb.adapters.loading import inject
from acestep_nb.adapters.options import LoraOptions
from acestep_nb.adapters.training import SLOT, lora_config
from acestep_nb.codes import LATENT_CHANNELS

_GIB = 2**30
_WEIGHT_COPIES = 4  # of the adapter: weights, gradients, two averages of the optimizer, all float32
_WORKSPACE = 192 * 2**20  # what torch's kernels take for themselves when they first run
_PASSING = 2.0  # a layer's tensors that are alive for a moment, beside those that are kept for the way back


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a training takes: `now` is in use already, `more` comes on top, `free` is what there is for it.

    `str(need)` says it in words.
    """

    now: int
    more: int
    free: int

    @property
    def total(self) -> int:
        """Most that will be in use."""
        return self.now + self.more

    @property
    def fits(self) -> bool:
        """Whether there is enough."""
        return self.more <= self.free

    def __str__(self) -> str:
        said = (
            f"training needs about {self.total / _GIB:.1f} GiB: {self.now / _GIB:.1f} are in use already, "
            f"{self.more / _GIB:.1f} more of {self.free / _GIB:.1f} that are free"
        )
        if self.fits:
            return said
        return f"{said}. It may not fit: use gradient_checkpointing, a smaller batch_size or shorter songs"


def memory_need(network: Any, options: LoraOptions, frames: int, tokens: int) -> MemoryNeed:
    """What training the network takes for songs of at most so many latent frames and condition tokens.

    One step is walked through with tensors that have shapes and no memory, counting what autograd keeps.
    """
    shape = _weightless(network, options)
    adapter = sum(parameter.numel() * 4 for parameter in shape.parameters() if parameter.requires_grad)
    kept: float = _kept_bytes(shape, options.batch_size, frames, tokens)
    layer = kept / len(shape.layers)
    if options.gradient_checkpointing:
        shape.enable_gradient_checkpointing()
        kept = _kept_bytes(shape, options.batch_size, frames, tokens) + layer
    more = _WEIGHT_COPIES * adapter + kept + _PASSING * layer + _WORKSPACE
    now, free = _in_use(network.device)
    return MemoryNeed(now, int(more), free)


def _weightless(network: Any, options: LoraOptions) -> Any:
    """A network of the same shape with an adapter and no memory."""
    kind = type(network)
    taken = inspect.signature(kind.__init__).parameters  # a config holds more, such as the alignment heads
    with torch.device("meta"):
        shape = kind(**{name: value for name, value in network.config.items() if name in taken}).train()
        inject(shape, SLOT, lora_config(options))
    for parameter in shape.parameters():
        parameter.data = parameter.data.to(torch.float32 if parameter.requires_grad else network.dtype)
    return shape


def _kept_bytes(shape: Any, takes: int, frames: int, tokens: int) -> int:
    """Bytes that autograd keeps between the way forth and the way back."""
    width = shape.condition_embedder.in_features
    options: dict[str, Any] = {"device": "meta", "dtype": shape.dtype}
    level = torch.zeros(takes, **options)
    with _counting(set(map(_storage, shape.parameters()))) as kept:
        velocity = shape(
            hidden_states=torch.zeros(takes, frames, LATENT_CHANNELS, **options),
            timestep=level,
            timestep_r=level,
            encoder_hidden_states=torch.zeros(takes, tokens, width, **options),
            context_latents=torch.zeros(takes, frames, 2 * LATENT_CHANNELS, **options),
            return_dict=False,
        )[0]
        velocity.float().square().mean()
    return sum(kept.values())


@contextmanager
def _counting(known: set[int]) -> Iterator[dict[int, int]]:
    """Inside, the bytes of every storage that autograd keeps are noted, those that are known left out."""
    kept: dict[int, int] = {}
    alive = []  # a storage that is let go of could give its number to another one

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if _storage(tensor) not in known:
            kept[_storage(tensor)] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _in_use(device: torch.device) -> tuple[int, int]:
    """Bytes in use and free where the network computes."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        used = torch.cuda.memory_allocated(device)
        return used, free + torch.cuda.memory_reserved(device) - used
    return psutil.Process().memory_info().rss, psutil.virtual_memory().available
