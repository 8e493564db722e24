"""What predictions tell beyond an accuracy, against values worked out by hand or by a textbook's rule."""

import dataclasses
import math

import numpy as np
import pytest

from common.errors import UserError
from common.results.comparisons import (Predictions, accuracy_by_length, accuracy_by_rating, calibration_error,
                                        confusion, corrected, mcnemar, read_predictions)
from common.results.records import read_run, save_table
from leave_runs import leave_run

HEAD = ["file name", "film", "label", "rating", "tokens", "logit", "prediction", "weights"]
LABELS = ["negative", "positive"]


@pytest.fixture
def run(tmp_path):
    leave_run(tmp_path / "1a", "1a")
    return read_run(tmp_path / "1a" / "record.json")


def predictions(logits, positive=None):
    """Predictions of reviews, all positive unless said."""
    positive = np.ones(len(logits), bool) if positive is None else np.array(positive, bool)
    return Predictions(positive, np.array(logits, float))


def two(only_first, only_second, both=3):
    """Two models: so many reviews that only the first, only the second, and both classify correctly."""
    return (predictions([1] * only_first + [-1] * only_second + [1] * both),
            predictions([-1] * only_first + [1] * only_second + [1] * both))


@pytest.mark.parametrize("only_first, only_second, p", [
    (0, 0, 1), (1, 1, 1), (0, 5, 2 / 32), (1, 9, 2 * 11 / 1024), (8, 2, 2 * (1 + 10 + 45) / 1024)])
def test_mcnemars_test_is_the_binomial_test_of_the_reviews_that_tell_two_models_apart(only_first, only_second, p):
    assert mcnemar(*two(only_first, only_second)) == (only_first, only_second, pytest.approx(p))


@pytest.mark.parametrize("only_first", [2300, 2480, 2500, 2610])
def test_of_thousands_of_reviews_it_is_close_to_the_chi_squared_test(only_first):
    statistic = (abs(2 * only_first - 5000) - 1) ** 2 / 5000 if only_first != 2500 else 0
    *_, p = mcnemar(*two(only_first, 5000 - only_first))
    assert p == pytest.approx(math.erfc(math.sqrt(statistic / 2)), abs=1e-3)


def test_predictions_of_different_reviews_are_not_compared():
    for others in predictions([1]), predictions([1, 1], [1, 0]):
        with pytest.raises(UserError, match="different reviews"):
            mcnemar(predictions([1, 1]), others)


