"""A run that is stopped or killed is resumed, and ends as one that was not."""

import errno
import itertools
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from parts import ROOT
from small_runs import FINISHED, OTHER_REVIEWS, crops_training, names, outcome

import common.training.loop
from common.checkpoints import load_checkpoint, write_checkpoint
from common.errors import UserError
from common.results.records import read_runs
from common.training.run import EXIT_STOPPED, run
from common.training.stop_signals import StopSignals


def stop(folder, after, *argv):
    """Start a run in a folder that is stopped after so many batches."""
    with pytest.raises(SystemExit) as stopped:
        run(crops_training(folder, *argv, stop_after=after))
    assert stopped.value.code == EXIT_STOPPED


def run_with_stops(folder, every, *argv):
    """Start a run again and again, stopped after every so many batches, until it ends."""
    for _ in range(100):
        try:
            return run(crops_training(folder, *argv, stop_after=every))
        except SystemExit:
            pass
    raise AssertionError("never ends")


@pytest.mark.parametrize("stop_after", [1, 5, 11, 12, 13, 14, 24, 25, 26, 27, 50])
def test_a_stopped_run_is_resumed_to_the_same_bytes(stop_after, uninterrupted, tmp_path):
    stop(tmp_path, stop_after)
    run(crops_training(tmp_path))
    assert outcome(tmp_path) == uninterrupted
    assert names(tmp_path) == FINISHED


def test_a_run_may_be_stopped_again_and_again(uninterrupted, tmp_path):
    run_with_stops(tmp_path, 7)
    assert outcome(tmp_path) == uninterrupted


@pytest.mark.parametrize("options", [
    ["--epochs", "12", "--patience", "2"], ["--patience", "4"], ["--schedule", "one-cycle"],
    ["--optimizer", "sgd"]], ids=["early stopping", "best epoch", "one-cycle", "momentum"])
def test_all_that_a_run_goes_on_from_is_in_its_state(options, tmp_path):
    run(crops_training(tmp_path / "whole", *options))
    run_with_stops(tmp_path / "stopped", 8, *options)
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


def test_a_stopped_run_leaves_the_model_of_its_last_whole_epoch(tmp_path, capsys):
    stop(tmp_path, 40)          # within the fourth epoch
    assert names(tmp_path) == [".lock", "data.npy", "rnn.model", "training.state"]
    checkpoint = load_checkpoint(tmp_path / "rnn.model", "2a")
    assert len(checkpoint["curves"]["train_loss"]) == 3 and not checkpoint["finished"]
    assert "rnn.model: of a run that is not finished, after epoch 3 of 4\n" in capsys.readouterr().err


def test_a_stopped_run_says_what_stopped_it_and_where_it_is_resumed(tmp_path, capsys):
    stop(tmp_path, 20)
    assert "stopped by SIGTERM in epoch 2; start again with the same options to resume\n" in capsys.readouterr().out
    run(crops_training(tmp_path))
    assert "resuming in epoch 2 of a run that was stopped\n" in capsys.readouterr().out


def test_the_record_counts_the_seconds_before_a_stop_too(tmp_path, monkeypatch):
    ticks = itertools.count()                                           # a clock that a look moves by a second
    monkeypatch.setattr(common.training.loop.time, "monotonic", lambda: float(next(ticks)))
    stop(tmp_path, 45)
    before = load_checkpoint(tmp_path / "training.state", "2a")["seconds"]
    run(crops_training(tmp_path))
    [record] = read_runs([tmp_path])
    assert before > 40 and before < record.seconds < before + 20


def test_other_options_than_the_stopped_runs_are_refused_by_name(tmp_path):
    stop(tmp_path, 5)
    with pytest.raises(UserError, match="--learning-rate 0.2: the run in .*training.state has --learning-rate 0.1"):
        run(crops_training(tmp_path, "--learning-rate", "0.2"))


