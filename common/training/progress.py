"""What a run says of its epochs: how far it is, and what was measured."""

import math
import time

import numpy as np
from tqdm import tqdm

from common.processes import processes


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


def report(training, elapsed_s, **found):
    """Add an epoch's Metrics, or None, of train, validation and test to the curves, log them and print a line."""
    measured = {f"{split}_{name}": value for split, some in found.items() if some
                for name, value in some._asdict().items()}
    for name, values in training.curves.items():
        values.append(measured.get(name, math.nan))
    learning_rate = training.optimizer.param_groups[-1]["lr"]      # the layer on top has the highest
    if training.logger and processes.rank == 0:
        for name, value in (measured | {"learning_rate": learning_rate, "elapsed_s": elapsed_s}).items():
            training.logger.log(name, value)
    described = [describe(split, some, training.part == "3a") for split, some in found.items() if some]
    print(" | ".join([f"epoch {training.epoch:2d}/{training.options.epochs}", *described,
                      f"learning rate {learning_rate:g}", f"{elapsed_s:.1f} s"]), flush=True)
