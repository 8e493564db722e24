"""Training steps recorded as CUDA graphs."""

import collections
import contextlib

import torch

from common.data.batches import Crops
from common.errors import UserError
from common.processes import processes

WARM_UP_STEPS = 3       # in which libraries set up what must not be recorded


def can_record(data, options):
    """Whether a step launches the same kernels on every batch, and needs no number of the host but a schedule's.

    Bags of words differ in size from batch to batch, an adaptive softmax waits for the device, --adversarial sets the
    random state, and SGD reads the momentum of a one-cycle schedule on the host. Nor are steps of several processes
    recorded, which meet on the host, nor any with --debug: an error in a replay has no traceback.
    """
    return (options.device.type == "cuda" and processes.size == 1 and isinstance(data, Crops) and not options.debug
            and not any(getattr(options, name, 0) for name in ("cutoffs", "adversarial"))
            and not (options.schedule == "one-cycle" and options.optimizer == "sgd"))


class RecordedSteps:
    """A training step that is recorded once for each size of batch, and then replayed.

    An LSTM's step is a thousand short kernels, which a GPU computes faster than the host launches them. A replay
    launches them all at once, and draws the random numbers that the step would draw.

    Args:
        step: indices (batch,) int64, on the device -> tensor.
        optimizer: that the step uses; its learning rates, and Adam's momenta, may change from step to step.
    """

    def __init__(self, step, optimizer):
        self.step, self.optimizer = step, optimizer
        self.stream = torch.cuda.Stream()
        # What a schedule sets, where a replay finds it: numbers on the device.
        self.rates = [torch.tensor(group["lr"], device="cuda") for group in optimizer.param_groups]
        self.momenta = [torch.tensor(group["betas"][0], device="cuda")
                        for group in optimizer.param_groups if "base_momentum" in group]       # of a one-cycle schedule
        self.steps = collections.Counter()      # by size of batch
        self.recordings = {}                    # (graph, indices that it reads, tensor that it writes) by size of batch

    def __call__(self, indices):
        """Train on one batch; indices (batch,) int64, on the CPU -> what the step returns."""
        size, indices = len(indices), indices.to("cuda", non_blocking=True)
        self.steps[size] += 1
        if self.steps[size] <= WARM_UP_STEPS:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):        # that it is recorded on
                result = self.step(indices)
            torch.cuda.current_stream().wait_stream(self.stream)
            return result
        if size not in self.recordings:
            self.recordings[size] = self.record(indices)
        graph, recorded_indices, result = self.recordings[size]
        recorded_indices.copy_(indices)         # a replay reads where the recording did
        for rate, group in zip(self.rates, self.optimizer.param_groups):
            rate.fill_(group["lr"])
        for momentum, group in zip(self.momenta, self.optimizer.param_groups):
            momentum.fill_(group["betas"][0])
        graph.replay()
        return result.clone()                   # the next replay writes over it

    def record(self, indices):
        """Record the step, without taking it.

        Raises:
            UserError: it cannot be recorded, as where it asks for a number of a tensor.
        """
        recorded_indices, graph = indices.clone(), torch.cuda.CUDAGraph()
        try:
            with self.rates_on_device(), torch.cuda.graph(graph, stream=self.stream):
                result = self.step(recorded_indices)
        except RuntimeError as error:
            # The end of the recording fails as well then, and says less.
            reason = str(error.__context__ or error).splitlines()[0]
            raise UserError(f"a training step cannot be recorded as a CUDA graph ({reason}); with --debug its kernels "
                            "are launched one by one") from error
        return graph, recorded_indices, result

    @contextlib.contextmanager
    def rates_on_device(self):
        """A context in which the optimizer reads what a schedule sets on the device, where a replay finds it anew."""
        groups = self.optimizer.param_groups
        before = [dict(group) for group in groups]
        for rate, group in zip(self.rates, groups):
            group.update(lr=rate, capturable=True)
        for momentum, group in zip(self.momenta, groups):
            # Adam's fused kernel takes momenta of the host alone.
            group.update(betas=(momentum, group["betas"][1]), fused=False, foreach=False)
        try:
            yield
        finally:
            for group, values in zip(groups, before):
                group.update(values)
