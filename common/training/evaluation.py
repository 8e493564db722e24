"""Loss and accuracy of a model over many reviews, and refusals of a loss or a weight that is NaN or infinite."""

import math
import sys
from typing import NamedTuple

import torch

from common.devices import autocast, fixed_seed
from common.errors import UserError
from common.layers.batch_norm import measure_statistics
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


def metrics(totals):
    """(summed loss, number correct, number of predictions) -> Metrics."""
    loss, correct, count = totals.tolist()
    return Metrics(loss / max(count, 1), correct / max(count, 1))


def check_loss(training):
    """Raise UserError where the summed training loss of the current epoch is not finite."""
    if training.totals is not None and not training.totals[0].isfinite():
        refuse(training, f"the training loss became {training.totals[0]:g} by step {training.batches_done}")


def check_weights(training):
    """check_loss(), and of the weights, which a gradient may make infinite before any loss is."""
    check_loss(training)
    if not all(torch.stack([weight.isfinite().all() for weight in training.model.parameters()]).tolist()):
        refuse(training, f"a weight became infinite by step {training.batches_done}")


def check_held_out(training, split, loss):
    """Raise UserError where the loss on held-out reviews, or the perplexity, is not finite."""
    if not math.isfinite(loss) or loss > math.log(sys.float_info.max):
        refuse(training, f"the {split} loss became {loss}")


def refuse(training, reason):
    kept = [path for path in (training.folder.state_path, training.folder.model_path) if path.exists()]
    raise UserError(f"--learning-rate {training.options.learning_rate:g}: {reason} in epoch {training.epoch + 1}; use "
                    "a smaller one with --restart" + (f" ({kept[0]} holds the last good weights)" if kept else ""))
