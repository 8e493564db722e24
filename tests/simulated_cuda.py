"""A CUDA device for machines without one: tensors that say they are on cuda:0, computed on the CPU.

    with simulated_cuda():
        model.to("cuda")

As on a GPU, tensors of two devices do not mix, the device has a random number generator of its own, and
`torch.cuda.set_sync_debug_mode` warns or raises where the host would wait for the device: at a number asked of it
(item(), int(), if, tolist()), at a shape that depends on its numbers (nonzero(), unique(), a boolean mask,
repeat_interleave() without output_size), and at a copy between the two that is not non_blocking. Where a tensor is
stands on its storage, which views, saved tensors and .data share; to torch's C++ all of them are on the CPU.

A CUDA graph records what is computed on the device, without taking it: a replay computes the same operations on the
same tensors, with the numbers of the host as they were, and with new random numbers. Within it the host may not wait.

What it cannot show: whether cuDNN, cuBLAS and the CUDA kernels compute the same, take these shapes and types, wait for
the device themselves, or can be recorded; what autocast casts on CUDA alone; a read before a non_blocking copy has
arrived; gradients through a copy between devices; several GPUs and NCCL; and anything about speed or memory.
"""

import contextlib
import runpy
import sys
import warnings

import pytest
import torch
from torch import Tag
from torch._C import TensorBase
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
FROM_DATA = "tensor", "as_tensor", "asarray"
FROM_NOTHING = ("arange", "empty", "empty_strided", "eye", "full", "linspace", "ones", "rand", "randint", "randn",
                "randperm", "scalar_tensor", "zeros")


def place(tensor):
    """The device that a tensor is on, or None if C++ made it of no other tensor: it is where it is needed."""
    return vars(tensor.untyped_storage()).setdefault("place", CPU)


def put(tensor, device):
    tensor.untyped_storage().place = device
    return tensor


