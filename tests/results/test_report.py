"""The report says what the runs' records say."""

import csv
import os
import re
import shutil
import sys

import pytest
from leave_runs import IMDB, NETWORK, SAMPLE, TABLES, leave_results, leave_run

from common.errors import run_script
from common.results import figures
from common.results import report as reports
from common.results.records import read_runs
from common.results.report import LESSONS, table_of_parts
from common.results.sheets import aligned, hand_in_rows, text_table
from common.results.trials import trials_of


@pytest.fixture
def results(tmp_path):
    return leave_results(tmp_path)


@pytest.fixture
def report(monkeypatch, capsys):
    """Runs the report on folders -> (the folder that it wrote, standard output, standard error).

    Its figures are empty, since to draw them takes the most time.
    """
    monkeypatch.setattr(figures, "save_figure", lambda path, figure: path.write_bytes(b"\x89PNG"))

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
    assert rows["1a"] == {"part": "1a", "model": "bag of words", "measured": "accuracy (%)", "assignment": "86-88",
                          "same settings": "87.17 ± 0.07", "what it shows": LESSONS["1a"]}
    assert (rows["2a"]["measured"], rows["2a"]["same settings"], rows["2a"]["assignment"]) == (
        "accuracy at 400 tokens (%)", "86.00", "87.25")
    assert (rows["3a"]["measured"], rows["3a"]["same settings"], rows["3a"]["assignment"]) == ("perplexity", "54.6", "")


def test_the_best_recipe_stands_beside_the_assignments_trial(tmp_path):
    leave_run(tmp_path / "Best", "1a", [{"test accuracy": "91.90", "test loss": "0.2"}], recipe="best")
    leave_run(tmp_path / "assignment", "1a")
    leave_run(tmp_path / "overfit", "1a", [{"test accuracy": "85.00", "test loss": "0.9"}], recipe="overfit")
    row = table(tmp_path)["1a"]
    assert (row["same settings"], row["best recipe"]) == ("87.12", "91.90")


def test_a_best_recipe_alone_stands_in_its_own_column(tmp_path):
    leave_run(tmp_path / "best", "1b", [{"test accuracy": "91.90", "test loss": "0.2"}], recipe="best")
    leave_run(tmp_path / "assignment", "1a")
    rows = table(tmp_path)
    assert [(rows[part]["same settings"], rows[part]["best recipe"]) for part in ("1a", "1b")] == [
        ("87.12", ""), ("", "91.90")]


def test_other_settings_than_the_assignments_do_not_stand_as_its(tmp_path):
    leave_run(tmp_path / "a", "1a", overridden=["hidden_units"])
    assert table(tmp_path)["1a"]["other settings"] == "87.12" and "same settings" not in table(tmp_path)["1a"]


@pytest.mark.parametrize("data", [SAMPLE, {"name": "other", "test_reviews": 900, "reviews": 5}])
def test_the_assignments_figures_stand_beside_the_real_reviews_alone(data, tmp_path, report):
    for part in "1a", "2a":
        leave_run(tmp_path / part, part, data=data)
    assert "assignment" not in table(tmp_path)["1a"] and table(tmp_path)["2a"]["same settings"] == "88.00"
    folder, printed, _ = report(tmp_path)
    text = printed + (folder / "report.md").read_text()
    assert "87.25" not in text and "86-88" not in text and "2a, reported" not in text


def test_runs_on_other_reviews_than_most_are_named_and_left_out(tmp_path, report):
    for part in "1a", "2a":
        leave_run(tmp_path / part, part)
    leave_run(tmp_path / "other", "1a", [{"test accuracy": "98.00"}], data=SAMPLE)
    folder, printed, stderr = report(tmp_path)
    assert stderr == (f"{tmp_path}/other: tested on other reviews than most runs; left out, report it by itself\n")
    assert "98.00" not in printed + (folder / "report.md").read_text()
    assert printed.startswith("Tested on the 25,000 test reviews of the IMDB dataset:\n")


def test_the_command_prints_the_table_once_with_what_each_part_shows(tmp_path, report):
    for part in "1a", "2a":
        leave_run(tmp_path / part, part, data=SAMPLE)
    _, printed, stderr = report(tmp_path)
    assert printed.startswith("Tested on the 600 test reviews of the sample:\n") and stderr == ""
    assert "87.12          counts the words and cannot see their order\n" in printed
    assert "same words in another order" in printed
    lines = [line for line in printed.splitlines() if line.strip()]
    assert len(set(lines)) == len(lines)


