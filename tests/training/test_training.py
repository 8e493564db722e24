"""The training loop, on a linear model."""

import re

import numpy as np
import pytest
import torch
from small_runs import POINTS, Linear, crops_training, points_training
from torch import nn

from common.data.batches import Batch
from common.training.run import run


def weights_of(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def plain_metrics(training, split):
    """(loss, accuracy) on the whole split at once."""
    loss, logit = training.model(training.data[split].x, training.data[split].labels)
    return loss.item(), ((logit > 0) == (training.data[split].labels > 0)).float().mean().item()


@pytest.fixture
def watch(monkeypatch):
    """Has note(split, indices) called for each batch that a training draws from now on."""
    def watch(training, note):
        def watched(split, batch):
            return lambda indices: (note(split, indices), batch(indices))[1]
        for split, data in training.data.items():
            monkeypatch.setattr(data, "batch", watched(split, data.batch))
    return watch


def test_a_run_learns_what_can_be_learned(tmp_path):
    training = points_training(tmp_path, "--epochs", 10)
    run(training)
    assert plain_metrics(training, "test")[1] > 0.95
    assert training.curves["train_loss"][-1] < 0.5 * training.curves["train_loss"][0]


def test_training_metrics_are_averages_over_the_reviews_of_the_epoch(tmp_path):
    # At this learning rate the weights stand still, so the epoch's average is that of one model.
    training = points_training(tmp_path, "--epochs", 1, "--optimizer", "sgd", "--learning-rate", "1e-30",
                               "--batch-size", 30)
    run(training)
    loss, accuracy = plain_metrics(training, "train")
    assert training.curves["train_loss"] == [pytest.approx(loss, rel=1e-5)]
    assert training.curves["train_accuracy"] == [pytest.approx(accuracy)]


def test_validation_metrics_are_those_of_the_validation_reviews(tmp_path):
    training = points_training(tmp_path, "--validation", 0.2)
    run(training)
    loss, accuracy = plain_metrics(training, "validation")
    assert training.curves["validation_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert training.curves["validation_accuracy"][-1] == pytest.approx(accuracy)


def test_a_run_returns_the_metrics_of_its_final_weights_on_the_test_reviews(tmp_path):
    training = points_training(tmp_path)
    test = run(training)
    assert (test.loss, test.accuracy) == pytest.approx(plain_metrics(training, "test"), rel=1e-5)


def test_every_review_is_trained_on_once_an_epoch_in_a_new_order(tmp_path, watch):
    training, seen = points_training(tmp_path, "--epochs", 2), []
    watch(training, lambda split, indices: seen.extend(indices.tolist() if split == "train" else []))
    run(training)
    assert sorted(seen[:205]) == sorted(seen[205:]) == list(range(205))
    assert seen[:205] != seen[205:]


def test_batches_are_asked_for_by_indices_on_the_cpu(tmp_path, watch):
    training, seen = points_training(tmp_path, "--epochs", 1), []
    watch(training, lambda split, indices: seen.append((split, indices.device.type, indices.dtype)))
    run(training)
    assert set(seen) == {(split, "cpu", torch.int64) for split in ("train", "test")}


def test_a_model_trains_in_training_mode_and_is_tested_in_evaluation_mode(tmp_path, watch):
    training, modes = points_training(tmp_path), []
    watch(training, lambda split, indices: modes.append((split, training.model.training)))
    run(training)
    assert set(modes) == {("train", True), ("test", False)}


def test_the_scoring_function_gets_the_model_and_a_batch_of_the_data(tmp_path):
    training, seen = points_training(tmp_path, "--epochs", 1), []
    score = training.score

    def watched(model, batch):
        seen.append((model, type(batch)))
        return score(model, batch)
    training.score = watched
    run(training)
    assert set(seen) == {(training.model, Batch)}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_and_tests_compute_in_the_precision_that_is_asked_for(precision, tmp_path):
    training, seen = points_training(tmp_path, "--epochs", 1, "--precision", precision), set()
    score = training.score

    def watched(model, batch):
        seen.add((model.training, torch.is_autocast_enabled("cpu")))
        return score(model, batch)
    training.score = watched
    run(training)
    assert seen == {(training, precision == "bfloat16") for training in (True, False)}


def test_the_seed_decides_every_weight(tmp_path):
    def weights(seed):
        training = crops_training(tmp_path, "--seed", seed, "--restart")
        run(training)
        return weights_of(training.model)
    first, again, other = weights(5), weights(5), weights(6)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_evaluation_changes_no_weight_and_no_running_statistic(tmp_path):
    model = Linear(3, 1)
    model.below = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    training = points_training(tmp_path, model=model)
    training.train_epoch()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    training.evaluate("test")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_evaluation_takes_the_same_crops_each_time_and_restores_the_random_state(tmp_path):
    training = crops_training(tmp_path)
    state = torch.get_rng_state()
    first, again = training.evaluate("test"), training.evaluate("test")
    assert first.loss == again.loss
    assert torch.equal(torch.get_rng_state(), state)


def test_how_often_the_test_reviews_are_looked_at_changes_no_weight(tmp_path):
    def weights(test_every):
        training = crops_training(tmp_path / str(test_every), "--test-every", test_every)
        run(training)
        return weights_of(training.model)
    assert torch.equal(weights(1), weights(2))


def first_step(output, *argv):
    """What one step of gradient descent at learning rate 1 adds to the weights: the gradient, negative."""
    torch.manual_seed(0)
    model = Linear(3, 1)
    before = weights_of(model)
    run(points_training(output, "--epochs", 1, "--optimizer", "sgd", "--learning-rate", 1, "--batch-size", 1000, *argv,
                        model=model))
    return weights_of(model) - before


def test_a_step_follows_the_gradient_of_the_mean_loss(tmp_path):
    torch.manual_seed(0)
    model = Linear(3, 1)
    model(POINTS["train"].x, POINTS["train"].labels)[0].backward()
    gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    torch.testing.assert_close(first_step(tmp_path), -gradient, rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped_to_the_norm_together(tmp_path):
    whole, clipped = first_step(tmp_path / "whole"), first_step(tmp_path / "clipped", "--clip-norm", 0.05)
    assert whole.norm() > 0.1
    torch.testing.assert_close(clipped, 0.05 * whole / whole.norm(), rtol=1e-4, atol=1e-6)


def test_gradients_below_the_norm_stay_as_they_are(tmp_path):
    whole, clipped = first_step(tmp_path / "whole"), first_step(tmp_path / "clipped", "--clip-norm", 100)
    torch.testing.assert_close(clipped, whole)


def test_the_test_reviews_are_looked_at_every_so_many_epochs_and_after_the_last(tmp_path):
    training = points_training(tmp_path, "--epochs", 5, "--test-every", 2)
    run(training)
    assert np.isnan(training.curves["test_loss"]).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize("precise", [True, False])
def test_batch_norm_is_measured_after_the_steps_of_each_epoch_where_it_is_asked_for(precise, tmp_path, monkeypatch):
    training, measured = points_training(tmp_path, "--epochs", 2), []
    monkeypatch.setattr("common.training.loop.measure_batch_norm", lambda *_: measured.append(training.batches_done))
    training.options.precise_batch_norm = precise
    run(training)
    assert measured == [21, 21] * precise


def test_a_run_prints_a_head_and_a_line_an_epoch(tmp_path, capsys):
    run(points_training(tmp_path, "--epochs", 3, "--test-every", 3, "--seed", 4))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("part 1a | CPU, ") and lines[0].endswith(" | seed 4")
    assert lines[1] == "205 training reviews, 2 words, 4 parameters"
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["epoch  1/3", "epoch  2/3", "epoch  3/3"]
    assert ["test loss" in line for line in lines[2:5]] == [False, False, True]
    assert all(" | learning rate 0.1 | " in line for line in lines[2:5])
    assert lines[5] == f"wrote {tmp_path / 'BOW.model'}, data.npy, record.json and curves.png"
    assert re.fullmatch(r"took \d+\.\d s", lines[6])
