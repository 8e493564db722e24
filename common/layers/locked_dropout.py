"""Dropout with one mask for all timesteps."""

import torch
from torch import nn

from common.processes import processes


class LockedDropout(nn.Module):
    """Dropout with one mask for all timesteps (Gal and Ghahramani 2016; assignment, part 2a).

    The mask `m` (batch, features) is drawn at the first call and kept until reset_state().
    """

    def __init__(self):
        super().__init__()
        self.reset_state()

    def reset_state(self):
        self.m = None

    def forward(self, x, dropout=0.5, train=True):
        """x (batch, features) or (batch, time, features) -> the same shape."""
        if not train or dropout == 0:
            return x
        if self.m is None:
            # Every process draws the mask of the whole batch, so that several draw what one would.
            rows, batch_size = processes.rows_of_batch(len(x))
            mask = torch.empty(batch_size, x.shape[-1], device=x.device)
            self.m = mask.bernoulli_(1 - dropout).div_(1 - dropout)[rows]       # batch, features
        # The mask is float32, since bfloat16 would round 1 / (1 - dropout).
        return (x * (self.m if x.dim() == 2 else self.m.unsqueeze(1))).to(x.dtype)