RIGHT = [-1, 1] * 20                                    # the reviews are negative and positive by turns


def test_models_are_compared_on_the_same_reviews(tmp_path, report):
    leave_run(tmp_path / "a", "1a", logits=[1] * 12 + RIGHT[12:])       # six mistakes on negative reviews
    leave_run(tmp_path / "b", "1a", logits=RIGHT, recipe="best")
    leave_run(tmp_path / "c", "2a", logits=RIGHT[:-1] + [-1])
    folder, _, _ = report(tmp_path)
    text = (folder / "report.md").read_text()
    assert "|  | assignment |\n| --- | --- |\n| best | **+15.00** (p = 0.031) |" in text
    assert "| 2a, assignment | −2.50 (p = 1.000) |" in text


def test_a_lone_trial_is_compared_with_nothing(tmp_path, report):
    leave_run(tmp_path / "a", "1a", logits=RIGHT)
    folder, _, _ = report(tmp_path)
    assert "more than chance" not in (folder / "report.md").read_text()


def test_trials_that_a_spreadsheet_has_sorted_are_compared(tmp_path, report):
    leave_run(tmp_path / "a", "1a", logits=RIGHT)
    leave_run(tmp_path / "b", "1a", logits=RIGHT, recipe="best")
    path = tmp_path / "b" / "predictions.csv"
    head, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *sorted(lines, key=lambda line: float(line.split(",")[5]))]))
    folder, _, stderr = report(tmp_path)
    assert "| best | +0.00 (p = 1.000) |" in (folder / "report.md").read_text() and stderr == ""


def test_an_infinite_perplexity_costs_no_report(tmp_path, report):
    for seed in 0, 1:
        leave_run(tmp_path / str(seed), "3a", [{"test loss": "inf", "perplexity": "inf", "next-word accuracy": "1.00"}],
                  seed=seed, losses=([5, float("inf")], [5, float("inf")]))
    folder, _, stderr = report(tmp_path)
    assert "| inf |" in (folder / "report.md").read_text() and stderr == ""


def lead(folder):
    return (folder / "report.md").read_text().split("\n\n")[1]


def test_the_page_begins_with_what_was_found(tmp_path, report):
    leave_run(tmp_path / "a", "1a", logits=[1] * 20 + RIGHT[20:])
    leave_run(tmp_path / "b", "1a", [{"test accuracy": "87.22"}], seed=1)
    leave_run(tmp_path / "c", "2a", logits=RIGHT)
    folder, _, _ = report(tmp_path)
    assert lead(folder) == (
        "The most accurate of 2 classifiers is 2a (LSTM), which classifies **88.00 % of the 25,000 test reviews of "
        "the IMDB dataset correctly**, read whole. The best bag of words, 1a, reaches 87.17 ± 0.07 %: 0.83 points "
        "less, more than chance (p = 0.002).")


def test_a_difference_that_may_be_chance_is_called_no_more(tmp_path, report):
    leave_run(tmp_path / "a", "1a", [{"test accuracy": "89.00"}], logits=RIGHT)
    leave_run(tmp_path / "c", "2a", logits=[1] + RIGHT[1:])
    folder, _, _ = report(tmp_path)
    assert lead(folder).endswith(
        "The best LSTM, 2a, reaches 88.00 %: 1.00 points less, no more than chance (p = 1.000).")


def test_one_classifier_or_none_is_said_to_be_so(tmp_path, report):
    leave_run(tmp_path / "a", "3a", data=SAMPLE)
    assert lead(report(tmp_path)[0]) == "No classifier is tested yet."
    leave_run(tmp_path / "b", "1a", data=SAMPLE)
    assert lead(report(tmp_path)[0]) == (
        "The classifier is 1a (bag of words), which classifies **87.12 % of the 600 test reviews of the sample "
        "correctly**, read whole.")


def test_the_page_shows_where_a_part_is_wrong(tmp_path, report):
    leave_run(tmp_path / "a", "1a", logits=RIGHT + [2, -3])
    folder, _, _ = report(tmp_path)
    text = (folder / "report.md").read_text()
    assert "| 1a, assignment | 20 | 1 | 1 | 20 | 95.24 | 95.24 | 95.24 |" in text
    assert "calibration error" in text


