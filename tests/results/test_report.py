"""The report says what the runs' records say."""

import csv
import os
import shutil
import sys

import pytest
from leave_runs import SAMPLE, leave_results, leave_run

from common.errors import run_script
from common.results import report as reports
from common.results.records import read_runs
from common.results.report import table_of_parts
from common.results.sheets import aligned, hand_in_rows, text_table
from common.results.trials import trials_of


@pytest.fixture
def results(tmp_path):
    return leave_results(tmp_path)


@pytest.fixture
def report(monkeypatch, capsys):
    """Runs the report on folders -> (the folder that it wrote, standard output, standard error)."""
    def report(*folders):
        output = folders[0] / "report"
        monkeypatch.setattr(sys, "argv", ["reports", *map(str, folders), "--output", str(output)])
        run_script(reports.main)
        return output, *capsys.readouterr()
    return report


def table(folder):
    return {row["part"]: row for row in table_of_parts(trials_of(read_runs([folder])))}


def test_each_part_has_a_row_with_a_number_a_cell(results):
    rows = table(results)
    assert rows["1a"] == {"part": "1a", "model": "bag of words", "test": "accuracy (%)", "assignment": "86-88",
                          "here": "87.17 ± 0.07"}
    assert rows["2a"] | {"model": ""} == {"part": "2a", "model": "", "test": "accuracy at 400 tokens (%)",
                                          "assignment": "87.25", "here": "86.00"}
    assert (rows["3a"]["test"], rows["3a"]["here"], rows["3a"]["assignment"]) == ("perplexity", "54.6", "")


def test_the_best_recipe_stands_beside_the_assignments_trial(tmp_path):
    leave_run(tmp_path / "Best", "1a", [{"test accuracy": "91.90", "test loss": "0.2"}], recipe="best")
    leave_run(tmp_path / "assignment", "1a")
    leave_run(tmp_path / "overfit", "1a", [{"test accuracy": "85.00", "test loss": "0.9"}], recipe="overfit")
    assert (table(tmp_path)["1a"]["here"], table(tmp_path)["1a"]["recipe best"]) == ("87.12", "91.90")


def test_a_best_recipe_alone_stands_in_its_own_column(tmp_path):
    leave_run(tmp_path / "best", "1b", [{"test accuracy": "91.90", "test loss": "0.2"}], recipe="best")
    leave_run(tmp_path / "assignment", "1a")
    rows = table(tmp_path)
    assert [(rows[part]["here"], rows[part]["recipe best"]) for part in ("1a", "1b")] == [("87.12", ""), ("", "91.90")]


@pytest.mark.parametrize("data", [SAMPLE, {}, {"name": "other", "test_reviews": 900, "reviews": 5}])
def test_the_assignments_figures_stand_beside_the_real_reviews_alone(data, tmp_path, report):
    for part in "1a", "2a":
        leave_run(tmp_path / part, part, data=data)
    assert "assignment" not in table(tmp_path)["1a"] and table(tmp_path)["2a"]["here"] == "88.00"
    folder, printed, _ = report(tmp_path)
    text = printed + (folder / "report.md").read_text()
    assert "87.25" not in text and "86-88" not in text and "2a, reported" not in text


def test_runs_on_two_data_sets_have_a_row_each(tmp_path):
    leave_run(tmp_path / "a", "1a")
    leave_run(tmp_path / "b", "1a", [{"test accuracy": "98.00"}], data=SAMPLE)
    rows = table_of_parts(trials_of(read_runs([tmp_path])))
    assert [(row["data"], row["assignment"], row["here"]) for row in rows] == [
        ("the 25,000 test reviews of the IMDB dataset", "86-88", "87.12"),
        ("the 600 test reviews of the sample", "", "98.00")]


def test_the_command_prints_the_table_once_with_what_each_part_shows(tmp_path, report):
    for part in "1a", "2a":
        leave_run(tmp_path / part, part, data=SAMPLE)
    _, printed, stderr = report(tmp_path)
    assert printed.startswith("Tested on the 600 test reviews of the sample:\n") and stderr == ""
    assert "87.12  counts the words and cannot see their order\n" in printed
    assert "same words in another order" in printed
    lines = [line for line in printed.splitlines() if line.strip()]
    assert len(set(lines)) == len(lines)


def test_trials_are_compared_on_the_same_reviews(tmp_path, report):
    correct = [-1, 1] * 20                                  # the reviews are negative and positive by turns
    leave_run(tmp_path / "a", "1a", logits=[1] * 12 + correct[12:])     # six mistakes on negative reviews
    leave_run(tmp_path / "b", "1a", logits=correct, recipe="best")
    leave_run(tmp_path / "c", "2a", logits=correct[:-1] + [-1])
    leave_run(tmp_path / "d", "2a", logits=correct[:20], recipe="overfit")              # of other reviews
    folder, _, _ = report(tmp_path)
    text = (folder / "report.md").read_text()
    assert "| assignment | best | 0 | 6 | 0.031 | best is better |" in text
    assert "| 1a, best | 2a, assignment | 1 | 0 | 1.000 | no |" in text
    assert "| overfit |" in text and "| assignment | overfit |" not in text


def test_the_page_shows_where_a_part_is_wrong(tmp_path, report):
    leave_run(tmp_path / "a", "1a", logits=[-1, 1] * 20 + [2, -3])
    folder, _, _ = report(tmp_path)
    text = (folder / "report.md").read_text()
    assert "| positive | 20 | 1 |" in text and "| negative | 1 | 20 |" in text and "2 mistakes on 42 whole" in text
    assert {"calibration_1a.png", "by_rating_1a.png", "by_length_1a.png"} <= {path.name for path in folder.iterdir()}


