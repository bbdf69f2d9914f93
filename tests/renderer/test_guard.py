import pytest
import torch

from acestep_nb.errors import Cancelled, RenderError
from acestep_nb.renderer import guard
from acestep_nb.renderer.guard import check_latents, in_float32, is_finite, render_errors


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0])
def test_latents_that_are_not_music(bad):
    latents = torch.zeros(1, 3, 4)
    latents[:, 1] = bad
    assert is_finite(latents) == (bad == 0)
    with pytest.raises(RenderError) as caught:
        check_latents(latents)
    assert caught.value.remedy and caught.value.field == "latents"


def test_memory_errors_say_what_to_do():
    for error in (
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        torch.OutOfMemoryError("CUDA"),
    ):
        with pytest.raises(RenderError, match=r"memory.*shorter duration"), render_errors("rendering"):
            raise error


def test_torch_errors_keep_their_cause():
    with (
        pytest.raises(RenderError, match="rendering failed: mat1 and mat2") as caught,
        render_errors("rendering"),
    ):
        torch.zeros(2, 3) @ torch.zeros(4, 5)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_errors_in_words_pass():
    with pytest.raises(Cancelled), render_errors("rendering"):
        raise Cancelled("stopped")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_come_back_to_the_bit_and_can_be_trained(dtype):
    network = torch.nn.Linear(8, 8).to(dtype)
    before = network.weight.clone()
    with torch.inference_mode(), pytest.raises(KeyError), in_float32(network, "rendering"):
        assert network.weight.dtype == torch.float32
        raise KeyError
    assert network.weight.dtype == dtype and torch.equal(network.weight, before)
    network(torch.ones(1, 8, dtype=dtype)).sum().backward()
    assert network.weight.grad is not None


def test_each_tensor_comes_back_in_its_own_format():
    network = torch.nn.Sequential(torch.nn.Linear(8, 8).half(), torch.nn.Linear(8, 8))
    network.register_buffer("marks", torch.arange(3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with in_float32(network, "rendering"):
        assert network[0].weight.dtype == torch.float32 and network.marks.dtype == torch.int64
    after = network.state_dict()
    assert all(
        after[name].dtype == one.dtype and torch.equal(after[name], one) for name, one in before.items()
    )


def test_no_memory_for_float32_leaves_the_network_as_it_was(monkeypatch):
    network, real, calls = torch.nn.Linear(8, 8).half(), guard._cast, []

    def full(tensors, dtypes):
        calls.append(1)
        if len(calls) == 1:
            real(tensors[:1], dtypes)
            raise torch.OutOfMemoryError("out of memory")
        real(tensors, dtypes)

    monkeypatch.setattr(guard, "_cast", full)
    with (
        pytest.raises(RenderError, match="reading the words in float32 needs") as caught,
        in_float32(network, "reading the words in float32"),
    ):
        pass
    assert caught.value.field == "memory" and {one.dtype for one in network.parameters()} == {torch.float16}
