"""Loss and accuracy of a model over many reviews."""

import dataclasses

import torch

from common.data.batches import nearly_equal
from common.devices import autocast, fixed_seed
from common.layers.batch_norm import measured_statistics
from common.processes import processes

MEASURED_BATCHES = 60


@dataclasses.dataclass(frozen=True)
class Metrics:
    """loss: mean cross entropy in nats; accuracy: share of correct predictions, 0 to 1."""

    loss: float
    accuracy: float


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
    totals = torch.zeros(3, dtype=torch.float64, device=options.device)
    with torch.inference_mode(), autocast(options):
        for batch in batches:
            totals += torch.stack([value.double() for value in score(model, batch)])
    return metrics(processes.total(totals))


def measure_batch_norm(model, score, data, options, watch=iter):
    """Set the batch-norm statistics that evaluations use to those of some training batches, the same at each call.

    Args:
        model, score: of evaluate(); data: of training; watch: what the loop over batches passes through.
    """
    with fixed_seed(options), torch.no_grad(), autocast(options), measured_statistics(model):
        batches = nearly_equal(torch.randperm(len(data.reviews)), options.batch_size)[:MEASURED_BATCHES]
        for indices in watch(batches):
            score(model, data.batch(indices))


def metrics(totals):
    """(summed loss, number correct, number of predictions) -> Metrics."""
    loss, correct, count = totals.tolist()
    return Metrics(loss / max(count, 1), correct / max(count, 1))
