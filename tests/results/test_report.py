"""The report says what the runs' records say."""

import csv
import re
import sys

import pytest
import torch

from common.errors import run_script
from common.results import report as reports
from common.results.records import read_runs, save_table, write_record
from common.results.report import aligned, differences, read_curves, table_of_parts, trial_name, trials_of

NAN = float("nan")
TABLES = {
    "1a": [{"test accuracy": "87.12", "test loss": "0.3000"}],
    "2a": [{"sequence length": length, "test accuracy": accuracy, "test loss": "0.5000"}
           for length, accuracy in (("50", "76.00"), ("100", "80.00"), ("200", "86.00"), ("whole", "88.00"))],
    "3a": [{"test loss": "4.0000", "perplexity": "54.60", "next-word accuracy": "25.00"}],
}


def curves(train, test, accuracy=0.9):
    return {"train_loss": train, "train_accuracy": [accuracy] * len(train), "validation_loss": [NAN] * len(train),
            "validation_accuracy": [NAN] * len(train), "test_loss": test, "test_accuracy": [0.8] * len(train)}


def leave_run(folder, part, table=None, **options):
    folder.mkdir(parents=True)
    options = {"recipe": "assignment", "hidden_units": 500, "precision": "float32", "seed": 0} | options
    write_record(folder / "record.json", part, options, torch.device("cpu"), 60, curves([0.5, 0.4], [0.5, 0.45]),
                 {})
    save_table(folder / "test_table.csv", table or TABLES[part])


@pytest.fixture
def results(tmp_path):
    """Runs of three parts; 1a with two trials, the first with two seeds."""
    for part in TABLES:
        leave_run(tmp_path / part, part)
    leave_run(tmp_path / "trials" / "1a" / "seed1", "1a", [{"test accuracy": "87.22", "test loss": "0.3"}], seed=1)
    leave_run(tmp_path / "trials" / "1a" / "overfit", "1a", [{"test accuracy": "85.00", "test loss": "0.9"}],
              recipe="overfit")
    (tmp_path / "3b").mkdir()
    (tmp_path / "3b" / "generated_reviews.txt").write_text("temperature 1, prime 'a'\nA *great* film <3\n")
    return tmp_path


@pytest.fixture
def report(results, monkeypatch, capsys):
    """The folder of a report on the results, and what was printed."""
    monkeypatch.setattr(sys, "argv", ["reports", str(results), "--output", str(results / "report")])
    run_script(reports.main)
    return results / "report", capsys.readouterr().out


def test_only_lengths_that_all_seeds_were_tested_at_are_shown(tmp_path):
    rows = [{"sequence length": length, "test accuracy": "80.00", "test loss": "0.4"} for length in (50, 200, "whole")]
    leave_run(tmp_path / "a", "2a", rows)
    leave_run(tmp_path / "b", "2a", rows[1:], seed=1)
    [row] = table_of_parts(trials_of(read_runs([tmp_path])))
    assert row["here"] == "80.00 ± 0.00 at 200, 80.00 ± 0.00 whole"


def test_runs_that_differ_in_when_they_looked_at_the_test_reviews_are_one_trial(tmp_path):
    leave_run(tmp_path / "a", "1a", test_every=1)
    leave_run(tmp_path / "b", "1a", test_every=6, seed=1)
    [trial] = trials_of(read_runs([tmp_path]))["1a"]
    assert len(trial) == 2


def test_an_option_that_an_older_record_lacks_was_off(tmp_path):
    leave_run(tmp_path / "old", "1a")
    leave_run(tmp_path / "new", "1a", recipe="best", ngrams=3, drop_duplicates=True, clip_norm=0.0)
    trials = trials_of(read_runs([tmp_path]))["1a"]
    assert [differences(trial, trials) for trial in trials] == ["", "ngrams 3, drop duplicates True"]


def test_a_lone_trial_shows_its_size(tmp_path):
    leave_run(tmp_path / "a", "2a", hidden_units=64)
    [trial] = trials_of(read_runs([tmp_path]))["2a"]
    assert reports.trial_row(trial, [trial])["settings"] == "hidden units 64"


def test_the_length_of_the_courses_classifier_is_shown(tmp_path):
    leave_run(tmp_path / "a", "2a", [{"sequence length": 128, "test accuracy": "86.04", "test loss": "0.3"},
                                     {"sequence length": "whole", "test accuracy": "89.30", "test loss": "0.3"}])
    [row] = table_of_parts(trials_of(read_runs([tmp_path])))
    assert row["here"] == "86.04 at 128, 89.30 whole"


def test_the_assignments_trial_and_the_best_recipe_stand_for_a_part(tmp_path):
    leave_run(tmp_path / "Best", "1a", [{"test accuracy": "91.90", "test loss": "0.2"}], recipe="best")
    leave_run(tmp_path / "assignment", "1a")
    leave_run(tmp_path / "overfit", "1a", [{"test accuracy": "85.00", "test loss": "0.9"}], recipe="overfit")
    [row] = table_of_parts(trials_of(read_runs([tmp_path])))
    assert (row["here"], row["recipe best"]) == ("87.12", "91.90")


