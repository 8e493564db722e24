"""What is followed over the epochs: the learning curves, and the epoch of the lowest validation loss."""

import copy
import math
import time

import numpy as np
from tqdm import tqdm

from common.processes import processes
from common.results.records import CURVES


class Curves(dict):
    """Learning curves: lists by the names of CURVES with a value an epoch, NaN where an epoch has none.

    Args:
        logger: an object whose log(name, value) is given every epoch's figures, or None.
    """

    def __init__(self, logger=None):
        super().__init__({name: [] for name in CURVES})
        self.logger = logger

    def add(self, learning_rate, elapsed_s, **metrics):
        """Add an epoch: Metrics, or None, of train, validation and test."""
        for split, found in metrics.items():
            self[split + "_loss"].append(found.loss if found else math.nan)
            self[split + "_accuracy"].append(found.accuracy if found else math.nan)
        if self.logger and processes.rank == 0:
            figures = {name: values[-1] for name, values in self.items() if not math.isnan(values[-1])}
            for name, value in (figures | {"learning_rate": learning_rate, "elapsed_s": elapsed_s}).items():
                self.logger.log(name, value)

    def state_dict(self):
        return dict(self)

    def load_state_dict(self, state):
        self.update(state)

    def array(self):
        """The assignment's data.npy: (3, epochs) training loss, training accuracy and test accuracy."""
        return np.array([self[name] for name in ("train_loss", "train_accuracy", "test_accuracy")])


def show_progress(batches, done, epoch, epochs):
    """Yield the batches of an epoch that are left, and show how far it is.

    On a terminal by a bar; elsewhere, where the run takes minutes, by an estimate after ten steps of the first epoch.

    Args:
        batches: of the whole epoch; done: how many of them are; epoch: epochs done before, of all the epochs.
    """
    bar = tqdm(batches[done:], desc=f"epoch {epoch + 1} of {epochs}", unit="batch", initial=done, total=len(batches),
               leave=False, disable=processes.rank > 0 or None)
    for k, batch in enumerate(bar):
        if k == 2:                                      # the first steps take longer
            started = time.perf_counter()
        if k == 12 and bar.disable and epoch == 0:
            minutes = (time.perf_counter() - started) / 10 * len(batches) * epochs / 60
            if minutes > 1:
                print(f"about {minutes:.0f} minutes for {epochs} epochs of {len(batches)} batches, without tests",
                      flush=True)
        yield batch


def describe(split, found, perplexity=False):
    """Metrics of a split as a piece of an epoch's line."""
    value = f" perplexity {np.exp(found.loss):.1f}" if perplexity else ""
    return f"{split} loss {found.loss:.4f}{value} accuracy {100 * found.accuracy:.2f} %"


class EarlyStopping:
    """Follows the validation loss and keeps the weights of the best epoch.

    Args:
        patience: epochs without a lower loss after which training stops; 0 keeps no weights and never stops.
    """

    def __init__(self, patience):
        self.patience = patience
        self.loss, self.epoch, self.weights = math.inf, 0, None

    def see(self, epoch, loss, model):
        """Take note of an epoch, counted from 1 -> whether to stop after it."""
        if not self.patience:
            return False
        if loss < self.loss:
            self.loss, self.epoch, self.weights = loss, epoch, copy.deepcopy(model.state_dict())
        return epoch - self.epoch >= self.patience

    def restore(self, model, last_epoch):
        """Give the model the weights that were kept -> the epoch that they are of, the last one where none were."""
        if self.weights is None:
            return last_epoch
        model.load_state_dict(self.weights)
        return self.epoch

    def state_dict(self):
        return vars(self)

    def load_state_dict(self, state):
        vars(self).update(state)
