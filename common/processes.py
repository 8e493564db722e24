"""Several processes, one a GPU, that train one model together under torchrun.

Each draws the random numbers of the whole batch and computes its own rows: their sums are one process's, to rounding.
"""

import os
import sys

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from common.errors import UserError


class _Total(torch.autograd.Function):
    """The sum over all processes: each summand has a part in the outputs of all of them."""

    @staticmethod
    def forward(ctx, summands):
        total = summands.detach().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient):
        return _Total.apply(gradient)


class Processes:
    """The processes of this run; on its own, without torchrun, a process is rank 0 of 1.

    rank: number of this process, from 0; only rank 0 writes files and prints.
    size: number of processes.
    """

    def __init__(self):
        self.rank, self.size = 0, 1

    def join(self, device):
        """Meet the other processes that torchrun started.

        Raises:
            UserError: they cannot be met.
        """
        try:
            store, rank, size = next(distributed.rendezvous("env://"))
            if os.environ.get("LOCAL_WORLD_SIZE") == str(size):
                # After a death torchrun starts all anew with the store of before, where the addresses of the
                # dead still stand. Nodes count their restarts each for itself.
                store = distributed.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", store=store, rank=rank,
                                           world_size=size)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"torchrun: the processes cannot meet ({error}); see that MASTER_ADDR and MASTER_PORT "
                            "name a host and a free port that all of them reach") from error
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.control = distributed.new_group(backend="gloo")        # for count()
        if self.rank:
            sys.stdout = open(os.devnull, "w")

    def wrap(self, model):
        """The model as the training loop calls it: gradients are averaged over the processes."""
        # The buffers need not be sent at each step: batch normalisation computes the same in all processes (total).
        return model if self.size == 1 else DistributedDataParallel(model, broadcast_buffers=False)

    def rows(self, count):
        """The slice of this process's rows in a batch of `count` reviews."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def total(self, summands):
        """The sum over all processes, a tensor of the same shape; gradients flow through it."""
        return summands if self.size == 1 else _Total.apply(summands)

    def count(self, own):
        """The sum of a whole number over all processes, on the host, which a GPU's work does not keep waiting."""
        if self.size == 1:
            return own
        total = torch.tensor(own)
        distributed.all_reduce(total, group=self.control)     # type: ignore[arg-type]  # new_group may leave a rank out
        return total.item()

    def any(self, flag):
        """Whether the flag is up in any process."""
        return self.count(int(bool(flag))) > 0

    def leave(self):
        """Part from the other processes at the end of the run."""
        if self.size > 1:
            distributed.destroy_process_group()
            self.control = None     # ends its threads: one that outlives the interpreter aborts the process

    def wait_for_all(self):
        """Return when every process has come here."""
        self.any(False)


processes = Processes()
