"""Adversarial and virtual adversarial training on the word vectors (Miyato, Dai and Goodfellow 2017)."""

import torch
from torch.nn import functional as F

from common.devices import random_states, set_random_states
from common.processes import processes

# The share of the logit's gradient in that of the first read, where unlabelled reviews have no other. Rounding does
# more to the weights.
HINT = 1e-6


class WordInputs:
    """The word vectors of training batches, on their way to a network's first LSTM layer.

    Args:
        network: with `layers`, as those of 2a, 2b and 3c have them.

    Attributes:
        read: (batch, time, features), what the layer read last, without `moved`.
        moved: (batch, time, features) that is added to what the layer reads, or None.
    """

    def __init__(self, network):
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


class AdversarialScore:
    """Scores a training batch twice: as it is, and with its word vectors moved to where its loss grows fastest.

    The second read of a labelled review has its label (adversarial training), that of an unlabelled one, whose label
    is NaN, the probability that the first read gave it (virtual adversarial training). With one logit every loss of a
    review grows along the gradient of its logit, one way or the other: the power method of the paper would only find
    that direction again.

    Batch normalisation must have fixed statistics: with those of the batch, the words of a review that the network is
    sure of would move by the losses of other reviews.

    Args:
        words: WordInputs of the network.
        size: length of the move, as a share of the length of the review's word vectors, all in one vector.
        score: of Training, for evaluations.
    """

    def __init__(self, words, size, score):
        self.words, self.size, self.score = words, size, score

    def __call__(self, model, batch):
        """Score a batch, and add the gradients of the first read to those of the weights.

        Returns:
            As sentiment_score. In training the loss is the sum of both reads, and gradients flow through the second
            alone; unlabelled reviews count in the loss only.
        """
        if not model.training:
            return self.score(model, batch)
        labelled = ~batch.labels.isnan()
        count = labelled.sum().clamp(min=1)             # of unlabelled reviews alone, too
        random = random_states(batch.labels.device)
        logit = self.logit(model, batch)
        targets = torch.where(labelled, batch.labels, logit.detach().sigmoid())     # batch
        first = F.binary_cross_entropy_with_logits(logit, targets, reduction="none")
        read = self.words.read
        read.retain_grad()
        towards = 1 - 2 * (targets >= 0.5).float()      # the other sentiment
        steps = first.sum() + HINT * (towards * logit).sum()
        (steps * processes.size / processes.total(count)).backward()
        self.words.moved = move(read.detach(), read.grad, self.size)
        set_random_states(random, batch.labels.device)  # the same dropout in both reads
        try:
            second = F.binary_cross_entropy_with_logits(self.logit(model, batch), targets, reduction="none")
        finally:
            self.words.moved = None
        # Of an unlabelled review, the Kullback-Leibler divergence of the second read from the first.
        loss = second + torch.where(labelled, 1, -1) * first.detach()
        correct = ((logit.detach() >= 0) == (batch.labels > 0.5)) & labelled
        return loss.sum(), correct.sum(), count

    def logit(self, model, batch):
        return model(batch.x, batch.labels, **batch.arguments())[1]


def adversarial_score(network, score, options):
    """The scoring function of training that the options ask for, around that of evaluations.

    Args:
        network: as of WordInputs; score: of Training.
    """
    return AdversarialScore(WordInputs(network), options.adversarial, score) if options.adversarial else score


def move(x, direction, size):
    """How reviews move: along a direction (batch, time, features), by a share of the length of each x.

    Where the direction is zeros, as on padding, nothing moves.
    """
    length, steepness = (some.float().flatten(1).norm(dim=1)[:, None, None] for some in (x, direction))
    return direction * (size * length / steepness.clamp(min=1e-30))
