"""Optimisers, and the learning rate over a training."""


import pytest
import torch
from small_runs import DEFAULTS, parse, points_training
from torch import nn

from common.data.ngrams import NGramTable
from common.errors import UserError
from common.layers.ngram_ensemble import Ensemble, NGrams
from common.options import CLASSIFIER_DEFAULTS
from common.training.run import run
from common.training.schedules import after_epoch, build_optimizer, build_schedule


@pytest.mark.parametrize("name, kind, defaults", [
    ("adam", torch.optim.Adam, {"lr": 0.01}), ("sgd", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9})])
def test_the_optimizer_is_the_one_asked_for(name, kind, defaults, tmp_path):
    options = parse(tmp_path, "--optimizer", name, "--learning-rate", "0.01")
    optimizer = build_optimizer(nn.Linear(2, 1), options)
    assert type(optimizer) is kind
    assert defaults.items() <= optimizer.defaults.items()


@pytest.mark.parametrize("argv, rate", [([], 0.1), (["--ngram-learning-rate", 0.02], 0.02)], ids=str)
def test_n_grams_have_the_learning_rate_asked_for_and_by_default_that_of_the_network(argv, rate):
    ensemble = Ensemble(nn.Linear(2, 1), NGrams(NGramTable(torch.arange(4), 1)), weight=0.5)
    optimizer = build_optimizer(ensemble, parse("unused", "--ngrams", 1, *argv, **CLASSIFIER_DEFAULTS | DEFAULTS))
    rates = {parameter: group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    assert rates == {ensemble.network.weight: 0.1, ensemble.network.bias: 0.1, ensemble.ngrams.weight: rate}
    assert optimizer.param_groups[-1]["lr"] == 0.1      # which is shown


def rates_after_epochs(epochs, *argv):
    """Learning rate after each of so many epochs."""
    options = parse("unused", *argv)
    optimizer = build_optimizer(nn.Linear(2, 1), options)
    schedule, rates = build_schedule(optimizer, options, steps=100), []
    for _ in range(epochs):
        optimizer.step()
        after_epoch(schedule)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_a_constant_learning_rate_stays():
    assert rates_after_epochs(5, "--schedule", "constant") == pytest.approx([0.1] * 5)


def test_the_step_schedule_divides_by_ten_every_so_many_epochs():
    rates = rates_after_epochs(5, "--schedule", "step", "--step-epochs", 2)
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001, 0.001])


def test_one_cycle_rises_over_the_first_30_percent_of_the_steps_and_decays_to_zero(tmp_path):
    training = points_training(tmp_path, "--epochs", 4, "--batch-size", 21, "--schedule", "one-cycle")    # 10 batches
    rates = []
    training.optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    run(training)
    assert len(rates) == 40 and rates[11] == max(rates) == pytest.approx(0.1)
    assert rates[:12] == sorted(rates[:12]) and rates[11:] == sorted(rates[11:], reverse=True)
    assert rates[0] == pytest.approx(0.1 / 25) and rates[-1] < 1e-4


def test_one_cycle_is_refused_where_there_is_one_step(tmp_path):
    with pytest.raises(UserError, match="--schedule one-cycle: takes two steps at least"):
        points_training(tmp_path, "--epochs", 1, "--batch-size", 1000, "--schedule", "one-cycle")


def test_one_cycle_keeps_the_ratio_of_the_learning_rates_of_two_groups():
    network = nn.Linear(2, 1)
    groups = [{"params": [network.weight], "lr": 0.1}, {"params": [network.bias], "lr": 0.02}]
    options = parse("unused", "--schedule", "one-cycle")
    optimizer = build_optimizer(network, options, groups)
    schedule = build_schedule(optimizer, options, steps=10)
    for _ in range(9):
        optimizer.step()
        schedule.step()
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert first / second == pytest.approx(5)