def tensors_in(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class SimulatedCuda(TorchDispatchMode):
    """Sees every operation below autograd and autocast, those of the backward pass included."""

    sync_debug_mode = "default"
    graph = None        # that records

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        asked, kwargs = kwargs or {}, dict(kwargs or {})
        with self:      # in inference mode autograd has not broken it up into what it is made of
            outputs = operation.decompose(*args, **kwargs)
        if outputs is not NotImplemented:
            return outputs
        inputs = tensors_in((args, kwargs))
        places = [place(tensor) for tensor in inputs]
        if getattr(kwargs.get("device"), "type", None) == "cuda":
            places.append(CUDA)
            kwargs["device"] = CPU
        device = CUDA if CUDA in places else CPU if CPU in places else None
        if device == CUDA:
            check(operation, args, kwargs, inputs)
            if self.graph:
                self.graph.keep(operation, inputs)
        random = device == CUDA and Tag.nondeterministic_seeded in operation.tags
        with random_numbers_of_the_device() if random else contextlib.nullcontext():
            outputs = operation(*args, **kwargs)
        for tensor in inputs:
            put(tensor, place(tensor) or device)
        for tensor in tensors_in(outputs):
            vars(tensor.untyped_storage()).setdefault("place", device)      # a view stays where its base is
        if device == CUDA and self.graph:
            self.graph.record(operation, args, asked, outputs)
        return outputs


def check(operation, args, kwargs, inputs):
    """Refuse what CUDA refuses, and tell of what the host waits for."""
    on_host = [tensor for tensor in inputs if place(tensor) == CPU]
    if operation == aten.copy_.default:
        non_blocking = args[2] if len(args) > 2 else kwargs.get("non_blocking")
        waits = on_host and (SimulatedCuda.graph or not non_blocking)
    elif operation in INDEXED:
        indices = [index for index in args[1] if index is not None]             # may be the host's
        on_host = [tensor for tensor in on_host if all(tensor is not index for index in indices)]
        fills = any(tensor is args[-1] and tensor.numel() == 1 for tensor in on_host)
        waits = any(place(index) == CPU or index.dtype == torch.bool and not fills for index in indices)
    else:
        waits = operation == aten.multinomial.default or kwargs.get("output_size") is None and (
            {Tag.data_dependent_output, Tag.dynamic_output_shape}.intersection(operation.tags))
    # One number of the host's may be an argument, but not what a result is written to.
    if operation != aten.copy_.default and (any(tensor.dim() for tensor in on_host) or (
            operation._schema.is_mutable and place(inputs[0]) == CPU)):
        raise RuntimeError(f"Expected all tensors to be on the same device, but {operation} found cuda:0 and cpu")
    if waits:
        wait(operation)


def wait(what):
    """The host waits for the device: let it, warn or raise, as torch.cuda.set_sync_debug_mode says."""
    if SimulatedCuda.graph:
        raise RuntimeError(f"operation not permitted when stream is capturing ({what})")
    message = f"called a synchronizing CUDA operation ({what})"
    if SimulatedCuda.sync_debug_mode in (2, "error"):
        raise RuntimeError(message)
    if SimulatedCuda.sync_debug_mode in (1, "warn"):
        warnings.warn(message, stacklevel=2)


class SimulatedGraph:
    """What replaces torch.cuda.CUDAGraph."""

    def __init__(self):
        self.operations = []        # each with its arguments and the tensors that it gave
        self.before = {}            # what storages held that the recording has written to

    def keep(self, operation, inputs):
        if operation._schema.is_mutable:
            for storage in (tensor.untyped_storage() for tensor in inputs):
                self.before.setdefault(storage.data_ptr(), (storage, storage.clone()))

    def record(self, operation, args, kwargs, outputs):
        def fix(some):
            """A number of the host's stays as it is."""
            return some.clone() if isinstance(some, torch.Tensor) and place(some) == CPU else some
        self.operations.append((operation, *tree_map(fix, (args, kwargs)), tensors_in(outputs)))

    def replay(self):
        with torch._C._AutoDispatchBelowAutograd():
            for operation, args, kwargs, outputs in self.operations:
                for output, new in zip(outputs, tensors_in(operation(*args, **kwargs))):
                    if output.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                        output.copy_(new)


@contextlib.contextmanager
def record(graph, stream=None):
    """What replaces torch.cuda.graph()."""
    random_state = torch.cuda.get_rng_state()
    SimulatedCuda.graph = graph
    try:
        yield
    finally:
        SimulatedCuda.graph = None
        for storage, content in graph.before.values():
            storage.copy_(content)
        torch.cuda.set_rng_state(random_state)


class SimulatedStream:
    """The device has one stream."""

    def wait_stream(self, stream):
        pass

    def is_capturing(self):
        return SimulatedCuda.graph is not None


@contextlib.contextmanager
def random_numbers_of_the_device():
    """Let the CPU's random numbers be the device's."""
    state = torch.get_rng_state()
    torch.set_rng_state(torch.cuda.get_rng_state())
    try:
        yield
        torch.cuda.set_rng_state(torch.get_rng_state())
    finally:
        torch.set_rng_state(state)


CUDA_MODULE = dict(         # what replaces its namesakes in torch.cuda
    _initialized=True, is_available=lambda: True, is_bf16_supported=lambda including_emulation=True: True,
    device_count=lambda: 1, current_device=lambda: 0, set_device=lambda device: None,
    get_device_name=lambda device=None: "simulated CUDA", CUDAGraph=SimulatedGraph, graph=record,
    is_current_stream_capturing=lambda: SimulatedCuda.graph is not None, Stream=SimulatedStream,
    current_stream=lambda device=None: SimulatedStream(), stream=lambda stream: contextlib.nullcontext(),
    get_rng_state=lambda device=CUDA: torch.cuda.default_generators[0].get_state(),
    set_rng_state=lambda state, device=CUDA: torch.cuda.default_generators[0].set_state(state),
    manual_seed=lambda seed: torch.cuda.default_generators[0].manual_seed(seed),
    manual_seed_all=lambda seed: torch.cuda.default_generators[0].manual_seed(seed),
    synchronize=lambda device=None: wait("synchronize"),
    set_sync_debug_mode=lambda mode: setattr(SimulatedCuda, "sync_debug_mode", mode))


class TensorMethods:
    """What replaces its namesakes in torch.Tensor."""

    @property
    def device(self):
        return CUDA if place(self) == CUDA else TensorBase.device.__get__(self)

    @property
    def is_cuda(self):
        return place(self) == CUDA

    def to(self, *args, copy=False, **kwargs):
        if args and isinstance(args[0], torch.Tensor):
            args = args[0].device, args[0].dtype, *args[1:]
        device, dtype, non_blocking, memory_format = torch._C._nn._parse_to(*args, **kwargs)
        cast = TensorBase.to(self, dtype or self.dtype, copy=copy, memory_format=memory_format or torch.preserve_format)
        if device is None or device.type == self.device.type:
            return cast
        if SimulatedCuda.graph or not non_blocking:
            wait(f"copy to {device.type}")
        return put(cast.clone(), CUDA if device.type == "cuda" else CPU)

    def cpu(self):
        return self.to(CPU)

    def cuda(self, device=CUDA, non_blocking=False):
        return self.to(device, non_blocking=non_blocking)

    def pin_memory(self):
        return self

    def tolist(self):
        if self.is_cuda:
            wait("tolist")
        return TensorBase.tolist(self)

    def numpy(self, **options):
        if self.is_cuda:
            raise TypeError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu() first")
        return TensorBase.numpy(self, **options)


def from_data(make):
    """torch.tensor() and its like, which make a tensor on the host and copy it to the device."""
    def made(*args, device=None, **options):
        tensor = make(*args, **options)
        return tensor if device is None else tensor.to(device)
    return made


def from_nothing(make):
    """torch.zeros() and its like; the dispatch mode sees to their device."""
    def made(*args, pin_memory=False, **options):
        tensor = make(*args, **options)
        return put(tensor, place(tensor) or CPU)
    return made


def as_on_cpu(query):
    """Autocast is the CPU's: there is no other for tensors that C++ finds there."""
    return lambda device_type="cuda": query("cpu" if device_type == "cuda" else device_type)


def autocast(self, device_type, dtype=None, *args, init=torch.autocast.__init__, **options):
    if device_type == "cuda":
        device_type, dtype = "cpu", dtype or torch.float16
    init(self, device_type, dtype, *args, **options)


def clone(storage, clone=torch.UntypedStorage.clone):
    """What copy.deepcopy() copies."""
    copied = clone(storage)
    copied.place = vars(storage).get("place", CPU)
    return copied


def location(storage):
    """What torch.save() notes of a storage, where it is not on the CPU."""
    return "cuda:0" if vars(getattr(storage, "_untyped_storage", storage)).get("place") == CUDA else None


def restore(storage, location):
    """What torch.load() does with such a note, or with a map_location."""
    if location.startswith("cuda"):
        storage.place = CUDA
        return storage


def group_tensors(*args, group=torch._C._group_tensors_by_device_and_dtype):
    """How the optimizers and clip_grad_norm_ learn where their tensors are."""
    return {(lists[0][0].device, dtype): (lists, indices) for (_, dtype), (lists, indices) in group(*args).items()}


@contextlib.contextmanager
def simulated_cuda():
    """Within, torch finds one CUDA device, which the CPU computes for."""
    with pytest.MonkeyPatch.context() as patch, SimulatedCuda():
        patch.setattr(SimulatedCuda, "sync_debug_mode", "default")
        patch.setattr(torch.cuda, "default_generators", (torch.Generator(),))
        for name, value in CUDA_MODULE.items():
            patch.setattr(torch.cuda, name, value)
        patch.setattr(torch.accelerator, "current_stream", CUDA_MODULE["current_stream"])
        patch.setattr(torch.backends.cudnn, "is_acceptable", lambda tensor: False)
        for name in "device", "is_cuda", "to", "cpu", "cuda", "pin_memory", "tolist", "numpy":
            patch.setattr(torch.Tensor, name, vars(TensorMethods)[name])
        for names, wrap in (FROM_DATA, from_data), (FROM_NOTHING, from_nothing), (
                ("is_autocast_enabled", "get_autocast_dtype"), as_on_cpu):
            for name in names:
                patch.setattr(torch, name, wrap(getattr(torch, name)))
        patch.setattr(torch.autocast, "__init__", autocast)
        patch.setattr(torch.UntypedStorage, "clone", clone)
        patch.setattr(torch.serialization, "_package_registry",
                      [(0, location, restore), *torch.serialization._package_registry])
        patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", group_tensors)
        yield


if __name__ == "__main__":      # python tests/simulated_cuda.py SCRIPT [OPTION ...] runs a script on it
    sys.argv = sys.argv[1:]
    with simulated_cuda():
        runpy.run_path(sys.argv[0], run_name="__main__")
