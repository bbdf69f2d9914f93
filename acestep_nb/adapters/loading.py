"""Puts adapters into a network and takes them out again, so that it computes as if they had never been there."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import peft
import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from acestep_nb.adapters.files import AdapterWeights
from acestep_nb.errors import CheckpointError


def attach(network: nn.Module, slot: str, adapter: AdapterWeights) -> None:
    """Put an adapter into the network under the name `slot`, at work with all its strength.

    Raises `CheckpointError`, the network as it was, when the adapter was made for a network of another size.
    """
    check_fit(network, adapter)
    first = next(iter(adapter.ranks))
    config = peft.LoraConfig(
        r=adapter.ranks[first],
        lora_alpha=adapter.alphas[first],  # type: ignore[arg-type]
        target_modules=list(adapter.ranks),
        rank_pattern={re.escape(name): rank for name, rank in adapter.ranks.items()},
        alpha_pattern={re.escape(name): alpha for name, alpha in adapter.alphas.items()},
        use_rslora=adapter.use_rslora,
        use_dora=adapter.use_dora,
    )
    inject(network, slot, config)
    try:
        result: Any = peft.set_peft_model_state_dict(network, adapter.tensors, slot)
    except (RuntimeError, ValueError, KeyError) as error:  # a vector of DoRA's that has another length
        detach(network, slot)
        *_heading, reason = str(error).strip().splitlines() or [type(error).__name__]
        raise _unfit(adapter, f"cannot be put in: {reason.strip()}", None, None) from error
    missing = [key for key in result.missing_keys if f".{slot}." in key or key.endswith(f".{slot}")]
    if missing or result.unexpected_keys:
        detach(network, slot)
        raise _unfit(adapter, f"lacks or adds {(missing or result.unexpected_keys)[0]}", None, None)


def inject(network: nn.Module, slot: str, config: peft.LoraConfig) -> None:
    """Put fresh adapter layers into the network; the base's weights are not touched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft warns of a second adapter, which is just what is wanted
        peft.inject_adapter_in_model(config, network, slot)


def detach(network: nn.Module, slot: str) -> None:
    """Take an adapter out of the network; with the last one go the layers that held them."""
    for name, layer in list(lora_layers(network)):
        if slot in layer.lora_A:
            layer.delete_adapter(slot)
        if not layer.lora_A:
            parent, _, attribute = name.rpartition(".")
            setattr(network.get_submodule(parent), attribute, layer.get_base_layer())
    configs: dict[str, Any] = network.peft_config  # type: ignore[assignment]
    configs.pop(slot, None)
    if not configs:
        del network.peft_config


def weigh(network: nn.Module, scales: Mapping[str, float]) -> None:
    """Let adapters work at these scales from now on; one at 0 is passed over as if it were not there."""
    active = [slot for slot, scale in scales.items() if scale]
    for _, layer in lora_layers(network):
        for slot, scale in scales.items():
            layer.set_scale(slot, scale)
        layer.set_adapter(active, inference_mode=True)


def tensors_of(network: nn.Module, slot: str) -> dict[str, Tensor]:
    """The weights of an adapter in the network, by the names of `AdapterWeights.tensors`."""
    found = {}
    for name, layer in lora_layers(network):
        if slot in layer.lora_A:
            found[f"{name}.lora_A.weight"] = layer.lora_A[slot].weight.detach()
            found[f"{name}.lora_B.weight"] = layer.lora_B[slot].weight.detach()
    return found


def lora_layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """The layers of the network that hold adapters, by name."""
    return ((name, module) for name, module in network.named_modules() if isinstance(module, LoraLayer))


def check_fit(network: nn.Module, adapter: AdapterWeights) -> None:
    """Raise `CheckpointError` when the adapter does not fit the layers of the network, naming both shapes."""
    modules = dict(network.named_modules())
    for name, rank in adapter.ranks.items():
        module: Any = modules.get(name)
        if isinstance(module, LoraLayer):
            module = module.get_base_layer()
        if not isinstance(module, nn.Linear):
            raise _unfit(
                adapter, f"changes {name}, which this checkpoint does not have", name, "a layer of it"
            )
        rows, columns = module.out_features, module.in_features
        wanted = {"lora_A": (rank, columns), "lora_B": (rows, rank)}
        for part, shape in wanted.items():
            tensor = adapter.tensors.get(f"{name}.{part}.weight")
            found = None if tensor is None else tuple(tensor.shape)
            if found != shape:
                made = f"{part} of {name} is {found}, and this checkpoint needs {shape}"
                raise _unfit(adapter, made, found, shape)
            if tensor is not None and not torch.isfinite(tensor).all():
                raise _unfit(adapter, f"has numbers that are not finite in {name}", None, "finite")


def _unfit(adapter: AdapterWeights, what: str, value: object, allowed: object) -> CheckpointError:
    return CheckpointError(
        f"the adapter in {adapter.folder} does not fit: it {what}"
        if not what.startswith("lora_")
        else f"the adapter in {adapter.folder} was made for another size: {what}",
        field="adapter",
        value=value,
        allowed=None if allowed is None else str(allowed),
        remedy="Adapters of the small size fit the small checkpoints, those of XL the XL ones.",
    )