def test_several_tests_are_corrected_together():
    """Holm's example: the smallest p counts four times, the next three times, and none less than the one before."""
    assert corrected([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrected([0.9, 0.8]).tolist() == [1, 1]


def test_the_confusion_matrix_counts_labels_and_predictions():
    found = confusion(predictions([1, 1, -1, 2, -3, -1], [1, 1, 1, 0, 0, 0]), LABELS)
    assert found == {"positive, called positive": 2, "positive, called negative": 1, "negative, called positive": 1,
                     "negative, called negative": 2, "precision": pytest.approx(200 / 3),
                     "recall": pytest.approx(200 / 3), "F1": pytest.approx(200 / 3)}


def test_precision_and_recall_are_of_the_positive_label():
    found = confusion(predictions([1] * 6 + [-1] * 2 + [1] * 4 + [-1] * 8, [1] * 8 + [0] * 12), LABELS)
    assert (found["precision"], found["recall"], found["F1"]) == (60, 75, pytest.approx(100 * 2 * 0.6 * 0.75 / 1.35))


def test_a_model_that_calls_nothing_positive_has_no_precision():
    found = confusion(predictions([-1, -1], [1, 0]), LABELS)
    assert math.isnan(found["precision"]) and (found["recall"], found["F1"]) == (0, 0)


def test_the_calibration_error_is_how_far_probabilities_are_from_what_came_true():
    logit = math.log(0.75 / 0.25)
    found = predictions([logit] * 4 + [-logit] * 2, [1, 1, 1, 0, 0, 0])         # 0.75 of 0.75 and 0.25 of 0
    assert calibration_error(found) == pytest.approx(100 * 2 * 0.25 / 6)


@pytest.mark.filterwarnings("error")
def test_certain_predictions_lie_in_the_outer_bins():
    assert calibration_error(predictions([800, -800], [1, 0])) == pytest.approx(0)
    assert calibration_error(predictions([800, -800], [0, 1])) == pytest.approx(100)


def test_accuracy_by_rating_leaves_unknown_ratings_out():
    found = predictions([1, -1, 1, -1])._replace(ratings=np.array(["10", "10", "7", ""]))
    assert list(accuracy_by_rating(found).items()) == [("rating 7", 100), ("rating 10", 50)]


def test_accuracy_by_length_is_that_of_fifths_of_the_reviews():
    found = predictions([1, -1, 1, 1, -1, 1])._replace(tokens=np.array([5, 50, 20, 8, 30, 40]))
    assert accuracy_by_length(found) == {"shortest fifth": 100, "2nd": 100, "3rd": 0, "4th": 100, "longest fifth": 0}


def test_few_reviews_have_fewer_groups():
    found = predictions([1, -1])._replace(tokens=np.array([3, 9]))
    assert accuracy_by_length(found) == {"shortest fifth": 100, "2nd": 0}


ROWS = [["a.txt", "tt1", "pos", "9", "12", "0.5", "pos", "crc-1"],
        ["b;,.txt", "", "neg", "", "3", "1e-05", "pos", "crc-1"]]


def write(run, rows):
    save_table(run.folder / "predictions.csv", [dict(zip(HEAD, row)) for row in rows])


def test_predictions_are_read_as_they_were_written(run):
    write(run, ROWS)
    found = read_predictions(run)
    assert found.logits.tolist() == [1e-5, 0.5] and found.positive.tolist() == [False, True]
    assert found.correct.tolist() == [False, True]
    assert found.ratings.tolist() == ["", "9"] and found.tokens.tolist() == [3, 12]


def test_predictions_that_a_spreadsheet_has_sorted_and_marked_are_in_the_same_order(run):
    write(run, ROWS)
    before = read_predictions(run)
    path = run.folder / "predictions.csv"
    head, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *reversed(lines)]), encoding="utf-8-sig")
    assert read_predictions(run).logits.tolist() == before.logits.tolist()


def test_predictions_of_other_weights_are_named_and_left_out(run, capsys):
    write(run, ROWS)
    assert read_predictions(dataclasses.replace(run, weights="crc-2")) is None
    assert "predictions.csv: of other weights than record.json; run the part's test script again; left out" in (
        capsys.readouterr().err)


def row(name, label, logit, prediction):
    return [name, "", label, "", "3", logit, prediction, "crc-1"]


def test_labels_keep_their_names(run):
    write(run, [row("1", "spam", "2.0", "spam"), row("2", "ham", "1.0", "spam"), row("3", "ham", "-1.0", "ham")])
    found = read_predictions(dataclasses.replace(run, data=run.data | {"negative": "ham", "positive": "spam"}))
    assert found.positive.tolist() == [False, False, True] and found.correct.tolist() == [False, True, True]


TABLE = ",".join(HEAD)
LINE = "\na,f,pos,9,3,0.5,pos,crc-1"


@pytest.mark.parametrize("content", [
    b"", b"\xff\x00", "file name,label\na,positive\n", TABLE + LINE.replace("0.5", "half"),
    TABLE + LINE.replace("\na", '\n"a') + LINE * 10_000, TABLE + LINE.removesuffix(",0.5,pos,crc-1")],
    ids=["empty", "no text", "other columns", "no number", "an open quote", "a short line"])
def test_broken_predictions_are_named_and_left_out(content, run, capsys):
    (run.folder / "predictions.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_predictions(run) is None
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{run.folder}/predictions.csv: ") and line.endswith(
        "; run the part's test script again; left out")


def test_a_run_without_predictions_has_none(run, capsys):
    assert read_predictions(run) is None and capsys.readouterr().err == ""
