"""Adversarial training on the word vectors (Miyato, Dai and Goodfellow 2017)."""

import torch
from torch.nn import functional as F

from common.processes import processes

# The share of the logit's gradient in that of the first read: of a review that the network is quite sure of, the loss
# has none in float32. Rounding does more to the weights.
HINT = 1e-6


class AdversarialScore:
    """Scores a training batch twice: as it is, and with its word vectors moved to where its loss grows fastest.

    With one logit the loss of a review grows along the gradient of its logit, one way or the other.

    Batch normalisation must have fixed statistics: with those of the batch, the words of a review that the network is
    sure of would move by the losses of other reviews.

    Args:
        network: with `layers`, as those of 2a, 2b and 3c have them.
        size: length of the move, as a share of the length of the review's word vectors, all in one vector.
        score: of Training, which scores the second read, and evaluations.

    Attributes:
        read: (batch, time, features), the word vectors that the first layer read last, without `moved`.
        moved: (batch, time, features) that is added to what the first layer reads, or None.
    """

    def __init__(self, network, size, score):
        self.size, self.score = size, score
        self.read = self.moved = None
        network.layers[0][0].register_forward_pre_hook(self.pass_on)

    def pass_on(self, lstm, arguments):
        if not lstm.training:
            return arguments
        x, positions = (*arguments, None)[:2]
        if positions is not None:       # words move at one place, and not wherever they stand
            x = F.embedding(positions, x)
        self.read = x if x.requires_grad else x.detach().requires_grad_()
        return self.read if self.moved is None else self.read + self.moved

    def __call__(self, model, batch):
        """Score a batch, and add the gradients of the first read to those of the weights.

        Returns:
            As sentiment_score. In training the loss is that of both reads; gradients flow through the second alone.
        """
        if not model.training:
            return self.score(model, batch)
        with torch.random.fork_rng([batch.labels.device] if batch.labels.is_cuda else []):  # same dropout in both reads
            first, logit = model(batch.x, batch.labels, **batch.arguments())
        read = self.read
        read.retain_grad()
        towards = 1 - 2 * batch.labels                  # the other sentiment
        steps = first * len(logit) + HINT * (towards * logit).sum()
        count = len(logit) if processes.size == 1 else processes.count(len(logit))
        (steps * processes.size / count).backward()                             # of the mean, as in the loop
        self.moved = move(read.detach(), read.grad, self.size)
        try:
            second, _, own = self.score(model, batch)
        finally:
            self.moved = None
        correct = ((logit.detach() >= 0) == (batch.labels > 0.5)).sum()
        return second + first.detach() * len(logit), correct, own


def move(x, direction, size):
    """How reviews move: along a direction (batch, time, features), by a share of the length of each x.

    Where the direction is zeros, as on padding, nothing moves.
    """
    length, steepness = (some.float().flatten(1).norm(dim=1)[:, None, None] for some in (x, direction))
    return direction * (size * length / steepness.clamp(min=1e-30))
