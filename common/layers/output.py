"""From hidden units to a logit: pooling over time, and the output layer."""

import torch
from torch import nn


class Pooling(nn.Module):
    """Pooling over the timesteps, several kinds side by side: (batch, time, features) -> (batch, kinds * features).

    Args:
        kinds: of "max", "mean" and "last"; "concat" alone stands for last, mean and max (Howard and Ruder 2018).
    """

    def __init__(self, *kinds):
        super().__init__()
        self.kinds = ("last", "mean", "max") if kinds == ("concat",) else kinds

    def forward(self, h, lengths=None):
        """Pool h (batch, time, features); timesteps from a review's length on, lengths (batch,) int, are left out."""
        return torch.cat([pool(h, kind, lengths) for kind in self.kinds], dim=1)


class Logit(nn.Linear):
    """The output layer: (batch, features) -> (batch, 1), in float32 at any --precision.

    bfloat16 has 8 bits: it would round the logits of thousands of reviews to a few hundred numbers.
    """

    def forward(self, h):
        with torch.autocast(h.device.type, enabled=False):
            return super().forward(h.float())


def pool(h, kind, lengths=None):
    """Pooling of one kind: (batch, time, features) -> (batch, features)."""
    if lengths is not None:             # what the kind never takes, in the timesteps that it leaves out
        lengths, steps = lengths.clamp(1, h.shape[1]), torch.arange(h.shape[1], device=h.device)
        unread = steps != lengths[:, None] - 1 if kind == "last" else steps >= lengths[:, None]
        h = h.masked_fill(unread[:, :, None], -torch.inf if kind == "max" else 0)
    if kind == "max":
        # argmax takes time, and only the backward pass needs it.
        return h.max(dim=1).values if h.requires_grad else h.amax(dim=1)
    if kind == "last":
        return h[:, -1] if lengths is None else h.sum(dim=1)
    return h.sum(dim=1) / (h.shape[1] if lengths is None else lengths[:, None])
