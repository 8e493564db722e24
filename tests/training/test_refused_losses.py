"""A run with a NaN or infinite loss or weight ends, and leaves the last good weights."""

import pytest
import torch
from small_runs import POINTS, points_training, separable
from torch import nn

from common.checkpoints import load_checkpoint
from common.data.batches import nearly_equal
from common.errors import UserError
from common.training.evaluation import check_held_out
from common.training.run import run

@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_run_ends_at_the_step_of_a_loss_that_is_not_finite_and_saves_nothing(value, tmp_path):
    train = separable(205, 1)
    train.x[37] = value
    training = points_training(tmp_path, data=POINTS | {"train": train})
    torch.manual_seed(3)
    step = 1 + next(k for k, batch in enumerate(nearly_equal(torch.randperm(205), 10)) if 37 in batch)
    torch.manual_seed(3)
    with pytest.raises(UserError, match=f"the training loss became (nan|inf) by step {step} in epoch 1"):
        run(training)
    assert training.batches_done == step > 1
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_run_leaves_and_names_the_last_good_state(tmp_path, monkeypatch):
    training = points_training(tmp_path, "--epochs", 9)

    def spoil(schedule):
        if training.epoch == 2:
            training.optimizer.param_groups[0]["lr"] = float("inf")
    monkeypatch.setattr("common.training.loop.after_epoch", spoil)
    with pytest.raises(UserError, match=r"step 2 in epoch 3; .*\(.*training.state holds the last good weights\)"):
        run(training)
    for name in "training.state", "BOW.model":
        weights = load_checkpoint(tmp_path / name, "1a")["model"].values()
        assert all(weight.isfinite().all() for weight in weights)


@pytest.mark.parametrize("step, options, left", [
    (21, [], [".lock"]), (5, ["--save-minutes", 0], [".lock", "training.state"])],
    ids=["at the end of an epoch", "within an epoch"])
def test_weights_that_are_not_finite_are_not_saved_where_the_last_loss_was(step, options, left, tmp_path):
    training = points_training(tmp_path, "--epochs", 1, *options)
    plain_step, steps = training.optimizer.step, []

    def last_step_spoils():
        plain_step()
        steps.append(1)
        if len(steps) == step:
            nn.init.constant_(training.model.weight, torch.inf)
    training.optimizer.step = last_step_spoils
    with pytest.raises(UserError, match=f"a weight became infinite by step {step} in epoch 1"):
        run(training)
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    for state in tmp_path.glob("*.state"):
        assert all(weight.isfinite().all() for weight in load_checkpoint(state, "1a")["model"].values())


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_run_ends_where_a_held_out_loss_is_not_finite(split, tmp_path):
    some = separable(50, 2)
    some.x[3] = torch.inf
    with pytest.raises(UserError, match=f"the {split} loss became (nan|inf) in epoch 1"):
        run(points_training(tmp_path, "--validation", 0.2, data=POINTS | {split: some}))


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e3])
def test_a_held_out_loss_without_a_finite_perplexity_is_refused(loss, tmp_path):
    training = points_training(tmp_path)
    check_held_out(training, "test", 9.0)
    with pytest.raises(UserError, match=f"--learning-rate 0.1: the test loss became {loss} in epoch 1; use a smaller "
                                        "one with --restart$"):
        check_held_out(training, "test", loss)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_on_a_gpu_the_losses_of_an_epoch_are_looked_at_where_they_are_saved(bad, tmp_path):
    """Within an epoch it would have to be waited for."""
    training = points_training(tmp_path)
    training.totals, training.batches_done = torch.tensor([bad, 3, 9]), 14
    with pytest.raises(UserError, match=f"the training loss became {bad} by step 14 in epoch 1"):
        training.save_state()
    assert not list(tmp_path.iterdir())
