"""The simulated CUDA device: what a GPU would refuse is refused, and what waits for it is told."""

import copy
import io

import numpy as np
import pytest
import torch
from simulated_cuda import simulated_cuda
from torch import nn
from torch.nn import functional as F


@pytest.fixture(autouse=True)
def simulation():
    """Every test here has the device, and leaves torch as it found it."""
    with simulated_cuda():
        yield
    places = torch, torch.cuda, torch.Tensor, torch.autocast, torch.UntypedStorage, torch._C
    left = [name for place in places for name, value in vars(place).items()
            if getattr(getattr(value, "fget", value), "__module__", None) == "simulated_cuda"]
    assert left == []


def vector(*numbers):
    return torch.tensor(numbers or (3, 1, 2), device="cuda")


def test_tensors_say_where_they_are():
    x = vector()
    for on_device in x, x[1:], x + 1, torch.zeros_like(x), x.new_zeros(3), torch.rand(3, device="cuda"), x.float():
        assert on_device.device == torch.device("cuda", 0) and on_device.is_cuda
    for on_host in torch.zeros(3), x.cpu(), x.to("cpu", torch.float64), torch.zeros(3).to(x.cpu()):
        assert on_host.device == torch.device("cpu") and not on_host.is_cuda


@pytest.mark.parametrize("mix", [
    lambda x, host: x + host,
    lambda x, host: torch.cat([x, host]),
    lambda x, host: torch.where(x > 0, x, host),
    lambda x, host: F.embedding(host, torch.ones(5, 2, device="cuda")),
    lambda x, host: host.add_(x),
    lambda x, host: torch.zeros(()).add_(x.sum()),
    lambda x, host: F.linear(x.float(), nn.Linear(3, 1).weight),
    lambda x, host: torch.equal(x, host),
    lambda x, host: x.index_put_((x - 1,), host),
])
def test_tensors_of_two_devices_do_not_mix(mix):
    with pytest.raises(RuntimeError, match="to be on the same device"):
        mix(vector(), torch.tensor([3, 1, 2]))


def test_numbers_and_indices_of_the_host_are_taken():
    x = vector()
    assert (x * torch.tensor(2)).tolist() == [6, 2, 4]
    assert x[torch.tensor([2, 0])].tolist() == x[[2, 0]].tolist() == [2, 3]


def test_numpy_needs_a_copy_on_the_host():
    with pytest.raises(TypeError, match="Tensor.cpu"):
        np.asarray(vector())
    assert np.asarray(vector().cpu()).tolist() == [3, 1, 2]


WAITS = {
    "item": lambda x: x[0].item(), "int": lambda x: int(x.max()), "if": lambda x: bool((x > 0).all()),
    "index": lambda x: range(x[0]), "format": lambda x: f"{x.sum():d}", "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(), "to": lambda x: torch.zeros(3).to("cuda"), "copy_": lambda x: x.copy_(torch.ones(3)),
    "tensor": lambda x: torch.tensor(3, device="cuda"), "list of indices": lambda x: x[[0, 2]],
    "boolean mask": lambda x: x[x > 1], "masked assignment": lambda x: x.__setitem__(x > 1, x[:1]),
    "nonzero": lambda x: x.nonzero(), "where": lambda x: torch.where(x > 1), "equal": lambda x: torch.equal(x, x),
    "unique": lambda x: x.unique(), "bincount": lambda x: x.bincount(), "repeat_interleave": lambda x: (
        x.repeat_interleave(x)), "multinomial": lambda x: x.float().multinomial(1),
    "synchronize": lambda x: torch.cuda.synchronize()}
NO_WAITS = {
    "slice": lambda x: x[1:], "indices": lambda x: x[x - 1], "sort": lambda x: x.sort(), "argmax": lambda x: x.argmax(),
    "masked_fill": lambda x: x.masked_fill(x > 1, 0), "masked number": lambda x: x.__setitem__(x > 1, 0),
    "repeat_interleave with output_size": lambda x: x.repeat_interleave(x, output_size=6),
    "arange": lambda x: torch.arange(3, device=x.device), "full": lambda x: torch.full((2,), 0.5, device=x.device),
    "dropout": lambda x: F.dropout(x.float()), "non_blocking": lambda x: (
        torch.zeros(3).pin_memory().to("cuda", non_blocking=True))}


def waits(operation, x):
    """Whether an operation on x is refused because it would wait for the device."""
    try:
        operation(x)
    except RuntimeError as error:
        if "called a synchronizing CUDA operation" not in str(error):
            raise
        return True
    return False


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", WAITS)
def test_what_waits_for_the_device_is_an_error_on_demand(name, inference):
    with torch.inference_mode(inference):
        x = vector()
        WAITS[name](x.clone())
        torch.cuda.set_sync_debug_mode("error")
        assert waits(WAITS[name], x)


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", NO_WAITS)
def test_what_does_not_wait_for_the_device_is_none(name, inference):
    with torch.inference_mode(inference):
        x = vector()
        torch.cuda.set_sync_debug_mode("error")
        assert not waits(NO_WAITS[name], x)


def test_waits_are_warnings_on_demand():
    torch.cuda.set_sync_debug_mode("warn")
    with pytest.warns(UserWarning, match="called a synchronizing CUDA operation"):
        assert vector().is_cuda


