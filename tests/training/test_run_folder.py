"""What a run writes to its folder, and what it does with what an earlier run left there."""

import itertools
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from parts import ROOT
from small_runs import (FINISHED, OTHER_REVIEWS, REVIEWS, WORDS, Linear, crops_training, names, outcome, parse,
                        points_training)
from torch import nn

from common.checkpoints import load_checkpoint
from common.errors import UserError
from common.files import file_checksum
from common.results.figures import save_curves
from common.results.records import CURVES, read_runs
from common.training.run import run
from common.training.run_folder import RunFolder


def test_a_run_leaves_checkpoint_curves_record_and_figure(tmp_path, monkeypatch):
    monkeypatch.setattr("common.training.run_folder.save_curves", save_curves)
    run(points_training(tmp_path / "new"))
    assert names(tmp_path / "new") == [".lock", "BOW.model", "curves.png", "data.npy", "record.json"]


def test_a_checkpoint_holds_weights_words_options_and_curves(tmp_path):
    training = points_training(tmp_path)
    run(training)
    checkpoint = load_checkpoint(tmp_path / "BOW.model", "1a")
    assert checkpoint["finished"]
    assert checkpoint["arguments"] == {"in_features": 3, "out_features": 1} and checkpoint["ensemble"] is None
    assert checkpoint["vocabulary"] == WORDS
    assert checkpoint["options"]["learning_rate"] == 0.1
    assert list(checkpoint["curves"]) == CURVES
    assert checkpoint["curves"]["train_loss"] == training.curves["train_loss"]
    for name, weight in training.model.state_dict().items():
        assert torch.equal(checkpoint["model"][name], weight)


def test_data_npy_holds_training_loss_training_accuracy_and_test_accuracy_by_epoch(tmp_path):
    training = points_training(tmp_path, "--epochs", 5, "--test-every", 2)
    run(training)
    data = np.load(tmp_path / "data.npy")
    assert data.shape == (3, 5) and data.dtype == float
    for row, name in zip(data, ["train_loss", "train_accuracy", "test_accuracy"]):
        np.testing.assert_array_equal(row, training.curves[name])


def test_the_record_holds_the_options_but_those_that_say_where_and_how_often_to_save(tmp_path):
    run(points_training(tmp_path, "--seed", 4))
    [record] = read_runs([tmp_path])
    assert (record.part, record.options["seed"], record.options["precision"]) == ("1a", 4, "float32")
    assert not {"data", "output", "restart", "debug", "save_minutes"} & set(record.options)


def test_the_record_tells_which_options_are_not_as_the_recipe_has_them(tmp_path):
    run(points_training(tmp_path / "a", "--seed", 4, "--test-every", 2))
    run(points_training(tmp_path / "b", "--batch-size", 20, "--epochs", 4))
    assert [found.overridden for found in read_runs([tmp_path])] == [[], ["batch_size"]]


def test_the_model_file_is_saved_after_every_epoch(tmp_path):
    training, saved = points_training(tmp_path, "--epochs", 3), []
    save_model = training.folder.save_model

    def watched(model, curves, finished):
        save_model(model, curves, finished)
        checkpoint = load_checkpoint(tmp_path / "BOW.model", "1a")
        saved.append((len(checkpoint["curves"]["train_loss"]), checkpoint["finished"]))
    training.folder.save_model = watched
    run(training)
    assert saved == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize("minutes, states", [(0, 21), (1e9, 0)])
def test_a_state_is_saved_within_an_epoch_too(minutes, states, tmp_path):
    training, saved = points_training(tmp_path, "--epochs", 1, "--save-minutes", minutes), []
    training.folder.save_state = lambda state: saved.append(state["batches_done"])
    run(training)
    assert saved == list(range(1, states + 1))


def test_a_state_is_saved_as_soon_as_the_minutes_since_the_last_have_passed(tmp_path, monkeypatch):
    ticks = itertools.count(step=30)                                            # a clock that a look moves by 30 s
    monkeypatch.setattr("common.training.loop.time.monotonic", lambda: float(next(ticks)))
    training, saved = points_training(tmp_path, "--epochs", 1, "--save-minutes", 1.1), []
    training.folder.save_state = lambda state: saved.append(state["batches_done"])
    run(training)
    assert saved == list(range(3, 22, 3))       # looks at 30, 60 and 90 s, saved at 120 s, and so on


