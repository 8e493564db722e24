"""Pooling over time."""

import torch
from torch import nn


class Pooling(nn.Module):
    """Maximum, mean or last of the timesteps: (batch, time, features) -> (batch, features).

    Args:
        kind: "max", "mean" or "last".
    """

    outputs = 1     # features out for each feature in

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
        if self.kind == "last":
            return h[:, -1] if lengths is None else h.sum(dim=1)
        return h.sum(dim=1) / (h.shape[1] if lengths is None else lengths[:, None])

    def mask_padding(self, h, lengths):
        """h (batch, time, features) with what pooling never takes in the timesteps that lengths (batch,) leave out."""
        steps = torch.arange(h.shape[1], device=h.device)
        unread = steps != lengths[:, None] - 1 if self.kind == "last" else steps >= lengths[:, None]
        return h.masked_fill(unread[:, :, None], -torch.inf if self.kind == "max" else 0)


class ConcatPooling(nn.Module):
    """The last timestep, mean and maximum side by side (Howard and Ruder 2018).

    (batch, time, features) -> (batch, 3 * features)
    """

    outputs = 3

    def __init__(self):
        super().__init__()
        self.last, self.mean, self.max = Pooling("last"), Pooling("mean"), Pooling("max")

    def forward(self, h, lengths=None):
        """As Pooling.forward."""
        return torch.cat([self.last(h, lengths), self.mean(h, lengths), self.max(h, lengths)], dim=1)
