"""What predictions.csv tells beyond an accuracy: which differences are more than chance, and where a model is wrong."""

import csv
import dataclasses
import math
import sys

import numpy as np

from common.errors import UserError
from common.results.records import read_csv

@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model says of each test review.

    reviews: list of (file name, label, rating, film), text; positive: (reviews,) bool, whether a label is the one that
    logits above 0 are for; tokens: (reviews,) int; logits: (reviews,) float; names: of the labels, by `positive`.
    """

    reviews: list
    positive: np.ndarray
    tokens: np.ndarray
    logits: np.ndarray
    names: dict

    @property
    def correct(self):
        """(reviews,) bool."""
        return (self.logits >= 0) == self.positive


def read_predictions(run):
    """The Predictions that a Run's test left, or None; broken ones and those of other weights cost a line.

    Their order is that of the reviews' names, however a spreadsheet has sorted them.
    """
    path = run.folder / "predictions.csv"
    if not path.exists():
        return None
    try:
        rows = read_csv(path, run.weights)
        rows.sort(key=lambda row: [row[name] for name in ("file name", "label", "rating", "film")])
        logits = np.array([float(row["logit"].replace(",", ".")) for row in rows])
        positive = (logits >= 0) == [row["label"] == row["prediction"] for row in rows]
        names = set(zip(positive.tolist(), (row["label"] for row in rows)))
        if not np.isfinite(logits).all() or not len(names) == len(dict(names)) == len({name for _, name in names}):
            raise ValueError
        return Predictions([(row["file name"], row["label"], row["rating"], row["film"]) for row in rows], positive,
                           np.array([int(row["tokens"]) for row in rows]), logits,
                           {True: "positive", False: "negative"} | dict(names))
    except UserError as error:
        print(f"{error}; left out", file=sys.stderr)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error):
        print(f"{path}: not the predictions of a test; left out; run the part's test script again", file=sys.stderr)
    return None


def mcnemar(first, second):
    """McNemar's test of whether two models err equally often (McNemar 1947).

    Exact where few reviews tell the two apart, else with continuity correction.

    Args:
        first, second: Predictions of the same reviews.

    Returns:
        (only_first, only_second, p): how many reviews only the first, and only the second, classifies correctly; the
        probability of a difference at least as large if both erred equally often.

    Raises:
        UserError: the two are about different reviews.
    """
    if first.reviews != second.reviews:
        raise UserError("predictions: of different reviews; test both models on the same data")
    only_first = int((first.correct & ~second.correct).sum())
    only_second = int((second.correct & ~first.correct).sum())
    count, fewer = only_first + only_second, min(only_first, only_second)
    if count < 1000:
        p = min(1, 2 * sum(math.comb(count, k) for k in range(fewer + 1)) / 2 ** count)
    else:
        p = math.erfc(max(0, abs(only_first - only_second) - 1) / math.sqrt(2 * count))
    return only_first, only_second, p


def corrected(probabilities):
    """The p-values of several tests, raised so that they hold for all of them together (Holm 1979)."""
    found, least = [0.0] * len(probabilities), 0.0
    for rank, k in enumerate(np.argsort(probabilities, kind="stable").tolist()):
        least = max(least, min(1.0, (len(probabilities) - rank) * probabilities[k]))
        found[k] = least
    return found


def confusion(predictions):
    """How many reviews of each label are called what, and what follows for the positive label.

    Returns:
        dict of "LABEL, called LABEL", numbers of reviews, and "precision", "recall" and "F1" in percent, NaN where
        nothing is positive or called so.
    """
    called, names = predictions.logits >= 0, predictions.names
    counts = {f"{names[label]}, called {names[other]}": int(((predictions.positive == label) & (called == other)).sum())
              for label in (True, False) for other in (True, False)}
    right, missed, alarms, _ = counts.values()
    ratios = {"precision": (right, right + alarms), "recall": (right, right + missed),
              "F1": (2 * right, 2 * right + missed + alarms)}
    return counts | {name: 100 * some / total if total else math.nan for name, (some, total) in ratios.items()}


def calibration(predictions, bins=10):
    """Predicted probabilities beside what came true, in bins of equal width.

    Returns:
        list of (mean probability, share of positive reviews, number of reviews), without empty bins.
    """
    probabilities = 1 / (1 + np.exp(-predictions.logits.clip(-500, 500)))
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    return [(float(probabilities[place == k].mean()), float(predictions.positive[place == k].mean()),
             int((place == k).sum())) for k in range(bins) if (place == k).any()]


def calibration_error(points):
    """How far the probabilities of calibration() are from the shares, on average over the reviews (Guo et al. 2017)."""
    return sum(count * abs(probability - share) for probability, share, count in points) / sum(
        count for *_, count in points)


def accuracy_by_rating(predictions):
    """{"rating N": accuracy in percent}, without reviews of unknown rating."""
    ratings = np.array([rating for _, _, rating, _ in predictions.reviews])
    known = sorted({rating for rating in ratings.tolist() if rating.isdecimal()}, key=int)
    return {f"rating {rating}": float(100 * predictions.correct[ratings == rating].mean()) for rating in known}


def accuracy_by_length(predictions, names=("shortest fifth", "2nd", "3rd", "4th", "longest fifth")):
    """{name: accuracy in percent} of groups of nearly as many reviews each, from the shortest to the longest."""
    groups = np.array_split(np.argsort(predictions.tokens, kind="stable"), len(names))
    return {name: float(100 * predictions.correct[group].mean()) for name, group in zip(names, groups) if len(group)}
