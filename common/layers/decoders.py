"""Decoders from hidden units to the next word, and their loss without keeping the logits of all words."""

import torch
from torch import nn
from torch.nn import functional as F

from common.layers.stateful_lstm import pad

# Targets whose logits exist at one time. A GPU has the memory for more, and fewer kernels to launch then.
CHUNK_ROWS = {"cpu": 1000, "cuda": 10_000}


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the gradients along with the loss, while the logits of a chunk are at hand."""

    @staticmethod
    def forward(ctx, h, weight, bias, targets, counts, learns):
        loss = torch.zeros((), device=h.device)
        correct = torch.zeros((), dtype=torch.long, device=h.device)
        gradients = [torch.zeros_like(tensor) for tensor in (h, weight, bias)] if learns else []
        chunk_rows = CHUNK_ROWS[h.device.type]
        for start in range(0, len(h), chunk_rows):
            rows = slice(start, start + chunk_rows)
            logits = F.linear(h[rows], weight, bias).float()                    # rows, vocab
            target = targets[rows][:, None]
            largest, words = logits.max(dim=1)                                  # rows
            target_logits = logits.gather(1, target)[:, 0]                      # rows
            exponentials = logits.sub_(largest[:, None]).exp_()                 # rows, vocab
            total = exponentials.sum(dim=1)                                     # rows
            losses = largest + total.log() - target_logits                      # rows
            right = words == target[:, 0]                                       # rows
            if counts is not None:
                losses, right = losses * counts[rows], right & counts[rows]
            loss += losses.sum()
            correct += right.sum()
            if learns:
                # The derivative of the loss: the probabilities, less one at the target.
                difference = exponentials.div_(total[:, None])
                difference.scatter_add_(1, target, torch.full_like(total, -1)[:, None])
                if counts is not None:
                    difference *= counts[rows][:, None]
                gradients[0][rows] = difference @ weight
                gradients[1] += difference.T @ h[rows]
                gradients[2] += difference.sum(dim=0)
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    def backward(ctx, loss_gradient, _):
        return *(gradient * loss_gradient for gradient in ctx.saved_tensors), None, None, None


class LinearDecoder(nn.Linear):
    """A logit for every word: (..., features) -> (..., vocab)."""

    def score(self, h, targets, counts=None):
        """Cross entropy of the logits, summed over the targets.

        Args:
            h: (targets, features) float; targets: (targets,) int64.
            counts: (targets,) bool, which of them are scored; None scores all. A mask keeps the shapes, for which an
                index would have to wait for the device.

        Returns:
            (loss, correct): summed cross entropy in nats, a float32 scalar that gradients flow through, and
            the number of targets with the largest logit.
        """
        # Whether gradients are wanted can only be told out here: within, they always seem to be for weights that learn.
        return _LinearCrossEntropy.apply(pad(h), pad(self.weight, dims=2), pad(self.bias, value=-torch.inf), targets,
                                         counts, torch.is_grad_enabled())


class Cluster(nn.Sequential):
    """A cluster of an AdaptiveDecoder, in float32 at any --precision.

    Each batch has another number of its targets, and a CPU makes a kernel for each size in bfloat16, which takes longer
    than what it saves.
    """

    def forward(self, h):
        with torch.autocast(h.device.type, enabled=False):
            return super().forward(h)


class AdaptiveDecoder(nn.AdaptiveLogSoftmaxWithLoss):
    """Adaptive softmax (Grave et al. 2017): the rarer a word, the fewer features it is predicted from.

    Args:
        features: width of the input.
        vocab_size: number of words, in order of falling frequency.
        cutoffs: ascending token ids, at each of which a cluster of rarer words begins; each cluster reads half as many
            features as the words before it.
    """

    def __init__(self, features, vocab_size, cutoffs):
        super().__init__(features, vocab_size, cutoffs, div_value=2, head_bias=True)
        self.tail = nn.ModuleList(Cluster(*cluster.children()) for cluster in self.tail)
        # The library sums logarithms in the type of the logits, for which bfloat16 is too coarse.
        self.head.register_forward_hook(lambda _, __, logits: logits.float())

    def forward(self, h):                                                       # type: ignore[override]
        """(batch, time, features) -> (batch, time, vocab), logarithms of probabilities, which serve as logits."""
        return self.log_prob(h.flatten(0, 1).float()).view(*h.shape[:2], -1)

    def score(self, h, targets, counts=None):
        """What LinearDecoder.score gives; the logits of rare words are found only where one is the target.

        A GPU is waited for, to learn where that is.
        """
        h = h.float()
        log_probabilities = super().forward(h, targets).output                  # targets
        with torch.no_grad():
            correct = self.likeliest(h, targets, log_probabilities)             # targets
        if counts is not None:
            log_probabilities, correct = log_probabilities * counts, correct & counts
        # Several processes wait for gradients of all weights, those of clusters without a target here too.
        nothing = 0 * sum(weight.sum() for weight in self.tail.parameters())
        return nothing - log_probabilities.sum(), correct.sum()

    def likeliest(self, h, targets, log_probabilities):
        """Which targets (targets,) are the likeliest words: (targets,) bool."""
        frequent = self.head(h).log_softmax(dim=1)[:, :self.shortlist_size]
        # Only these can be, and predict() takes twice the time of the loss.
        candidates = (log_probabilities >= frequent.amax(dim=1)).nonzero()[:, 0]
        found = torch.zeros_like(targets, dtype=torch.bool)
        found[candidates] = self.predict(h[candidates]) == targets[candidates]
        return found
