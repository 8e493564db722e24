"""A run's record is found again as it was written."""

import json

import pytest
import torch

from common.errors import UserError
from common.results.records import read_runs, read_table, save_table, write_record

NAN = float("nan")
ROWS = [{"sequence length": length, "test accuracy": accuracy, "test loss": "0.5000"}
        for length, accuracy in ((50, "76.00"), ("whole", "81.00"))]


def leave_run(folder, part="2a", **options):
    folder.mkdir(parents=True)
    write_record(folder / "record.json", part, {"seed": 0, "epochs": 2} | options, torch.device("cpu"), 12.5,
                 {"train_loss": [0.7, 0.6], "test_loss": [NAN, 0.65]})


def test_a_run_is_read_as_it_was_written(tmp_path):
    leave_run(tmp_path / "2a")
    save_table(tmp_path / "2a" / "test_table.csv", ROWS)
    [run] = read_runs([tmp_path])
    assert (run.folder, run.part, run.seconds) == (tmp_path / "2a", "2a", 12.5)
    assert run.options == {"seed": 0, "epochs": 2}
    assert run.curves["train_loss"] == [0.7, 0.6]
    assert str(run.curves["test_loss"]) == "[nan, 0.65]"
    assert run.machine["torch"] == torch.__version__ and run.machine["gpu"] is None
    assert run.accuracy() == {"50": 76.0, "whole": 81.0}


def test_a_record_is_plain_json(tmp_path):
    leave_run(tmp_path / "2a")
    not_json = []                                                       # NaN and Infinity, which Python would write
    json.loads((tmp_path / "2a" / "record.json").read_text(), parse_constant=not_json.append)
    assert not_json == []


def test_a_run_that_was_not_tested_has_no_accuracy(tmp_path):
    leave_run(tmp_path / "2a")
    [run] = read_runs([tmp_path])
    assert run.table == [] and run.accuracy() == {}


def test_runs_are_found_however_deep_the_shortest_path_first(tmp_path):
    for folder in ("trials/1a/x", "2a", "1a"):
        leave_run(tmp_path / folder)
    assert [str(run.folder.relative_to(tmp_path)) for run in read_runs([tmp_path])] == ["1a", "2a", "trials/1a/x"]


def test_a_run_in_two_of_the_folders_counts_once(tmp_path, monkeypatch):
    leave_run(tmp_path / "trials" / "1a")
    monkeypatch.chdir(tmp_path)
    assert len(read_runs([tmp_path, tmp_path / "trials", "trials/1a"])) == 1


def test_settings_are_the_options_without_the_seed(tmp_path):
    leave_run(tmp_path / "a", seed=1)
    leave_run(tmp_path / "b", seed=2)
    leave_run(tmp_path / "c", seed=2, epochs=3)
    first, second, third = read_runs([tmp_path])
    assert first.settings() == second.settings() != third.settings()


@pytest.mark.parametrize("text", ["", "{}", "[]", "{\"curves\": 1}", "{\"curves\": {}, \"color\": 1}", "\x00"])
def test_a_broken_record_is_refused(text, tmp_path):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(UserError, match=f"{tmp_path}/record.json: not the record of a run; train"):
        read_runs([tmp_path])


def test_a_table_is_read_as_it_was_written(tmp_path):
    save_table(tmp_path / "table.csv", ROWS)
    assert read_table(tmp_path / "table.csv") == [{name: str(value) for name, value in row.items()} for row in ROWS]
    content = (tmp_path / "table.csv").read_bytes()
    assert content.startswith(b"sequence length,test accuracy,test loss\n50,76.00,0.5000\n")
