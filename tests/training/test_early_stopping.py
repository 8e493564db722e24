"""Early stopping keeps the weights of the epoch with the lowest validation loss."""

import json

import numpy as np
import pytest
import torch
from small_runs import Linear, Points, points_training
from torch import nn

from common.checkpoints import load_checkpoint
from common.training.evaluation import Metrics
from common.training.run import run


@pytest.mark.parametrize("patience, losses, epochs, kept", [
    (1, [0.9, 0.8, 0.85, 0.7], 3, 2), (2, [0.9, 0.8, 0.85, 0.7, 0.75, 0.7, 0.6], 6, 4), (3, [0.9, 1.0, 1.1], 3, 1),
    (9, [0.9, 0.8, 0.7, 0.75, 0.7, 0.9], 6, 3), (0, [0.5, 0.6, 0.7], 3, 3)])
def test_training_stops_after_so_many_epochs_without_a_lower_loss(patience, losses, epochs, kept, tmp_path):
    training = points_training(tmp_path, "--epochs", len(losses), "--validation", 0.2, "--patience", patience)
    training.evaluate = lambda split, watch=iter: Metrics(losses[min(training.epoch, len(losses) - 1)], 0.5)
    run(training)
    assert len(training.curves["validation_loss"]) == epochs
    assert training.kept_epoch == kept


# Training pushes the logit up for ever; on the validation reviews its best value is log(7 / 3).
OVERFITTING = {"train": Points(torch.ones(20, 1), torch.ones(20)),
               "validation": Points(torch.ones(10, 1), torch.tensor([1.0] * 7 + [0.0] * 3)),
               "test": Points(torch.ones(10, 1), torch.ones(10))}


def overfit(output, *argv):
    """(training, Metrics of the final weights on the test reviews) of a model whose validation loss falls and rises."""
    model = Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    training = points_training(output, "--epochs", 30, "--batch-size", 20, "--validation", 0.2, "--learning-rate", 0.2,
                               *argv, model=model, data=OVERFITTING)
    return training, run(training)


@pytest.mark.parametrize("patience", [1, 3])
def test_a_run_stops_early_and_leaves_the_weights_of_its_best_epoch(patience, tmp_path):
    training, _ = overfit(tmp_path, "--patience", patience)
    losses = training.curves["validation_loss"]
    best = int(np.argmin(losses))
    assert 2 <= best < 10
    assert len(losses) == best + 1 + patience
    assert training.evaluate("validation").loss == pytest.approx(losses[best])
    checkpoint = load_checkpoint(tmp_path / "BOW.model", "1a")
    assert torch.equal(checkpoint["model"]["weight"], training.model.weight)
    assert np.load(tmp_path / "data.npy").shape == (3, best + 1 + patience)


def test_a_patience_of_all_epochs_trains_them_and_keeps_the_best(tmp_path):
    training, _ = overfit(tmp_path, "--patience", 30)
    losses = training.curves["validation_loss"]
    assert len(losses) == 30
    assert training.evaluate("validation").loss == pytest.approx(min(losses)) != losses[-1]


def test_without_patience_a_run_trains_all_epochs_and_keeps_the_last(tmp_path):
    training, _ = overfit(tmp_path)
    losses = training.curves["validation_loss"]
    assert len(losses) == 30
    assert training.evaluate("validation").loss == pytest.approx(losses[-1])
    assert losses[-1] > min(losses)


def test_the_weights_that_are_kept_are_tested_and_named(tmp_path, capsys):
    training, test = overfit(tmp_path, "--patience", 2)
    best = int(np.argmin(training.curves["validation_loss"]))
    assert test.loss == pytest.approx(training.curves["test_loss"][best])
    assert (f"\nkept the weights of epoch {best + 1}, the lowest validation loss | test loss {test.loss:.4f} accuracy "
            in capsys.readouterr().out)


def test_the_last_epoch_is_tested_when_a_run_stops_early(tmp_path):
    training, _ = overfit(tmp_path, "--patience", 1, "--test-every", 20)
    assert np.isfinite(training.curves["test_accuracy"][-1])


def test_the_record_tells_which_epoch_was_kept(tmp_path):
    training, _ = overfit(tmp_path, "--patience", 2)
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["kept_epoch"] == int(np.argmin(training.curves["validation_loss"])) + 1
    assert record["weights"] == load_checkpoint(tmp_path / "BOW.model", "1a")["weights"]