def test_the_device_has_random_numbers_of_its_own():
    torch.manual_seed(0)
    host, on_device = torch.get_rng_state(), torch.cuda.get_rng_state()
    F.dropout(torch.ones(9, device="cuda"))
    assert torch.equal(torch.get_rng_state(), host) and not torch.equal(torch.cuda.get_rng_state(), on_device)
    drawn = torch.rand(3, device="cuda")
    torch.cuda.set_rng_state(on_device)
    F.dropout(torch.ones(9, device="cuda"))
    assert torch.equal(torch.rand(3, device="cuda"), drawn)
    on_device = torch.cuda.get_rng_state()
    with torch.random.fork_rng(["cuda"]):
        torch.manual_seed(1)
    torch.rand(3)
    assert torch.equal(torch.cuda.get_rng_state(), on_device)


def test_autocast_is_of_the_device():
    layer = nn.Linear(3, 2).to("cuda")
    with torch.autocast("cuda", torch.bfloat16):
        assert torch.is_autocast_enabled("cuda") and torch.get_autocast_dtype("cuda") == torch.bfloat16
        assert layer(torch.ones(1, 3, device="cuda")).dtype == torch.bfloat16
        with torch.autocast("cuda", enabled=False):
            assert layer(torch.ones(1, 3, device="cuda")).dtype == torch.float32
    assert not torch.is_autocast_enabled("cuda")


@pytest.mark.parametrize("optimizer, options", [(torch.optim.Adam, {}), (torch.optim.Adam, {"fused": True}),
                                                (torch.optim.SGD, {"momentum": 0.9, "fused": True})])
def test_a_training_step_is_that_of_the_cpu_and_waits_for_nothing(optimizer, options):
    torch.manual_seed(0)
    on_host = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 1))
    on_device = copy.deepcopy(on_host).to("cuda")
    tokens = torch.randint(9, (5, 3))
    for model, x in (on_host, tokens), (on_device, tokens.to("cuda")):
        learns = optimizer(model.parameters(), lr=0.1, **options)
        torch.cuda.set_sync_debug_mode("error")
        for _ in range(2):
            learns.zero_grad()
            model(x).square().mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            learns.step()
        torch.cuda.set_sync_debug_mode("default")
        assert all(weight.grad.device == weight.device for weight in model.parameters())
    for found, expected in zip(on_device.state_dict().values(), on_host.state_dict().values()):
        assert found.is_cuda
        assert torch.equal(found.cpu(), expected)


def test_a_backward_pass_written_in_python_is_watched():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            assert gradient.is_cuda
            return gradient * torch.full_like(gradient, gradient[0].item())

    x = torch.ones(3, device="cuda", requires_grad=True)
    torch.cuda.set_sync_debug_mode("error")
    with pytest.raises(RuntimeError, match="called a synchronizing CUDA operation"):
        Doubled.apply(x).sum().backward()


def test_copies_and_files_keep_the_place():
    tensors = {"device": vector(), "host": torch.ones(2)}
    file = io.BytesIO()
    torch.save(tensors, file)

    def loaded(where):
        file.seek(0)
        return {name: tensor.device.type for name, tensor in torch.load(file, map_location=where).items()}
    assert {name: tensor.device.type for name, tensor in copy.deepcopy(tensors).items()} == {
        "device": "cuda", "host": "cpu"} == loaded(None)
    assert loaded("cpu") == {"device": "cpu", "host": "cpu"}
    assert loaded(torch.device("cuda")) == {"device": "cuda", "host": "cuda"}


def recorded(function):
    """(graph, what the function gave when it was recorded)."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        assert torch.cuda.is_current_stream_capturing()
        return graph, function()


def test_a_graph_records_without_computing_and_computes_anew_at_each_replay():
    x, total, number = vector(), vector(0, 0, 0), torch.tensor(2)
    graph, doubled = recorded(lambda: total.add_(x * number) * 10)
    assert total.tolist() == [0, 0, 0]
    number.fill_(5)                     # of the host: the graph has another
    graph.replay()
    assert (total.tolist(), doubled.tolist()) == ([6, 2, 4], [60, 20, 40])
    x.copy_(vector(1, 1, 1))
    graph.replay()
    assert (total.tolist(), doubled.tolist()) == ([8, 4, 6], [80, 40, 60])


def test_replays_draw_the_random_numbers_that_calls_would_draw():
    draw = lambda: F.dropout(torch.rand(50, device="cuda"))     # noqa: E731
    torch.cuda.manual_seed(1)
    expected = [draw().tolist() for _ in range(2)]
    torch.cuda.manual_seed(1)
    graph, drawn = recorded(draw)
    for numbers in expected:
        graph.replay()
        assert drawn.tolist() == numbers


@pytest.mark.parametrize("name", [name for name in WAITS if name != "synchronize"])
def test_nothing_that_waits_can_be_recorded(name):
    x = vector()
    with pytest.raises(RuntimeError, match="operation not permitted when stream is capturing"):
        recorded(lambda: WAITS[name](x))
    assert not torch.cuda.is_current_stream_capturing()


def test_a_copy_from_the_host_cannot_be_recorded():
    with pytest.raises(RuntimeError, match="operation not permitted when stream is capturing"):
        recorded(lambda: torch.zeros(3).to("cuda", non_blocking=True))
