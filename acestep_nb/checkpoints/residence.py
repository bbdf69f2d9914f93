"""Where networks are: all on the device, or by turns those that the work at hand needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

Work = Literal["planning", "reading", "rendering", "decoding"]


class Residence:
    """The networks of an engine by the work that they do, and the device that they compute on.

    As long as they do not take turns (`by_turns`), all of them stay on the device. Then only those of one kind of
    work are there, the others wait in main memory. Going back costs nothing: the copies on the device are dropped
    and the weights that waited in main memory are used again, but for those that were trained meanwhile.
    """

    def __init__(self, device: torch.device, by_turns: bool = False) -> None:
        self.device = device
        self.by_turns = by_turns
        self._networks: dict[Work, list[nn.Module]] = {}
        self._home: dict[Work, list[_Waiting]] = {}  # of those that are on the device

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
            self._home[work] = [one for network in networks for one in _waiting(network)]
            try:
                with torch.inference_mode(False):  # else the weights would be fit for inference mode alone
                    for network in networks:
                        network.to(self.device)
            except BaseException:
                self._arrived(work)
                self._send_away(work)
                raise
            self._arrived(work)

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

    def _arrived(self, work: Work) -> None:
        for one in self._home[work]:
            one.version = one.tensor._version

    def _send_away(self, work: Work) -> None:
        for one in self._home.pop(work):
            one.go_back()


@dataclass
class _Waiting:
    """A parameter or buffer `name` of a module, and what it held in main memory.

    The module is remembered and not its name in the network, which changes when an adapter is put around it.
    """

    owner: nn.Module
    name: str
    data: Tensor
    version: int = -1

    @property
    def tensor(self) -> Tensor:
        """What the module has under that name now."""
        tensor: Tensor = getattr(self.owner, self.name)
        return tensor

    def go_back(self) -> None:
        """Use what waited, or what it was changed to since it was brought."""
        tensor = self.tensor
        tensor.data = self.data if tensor._version == self.version else tensor.data.to(self.data.device)


def _waiting(network: nn.Module) -> Iterator[_Waiting]:
    for owner in network.modules():
        own = [*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)]
        yield from (_Waiting(owner, name, tensor.data) for name, tensor in own)
