"""Weights of one byte: half the memory of bfloat16, for about half a percent of error in each product."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MOST = 127
_SMALL = 64  # a layer with fewer inputs or outputs stays as it is: nothing to save


class Int8Linear(nn.Module):
    """A linear layer whose weights are whole numbers from -127 to 127, each row with a scale of its own.

    It computes in the number format of what it is given.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scale = weight.abs().amax(1, keepdim=True).float().clamp_min(torch.finfo(torch.float32).tiny) / _MOST
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.register_buffer("weight", (weight.float() / scale).round_().to(torch.int8))
        self.register_buffer("scale", scale[:, 0].to(weight.dtype))
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """`[…, out]` of `[…, in]`."""
        product = F.linear(x, self.weight.to(x.dtype)) * self.scale.to(x.dtype)
        return product if self.bias is None else product + self.bias


def quantize(network: nn.Module) -> None:
    """Give every linear layer in the network's stacks of `layers` weights of one byte, one layer after the other.

    What is outside the stacks (embeddings, conditions, the head of a language model) stays: it is small or
    decides words. A layer that is one already stays as well, and so do adapters, for peft computes in the number
    format of their weights, and the layers under a DoRA, which asks for the length of theirs.
    """
    stacks = [module for name, module in network.named_modules() if name.endswith("layers")]
    parts = [part for stack in stacks for name, part in stack.named_modules() if "lora_" not in name]
    for parent in [part for part in parts if not any(getattr(part, "use_dora", {}).values())]:
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and min(child.weight.shape) >= _SMALL:
                setattr(parent, name, Int8Linear(child))