TABLES = ["test_table.csv", "predictions.csv", "pseudo_labels.npz", "explanation.html"]


def make_tables(folder):
    """What a test script writes beside a model."""
    for name in TABLES:
        (folder / name).write_text("of the model at hand")


def test_a_finished_run_is_not_trained_again(tmp_path, capsys):
    first = crops_training(tmp_path)
    test = run(first)
    before = outcome(tmp_path)
    again = crops_training(tmp_path, stop_after=2)      # only the batch of test reviews is left
    assert run(again).loss == test.loss
    assert f"{tmp_path / 'rnn.model'} is trained already; --restart retrains it\n" in capsys.readouterr().out
    assert outcome(tmp_path) == before
    for weight, expected in zip(again.model.parameters(), first.model.parameters()):
        assert torch.equal(weight, expected)


def test_a_finished_run_keeps_its_tables(tmp_path):
    run(crops_training(tmp_path))
    make_tables(tmp_path)
    run(crops_training(tmp_path))
    assert names(tmp_path) == sorted([*FINISHED, *TABLES])


def test_a_finished_run_with_other_options_is_not_overwritten(tmp_path):
    run(crops_training(tmp_path))
    before = outcome(tmp_path)
    with pytest.raises(UserError, match="--epochs 5: the run in .*rnn.model has --epochs 4; .*--restart"):
        run(crops_training(tmp_path, "--epochs", "5"))
    assert outcome(tmp_path) == before


def test_other_options_are_named_as_they_are_typed(tmp_path):
    run(crops_training(tmp_path))
    with pytest.raises(UserError, match="^--drop-duplicates: the run in .*rnn.model has --no-drop-duplicates; "):
        run(crops_training(tmp_path, "--drop-duplicates"))


def test_a_finished_run_on_other_reviews_is_retrained(tmp_path, capsys):
    run(crops_training(tmp_path))
    before = outcome(tmp_path)
    run(crops_training(tmp_path, reviews=OTHER_REVIEWS))
    assert "rnn.model was trained with other reviews: retraining\n" in capsys.readouterr().out
    assert outcome(tmp_path) != before


def test_a_finished_run_with_other_word_vectors_or_initial_weights_is_retrained(tmp_path, capsys):
    for vector, weight in (0, 0), (1, 0), (1, 1):
        for printed in "wrote", "is trained already":
            model = Linear(3, 1)
            for parameter in model.parameters():
                nn.init.constant_(parameter, weight)
            run(points_training(tmp_path, "--epochs", 1, model=model, glove=torch.full((3, 2), float(vector))))
            assert printed in capsys.readouterr().out


@pytest.mark.parametrize("stop_after", [5, None], ids=["stopped", "finished"])
def test_restart_discards_what_an_earlier_run_left_and_retrains(stop_after, uninterrupted, tmp_path):
    try:
        run(crops_training(tmp_path, "--seed", "7", stop_after=stop_after))
    except SystemExit:
        pass
    run(crops_training(tmp_path, "--restart"))
    assert outcome(tmp_path) == uninterrupted


def test_restart_discards_a_record_that_cannot_be_read(uninterrupted, tmp_path):
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(UserError, match="record.json: not the record of a run; .* with --restart"):
        run(crops_training(tmp_path))
    run(crops_training(tmp_path, "--restart"))
    assert outcome(tmp_path) == uninterrupted


