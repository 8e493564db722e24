"""Pooling over time."""

import torch
from torch import nn


class Pooling(nn.Module):
    """Maximum or mean over the timesteps: (batch, time, features) -> (batch, features).

    Args:
        kind: "max" or "mean".
    """

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, h, lengths=None):
        """Pool h (batch, time, features); timesteps from a review's length on, lengths (batch,) int, are left out."""
        if lengths is not None:
            lengths = lengths.clamp(1, h.shape[1])
            h = self.mask_padding(h, lengths)
        if self.kind == "max":
            # argmax takes time, and only the backward pass needs it.
            return h.max(dim=1).values if h.requires_grad else h.amax(dim=1)
        return h.sum(dim=1) / (h.shape[1] if lengths is None else lengths[:, None])

    def mask_padding(self, h, lengths):
        """h (batch, time, features) with what pooling never takes in the timesteps from lengths (batch,) on."""
        beyond = torch.arange(h.shape[1], device=h.device) >= lengths[:, None]
        return h.masked_fill(beyond[:, :, None], -torch.inf if self.kind == "max" else 0)
