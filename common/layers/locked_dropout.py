"""Dropout with one mask for all timesteps."""

import torch
from torch import nn

from common.processes import processes


class LockedDropout(nn.Module):
    """Dropout with one mask for all timesteps (Gal and Ghahramani 2016; assignment, part 2a).

    The mask `m` (batch, features) is drawn at the first call and kept until reset_state().

    Args:
        dropout: probability that a unit is dropped, unless the call gives another.
    """

    def __init__(self, dropout=0.5):
        super().__init__()
        self.dropout = dropout
        self.reset_state()

    def reset_state(self):
        self.m = None

    def forward(self, x, dropout=None, train=True):
        """x (batch, features) or (batch, time, features) -> the same shape."""
        dropout = self.dropout if dropout is None else dropout
        if not train or dropout == 0:
            return x
        if self.m is None:
            # Every process draws the mask of the whole batch, so that several draw what one would.
            batch_size = len(x) if processes.size == 1 else processes.count(len(x))
            mask = torch.empty(batch_size, x.shape[-1], device=x.device).bernoulli_(1 - dropout).div_(1 - dropout)
            self.m = mask if processes.size == 1 else mask[processes.rows(batch_size)]              # batch, features
        # The mask is float32, since bfloat16 would round 1 / (1 - dropout).
        return (x * (self.m if x.dim() == 2 else self.m.unsqueeze(1))).to(x.dtype)
