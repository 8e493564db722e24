"""Loss and accuracy of a model over many reviews."""

import dataclasses
import time

import torch

from common.processes import processes


@dataclasses.dataclass(frozen=True)
class Metrics:
    """loss: mean cross entropy in nats; accuracy: share of right answers, 0 to 1; elapsed_s: seconds."""

    loss: float
    accuracy: float
    elapsed_s: float


def autocast(options):
    """Matrix products in the precision that the options ask for."""
    return torch.autocast(options.device.type, torch.bfloat16, enabled=options.precision == "bfloat16")


def sentiment_score(output, t):
    """A classifier's (loss, logit) and labels (batch,) -> (summed loss, right answers, reviews)."""
    loss, logit = output
    correct = ((logit.detach() >= 0) == (t > 0.5)).sum()
    return loss * len(t), correct, torch.full_like(correct, len(t))


def evaluate(model, score, batches, options):
    """Mean loss and accuracy over batches of review indices.

    Args:
        model: set to evaluation mode.
        score: indices (batch,) -> (summed loss, right answers, answers), scalar tensors.
        batches: iterable of index tensors.

    Returns:
        Metrics.
    """
    model.eval()
    started = time.perf_counter()
    totals = torch.zeros(3, dtype=torch.float64, device=options.device)
    with torch.inference_mode(), autocast(options):
        for indices in batches:
            processes.batch_size = len(indices)
            totals += torch.stack([value.double() for value in score(indices)])
    return metrics(processes.total(totals), started)


def metrics(totals, started):
    """(summed loss, right answers, answers) and the start on the performance counter -> Metrics."""
    loss, correct, count = totals.tolist()
    return Metrics(loss / max(count, 1), correct / max(count, 1), time.perf_counter() - started)


def in_order(count, batch_size, device):
    """Indices 0 to count - 1 in batches of nearly equal size, at most batch_size each."""
    return torch.arange(count, device=device).tensor_split(-(-count // batch_size))


def nearly_equal(order, batch_size):
    """Split (reviews,) into batches of nearly equal size, at most batch_size each.

    None has only one review, which batch normalisation could not take: three reviews are one
    batch, even where batch_size is 2.
    """
    return order.tensor_split(batches_of(len(order), batch_size))


def batches_of(count, batch_size):
    """How many batches nearly_equal makes of so many reviews."""
    return min(-(-count // batch_size), count // 2)


def by_length(lengths, batch_tokens):
    """Batches of reviews of similar length, at most batch_tokens padded tokens each (or one review)."""
    batches, batch = [], []
    order = lengths.argsort(descending=True)
    longest = 0
    for index, length in zip(order.tolist(), lengths[order].tolist()):
        longest = longest or length
        if batch and (len(batch) + 1) * longest > batch_tokens:
            batches.append(order.new_tensor(batch))
            batch, longest = [], length
        batch.append(index)
    return batches + [order.new_tensor(batch)]