def test_a_restarted_run_whose_process_torchrun_starts_again_is_resumed(uninterrupted, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(crops_training(tmp_path, "--restart", stop_after=20))
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    run(crops_training(tmp_path, "--restart"))
    assert "resuming in epoch 2" in capsys.readouterr().out
    assert outcome(tmp_path) == uninterrupted


@pytest.mark.parametrize("argv, reviews", [(["--restart"], REVIEWS), ([], OTHER_REVIEWS)],
                         ids=["restarted", "other reviews"])
def test_nothing_of_a_finished_run_stands_beside_a_new_one(argv, reviews, tmp_path):
    run(crops_training(tmp_path))
    make_tables(tmp_path)
    with pytest.raises(SystemExit):
        run(crops_training(tmp_path, *argv, stop_after=5, reviews=reviews))
    assert names(tmp_path) == [".lock", "training.state"]


def test_the_labels_that_a_run_reads_stay_even_in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_tables(tmp_path)
    options = parse(tmp_path, "--restart", "--pseudo-labels", "pseudo_labels.npz", pseudo_labels=None)
    RunFolder("1a", options, {}, {}).prepare()
    assert names(tmp_path) == ["pseudo_labels.npz"]


def test_a_table_of_half_a_training_does_not_stand_beside_the_whole(tmp_path):
    with pytest.raises(SystemExit):
        run(crops_training(tmp_path, stop_after=20))
    make_tables(tmp_path)
    run(crops_training(tmp_path))
    assert names(tmp_path) == FINISHED


def test_a_restarted_run_that_is_killed_leaves_nothing_of_the_old_one(tmp_path):
    run(crops_training(tmp_path))
    restarted = crops_training(tmp_path, "--restart")
    restarted.train_epoch = lambda: sys.exit("killed")
    with pytest.raises(SystemExit):
        run(restarted)
    assert names(tmp_path) == [".lock"]


def test_what_a_killed_run_had_half_written_is_removed(tmp_path):
    for name in ".training.state.abc", ".rnn.model.def":
        (tmp_path / name).write_bytes(b"half")
    run(crops_training(tmp_path))
    assert names(tmp_path) == FINISHED


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
        run(crops_training(tmp_path, "--restart"))
    assert names(tmp_path) == [".lock"]


def test_the_lock_of_a_dead_run_does_not_block(other_run, uninterrupted, tmp_path):
    other_run.kill()
    other_run.wait()
    run(crops_training(tmp_path))
    assert outcome(tmp_path) == uninterrupted


def test_a_run_is_resumed_in_its_precision_where_auto_would_take_another(tmp_path, monkeypatch, capsys):
    stopped = points_training(tmp_path, "--precision", "bfloat16")
    stopped.train_epoch()
    stopped.save_state()
    for instructions in "_is_amx_tile_supported", "_is_avx512_bf16_supported":
        monkeypatch.setattr(torch.cpu, instructions, lambda: False)
    resumed = points_training(tmp_path, "--precision", "auto")
    assert resumed.options.precision == "float32"
    run(resumed)
    assert "training.state: goes on in its precision, bfloat16\n" in capsys.readouterr().out
    assert resumed.options.precision == "bfloat16"
    assert load_checkpoint(tmp_path / "BOW.model", "1a")["options"]["precision"] == "bfloat16"


def test_a_folder_with_the_results_of_another_part_is_refused(tmp_path):
    run(points_training(tmp_path))
    with pytest.raises(UserError, match="holds the results of part 1a; choose another folder with --output"):
        run(crops_training(tmp_path))


def changed_model_file(training):
    """The same training, of a network whose model file has been changed."""
    training.folder.made_from["inputs"] |= {"model file": 1}
    return training


def test_a_finished_run_whose_model_file_was_changed_is_refused(tmp_path):
    run(crops_training(tmp_path))
    with pytest.raises(UserError, match="rnn.model: was trained before its model file was changed; .*--restart"):
        run(changed_model_file(crops_training(tmp_path)))


def test_a_stopped_run_whose_model_file_was_changed_is_refused(tmp_path):
    with pytest.raises(SystemExit):
        run(crops_training(tmp_path, stop_after=5))
    with pytest.raises(UserError, match="training.state: a run with other model file; "):
        run(changed_model_file(crops_training(tmp_path)))


def test_a_run_knows_the_model_file_of_its_network(tmp_path):
    inputs = crops_training(tmp_path).folder.made_from["inputs"]
    assert inputs["model file"] == file_checksum(Path(__file__).with_name("small_runs.py"))


def test_a_finished_run_on_other_test_reviews_is_retrained(tmp_path, capsys):
    run(crops_training(tmp_path))
    run(crops_training(tmp_path, reviews=REVIEWS | {"test": REVIEWS["validation"]}))
    assert "rnn.model was trained with other test reviews: retraining\n" in capsys.readouterr().out
