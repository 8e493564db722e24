"""--mistakes N explains the reviews that a model is most wrong about."""

import csv
import re
import shutil

import pytest
from parts import TEST_SCRIPTS, TRAINING_SCRIPTS


@pytest.fixture
def test(data, tmp_path, run_here):
    """Runs 1b's test script on a model of one epoch."""
    outcome = run_here(TRAINING_SCRIPTS["1b"], "--data", data, "--output", tmp_path, "--epochs", "1",
                       "--hidden-units", "8", "--device", "cpu")
    assert outcome[0] == 0, outcome
    return lambda *options: run_here(TEST_SCRIPTS["1b"], "--data", data, "--output", tmp_path, *options)


def wrong_logits(folder):
    """File names and logits of the wrongly classified reviews, the worst first."""
    with open(folder / "predictions.csv", newline="") as file:
        found = [(row["file name"], float(row["logit"]), row["label"]) for row in csv.DictReader(file)]
    return sorted(((name, logit) for name, logit, label in found if (logit >= 0) != (label == "pos")),
                  key=lambda some: -abs(some[1]))


def test_the_most_wrong_reviews_are_shown_the_worst_first(test, tmp_path):
    status, printed, stderr = test("--mistakes", "3")
    assert (status, stderr) == (0, "")
    expected = wrong_logits(tmp_path)
    assert f"{len(expected)} mistakes on 100 test reviews" in printed
    headings = re.findall(
        r"^labelled (positive|negative) \| (positive|negative), \d+ % sure \| (\S+),.*\n.*\nlogit (\S+)", printed, re.M)
    assert [name for _, _, name, _ in headings] == [name for name, _ in expected[:3]]
    for (truth, said, _, logit), (_, found) in zip(headings, expected):
        assert truth != said and float(logit) == pytest.approx(found, abs=0.006)


def test_each_comes_with_its_words_and_what_they_add(test, data):
    _, printed, _ = test("--mistakes", "1")
    [name] = re.findall(r"\| (\S+), rating", printed)
    names = [line.split("\t")[0] for line in (data / "imdb_test_reviews.tsv").read_text().splitlines()]
    tokens = (data / "imdb_test_glove.txt").read_text().splitlines()[names.index(name)].split()
    [words] = re.findall(r"^labelled .*\n(.*)", printed, re.M)
    assert len(words.split()) == len(tokens)


def test_a_rating_of_0_and_no_film_are_said_to_be_unknown(test, data, tmp_path):
    rows = [line.split("\t") for line in (data / "imdb_test_reviews.tsv").read_text().splitlines()]
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "imdb_test_reviews.tsv").write_text(
        "".join(f"{name}\t{label}\t0\t\n" for name, label, _, _ in rows))
    _, printed, _ = test("--mistakes", "2", "--data", tmp_path / "data")
    assert printed.count(", rating unknown, film unknown\n") == 2


def test_they_stand_on_the_explanation_page_with_label_and_legend(test, tmp_path):
    test("--mistakes", "2")
    page = (tmp_path / "explanation.html").read_text()
    assert len(re.findall("<h3>labelled (positive|negative)", page)) == 2
    assert "words made the review more positive" in page and "one that the model does not know" in page


def test_more_than_there_are_shows_all(test, tmp_path):
    _, printed, _ = test("--mistakes", "1000")
    assert printed.count("labelled ") == len(wrong_logits(tmp_path))


def test_the_table_is_left_out_and_predictions_are_written(test, tmp_path):
    test("--mistakes", "1")
    assert (tmp_path / "predictions.csv").exists() and not (tmp_path / "test_table.csv").exists()


@pytest.mark.parametrize("others", [["--review", "good"], ["--reviews", "mine.txt"], ["--unlabelled"]])
def test_other_reviews_are_refused(others, test):
    status, _, stderr = test("--mistakes", "3", *others)
    assert status == 2 and stderr.startswith("error: --mistakes: is about the test reviews; leave")