def test_where_files_are_and_how_often_they_are_saved_may_differ(uninterrupted, tmp_path):
    stop(tmp_path / "here", 5)
    (tmp_path / "here").rename(tmp_path / "there")
    run(crops_training(tmp_path / "there", "--save-minutes", "0", "--data", tmp_path))
    assert outcome(tmp_path / "there") == uninterrupted


def test_a_state_from_before_there_was_an_option_is_refused_with_the_options_name(tmp_path):
    stop(tmp_path, 5)
    state = load_checkpoint(tmp_path / "training.state", "2a")
    del state["options"]["clip_norm"]
    write_checkpoint(tmp_path / "training.state", "2a", state)
    with pytest.raises(UserError, match="training.state: a run from before there was --clip-norm; start again with"):
        run(crops_training(tmp_path))


def test_other_reviews_than_the_stopped_runs_are_refused(tmp_path):
    stop(tmp_path, 5)
    with pytest.raises(UserError, match="training.state: a run with other reviews"):
        run(crops_training(tmp_path, reviews=OTHER_REVIEWS))


def state_of_a_stopped_run(folder):
    stop(folder, 20)
    return folder / "training.state"


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip_a_bit, lambda path: path.write_bytes(b"")],
                         ids=["cut", "flipped bit", "empty"])
def test_a_damaged_state_is_refused_with_its_name(damage, tmp_path):
    damage(state_of_a_stopped_run(tmp_path))
    with pytest.raises(UserError, match="training.state: not a whole checkpoint .*--restart"):
        run(crops_training(tmp_path))


def test_a_run_whose_state_is_gone_starts_anew(uninterrupted, tmp_path):
    state_of_a_stopped_run(tmp_path).unlink()
    run(crops_training(tmp_path))
    assert outcome(tmp_path) == uninterrupted


def test_restart_does_not_read_the_state(uninterrupted, tmp_path):
    cut(state_of_a_stopped_run(tmp_path))
    run(crops_training(tmp_path, "--restart"))
    assert outcome(tmp_path) == uninterrupted


def test_a_state_of_another_part_is_refused(tmp_path):
    write_checkpoint(tmp_path / "training.state", "1b", {})
    with pytest.raises(UserError, match="training.state: a checkpoint of 1b, not of part 2a"):
        run(crops_training(tmp_path))


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
            run(crops_training(folder))
        except Killed:
            return True
    return False


def test_a_run_killed_between_any_two_changes_of_its_folder_is_resumed_to_the_same_bytes(uninterrupted, tmp_path):
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        killed = run_until_change(number, folder)
        run(crops_training(folder))
        assert outcome(folder) == uninterrupted
        assert names(folder) == FINISHED
        if not killed:
            break
    assert number > 10


def test_a_full_disk_leaves_the_last_good_state(uninterrupted, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    def contents():
        return {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".lock"}

    state_of_a_stopped_run(tmp_path)
    before = contents()
    with monkeypatch.context() as full_disk:
        full_disk.setattr("os.fsync", full)
        with pytest.raises(UserError, match="No space left on device.; the file of before is kept; free some space"):
            run(crops_training(tmp_path))
    assert contents() == before
    run(crops_training(tmp_path))
    assert outcome(tmp_path) == uninterrupted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
@pytest.mark.slow
def test_signals_end_a_script_with_the_status_of_a_stopped_run(number):
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from common.training.run import EXIT_STOPPED
from common.training.stop_signals import Stopped, StopSignals
signal.signal({int(number)}, signal.SIG_DFL)    # tests in the background or under nohup have it ignored
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
from common.training.stop_signals import StopSignals
def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with StopSignals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        print("still here")
run_script(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_signal_that_is_ignored_from_outside_stays_ignored():
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_after_a_run_signals_do_what_they_did_before_it():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) == before and signals.received is None


def test_a_run_outside_of_the_main_thread_trains_without_signals(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(run, crops_training(tmp_path)).result()
    assert (tmp_path / "rnn.model").exists()
