"""What predictions.csv tells beyond an accuracy: which differences are more than chance, and where a model is wrong."""

import itertools
import math
import sys
from typing import NamedTuple

import numpy as np

from common.errors import UserError
from common.results.records import read_table


def in_files(label):
    """What predictions.csv calls a label: as imdb_test_reviews.tsv does, where label and file name tell a review."""
    return {"positive": "pos", "negative": "neg"}.get(label, label)


class Predictions(NamedTuple):
    """What a model says of each test review.

    positive: (reviews,) bool, whether a label is the one that logits above 0 are for; logits: (reviews,) float;
    ratings: (reviews,) str, "" where unknown; tokens: (reviews,) int.
    """

    positive: np.ndarray
    logits: np.ndarray
    ratings: np.ndarray = np.array([], str)
    tokens: np.ndarray = np.array([], int)

    def same_reviews(self, others):
        """Whether others are of the same reviews, as far as their labels show it."""
        return np.array_equal(self.positive, others.positive)

    @property
    def correct(self):
        """(reviews,) bool."""
        return (self.logits >= 0) == self.positive


def read_predictions(run):
    """The Predictions that a Run's test left, or None; broken ones and those of other weights cost a line.

    Their order is that of the labels and reviews' names, however a spreadsheet has sorted them.
    """
    path = run.folder / "predictions.csv"
    if not path.exists():
        return None
    try:
        rows = sorted(read_table(path, run.weights), key=lambda row: (row["label"], row["file name"]))
        return Predictions(np.array([row["label"] == in_files(run.labels[True]) for row in rows]),
                           np.array([float(row["logit"]) for row in rows]),
                           np.array([row["rating"] and str(int(row["rating"])) for row in rows]),
                           np.array([int(row["tokens"]) for row in rows]))
    except UserError as error:
        print(f"{error}; left out", file=sys.stderr)
    except (LookupError, TypeError, ValueError):
        print(f"{path}: not the predictions of a test; run the part's test script again; left out", file=sys.stderr)
    return None


def mcnemar(first, second):
    """McNemar's exact test of whether two models err equally often (McNemar 1947).

    Args:
        first, second: Predictions of the same reviews in the same order.

    Returns:
        (only_first, only_second, p): how many reviews only the first, and only the second, classifies correctly; the
        probability of a difference at least as large if both erred equally often.

    Raises:
        UserError: the two are about different reviews.
    """
    if not first.same_reviews(second):
        raise UserError("predictions.csv: of different reviews; run the test scripts of both models again")
    only_first = int((first.correct & ~second.correct).sum())
    only_second = int((second.correct & ~first.correct).sum())
    count = only_first + only_second
    # Of `count` reviews the first may have 0, 1, 2 ... alone in so many ways: math.comb, each from the one before.
    ways = itertools.accumulate(range(min(only_first, only_second)), lambda ways, k: ways * (count - k) // (k + 1),
                                initial=1)
    return only_first, only_second, min(1, 2 * sum(ways) / 2 ** count)


def corrected(probabilities):
    """The p-values (tests,) of several tests, raised so that they hold for all of them together (Holm 1979)."""
    order = np.argsort(probabilities)
    raised = np.take(probabilities, order) * np.arange(len(order), 0, -1)
    return np.maximum.accumulate(raised.clip(max=1))[order.argsort()]


def confusion(predictions, labels):
    """How many reviews of each label are called what, and what follows for the positive label.

    Args:
        labels: names of the negative and the positive one.

    Returns:
        dict of "LABEL, called LABEL", numbers of reviews, and "precision", "recall" and "F1" in percent, NaN where
        nothing is positive or called so.
    """
    called = predictions.logits >= 0
    counts = {f"{labels[label]}, called {labels[other]}":
              int(((predictions.positive == label) & (called == other)).sum())
              for label in (True, False) for other in (True, False)}
    right, missed, alarms, _ = counts.values()
    ratios = {"precision": (right, right + alarms), "recall": (right, right + missed),
              "F1": (2 * right, 2 * right + missed + alarms)}
    return counts | {name: 100 * some / total if total else math.nan for name, (some, total) in ratios.items()}


def calibration_error(predictions, bins=10):
    """How far predicted probabilities are from the share of positive reviews, in points, in bins of equal width.

    The mean over the reviews of what is found in their bins (Guo et al. 2017).
    """
    probabilities = 1 / (1 + np.exp(-predictions.logits.clip(-500, 500)))
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = np.bincount(place, probabilities - predictions.positive)             # bins, each the sum over its reviews
    return 100 * abs(gaps).sum() / len(place)


def accuracy_by_rating(predictions):
    """{"rating N": accuracy in percent}, without reviews of unknown rating."""
    return {f"rating {rating}": 100 * predictions.correct[predictions.ratings == rating].mean()
            for rating in sorted({*predictions.ratings.tolist()} - {""}, key=int)}


def accuracy_by_length(predictions):
    """{name: accuracy in percent} of fifths of the reviews, from the shortest to the longest."""
    fifths = np.array_split(np.argsort(predictions.tokens, kind="stable"), 5)
    return {name: 100 * predictions.correct[fifth].mean()
            for name, fifth in zip(("shortest fifth", "2nd", "3rd", "4th", "longest fifth"), fifths) if len(fifth)}
