"""Loss and accuracy of a model over many reviews."""

import dataclasses
import time

import torch

from common.devices import autocast
from common.processes import processes


@dataclasses.dataclass(frozen=True)
class Metrics:
    """loss: mean cross entropy in nats; accuracy: share of correct predictions, 0 to 1; elapsed_s: seconds."""

    loss: float
    accuracy: float
    elapsed_s: float


def sentiment_score(predict):
    """The scoring function of a classifier.

    Args:
        predict: (model, batch) -> (mean loss, logits (batch,)).

    Returns:
        (model, batch) -> (summed loss, number correct, number of reviews), scalar tensors.
    """
    def score(model, batch):
        loss, logit = predict(model, batch)
        correct = ((logit.detach() >= 0) == (batch.labels > 0.5)).sum()
        return loss * len(logit), correct, torch.full_like(correct, len(logit))
    return score


def evaluate(model, score, batches, options):
    """Mean loss and accuracy over batches.

    Args:
        model: set to evaluation mode.
        score: (model, batch) -> (summed loss, number correct, number of predictions), scalar tensors.
        batches: iterable of batches.

    Returns:
        Metrics.
    """
    model.eval()
    started = time.perf_counter()
    totals = torch.zeros(3, dtype=torch.float64, device=options.device)
    with torch.inference_mode(), autocast(options):
        for batch in batches:
            totals += torch.stack([value.double() for value in score(model, batch)])
    return metrics(processes.total(totals), started)


def metrics(totals, started):
    """(summed loss, number correct, number of predictions) and the start on the performance counter -> Metrics."""
    loss, correct, count = totals.tolist()
    return Metrics(loss / max(count, 1), correct / max(count, 1), time.perf_counter() - started)
