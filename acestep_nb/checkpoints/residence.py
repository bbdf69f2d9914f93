"""Where networks are: all on the device, or by turns those that the work at hand needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Work = Literal["planning", "reading", "rendering", "decoding"]


class Residence:
    """The networks of an engine by the work that they do, and the device that they compute on.

    As long as they do not `take_turns`, all of them stay on the device. Then only those of one kind of work are
    there, the others wait in main memory; their weights never change, so that leaving costs nothing: the copies
    on the device are dropped and those in main memory are used again.
    """

    def __init__(self, device: torch.device, by_turns: bool = False) -> None:
        self.device = device
        self.by_turns = by_turns
        self._networks: dict[Work, list[nn.Module]] = {}
        self._home: dict[Work, list[dict[str, Tensor]]] = {}  # of those that are on the device

    def add(self, work: Work, networks: Iterable[Any]) -> None:
        """Take networks in; None among them is left out. They move now, or when it is their turn."""
        own = [network for network in networks if network is not None]
        self._networks[work] = own
        if not self.by_turns:
            for network in own:
                network.to(self.device)

    def bring(self, work: Work) -> None:
        """The networks of that work are on the device when this returns; when it fails, none of them is."""
        if not self.by_turns:
            return
        for other in [other for other in self._home if other != work]:
            self._send_away(other)
        if work in self._networks and work not in self._home:
            networks = self._networks[work]
            self._home[work] = [_tensors(network) for network in networks]
            try:
                with torch.inference_mode(False):  # else the weights would be fit for inference mode alone
                    for network in networks:
                        network.to(self.device)
            except BaseException:
                self._send_away(work)
                raise

    def take_turns(self) -> None:
        """From now on, networks that have nothing to do wait in main memory."""
        if not self.by_turns:
            self.by_turns = True
            for networks in self._networks.values():
                for network in networks:
                    network.to("cpu")

    def at_home(self, work: Work) -> list[nn.Module]:
        """The networks of that work; if they take turns they are in main memory now, to be worked on there."""
        if work in self._home:
            self._send_away(work)
        return self._networks.get(work, [])

    def empty(self) -> None:
        """Let go of all weights, whoever still holds the networks: they are only shapes afterwards."""
        self._home.clear()
        for networks in self._networks.values():
            for network in networks:
                network.to("meta")

    def _send_away(self, work: Work) -> None:
        for network, home in zip(self._networks[work], self._home.pop(work), strict=True):
            for name, waiting in home.items():
                _slot(network, name).data = waiting


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    """What every parameter and buffer of a network holds, by name."""
    named = [
        *network.named_parameters(remove_duplicate=False),
        *network.named_buffers(remove_duplicate=False),
    ]
    return {name: tensor.data for name, tensor in named}


def _slot(network: nn.Module, name: str) -> Tensor:
    """The parameter or buffer of that name."""
    owner, _, own = name.rpartition(".")
    tensor: Tensor = getattr(network.get_submodule(owner), own)
    return tensor
