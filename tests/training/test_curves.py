"""Learning curves, and what a logger and a terminal are told of an epoch."""

import math

import numpy as np
import pytest
from small_runs import points_training

from common.processes import processes
from common.training.curves import CURVES, Curves, describe
from common.training.evaluation import Metrics
from common.training.run import run

TRAIN, TEST = Metrics(loss=0.5, accuracy=0.75), Metrics(loss=0.25, accuracy=0.8)


class Logger:
    def __init__(self):
        self.logged = {}

    def log(self, name, value):
        self.logged.setdefault(name, []).append(value)


def two_epochs(logger=None):
    curves = Curves(logger)
    curves.add(0.1, 3.0, train=TRAIN, validation=None, test=None)
    curves.add(0.01, 4.0, train=TRAIN, validation=None, test=TEST)
    return curves


def test_every_curve_has_a_value_an_epoch_and_nan_where_there_is_none():
    curves = two_epochs()
    assert list(curves) == CURVES
    assert curves["train_loss"] == [0.5, 0.5]
    assert math.isnan(curves["test_accuracy"][0]) and curves["test_accuracy"][1] == 0.8
    assert np.isnan(curves["validation_loss"]).tolist() == [True, True]


def test_the_array_holds_training_loss_training_accuracy_and_test_accuracy_by_epoch():
    np.testing.assert_array_equal(two_epochs().array(), [[0.5, 0.5], [0.75, 0.75], [math.nan, 0.8]])


def test_a_logger_is_given_what_was_measured_the_learning_rate_and_the_seconds():
    logger = Logger()
    two_epochs(logger)
    assert logger.logged == {"train_loss": [0.5, 0.5], "train_accuracy": [0.75, 0.75], "test_loss": [0.25],
                             "test_accuracy": [0.8], "learning_rate": [0.1, 0.01], "elapsed_s": [3.0, 4.0]}


def test_of_several_processes_the_first_alone_logs(monkeypatch):
    monkeypatch.setattr(processes, "rank", 1)
    logger = Logger()
    two_epochs(logger)
    assert not logger.logged


def test_a_run_logs_every_epoch_with_the_learning_rate_that_it_was_trained_at(tmp_path):
    logger = Logger()
    training = points_training(tmp_path, "--epochs", 4, "--schedule", "step", "--test-every", 2, logger=logger)
    run(training)
    assert logger.logged["train_accuracy"] == training.curves["train_accuracy"]
    assert logger.logged["test_loss"] == training.curves["test_loss"][1::2]
    assert logger.logged["learning_rate"] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert len(logger.logged["elapsed_s"]) == 4


@pytest.mark.parametrize("perplexity, text", [
    (False, "test loss 0.2500 accuracy 80.00 %"), (True, "test loss 0.2500 perplexity 1.3 accuracy 80.00 %")])
def test_metrics_are_told_in_nats_and_percent(perplexity, text):
    assert describe("test", TEST, perplexity) == text
