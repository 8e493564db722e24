"""Learning curves, and what a logger and a terminal are told of an epoch."""

import numpy as np
import pytest
from small_runs import points_training

from common.processes import processes
from common.results.records import CURVES
from common.training.evaluation import Metrics
from common.training.progress import describe, report
from common.training.run import run

TEST = Metrics(loss=0.25, accuracy=0.8)


class Logger:
    def __init__(self):
        self.logged = {}

    def log(self, name, value):
        self.logged.setdefault(name, []).append(value)


def test_every_curve_has_a_value_an_epoch_and_nan_where_there_is_none(tmp_path):
    training = points_training(tmp_path, "--epochs", 4, "--test-every", 3)
    run(training)
    assert list(training.curves) == CURVES
    assert np.isnan(training.curves["train_loss"]).tolist() == [False] * 4
    assert np.isnan(training.curves["test_accuracy"]).tolist() == [True, True, False, False]
    assert np.isnan(training.curves["validation_loss"]).tolist() == [True] * 4


def test_of_several_processes_the_first_alone_logs(tmp_path, monkeypatch):
    training = points_training(tmp_path, logger=Logger())
    monkeypatch.setattr(processes, "rank", 1)
    report(training, 3.0, train=TEST, test=None)
    assert not training.logger.logged


def test_a_run_logs_every_epoch_with_the_learning_rate_that_it_was_trained_at(tmp_path):
    logger = Logger()
    training = points_training(tmp_path, "--epochs", 4, "--schedule", "step", "--test-every", 2, logger=logger)
    run(training)
    assert set(logger.logged) == {"train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate",
                                  "elapsed_s"}
    assert logger.logged["train_accuracy"] == training.curves["train_accuracy"]
    assert logger.logged["test_loss"] == training.curves["test_loss"][1::2]
    assert logger.logged["learning_rate"] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert len(logger.logged["elapsed_s"]) == 4


@pytest.mark.parametrize("perplexity, text", [
    (False, "test loss 0.2500 accuracy 80.00 %"), (True, "test loss 0.2500 perplexity 1.3 accuracy 80.00 %")])
def test_metrics_are_told_in_nats_and_percent(perplexity, text):
    assert describe("test", TEST, perplexity) == text
