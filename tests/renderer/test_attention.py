import copy

import pytest
import torch
from diffusers import AceStepTransformer1DModel

from acestep_nb.errors import RenderError
from acestep_nb.renderer.attention import RememberingAttention, condition_memory

TOKENS, FRAMES, WIDTH = 37, 21, 24


@pytest.fixture(scope="module", params=[(4, 4), (4, 2), (4, 1)], ids=["MHA", "GQA", "MQA"])
def network(request):
    heads, kv_heads = request.param
    torch.manual_seed(0)
    return AceStepTransformer1DModel(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=16,
        in_channels=192,
        sliding_window=4,
        encoder_hidden_size=WIDTH,
        attention_bias=True,
    ).eval()


@pytest.fixture
def inputs():
    torch.manual_seed(1)
    return {
        "conditions": torch.randn(2, 2, TOKENS, WIDTH),
        "null": torch.randn(1, 1, WIDTH),
        "x": torch.randn(2, FRAMES, 64),
        "context": torch.randn(2, FRAMES, 128),
    }


def ask(network, x, context, hidden):
    level = torch.full((len(x),), 0.6, dtype=x.dtype)
    return network(
        hidden_states=x,
        timestep=level,
        timestep_r=level,
        encoder_hidden_states=hidden,
        context_latents=context,
        return_dict=False,
    )[0]


@torch.inference_mode()
def test_what_is_remembered_is_what_would_be_read(network, inputs):
    x, context, conditions = inputs["x"], inputs["context"], inputs["conditions"]
    expected = [ask(network, x, context, condition) for condition in conditions]
    assert not torch.allclose(*expected, atol=1e-2)
    with condition_memory(network, list(conditions)) as memory:
        for number in (0, 1, 0):
            memory.show(number)
            found = ask(network, x, context, torch.zeros(2, 1, WIDTH))
            assert torch.allclose(found, expected[number], atol=1e-5)


@torch.inference_mode()
def test_one_token_stands_for_a_whole_sequence_without_words(network, inputs):
    twice = [torch.cat([inputs[name]] * 2) for name in ("x", "context")]
    condition, null = inputs["conditions"][0], inputs["null"]
    expected = ask(network, *twice, torch.cat([condition, null.expand_as(condition)]))
    assert not torch.allclose(*expected.chunk(2), atol=1e-2)
    with condition_memory(network, [condition], null):
        found = ask(network, *twice, condition[:, :1])
        alone = ask(network, inputs["x"], inputs["context"], condition[:, :1])
    assert torch.allclose(found, expected, atol=1e-5) and torch.allclose(alone, expected[:2], atol=1e-5)


def test_keys_and_values_are_computed_once(network, inputs):
    reads = []
    hooks = [
        layer.cross_attn.to_k.register_forward_hook(lambda *call: reads.append(1)) for layer in network.layers
    ]
    with torch.inference_mode(), condition_memory(network, list(inputs["conditions"])):
        for _ in range(5):
            ask(network, inputs["x"], inputs["context"], inputs["conditions"][0][:, :1])
    for hook in hooks:
        hook.remove()
    assert len(reads) == 2 * len(network.layers)


def test_the_processors_that_were_there_come_back(network, inputs):
    before = [layer.cross_attn.processor for layer in network.layers]
    with (
        torch.inference_mode(),
        pytest.raises(KeyError),
        condition_memory(network, list(inputs["conditions"])),
    ):
        assert all(isinstance(layer.cross_attn.processor, RememberingAttention) for layer in network.layers)
        raise KeyError
    assert [layer.cross_attn.processor for layer in network.layers] == before


@torch.inference_mode()
def test_in_half_precision_it_is_as_near_as_the_network_itself(network, inputs):
    half = copy.deepcopy(network).bfloat16()
    x, context, condition = (
        tensor.bfloat16() for tensor in (inputs["x"], inputs["context"], inputs["conditions"][0])
    )
    expected = ask(half, x, context, condition)
    with condition_memory(half, [inputs["conditions"][0]]):
        found = ask(half, x, context, condition[:, :1])
    assert torch.allclose(found.float(), expected.float(), atol=0.1)


def test_a_condition_that_does_not_fit_is_told(network):
    with (
        pytest.raises(RenderError, match="reading the condition failed"),
        condition_memory(network, [torch.randn(1, 3, WIDTH + 1)]),
    ):
        pass
