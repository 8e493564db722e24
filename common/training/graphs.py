"""Training steps recorded as CUDA graphs."""

import collections
import contextlib

import torch

from common.data.batches import Crops
from common.layers.ensemble import Ensemble
from common.processes import processes

WARM_UP_STEPS = 3       # in which libraries set up what must not be recorded


def can_record(model, data, options):
    """Whether a training step launches the same kernels whatever the batch, and changes no number but the rates.

    Bags of words differ in size from batch to batch, an adaptive softmax waits for the device, and the one-cycle
    schedule changes Adam's momentum.
    """
    return (options.device.type == "cuda" and processes.size == 1 and isinstance(data, Crops)
            and not isinstance(model, Ensemble) and not getattr(options, "cutoffs", None)
            and options.schedule != "one-cycle")


class RecordedSteps:
    """Records a training step for each size of batch, and replays it.

    An LSTM's step is a thousand short kernels, which the host launches more slowly than a GPU computes them. A
    recording launches them all at once. It draws the random numbers that the step would draw.

    Args:
        step: indices (batch,) on the device -> tensor.
        optimizer: that the step uses; its learning rates may change between two steps.
    """

    def __init__(self, step, optimizer):
        self.step, self.optimizer = step, optimizer
        self.stream = torch.cuda.Stream()
        self.rates = [torch.tensor(group["lr"], device="cuda") for group in optimizer.param_groups]
        self.steps = collections.Counter()
        self.recordings = {}

    def __call__(self, indices):
        """Train on one batch; indices (batch,) int64, on the CPU -> what the step returns."""
        size = len(indices)
        self.steps[size] += 1
        indices = indices.to("cuda", non_blocking=True)
        if self.steps[size] <= WARM_UP_STEPS:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                result = self.step(indices)
            torch.cuda.current_stream().wait_stream(self.stream)
            return result
        if size not in self.recordings:
            self.recordings[size] = self.record(indices)
        graph, recorded_indices, result = self.recordings[size]
        recorded_indices.copy_(indices)
        for rate, group in zip(self.rates, self.optimizer.param_groups):
            rate.fill_(group["lr"])
        graph.replay()
        return result.clone()

    def record(self, indices):
        """(graph, the indices that it reads, the result that it writes)."""
        indices, graph = indices.clone(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream), self.rates_on_device():
            result = self.step(indices)
        return graph, indices, result

    @contextlib.contextmanager
    def rates_on_device(self):
        """A context in which the optimizer reads its learning rates on the device, where a replay finds new ones."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        for rate, group in zip(self.rates, self.optimizer.param_groups):
            group.update(lr=rate, capturable=True)
        yield
        for rate, group in zip(rates, self.optimizer.param_groups):
            group.update(lr=rate, capturable=False)