def test_a_sweep_draws_some_trials_and_lists_all(tmp_path, report, monkeypatch):
    monkeypatch.setattr(reports, "MOST_DRAWN", 3)
    for k in range(8):
        leave_run(tmp_path / f"{k}", "1a", hidden_units=10 + k, logits=[-1, 1] * 4)
    folder, _, _ = report(tmp_path)
    text = (folder / "report.md").read_text()
    assert len(list(folder.glob("curves_1a_*.png"))) == 3 and "The first 3 of 8 trials" in text
    assert all(f"hidden units {10 + k} |" in text for k in range(8))
    with open(folder / "results.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 8


def test_of_many_trials_the_first_is_compared_with_each_other(tmp_path, report):
    for k in range(7):
        leave_run(tmp_path / f"{k}", "1a", hidden_units=10 + k, logits=[-1, 1] * 4)
    folder, _, _ = report(tmp_path)
    assert (folder / "report.md").read_text().count("| 0 | 0 | 1.000 | no |") == 6


def test_the_spreadsheet_has_a_line_a_run(results, report):
    folder, _, _ = report(results)
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["part"], row["recipe"], row["seed"]) for row in rows] == [
        ("1a", "assignment", "0"), ("2a", "assignment", "0"), ("3a", "assignment", "0"),
        ("1a", "overfit", "0"), ("1a", "assignment", "1")]
    assert rows[1]["test accuracy at 400"] == "86.0" and rows[0]["test accuracy at whole"] == "87.12"
    assert rows[0]["data name"] == "imdb"


def test_the_spreadsheet_tells_the_epochs_that_a_stopped_training_took_from_those_asked_for(tmp_path, report):
    leave_run(tmp_path / "stopped", "1a", epochs=9)
    folder, _, _ = report(tmp_path)
    with open(folder / "results.csv", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["epochs trained"], row["epochs"]) == ("2", "9")


def test_the_sheet_to_hand_in_has_a_line_a_trial(results, report):
    folder, _, _ = report(results)
    with open(folder / "hand_in.csv", newline="") as file:
        given, custom, lstm, language_model = csv.DictReader(file)
    assert given == {
        "Description": "1a bag of words, given model", "Hyperparameters": "hidden units 500", "Epochs": "2",
        "Training loss": "0.4000 ± 0.0000", "Training accuracy": "90.00 ± 0.00", "Test accuracy": "87.17 ± 0.07",
        "Comments": "still improving: held-out loss 0.500 to 0.450 from epoch 1 to 2; "
                    "mean and standard deviation of 2 seeds"}
    assert (custom["Description"], custom["Test accuracy"]) == ("1a bag of words, custom trial: overfit", "85.00")
    assert lstm["Test accuracy"] == "86.00" and lstm["Comments"].endswith("tested on crops of 400 tokens")
    assert language_model["Test accuracy"] == "25.00" and language_model["Comments"].startswith("test perplexity 54.6")


def test_custom_trials_name_what_they_change(tmp_path):
    leave_run(tmp_path / "a", "1a")
    leave_run(tmp_path / "b", "1a", recipe="best", ngrams=3, learning_rate=0.002)
    _, best = hand_in_rows(trials_of(read_runs([tmp_path])))
    assert best["Hyperparameters"] == "hidden units 500, learning rate 0.002, ngrams 3"


def test_the_given_model_has_all_options_of_the_assignment_wherever_it_lies(tmp_path):
    leave_run(tmp_path / "2a", "2a", hidden_units=300, overridden=["hidden_units"])
    leave_run(tmp_path / "results" / "2a" / "again", "2a")
    rows = hand_in_rows(trials_of(read_runs([tmp_path])))
    assert [row["Description"] for row in rows] == ["2a LSTM, given model", "2a LSTM, custom trial"]
    assert rows[0]["Hyperparameters"] == "hidden units 500"


def test_tables_show_their_cells_as_they_are():
    assert text_table([{"a|b": "*x* <b>", "n": "12.5"}]) == (
        "| a\\|b | n |\n| --- | ---: |\n| \\*x\\* &lt;b&gt; | 12.5 |")
    assert aligned([{"part": "1a", "here": "87"}]) == "part  here\n----  ----\n1a    87"


def test_a_folder_without_runs_is_refused(tmp_path, report, capsys):
    with pytest.raises(SystemExit):
        report(tmp_path)
    assert capsys.readouterr().err == f"error: {tmp_path}: no record.json of any run in it; train a part first\n"


def test_a_folder_that_is_not_there_costs_a_line_and_no_report(results, report):
    folder, _, stderr = report(results, results / "failed")
    assert stderr == f"{results}/failed: no such folder; left out\n" and (folder / "report.html").exists()


def test_one_foreign_record_costs_a_line_and_no_report(results, report):
    (results / "other").mkdir()
    (results / "other" / "record.json").write_text('{"artist": "Nina Simone"}')
    folder, _, stderr = report(results)
    [line] = stderr.splitlines()
    assert line.startswith(f"{results}/other/record.json: not the record of a run")
    assert (folder / "report.html").exists()


def test_runs_in_folders_whose_names_are_not_utf8_are_reported(results, tmp_path_factory, report):
    folder = tmp_path_factory.mktemp("odd") / os.fsdecode(b"r\xe9sultats")
    shutil.copytree(results, folder)
    written, _, stderr = report(folder)
    assert stderr == "" and "r?sultats" in (written / "results.csv").read_text(encoding="utf-8")
