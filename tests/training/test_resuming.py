"""A run that is stopped or killed goes on, and ends as one that was not."""

import errno
import itertools
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from parts import ROOT
from torch import nn

import common.training.loop
from common.checkpoints import load_checkpoint, save_checkpoint, write_checkpoint
from common.data.reviews import Reviews
from common.errors import UserError
from common.options import TRAINING_DEFAULTS, parse_options
from common.results.records import read_runs
from common.training.evaluation import sentiment_score
from common.training.loop import Training
from common.training.stopping import EXIT_STOPPED

DEFAULTS = TRAINING_DEFAULTS | dict(epochs=4, batch_size=10, learning_rate=0.1, schedule="step", step_epochs=3,
                                    clip_norm=1.0, validation=0.1, test_every=2)
WORDS = ["the", "film"]


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Drawing takes longer than all else here."""
    monkeypatch.setattr(common.training.loop, "save_curves", lambda path, title, curves: None)


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
        patch.setattr(common.training.loop, "save_curves", lambda path, title, curves: None)
        make_training(folder).run()
    return outcome(folder)


# An epoch is eleven training batches and one of validation, every second one has one of test reviews.
@pytest.mark.parametrize("stop_after", [1, 5, 11, 12, 13, 14, 24, 25, 26, 27, 50])
def test_a_stopped_run_goes_on_to_the_same_bytes(stop_after, uninterrupted, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        make_training(tmp_path, stop_after=stop_after).run()
    assert stopped.value.code == EXIT_STOPPED
    make_training(tmp_path).run()
    assert outcome(tmp_path) == uninterrupted
    assert not (tmp_path / "training.state").exists()


def test_the_record_counts_the_seconds_before_a_stop_too(tmp_path, monkeypatch):
    ticks = itertools.count()                                           # a clock that a look moves by a second
    monkeypatch.setattr(common.training.loop.time, "monotonic", lambda: float(next(ticks)))
    with pytest.raises(SystemExit):
        make_training(tmp_path, stop_after=45).run()
    before = load_checkpoint(tmp_path / "training.state", "2a")["seconds"]
    make_training(tmp_path).run()
    [run] = read_runs([tmp_path])
    assert before > 40 and before < run.seconds < before + 20


def test_a_run_may_be_stopped_again_and_again(uninterrupted, tmp_path):
    for _ in range(30):
        try:
            make_training(tmp_path, stop_after=7).run()
            break
        except SystemExit:
            pass
    assert outcome(tmp_path) == uninterrupted


@pytest.mark.parametrize("options", [
    ["--epochs", "12", "--patience", "2", "--schedule", "plateau"], ["--keep", "accuracy", "--validate-every", "3"],
    ["--schedule", "one-cycle", "--keep", "loss"]], ids=["early stopping", "best accuracy", "one cycle"])
def test_a_run_goes_on_with_the_best_weights_so_far(options, tmp_path):
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


def test_a_run_from_before_there_was_an_option_is_refused_with_the_options_name(tmp_path):
    with pytest.raises(SystemExit):
        make_training(tmp_path, stop_after=5).run()
    state = load_checkpoint(tmp_path / "training.state", "2a")
    del state["options"]["clip_norm"]
    write_checkpoint(tmp_path / "training.state", "2a", state)
    with pytest.raises(UserError, match="training.state: a run from before there was --clip-norm; start anew with"):
        make_training(tmp_path).run()


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


def make_tables(folder):
    """What a test script writes beside a model."""
    for name in "test_table.csv", "test_table.png":
        (folder / name).write_text("of the model at hand")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_run_keeps_its_table(tmp_path):
    make_training(tmp_path).run()
    make_tables(tmp_path)
    make_training(tmp_path).run()
    assert names(tmp_path) == [".lock", "data.npy", "record.json", "rnn.model", "test_table.csv", "test_table.png"]


@pytest.mark.parametrize("argv, reviews", [(["--restart"], REVIEWS), ([], OTHER_REVIEWS)])
def test_nothing_of_a_finished_run_stands_beside_a_new_one(argv, reviews, tmp_path):
    make_training(tmp_path).run()
    make_tables(tmp_path)
    with pytest.raises(SystemExit):
        make_training(tmp_path, *argv, stop_after=5, reviews=reviews).run()
    assert names(tmp_path) == [".lock", "training.state"]


def test_a_table_of_half_a_training_does_not_stand_beside_the_whole(tmp_path):
    with pytest.raises(SystemExit):
        make_training(tmp_path, stop_after=20).run()
    make_tables(tmp_path)
    make_training(tmp_path).run()
    assert names(tmp_path) == [".lock", "data.npy", "record.json", "rnn.model"]


def test_a_restarted_run_that_is_killed_leaves_nothing_of_the_old_one(tmp_path):
    make_training(tmp_path).run()
    restarted = make_training(tmp_path, "--restart")
    restarted.train_epoch = lambda: sys.exit("killed")
    with pytest.raises(SystemExit):
        restarted.run()
    assert not (tmp_path / "rnn.model").exists()


def test_how_often_the_test_reviews_are_looked_at_changes_no_weight(tmp_path):
    rarely = make_training(tmp_path / "rarely")
    test = rarely.run()
    often = make_training(tmp_path / "often", "--test-every", "1")
    assert often.run().loss == test.loss
    for weight, expected in zip(often.model.parameters(), rarely.model.parameters()):
        assert torch.equal(weight, expected)


def test_a_finished_run_is_not_trained_again(tmp_path, capsys):
    first = make_training(tmp_path)
    test = first.run()
    before = outcome(tmp_path)
    again = make_training(tmp_path, stop_after=4)   # only the three batches of test reviews are left
    assert again.run().loss == test.loss
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


def test_looking_at_the_validation_reviews_within_an_epoch_changes_nothing(uninterrupted, tmp_path, capsys):
    make_training(tmp_path, "--validate-every", "4").run()
    looks = [line for line in capsys.readouterr().out.splitlines() if " step " in line]
    assert [look.split(" | ")[0] for look in looks] == [
        f"epoch  {epoch}/4 step {step}" for epoch in (1, 2, 3, 4) for step in (4, 8)]
    _, data = outcome(tmp_path)
    assert data == uninterrupted[1]


@pytest.mark.parametrize("stop_after", [5, None])
def test_restart_trains_anew(stop_after, uninterrupted, tmp_path):
    try:
        make_training(tmp_path, "--seed", "7", stop_after=stop_after).run()
    except SystemExit:
        pass
    make_training(tmp_path, "--restart").run()
    assert outcome(tmp_path) == uninterrupted


def stopped_run(folder):
    """A run stopped in its second epoch, so that the state at the end of the first is beside the last one."""
    with pytest.raises(SystemExit):
        make_training(folder, stop_after=20).run()
    return folder / "training.state", folder / "training.previous.state"


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip_a_bit, lambda path: path.write_bytes(b""), lambda path: path.unlink()],
                         ids=["cut", "flipped bit", "empty", "missing"])
def test_instead_of_a_damaged_state_the_one_before_it_is_used(damage, uninterrupted, tmp_path, capsys):
    state, previous = stopped_run(tmp_path)
    damage(state)
    make_training(tmp_path).run()
    printed = capsys.readouterr()
    assert "going on in epoch 2" in printed.out
    assert f"going on from {previous}" in printed.err or damage.__name__ == "<lambda>"
    assert outcome(tmp_path) == uninterrupted
    assert not state.exists() and not previous.exists()


class Killed(BaseException):
    """Ends a run at once, as nothing in it expects."""


def run_until_change(number, folder):
    """Start a run that dies instead of renaming or removing a file for the number-th time -> whether it did."""
    changes = itertools.count(1)

    def deadly(change):
        def changed(*args, **kwargs):
            if next(changes) >= number:
                raise Killed
            return change(*args, **kwargs)
        return changed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", deadly(os.replace))
        patch.setattr(Path, "unlink", deadly(Path.unlink))
        try:
            make_training(folder).run()
        except Killed:
            return True
    return False


def test_a_run_killed_between_any_two_changes_of_its_folder_goes_on_to_the_same_bytes(uninterrupted, tmp_path):
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        killed = run_until_change(number, folder)
        make_training(folder).run()
        assert outcome(folder) == uninterrupted
        assert names(folder) == [".lock", "data.npy", "record.json", "rnn.model"]
        if not killed:
            break
    assert number > 10


def test_damaged_states_are_refused_with_their_names(tmp_path, capsys):
    for path in stopped_run(tmp_path):
        cut(path)
    with pytest.raises(UserError, match="training.previous.state: not a whole checkpoint .*--restart"):
        make_training(tmp_path).run()
    assert "training.state: not a whole checkpoint" in capsys.readouterr().err


def test_restart_does_not_read_the_states(uninterrupted, tmp_path):
    for path in stopped_run(tmp_path):
        cut(path)
    make_training(tmp_path, "--restart").run()
    assert outcome(tmp_path) == uninterrupted


def test_a_state_of_another_part_is_refused(tmp_path):
    save_checkpoint(tmp_path / "training.state", "1b", nn.Linear(1, 1), {}, WORDS, {}, {}, {}, False)
    with pytest.raises(UserError, match="training.state: a checkpoint of 1b, not of part 2a"):
        make_training(tmp_path).run()


def test_what_a_killed_run_had_half_written_is_removed(tmp_path):
    for name in ".training.state.abc", ".rnn.model.def":
        (tmp_path / name).write_bytes(b"half")
    make_training(tmp_path).run()
    assert names(tmp_path) == [".lock", "data.npy", "record.json", "rnn.model"]


@pytest.fixture
def other_run(tmp_path):
    """A process that has claimed tmp_path."""
    code = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from common.files import claim_folder
with claim_folder(Path({str(tmp_path)!r})):
    print("claimed", flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_in_a_folder_is_refused_and_told_of_the_first(other_run, tmp_path):
    with pytest.raises(UserError, match=f"process {other_run.pid} on {socket.gethostname()} is writing to this folder"):
        make_training(tmp_path, "--restart").run()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_the_lock_of_a_dead_run_does_not_block(other_run, uninterrupted, tmp_path):
    other_run.kill()
    other_run.wait()
    make_training(tmp_path).run()
    assert outcome(tmp_path) == uninterrupted


def test_runs_follow_one_another_in_a_folder(uninterrupted, tmp_path):
    make_training(tmp_path, "--seed", "7").run()
    make_training(tmp_path, "--restart").run()
    assert outcome(tmp_path) == uninterrupted


def test_a_full_disk_leaves_the_last_good_state(uninterrupted, tmp_path, monkeypatch):
    stopped_run(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".lock"}
    with monkeypatch.context() as full_disk:
        full_disk.setattr("os.fsync", full)
        with pytest.raises(UserError, match="No space left on device.; the file of before is kept; free some space"):
            make_training(tmp_path).run()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".lock"} == before
    make_training(tmp_path).run()
    assert outcome(tmp_path) == uninterrupted


def full(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_end_a_script_with_the_status_of_a_stopped_run(number):
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from common.training.stopping import EXIT_STOPPED, Stopped, StopSignals
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
from common.training.stopping import StopSignals
def main():
    with StopSignals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        print("still here")
run_script(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
