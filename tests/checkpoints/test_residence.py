"""Networks that take turns. No accelerator here: a move is a copy of the weights, which can be told from them."""

import pytest
import torch
from torch import nn

from acestep_nb.checkpoints.residence import Residence

CPU = torch.device("cpu")


class Moves:
    """Makes every move of a network a copy; `fail` makes moving that one run out of memory."""

    def __init__(self, monkeypatch):
        self.fail = None
        move = nn.Module.to
        moves = self

        def to(network, place, *more):
            if place != "cpu" and network is moves.fail:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return network._apply(torch.clone) if place == CPU else move(network, place, *more)

        monkeypatch.setattr(nn.Module, "to", to)


def network():
    own = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    return own.eval().requires_grad_(False)


def places(own):
    return [tensor.data_ptr() for tensor in own.state_dict().values()]


@pytest.fixture
def moves(monkeypatch):
    return Moves(monkeypatch)


@pytest.fixture
def residence():
    own = Residence(CPU, by_turns=True)
    own.add("reading", [network(), None, network()])
    own.add("rendering", [network()])
    return own


def test_only_those_at_work_are_there(moves, residence):
    readers, (renderer,) = residence._networks["reading"], residence._networks["rendering"]
    home = [places(own) for own in (*readers, renderer)]
    assert len(readers) == 2
    residence.bring("reading")
    assert (
        all(not set(places(own)) & set(at) for own, at in zip(readers, home)) and places(renderer) == home[2]
    )
    there = places(readers[0])
    residence.bring("reading")
    assert places(readers[0]) == there  # it is there already
    residence.bring("rendering")
    assert [places(own) for own in readers] == home[:2] and not set(places(renderer)) & set(home[2])
    residence.bring("decoding")  # nobody does that work here: the device is free
    assert places(renderer) == home[2]


def test_what_was_trained_is_kept(moves, residence):
    (renderer,) = residence._networks["rendering"]
    home = places(renderer)
    residence.bring("rendering")
    renderer[0].weight.add_(1)
    wanted = renderer[0].weight.clone()
    renderer.add_module("adapter", nn.Linear(2, 2))
    renderer[0] = nn.Sequential(renderer[0])  # as an adapter is put around a layer
    residence.bring("reading")
    assert torch.equal(renderer[0][0].weight, wanted)
    assert places(renderer)[1:-2] == home[1:]


def test_a_move_that_fails_leaves_nobody_there(moves, residence):
    readers = residence._networks["reading"]
    home = [places(own) for own in readers]
    moves.fail = readers[1]
    with pytest.raises(torch.OutOfMemoryError):
        residence.bring("reading")
    assert [places(own) for own in readers] == home
    moves.fail = None
    residence.bring("reading")
    assert not set(places(readers[1])) & set(home[1])


def test_the_same_result_wherever_they_wait(moves, residence):
    (renderer,) = residence._networks["rendering"]
    x = torch.randn(3, 4)
    with torch.inference_mode():
        expected = renderer(x)
        residence.bring("rendering")
        assert torch.equal(renderer(x), expected)
        residence.bring("reading")
        assert torch.equal(renderer(x), expected)
    assert not renderer[0].weight.is_inference()


def test_all_of_them_are_there_until_memory_is_short(moves):
    residence, own = Residence(CPU), network()
    home = places(own)
    residence.add("rendering", [own])
    there = places(own)
    assert not set(there) & set(home)
    residence.bring("reading")
    assert places(own) == there
    residence.take_turns()
    residence.take_turns()
    assert residence.by_turns and residence.at_home("rendering") == [own]
    residence.bring("rendering")
    brought = places(own)
    assert (
        residence.at_home("rendering") == [own]
        and places(own) != brought
        and residence.at_home("planning") == []
    )


def test_what_was_emptied_is_only_shapes(residence):
    (renderer,) = residence._networks["rendering"]
    residence.bring("rendering")
    residence.empty()
    assert all(tensor.is_meta for tensor in renderer.state_dict().values())
