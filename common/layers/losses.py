"""The loss over a large vocabulary, without keeping the logits of all words."""

import torch
from torch.nn import functional as F

CHUNK_ROWS = 1000   # targets whose logits exist at one time


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the gradients along with the loss, while the logits of a chunk are at hand."""

    @staticmethod
    def forward(ctx, h, weight, bias, targets, counts, learns):
        loss = torch.zeros((), device=h.device)
        correct = torch.zeros((), dtype=torch.long, device=h.device)
        gradients = [torch.zeros_like(tensor) for tensor in (h, weight, bias)] if learns else []
        for start in range(0, len(h), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
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


def linear_cross_entropy(h, weight, bias, targets, counts=None):
    """Cross entropy of a linear layer's logits, summed over the targets.

    Args:
        h: (targets, features) float; weight: (vocab, features); bias: (vocab,).
        targets: (targets,) int64.
        counts: (targets,) bool, which of them are scored; None scores all. A mask keeps the shapes, for which an
            index would have to wait for the device.

    Returns:
        (loss, correct): summed cross entropy in nats, a float32 scalar that gradients flow through, and
        the number of targets with the largest logit.
    """
    # Whether gradients are wanted can only be told out here: within, they always seem to be for weights that learn.
    return _LinearCrossEntropy.apply(h, weight, bias, targets, counts, torch.is_grad_enabled())
