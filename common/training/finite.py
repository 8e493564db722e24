"""Refuses to go on with a loss or a weight that is NaN or infinite."""

import math
import sys

import torch

from common.errors import UserError


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