def test_a_page_about_blenders_says_nothing_of_films(tmp_path, report):
    for part in "1a", "2a", "3a":
        leave_run(tmp_path / part, part, data={"name": "other", "test_reviews": 40, "reviews": 5}, logits=RIGHT)
        path = tmp_path / part / "predictions.csv"
        path.write_text(path.read_text().replace(",9,", ",,").replace(",2,", ",,"))     # without ratings
    folder, printed, _ = report(tmp_path)
    text = printed + (folder / "report.html").read_text() + (tmp_path / "1a" / "model_card.md").read_text()
    assert "Classification of texts" in text and "40 test texts of another dataset" in text
    assert not re.search("film|movie|IMDB|rating|stars|given model", re.sub("base64,[^\"]*", "", text))


def test_the_assignments_settings_and_what_a_spread_is_over_are_named(tmp_path, report):
    for seed in 0, 1:
        leave_run(tmp_path / str(seed), "3c", TABLES["2a"], data=IMDB | {"language_model": 7}, seed=seed)
    folder, _, _ = report(tmp_path)
    text = (folder / "report.md").read_text()
    assert "± is the standard deviation over seeds (3c assignment: 2 seeds, one language model)." in text


def test_a_sweep_draws_some_trials_and_lists_all(tmp_path, report, monkeypatch):
    monkeypatch.setattr(reports, "MOST_DRAWN", 3)
    for k in range(8):
        leave_run(tmp_path / f"{k}", "1a", hidden_units=10 + k, logits=RIGHT)
    folder, _, _ = report(tmp_path)
    text = (folder / "report.md").read_text()
    assert len(list(folder.glob("curves_1a_*.png"))) == 3 and "The first 3 of 8 trials" in text
    assert all(f"hidden units {10 + k} |" in text for k in range(8))
    with open(folder / "results.csv", newline="", encoding="utf-8-sig") as file:
        assert len(list(csv.DictReader(file))) == 8


def test_of_many_trials_the_first_six_are_compared(tmp_path, report):
    for k in range(7):
        leave_run(tmp_path / f"{k}", "1a", hidden_units=10 + k, logits=RIGHT)
    folder, _, _ = report(tmp_path)
    assert (folder / "report.md").read_text().count("+0.00 (p = 1.000)") == 15