def test_each_part_stands_beside_the_assignments_figures(results):
    rows = {row["part"]: row for row in table_of_parts(trials_of(read_runs([results])))}
    assert rows["1a"]["here"] == "87.17 ± 0.07" and rows["1a"]["assignment"] == "86-88"
    assert rows["2a"]["here"] == "76.00 at 50, 86.00 at 200, 88.00 whole"
    assert rows["2a"]["assignment"] == "76.14 at 50, 86.10 at 200, 87.25 at 400"
    assert rows["3a"]["here"] == "perplexity 54.6"


def test_runs_that_differ_in_the_seed_alone_are_one_trial(results):
    trials = trials_of(read_runs([results]))["1a"]
    assert [len(trial) for trial in trials] == [2, 1]
    assert [trial_name(trial, trials) for trial in trials] == ["assignment", "overfit"]


def test_a_trial_is_named_by_its_recipe_its_network_and_what_tells_it_from_others_of_that_name(tmp_path):
    leave_run(tmp_path / "a", "2a", hidden_units=300)
    leave_run(tmp_path / "b", "2a", hidden_units=100, recipe="underfit")
    leave_run(tmp_path / "c", "2a")
    leave_run(tmp_path / "d", "2a", model="SentimentRNN")
    trials = trials_of(read_runs([tmp_path]))["2a"]
    assert [trial_name(trial, trials) for trial in trials] == [
        "assignment, hidden units 300", "assignment, hidden units 500", "underfit", "SentimentRNN"]
    assert differences(trials[2], trials) == "hidden units 100"


@pytest.mark.parametrize("train, test, accuracy, expected", [
    ([0.6, 0.3, 0.1], [0.5, 0.4, 0.6], 0.99,
     "overfits from epoch 3: held-out loss 0.400 to 0.600 while the training loss falls from 0.300 to 0.100"),
    ([0.6, 0.5, 0.4], [0.6, 0.5, 0.4], 0.85, "still improving: held-out loss 0.500 to 0.400 from epoch 2 to 3"),
    ([0.6, 0.5, 0.4, 0.3], [NAN, 0.5, NAN, 0.4], 0.85,
     "still improving: held-out loss 0.500 to 0.400 from epoch 2 to 4"),
    ([0.69, 0.68, 0.68], [0.69, 0.68, 0.68], 0.56, "underfits: 56 % even on the training reviews"),
    ([0.69, 0.66, 0.6], [0.69, 0.65, 0.6], 0.7,
     "underfits: 70 % even on the training reviews; still improving: held-out loss 0.650 to 0.600 from epoch 2 to 3"),
    ([0.5, 0.4, 0.4], [0.5, 0.4, 0.401], 0.9, "levelled off at epoch 2, held-out loss 0.400"),
    ([0.5, 0.4], [NAN, 0.4], 0.9, "too few epochs to tell")])
def test_curves_are_read_in_one_line(train, test, accuracy, expected):
    assert read_curves("2a", curves(train, test, accuracy)) == expected


def test_the_validation_loss_counts_more_than_the_test_loss():
    found = curves([0.5, 0.3, 0.2], [0.5, 0.4, 0.3]) | {"validation_loss": [0.5, 0.3, 0.6]}
    assert read_curves("2a", found).startswith("overfits from epoch 3: held-out loss 0.300 to 0.600")


def test_a_language_models_next_word_accuracy_is_no_underfitting():
    found = read_curves("3a", curves([5, 4.5, 4.4], [5, 4.5, 4.49], 0.2))
    assert found == "levelled off at epoch 3, held-out loss 4.490"


def test_the_command_prints_the_table_of_parts(results, report):
    _, printed = report
    assert printed.startswith(aligned(table_of_parts(trials_of(read_runs([results])))) + "\n\nwrote ")


def test_the_page_has_every_trial_the_figures_and_the_generated_reviews(report):
    folder, _ = report
    text = (folder / "report.md").read_text()
    assert "| overfit |  | 1 | 2 | 90.00 | 85.00 | 60 | still improving" in text
    assert "    A *great* film <3" in text
    for name in re.findall(r"\]\((.+?\.png)\)", text):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert {"accuracy_by_length.png", "perplexity.png", "curves_1a.png"} <= set(re.findall(r"\]\((.+?\.png)\)", text))


def test_the_html_page_needs_no_other_file(report):
    folder, _ = report
    page = (folder / "report.html").read_text()
    sources = re.findall(r'src="([^"]*)', page)
    assert sources and all(source.startswith("data:image/png;base64,") for source in sources)
    assert "href" not in page and "<table>" in page
    assert "A *great* film &lt;3" in page


def test_the_spreadsheet_has_a_line_a_run(report):
    folder, _ = report
    with open(folder / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["part"], row["recipe"], row["seed"]) for row in rows] == [
        ("1a", "assignment", "0"), ("2a", "assignment", "0"), ("3a", "assignment", "0"),
        ("1a", "overfit", "0"), ("1a", "assignment", "1")]
    assert rows[1]["test accuracy at 200"] == "86.0" and rows[0]["test accuracy at whole"] == "87.12"


def test_a_folder_without_runs_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reports", str(tmp_path)])
    with pytest.raises(SystemExit):
        run_script(reports.main)
    assert capsys.readouterr().err == f"error: {tmp_path}: no record.json of any run in it; train a part first\n"
