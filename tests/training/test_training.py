"""The training loop and its schedules, on a linear model."""

import re
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import common.training.loop
from common.checkpoints import checksum, load_checkpoint
from common.errors import UserError
from common.options import TRAINING_DEFAULTS, parse_options
from common.results.figures import save_curves
from common.training.evaluation import nearly_equal, sentiment_score
from common.training.loop import CURVES, Training, build_optimizer, build_schedule

DEFAULTS = TRAINING_DEFAULTS | dict(epochs=4, batch_size=10, learning_rate=0.1, step_epochs=2, test_every=1,
                                    save_every=100)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Drawing takes longer than all else here."""
    monkeypatch.setattr(common.training.loop, "save_curves", lambda path, title, curves: None)


def parse(output, *argv):
    common = ["--device", "cpu", "--precision", "float32", "--output", output]
    return parse_options("", __file__, list(map(str, [*common, *argv])), **DEFAULTS)


def separable(count, seed):
    """Points in three dimensions, and whether they lie on the one side of a plane."""
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return x, (x @ torch.tensor([1.0, -2.0, 0.5]) > 0).float()


DATA = {"train": separable(205, 1), "validation": separable(50, 2), "test": separable(60, 3)}


def make_training(output, *argv, model=None, data=DATA, logger=None):
    options = parse(output, *argv)
    model = model or nn.Linear(3, 1)

    def score(split, indices):
        x, t = (tensor[indices] for tensor in data[split])
        logit = model(x)[:, 0]
        return sentiment_score((F.binary_cross_entropy_with_logits(logit, t), logit), t)

    reviews = {split: Points(x) for split, (x, t) in data.items()}
    return Training("1a", "BOW.model", model, {"in_features": 3, "out_features": 1}, model.parameters(), score,
                    reviews, ["the", "film"], options, logger=logger)


class Points(NamedTuple):
    """What a run asks of its reviews, for points."""

    x: torch.Tensor

    def __len__(self):
        return len(self.x)

    def checksum(self):
        return checksum(self.x)


def plain_metrics(model, split):
    x, t = DATA[split]
    logit = model(x)[:, 0].detach()
    return F.binary_cross_entropy_with_logits(logit, t).item(), ((logit > 0) == (t > 0)).float().mean().item()


def test_a_run_learns_what_can_be_learned(tmp_path):
    training = make_training(tmp_path, "--epochs", 10)
    training.run()
    assert plain_metrics(training.model, "test")[1] > 0.95
    assert training.curves["train_loss"][-1] < 0.5 * training.curves["train_loss"][0]


def test_a_run_leaves_checkpoint_curves_and_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(common.training.loop, "save_curves", save_curves)
    training = make_training(tmp_path / "new")
    training.run()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [".lock", "BOW.model", "curves.png",
                                                                             "data.npy", "record.json"]
    checkpoint = load_checkpoint(tmp_path / "new" / "BOW.model", "1a")
    assert checkpoint["vocabulary"] == ["the", "film"]
    assert checkpoint["options"]["learning_rate"] == 0.1
    assert set(checkpoint["curves"]) == set(CURVES)
    for name, weight in training.model.state_dict().items():
        assert torch.equal(checkpoint["model"][name], weight)


def test_data_npy_holds_train_loss_train_accuracy_and_test_accuracy_by_epoch(tmp_path):
    training = make_training(tmp_path, "--epochs", 5, "--test-every", 2)
    training.run()
    data = np.load(tmp_path / "data.npy")
    assert data.shape == (3, 5) and data.dtype.kind == "f"
    for row, name in zip(data, ["train_loss", "train_accuracy", "test_accuracy"]):
        np.testing.assert_array_equal(row, training.curves[name])
    assert np.isfinite(data[:2]).all()
    # Tested every second epoch and after the last.
    assert np.isnan(data[2]).tolist() == [True, False, True, False, False]
    assert data[2, -1] == pytest.approx(plain_metrics(training.model, "test")[1])


def test_training_figures_are_averages_over_the_reviews_of_the_epoch(tmp_path):
    # At this learning rate the weights stand still, so the epoch's average is that of one model.
    training = make_training(tmp_path, "--epochs", 1, "--optimizer", "sgd", "--learning-rate", "1e-30",
                             "--batch-size", 30)
    training.run()
    loss, accuracy = plain_metrics(training.model, "train")
    assert training.curves["train_loss"] == [pytest.approx(loss, rel=1e-5)]
    assert training.curves["train_accuracy"] == [pytest.approx(accuracy)]


def test_every_review_is_seen_once_an_epoch(tmp_path):
    training = make_training(tmp_path, "--epochs", 2)
    seen, score = [], training.score

    def watched(split, indices):
        if split == "train":
            seen.extend(indices.tolist())
        return score(split, indices)
    training.score = watched
    training.run()
    assert sorted(seen[:205]) == sorted(seen[205:]) == list(range(205))
    assert seen[:205] != seen[205:]


def test_validation_figures_are_those_of_the_validation_reviews(tmp_path):
    training = make_training(tmp_path, "--validation", 0.2)
    training.run()
    loss, accuracy = plain_metrics(training.model, "validation")
    assert training.curves["validation_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert training.curves["validation_accuracy"][-1] == pytest.approx(accuracy)


def test_without_validation_its_curves_hold_nothing(tmp_path):
    training = make_training(tmp_path)
    training.run()
    assert np.isnan(training.curves["validation_loss"]).tolist() == [True] * 4


def test_the_seed_decides_every_weight(tmp_path):
    def weights(seed):
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        training = make_training(tmp_path, "--seed", seed, "--restart", model=model)
        training.run()
        return torch.cat([parameter.flatten() for parameter in model.parameters()])
    first, again, other = weights(5), weights(5), weights(6)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_evaluation_changes_nothing(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    training = make_training(tmp_path, model=model)
    training.train_epoch()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first, again = training.evaluate("test"), training.evaluate("test")
    assert (first.loss, first.accuracy) == (again.loss, again.accuracy)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_each_epoch_trains_in_training_mode(tmp_path):
    training = make_training(tmp_path)
    modes, score = [], training.score

    def watched(split, indices):
        modes.append((split, training.model.training))
        return score(split, indices)
    training.score = watched
    training.run()
    assert set(modes) == {("train", True), ("test", False)}


def learning_rates(training):
    """Learning rate of each epoch of a run."""
    rates, train_epoch = [], training.train_epoch

    def watched():
        rates.append(training.optimizer.param_groups[0]["lr"])
        return train_epoch()
    training.train_epoch = watched
    training.run()
    return rates


@pytest.mark.parametrize("schedule, rates", [("constant", [0.1] * 5), ("step", [0.1, 0.1, 0.01, 0.01, 0.001])])
def test_the_step_schedule_divides_by_ten(schedule, rates, tmp_path):
    training = make_training(tmp_path, "--epochs", 5, "--step-epochs", 2, "--schedule", schedule)
    assert learning_rates(training) == pytest.approx(rates)


def plateau_rates(losses, output):
    """Learning rate after each of the losses."""
    options = parse(output, "--schedule", "plateau")
    optimizer = build_optimizer([torch.zeros(1, requires_grad=True)], options)
    schedule = build_schedule(optimizer, options, steps=100)
    rates = []
    for loss in losses:
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_the_plateau_schedule_divides_by_ten_after_two_epochs_without_a_fall(tmp_path):
    assert plateau_rates([1.0, 0.9, 0.95, 0.9], tmp_path) == pytest.approx([0.1, 0.1, 0.1, 0.01])


def test_the_plateau_schedule_leaves_a_falling_loss_alone(tmp_path):
    losses = [1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.75, 0.6]
    assert plateau_rates(losses, tmp_path) == pytest.approx([0.1] * 8)


@pytest.mark.parametrize("validation, expected", [("0", "train"), ("0.2", "validation")])
def test_a_plateau_is_judged_by_the_validation_loss_where_there_is_one(validation, expected, tmp_path, monkeypatch):
    losses = []
    monkeypatch.setattr(torch.optim.lr_scheduler.ReduceLROnPlateau, "step", lambda self, loss: losses.append(loss))
    training = make_training(tmp_path, "--schedule", "plateau", "--validation", validation)
    training.run()
    assert losses == training.curves[expected + "_loss"]


def test_one_cycle_rises_to_the_learning_rate_within_the_first_30_percent_of_the_steps_and_falls_to_nothing(tmp_path):
    training = make_training(tmp_path, "--epochs", 4, "--batch-size", 21, "--schedule", "one-cycle")    # 10 batches
    rates = []
    training.optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    training.run()
    assert len(rates) == 40 and rates[11] == max(rates) == pytest.approx(0.1)
    assert rates[:12] == sorted(rates[:12]) and rates[11:] == sorted(rates[11:], reverse=True)
    assert rates[0] == pytest.approx(0.1 / 25) and rates[-1] < 1e-4


def first_step(output, *argv):
    """What one step of gradient descent at learning rate 1 adds to the weights: the gradient, negative."""
    training = make_training(output, "--epochs", 1, "--optimizer", "sgd", "--learning-rate", 1, "--batch-size", 1000,
                             *argv)
    before = nn.utils.parameters_to_vector(training.model.parameters()).detach().clone()
    training.run()
    return nn.utils.parameters_to_vector(training.model.parameters()).detach() - before


def test_gradients_are_clipped_to_the_norm_together(tmp_path):
    torch.manual_seed(0)
    whole = first_step(tmp_path / "whole")
    torch.manual_seed(0)
    clipped = first_step(tmp_path, "--clip-norm", 0.05)
    assert whole.norm() > 0.1
    torch.testing.assert_close(clipped, 0.05 * whole / whole.norm(), rtol=1e-4, atol=1e-6)


def test_gradients_below_the_norm_stay_as_they_are(tmp_path):
    torch.manual_seed(0)
    whole = first_step(tmp_path / "whole")
    torch.manual_seed(0)
    torch.testing.assert_close(first_step(tmp_path, "--clip-norm", 100), whole)


# Training pushes the logit up for ever; on the validation reviews its best value is log(7 / 3).
OVERFITTING = {"train": (torch.ones(20, 1), torch.ones(20)),
               "validation": (torch.ones(10, 1), torch.tensor([1.0] * 7 + [0.0] * 3)),
               "test": (torch.ones(10, 1), torch.ones(10))}


def overfit(output, *argv):
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    training = make_training(output, "--epochs", 30, "--batch-size", 20, "--validation", 0.2, "--optimizer", "adam",
                             "--learning-rate", 0.2, *argv, model=model, data=OVERFITTING)
    training.run()
    return training


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_keeps_the_best_epoch(patience, tmp_path):
    training = overfit(tmp_path, "--patience", patience)
    losses = training.curves["validation_loss"]
    best = int(np.argmin(losses))
    assert 2 <= best < 10
    assert len(losses) == best + 1 + patience
    assert training.evaluate("validation").loss == pytest.approx(losses[best])
    checkpoint = load_checkpoint(tmp_path / "BOW.model", "1a")
    assert torch.equal(checkpoint["model"]["weight"], training.model.weight)
    assert np.load(tmp_path / "data.npy").shape == (3, best + 1 + patience)


def test_without_patience_a_run_goes_on_to_the_last_epoch(tmp_path):
    training = overfit(tmp_path)
    losses = training.curves["validation_loss"]
    assert len(losses) == 30
    assert training.evaluate("validation").loss == pytest.approx(losses[-1])
    assert losses[-1] > min(losses)


def test_the_epoch_of_the_best_validation_accuracy_can_be_kept(tmp_path, capsys):
    """It need not be that of the lowest loss."""
    training = make_training(tmp_path, "--epochs", 8, "--validation", 0.2, "--keep", "accuracy", "--learning-rate", 0.5)
    accuracies = training.curves["validation_accuracy"]
    training.run()
    best = int(np.argmax(accuracies))
    assert best < 7 and len(accuracies) == 8
    assert best != int(np.argmin(training.curves["validation_loss"]))
    assert training.evaluate("validation").accuracy == pytest.approx(accuracies[best])
    *_, kept, wrote, took = capsys.readouterr().out.splitlines()
    assert kept.startswith(f"kept the weights of epoch {best + 1}, the highest validation accuracy | test loss ")
    assert took.endswith(f" s | best validation accuracy {100 * accuracies[best]:.2f} %")


def test_the_best_epoch_is_kept_without_patience_too(tmp_path):
    training = overfit(tmp_path, "--keep", "loss")
    losses = training.curves["validation_loss"]
    assert len(losses) == 30
    assert training.evaluate("validation").loss == pytest.approx(min(losses)) != losses[-1]


def test_a_logger_is_given_every_epochs_figures(tmp_path):
    class Logger:
        def __init__(self):
            self.logged = {}

        def log(self, name, value):
            self.logged.setdefault(name, []).append(value)

    logger = Logger()
    training = make_training(tmp_path, "--epochs", 4, "--schedule", "step", "--test-every", 2, logger=logger)
    training.run()
    assert set(logger.logged) == {"train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate",
                                  "elapsed_s"}
    assert logger.logged["train_accuracy"] == training.curves["train_accuracy"]
    assert logger.logged["test_loss"] == training.curves["test_loss"][1::2]
    assert logger.logged["learning_rate"] == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert len(logger.logged["elapsed_s"]) == 4


def test_the_last_epoch_is_tested_when_a_run_stops_early(tmp_path):
    training = overfit(tmp_path, "--patience", 1, "--test-every", 20)
    assert np.isfinite(training.curves["test_accuracy"][-1])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_loss_that_is_no_number_ends_the_run_at_its_step(value, tmp_path):
    x, t = separable(205, 1)
    x[37] = value
    training = make_training(tmp_path, data=DATA | {"train": (x, t)})
    torch.manual_seed(3)
    step = 1 + next(k for k, batch in enumerate(nearly_equal(torch.randperm(205), 10)) if 37 in batch)
    torch.manual_seed(3)
    with pytest.raises(UserError, match="--learning-rate 0.1: the training loss became (nan|inf) at step "
                                        f"{step} of epoch 1; use a smaller"):
        training.run()
    assert training.batches_done == step > 1
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_after_a_loss_that_is_no_number_the_last_good_state_is_kept_and_named(tmp_path):
    training = make_training(tmp_path, "--epochs", 9)

    def spoil(loss):
        if training.epoch == 2:
            training.optimizer.param_groups[0]["lr"] = float("inf")
    training.follow_schedule = spoil
    with pytest.raises(UserError, match=r"step 2 of epoch 3; .*\(.*training.state holds the last good weights\)"):
        training.run()
    state = load_checkpoint(tmp_path / "training.state", "1a")
    assert all(weight.isfinite().all() for weight in state["model"].values())


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    """A gradient can be none where the loss still is."""
    training = make_training(tmp_path, "--epochs", 1)
    plain_step, steps = training.optimizer.step, []

    def last_step_spoils():
        plain_step()
        steps.append(1)
        if len(steps) == 21:
            nn.init.constant_(training.model.weight, torch.inf)
    training.optimizer.step = last_step_spoils
    with pytest.raises(UserError, match="a weight became infinite by step 21 of epoch 1"):
        training.run()
    assert not (tmp_path / "BOW.model").exists()


def test_checkpoints_are_saved_every_so_many_epochs_and_at_the_end(tmp_path):
    training = make_training(tmp_path, "--epochs", 5, "--save-every", 2)
    epochs = []
    training.save = lambda finished=False: epochs.append(len(training.curves["train_loss"]))
    training.run()
    assert epochs == [2, 4, 5]


def test_a_run_prints_a_head_and_a_line_an_epoch(tmp_path, capsys):
    make_training(tmp_path, "--epochs", 3, "--test-every", 3, "--seed", 4).run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("part 1a | CPU, ") and lines[0].endswith(" | seed 4")
    assert lines[1] == "205 training reviews, 2 words, 4 parameters"
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["epoch  1/3", "epoch  2/3", "epoch  3/3"]
    assert ["test loss" in line for line in lines[2:5]] == [False, False, True]
    assert all(" | learning rate 0.1 | " in line for line in lines[2:5])
    assert str(tmp_path / "BOW.model") in lines[5]
    assert re.fullmatch(r"took \d+\.\d s", lines[6])