def test_the_spreadsheet_has_a_line_a_run(results, report):
    folder, _, _ = report(results)
    with open(folder / "results.csv", newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [(row["part"], row["recipe"], row["seed"]) for row in rows] == [
        ("1a", "assignment", "0"), ("2a", "assignment", "0"), ("3a", "assignment", "0"),
        ("1a", "overfit", "0"), ("1a", "assignment", "1")]
    assert rows[1]["test accuracy at 400"] == "86.0" and rows[0]["test accuracy at whole"] == "87.12"
    assert rows[0]["data name"] == "imdb"


def test_the_spreadsheet_tells_the_epochs_that_a_stopped_training_took_from_those_asked_for(tmp_path, report):
    leave_run(tmp_path / "stopped", "1a", epochs=9)
    folder, _, _ = report(tmp_path)
    with open(folder / "results.csv", newline="", encoding="utf-8-sig") as file:
        [row] = csv.DictReader(file)
    assert (row["epochs trained"], row["epochs"]) == ("2", "9")


def test_the_sheet_to_hand_in_has_a_line_a_trial(results, report):
    folder, _, _ = report(results)
    with open(folder / "hand_in.csv", newline="", encoding="utf-8-sig") as file:
        given, custom, lstm, language_model = csv.DictReader(file)
    assert given == {
        "Description": "1a bag of words, given model", "Hyperparameters": "hidden units 500", "Epochs": "2",
        "Training loss": "0.4000 ± 0.0000", "Training accuracy": "90.00 ± 0.00", "Test accuracy": "87.17 ± 0.07",
        "Comments": "still improving: test loss 0.500 to 0.450 from epoch 1 to 2; "
                    "mean and standard deviation of 2 seeds"}
    assert (custom["Description"], custom["Test accuracy"]) == ("1a bag of words, custom trial: overfit", "85.00")
    assert lstm["Test accuracy"] == "86.00" and lstm["Comments"].endswith("tested on crops of 400 tokens")
    assert language_model["Test accuracy"] == "25.00" and language_model["Comments"].startswith("test perplexity 54.6")


def test_of_a_run_that_kept_an_earlier_epoch_all_columns_are_of_that_epoch(tmp_path, report):
    leave_run(tmp_path / "a", "1a", losses=([0.5, 0.4, 0.3], [0.5, 0.45, 0.6]), kept_epoch=2,
              overridden=["patience", "validation"], patience=1, validation=0.1)
    [row] = hand_in_rows(trials_of(read_runs([tmp_path])))
    assert (row["Epochs"], row["Training loss"]) == ("2 of 3", "0.4000")
    assert row["Hyperparameters"] == "hidden units 500, patience 1, validation 0.1"
    folder, _, _ = report(tmp_path)
    with open(folder / "results.csv", newline="", encoding="utf-8-sig") as file:
        [row] = csv.DictReader(file)
    assert (row["epochs trained"], row["kept epoch"], row["last test loss"]) == ("3", "2", "0.45")


def test_a_network_of_ones_own_is_handed_in_as_a_custom_trial(tmp_path):
    leave_run(tmp_path / "a", "1a", network=NETWORK)
    leave_run(tmp_path / "b", "1a", network=NETWORK | {"file": "mine/BOW_model.py", "class": "Mine"})
    assert [row["Description"] for row in hand_in_rows(trials_of(read_runs([tmp_path])))] == [
        "1a bag of words, given model", "1a bag of words, custom trial: Mine of mine/BOW_model.py"]


def test_on_other_data_no_model_is_given(tmp_path):
    leave_run(tmp_path / "a", "1a", data={"name": "other", "test_reviews": 40, "reviews": 5})
    [row] = hand_in_rows(trials_of(read_runs([tmp_path])))
    assert row["Description"] == "1a bag of words, trial: assignment"


def test_the_page_has_the_sheet_to_hand_in(results, report):
    folder, _, _ = report(results)
    assert "| 1a bag of words, given model | hidden units 500 | 2 |" in (folder / "report.md").read_text()


def test_both_sheets_are_marked_for_excel(results, report):
    folder, _, _ = report(results)
    for name in "results.csv", "hand_in.csv":
        assert (folder / name).read_bytes().startswith(b"\xef\xbb\xbf")
    assert "87.17 ± 0.07" in (folder / "hand_in.csv").read_text(encoding="utf-8-sig")


def test_each_model_has_a_card(results, report):
    report(results)
    card = (results / "1a" / "model_card.md").read_text()
    assert card.startswith("# 1a: bag of words\n\n`BOW.model`, trained in 2 epochs, assignment, seed 0; checksum of "
                           "its weights: crc-1.")
    assert "the 25,000 test reviews of the IMDB dataset" in card and "| whole texts | 87.17 ± 0.07 |" in card
    assert "± is the standard deviation over 2 seeds." in card and "python 1a/BOW_test.py" in card
    assert "| hidden units | 500 |" in card
    assert "| the next word | 54.6 | 25.00 |" in (results / "3a" / "model_card.md").read_text()
    assert not (results / "trials" / "1a" / "overfit" / "model_card.md").exists()


def test_a_folder_that_cannot_be_written_costs_a_card_and_no_report(results, report):
    (results / "1a" / "model_card.md").mkdir()
    folder, _, stderr = report(results)
    assert "1a/model_card.md: cannot be written" in stderr and (folder / "report.html").exists()


def test_custom_trials_name_what_they_change(tmp_path):
    leave_run(tmp_path / "a", "1a")
    leave_run(tmp_path / "b", "1a", recipe="best", ngrams=3, learning_rate=0.002, overridden=["ngrams"])
    _, best = hand_in_rows(trials_of(read_runs([tmp_path])))
    assert best["Hyperparameters"] == "hidden units 500, learning rate 0.002, ngrams 3"


def test_the_given_model_has_all_options_of_the_assignment_wherever_it_lies(tmp_path):
    leave_run(tmp_path / "2a", "2a", hidden_units=300, overridden=["hidden_units"])
    leave_run(tmp_path / "results" / "2a" / "again", "2a")
    rows = hand_in_rows(trials_of(read_runs([tmp_path])))
    assert [row["Description"] for row in rows] == ["2a LSTM, given model", "2a LSTM, custom trial: own settings"]
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


def test_a_network_of_ones_own_has_a_row_of_its_own(tmp_path):
    leave_run(tmp_path / "given", "1a", table=[{"test accuracy": "87.10"}], network=NETWORK)
    leave_run(tmp_path / "own", "1a", table=[{"test accuracy": "61.00"}],
              network=NETWORK | {"file": "mine/BOW_model.py", "class": "Mine"})
    rows = table_of_parts(trials_of(read_runs([tmp_path])))
    assert [(row["model"], row["same settings"], row["other settings"]) for row in rows] == [
        ("bag of words", "87.10", ""), ("Mine of mine/BOW_model.py", "", "61.00")]
