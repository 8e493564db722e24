"""What is reported of every epoch: the learning curves, and a line."""

import math

import numpy as np

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


def describe(split, found, perplexity=False):
    """Metrics of a split as a piece of an epoch's line."""
    value = f" perplexity {np.exp(found.loss):.1f}" if perplexity else ""
    return f"{split} loss {found.loss:.4f}{value} accuracy {100 * found.accuracy:.2f} %"
