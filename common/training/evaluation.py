"""Loss and accuracy of a model over many reviews."""

from typing import NamedTuple

import torch

from common.devices import autocast, fixed_seed
from common.layers.batch_norm import fix_statistics, measure_statistics
from common.processes import processes

MEASURED_BATCHES = 60


class Metrics(NamedTuple):
    """loss: mean cross entropy in nats; accuracy: share of correct predictions, 0 to 1."""

    loss: float
    accuracy: float


def evaluate(model, score, batches, options):
    """Metrics of a model, which is put into evaluation mode, over an iterable of Batches; score: of Training."""
    model.eval()
    # float64: a sum of 25,000 losses has more digits than float32, and is not to depend on the size of the batches.
    totals = torch.zeros(3, dtype=torch.float64, device=options.device)
    with torch.inference_mode(), autocast(options):
        for batch in batches:
            totals += torch.stack([value.double() for value in score(model, batch)])
    return metrics(processes.total(totals))


def measure_batch_norm(training):
    """Set the batch-norm statistics that evaluations use to those of some training batches, the same at each call."""
    options, data = training.options, training.data["train"]
    with fixed_seed(options), torch.no_grad(), autocast(options):
        order = training.signals.watch(data.epoch(options.batch_size)[:MEASURED_BATCHES])
        measure_statistics(training.model, map(data.batch, order), training.score)


def fix_batch_norm(training):
    """With --fixed-batch-norm let a Training normalise by statistics that are measured before its first step."""
    if getattr(training.options, "fixed_batch_norm", False):
        fix_statistics(training.model)
        if training.epoch == 0 and training.order is None:
            measure_batch_norm(training)


def metrics(totals):
    """(summed loss, number correct, number of predictions) -> Metrics."""
    loss, correct, count = totals.tolist()
    return Metrics(loss / max(count, 1), correct / max(count, 1))
