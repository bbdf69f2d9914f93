import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from acestep_nb.checkpoints.int8 import Int8Linear, quantize


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_off_by_less_than_a_percent(dtype, bias):
    torch.manual_seed(0)
    exact = nn.Linear(256, 512, bias=bias).to(dtype)
    small = Int8Linear(exact)
    x = torch.randn(2, 10, 256, dtype=dtype)
    wanted, found = exact(x).float(), small(x).float()
    assert found.shape == wanted.shape and small(x).dtype == dtype
    assert (found - wanted).norm() / wanted.norm() < 0.01
    assert small.weight.dtype == torch.int8 and small.weight.abs().max() == 127


def test_rows_of_zeros_stay_zeros():
    exact = nn.Linear(64, 64, bias=False)
    exact.weight.data[3] = 0
    assert (Int8Linear(exact)(torch.randn(2, 64))[:, 3] == 0).all()


def stacked():
    network = nn.Module()
    network.layers = nn.ModuleList(nn.Sequential(nn.Linear(64, 128), nn.Linear(128, 32)) for _ in range(2))
    network.inner = nn.Module()
    network.inner.layers = nn.ModuleList([nn.Linear(64, 64)])
    network.head = nn.Linear(64, 1000)
    return network


def test_only_large_layers_of_the_stacks_change():
    network = stacked()
    before = sum(tensor.numel() * tensor.element_size() for tensor in network.layers.state_dict().values())
    quantize(network)
    kinds = {name: type(module) for name, module in network.named_modules()}
    assert kinds["layers.0.0"] is kinds["layers.1.0"] is kinds["inner.layers.0"] is Int8Linear
    assert kinds["layers.0.1"] is kinds["head"] is nn.Linear
    after = sum(tensor.numel() * tensor.element_size() for tensor in network.layers.state_dict().values())
    assert after < 0.7 * before
    weight = network.layers[0][0].weight
    quantize(network)
    assert network.layers[0][0].weight is weight  # once is enough


@pytest.mark.parametrize("use_dora", [False, True])
def test_adapters_work_as_before(use_dora):
    torch.manual_seed(0)
    network = nn.Module()
    network.layers = nn.ModuleList([nn.Sequential(nn.Linear(128, 128), nn.Linear(128, 128))])
    how = LoraConfig(r=64, target_modules=["layers.0.0"], init_lora_weights=False, use_dora=use_dora)
    inject_adapter_in_model(how, network, "own")
    x = torch.randn(4, 128)
    with torch.no_grad():
        before = network.layers[0](x)
        quantize(network)
        after = network.layers[0](x)
    assert isinstance(network.layers[0][1], Int8Linear)
    assert isinstance(network.layers[0][0].base_layer, Int8Linear) != use_dora
    assert (after - before).norm() / before.norm() < 0.02


def test_it_moves_and_changes_its_format_like_any_other():
    small = Int8Linear(nn.Linear(64, 64).to(torch.bfloat16))
    x = torch.randn(1, 64)
    near = small(x.to(torch.bfloat16)).float()
    wide = small.to(torch.float32)
    assert wide.weight.dtype == torch.int8 and torch.allclose(wide(x), near, atol=0.05)
    assert wide.to("meta").weight.is_meta
