"""A run that is stopped or killed goes on, and ends as one that was not."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from parts import ROOT
from torch import nn

import common.training
from common.data import Reviews
from common.errors import UserError
from common.evaluation import sentiment_score
from common.options import parse_options
from common.stopping import EXIT_STOPPED
from common.training import Training

DEFAULTS = dict(epochs=4, batch_size=10, optimizer="adam", learning_rate=0.1, schedule="step", step_epochs=3,
                clip_norm=1.0, validation=0.1, patience=0, test_every=2, save_every=1, restart=False)
WORDS = ["the", "film"]


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Drawing takes longer than all else here."""
    monkeypatch.setattr(common.training, "save_curves", lambda path, title, curves: None)


def make_reviews(count, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 30, (count,), generator=generator)
    token_ids = torch.randint(0, 3, (int(lengths.sum()),), generator=generator, dtype=torch.int32)
    return Reviews(token_ids, lengths.cumsum(0) - lengths, lengths, (torch.arange(count) % 2).float(),
                   np.array(["tt1"] * count))


REVIEWS = {"train": make_reviews(105, 1), "validation": make_reviews(20, 2), "test": make_reviews(30, 3)}
OTHER_REVIEWS = REVIEWS | {"train": make_reviews(105, 4)}


class CropModel(nn.Module):
    """Random crops and dropout, so that a run depends on every draw."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(3, 4)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(4, 1)

    def forward(self, x, t):
        logit = self.output(self.dropout(self.embedding(x).mean(dim=1)))[:, 0]
        return nn.functional.binary_cross_entropy_with_logits(logit, t), logit


def make_training(output, *argv, stop_after=None, reviews=REVIEWS):
    """A run; after `stop_after` batches of any split it gets SIGTERM."""
    options = parse_options("", __file__, ["--device", "cpu", "--output", str(output), *argv], **DEFAULTS)
    model = CropModel()
    left = [stop_after]

    def score(split, indices):
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        t = reviews[split].labels[indices]
        return sentiment_score(model(reviews[split].crops(indices, 5), t), t)

    return Training("2a", "rnn.model", model, {}, model.parameters(), score, reviews, WORDS, options)


def outcome(folder):
    """The bytes of the model and of data.npy."""
    return (folder / "rnn.model").read_bytes(), (folder / "data.npy").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common.training, "save_curves", lambda path, title, curves: None)
        make_training(folder).run()
    return outcome(folder)


# An epoch is eleven training batches and two of validation, every second one has three of test reviews.
@pytest.mark.parametrize("stop_after", [1, 5, 11, 12, 13, 14, 25, 27, 29, 30, 58])
def test_a_stopped_run_goes_on_to_the_same_bytes(stop_after, uninterrupted, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        make_training(tmp_path, stop_after=stop_after).run()
    assert stopped.value.code == EXIT_STOPPED
    make_training(tmp_path).run()
    assert outcome(tmp_path) == uninterrupted
    assert not (tmp_path / "training.state").exists()


def test_a_run_may_be_stopped_again_and_again(uninterrupted, tmp_path):
    for _ in range(30):
        try:
            make_training(tmp_path, stop_after=7).run()
            break
        except SystemExit:
            pass
    assert outcome(tmp_path) == uninterrupted


def test_early_stopping_goes_on_with_the_best_weights_so_far(tmp_path):
    options = ["--epochs", "12", "--patience", "2", "--schedule", "plateau"]
    make_training(tmp_path / "whole", *options).run()
    for _ in range(100):
        try:
            make_training(tmp_path / "stopped", *options, stop_after=8).run()
            break
        except SystemExit:
            pass
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


def test_other_options_than_the_stopped_runs_are_refused_by_name(tmp_path):
    with pytest.raises(SystemExit):
        make_training(tmp_path, stop_after=5).run()
    with pytest.raises(UserError, match="--learning-rate 0.2: the run in .*training.state has --learning-rate 0.1"):
        make_training(tmp_path, "--learning-rate", "0.2").run()


def test_other_reviews_than_the_stopped_runs_are_refused(tmp_path):
    with pytest.raises(SystemExit):
        make_training(tmp_path, stop_after=5).run()
    with pytest.raises(UserError, match="training.state: a run on other reviews"):
        make_training(tmp_path, reviews=OTHER_REVIEWS).run()


def test_a_finished_run_on_other_reviews_is_trained_anew(tmp_path, capsys):
    make_training(tmp_path).run()
    before = outcome(tmp_path)
    make_training(tmp_path, reviews=OTHER_REVIEWS).run()
    assert "was trained on other data: training it anew" in capsys.readouterr().out
    assert outcome(tmp_path) != before


def test_a_restarted_run_that_is_killed_leaves_nothing_of_the_old_one(tmp_path):
    make_training(tmp_path).run()
    restarted = make_training(tmp_path, "--restart")
    restarted.train_epoch = lambda: sys.exit("killed")
    with pytest.raises(SystemExit):
        restarted.run()
    assert not (tmp_path / "rnn.model").exists()


def test_a_finished_run_is_not_trained_again(tmp_path, capsys):
    first = make_training(tmp_path)
    test = first.run()
    before = outcome(tmp_path)
    torch.manual_seed(0)
    again = make_training(tmp_path, stop_after=4)   # only the three batches of test reviews are left
    assert again.run().loss == pytest.approx(test.loss, rel=0.2)    # other random crops
    assert "trained already" in capsys.readouterr().out
    assert outcome(tmp_path) == before
    for weight, expected in zip(again.model.parameters(), first.model.parameters()):
        assert torch.equal(weight, expected)


def test_a_finished_run_with_other_options_is_not_overwritten(tmp_path):
    make_training(tmp_path).run()
    before = outcome(tmp_path)
    with pytest.raises(UserError, match="--epochs 5: the run in .*rnn.model has --epochs 4; .*--restart"):
        make_training(tmp_path, "--epochs", "5").run()
    assert outcome(tmp_path) == before


@pytest.mark.parametrize("stop_after", [5, None])
def test_restart_trains_anew(stop_after, uninterrupted, tmp_path):
    try:
        make_training(tmp_path, "--seed", "7", stop_after=stop_after).run()
    except SystemExit:
        pass
    make_training(tmp_path, "--restart").run()
    assert outcome(tmp_path) == uninterrupted


def test_a_state_that_is_none_is_refused_with_its_name(tmp_path):
    (tmp_path / "training.state").write_bytes(b"half a sta")
    with pytest.raises(UserError, match="training.state: not the state of a run; start anew with --restart"):
        make_training(tmp_path).run()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_end_a_script_with_the_status_of_a_stopped_run(number):
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from common.stopping import EXIT_STOPPED, Stopped, StopSignals
with StopSignals() as signals:
    try:
        for _ in signals.watch(range(3)):
            os.kill(os.getpid(), {int(number)})
    except Stopped:
        sys.exit(EXIT_STOPPED)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == EXIT_STOPPED


def test_a_second_interrupt_stops_at_once():
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from common.errors import run_script
from common.stopping import StopSignals
def main():
    with StopSignals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        print("still here")
run_script(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
