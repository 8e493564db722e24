"""What predictions tell beyond an accuracy, against values worked out by hand or by a textbook's rule."""

import math

import numpy as np
import pytest

from common.errors import UserError
from common.results.comparisons import (Predictions, accuracy_by_length, accuracy_by_rating, calibration,
                                        calibration_error, confusion, corrected, mcnemar, read_predictions)
from common.results.records import save_table

HEAD = ["file name", "film", "label", "rating", "tokens", "logit"]


def predictions(logits, positive=None, tokens=None, ratings=None, name=""):
    """Predictions of reviews, all positive unless said."""
    positive = np.ones(len(logits), bool) if positive is None else np.array(positive, bool)
    ratings = ratings or ["8"] * len(logits)
    return Predictions([(f"{name}{k}", "pos" if label else "neg", rating, "") for k, (label, rating) in enumerate(zip(
        positive, ratings))], positive, np.array(tokens or [10] * len(logits)), np.array(logits, float))


def two(only_first, only_second, both=3):
    """Two models: so many reviews that only the first, only the second, and both classify correctly."""
    return (predictions([1] * only_first + [-1] * only_second + [1] * both),
            predictions([-1] * only_first + [1] * only_second + [1] * both))


@pytest.mark.parametrize("only_first, only_second, p", [
    (0, 0, 1), (1, 1, 1), (0, 5, 2 / 32), (1, 9, 2 * 11 / 1024), (8, 2, 2 * (1 + 10 + 45) / 1024)])
def test_mcnemars_test_is_the_binomial_test_of_the_reviews_that_tell_two_models_apart(only_first, only_second, p):
    assert mcnemar(*two(only_first, only_second)) == (only_first, only_second, pytest.approx(p))


@pytest.mark.parametrize("only_first", [400, 480, 500, 530, 601])
def test_the_corrected_test_of_many_reviews_is_close_to_the_binomial_test(only_first):
    fewer = min(only_first, 1001 - only_first)
    exact = min(1, 2 * sum(math.comb(1001, k) for k in range(fewer + 1)) / 2 ** 1001)
    assert mcnemar(*two(only_first, 1001 - only_first))[2] == pytest.approx(exact, abs=0.005)


def test_thousands_of_reviews_that_tell_two_models_apart_make_a_tiny_p():
    statistic = (3000 - 2000 - 1) ** 2 / 5000
    assert mcnemar(*two(3000, 2000))[2] == pytest.approx(math.erfc(math.sqrt(statistic / 2)), rel=1e-9)


def test_predictions_of_different_reviews_are_not_compared():
    with pytest.raises(UserError, match="different reviews"):
        mcnemar(predictions([1, 1]), predictions([1, 1], name="other"))


def test_several_tests_are_corrected_together():
    """Holm's example: the smallest p counts four times, the next three times, and none less than the one before."""
    assert corrected([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert corrected([0.9, 0.8]) == [1, 1]
    assert corrected([]) == []


def test_the_confusion_matrix_counts_labels_and_predictions():
    found = confusion(predictions([1, 1, -1, 2, -3, -1], [1, 1, 1, 0, 0, 0]))
    assert found == {("positive", "positive"): 2, ("positive", "negative"): 1, ("negative", "positive"): 1,
                     ("negative", "negative"): 2}


def test_calibration_compares_probabilities_with_what_came_true():
    logit = math.log(0.75 / 0.25)
    points = calibration(predictions([logit] * 4 + [-logit] * 2, [1, 1, 1, 0, 0, 0]))
    assert points == [(pytest.approx(0.25), 0, 2), (pytest.approx(0.75), 0.75, 4)]
    assert calibration_error(points) == pytest.approx(2 * 0.25 / 6)


@pytest.mark.filterwarnings("error")
def test_certain_predictions_lie_in_the_outer_bins():
    assert calibration(predictions([800, -800], [1, 0])) == [(pytest.approx(0), 0, 1), (pytest.approx(1), 1, 1)]


def test_accuracy_by_rating_leaves_unknown_ratings_out():
    found = accuracy_by_rating(predictions([1, -1, 1, -1], ratings=["10", "10", "7", ""]))
    assert list(found.items()) == [("7", 100), ("10", 50)]


def test_accuracy_by_length_has_groups_of_as_many_reviews():
    found = accuracy_by_length(predictions([1, -1, 1, 1], tokens=[5, 30, 20, 8]), groups=2)
    assert found == {"5-8": 100, "20-30": 50}


def test_groups_of_one_and_the_same_length_are_one():
    found = accuracy_by_length(predictions([-1, 1, -1, 1, 1], tokens=[10, 10, 10, 10, 20]))
    assert found == {"10-10": 50, "20-20": 100}


def test_predictions_are_read_as_they_were_written(tmp_path):
    rows = ["a.txt", "tt1", "pos", "9", 12, "0.5"], ["b;,.txt", "", "neg", "", 3, "1e-05"]
    save_table(tmp_path / "predictions.csv", [dict(zip(HEAD, row)) for row in rows])
    found = read_predictions(tmp_path / "predictions.csv")
    assert found.reviews == [("a.txt", "pos", "9", "tt1"), ("b;,.txt", "neg", "", "")]
    assert found.tokens.tolist() == [12, 3] and found.logits.tolist() == [0.5, 1e-5]
    assert found.correct.tolist() == [True, False]


def test_a_spreadsheets_decimal_commas_are_read(tmp_path):
    (tmp_path / "p.csv").write_text(";".join(HEAD) + "\na,b.txt;tt1;pos;9;12;-0,5\n", encoding="utf-8-sig")
    found = read_predictions(tmp_path / "p.csv")
    assert found.logits.tolist() == [-0.5] and found.reviews[0][0] == "a,b.txt"


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"file name,label\na,pos\n", b",".join(
    name.encode() for name in HEAD) + b"\na,f,good,9,3,0.5\n", b",".join(
    name.encode() for name in HEAD) + b"\na,f,pos,9,3,nan\n", b",".join(
    name.encode() for name in HEAD) + b'\n"a,f,pos,9,3,0.5\n' + b"b,f,pos,9,3,0.5\n" * 10_000,
    b"logit,label,file name,film,rating,tokens\n0.5,pos,a,f,9\n"], ids=[
    "empty", "no text", "other columns", "another label", "nan", "an open quote", "a short line"])
def test_broken_predictions_are_named_and_left_out(content, tmp_path, capsys):
    (tmp_path / "p.csv").write_bytes(content)
    assert read_predictions(tmp_path / "p.csv") is None
    assert capsys.readouterr().err.startswith(f"{tmp_path}/p.csv: not the predictions of a test; left out")


def test_a_run_without_predictions_has_none(tmp_path, capsys):
    assert read_predictions(tmp_path / "p.csv") is None and capsys.readouterr().err == ""
