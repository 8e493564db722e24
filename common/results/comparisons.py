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

    reviews: list of (file name, label, rating, film), text; positive: (reviews,) bool, their labels.
    tokens: (reviews,) int; logits: (reviews,) float.
    """

    reviews: list
    positive: np.ndarray
    tokens: np.ndarray
    logits: np.ndarray

    @property
    def correct(self):
        """(reviews,) bool."""
        return (self.logits >= 0) == self.positive

    def probabilities(self):
        """Of being positive, (reviews,) float."""
        return 1 / (1 + np.exp(-self.logits.clip(-500, 500)))


def read_predictions(path):
    """The Predictions of a predictions.csv, or None where there are none; a broken file costs a line."""
    if not path.exists():
        return None
    try:
        rows = read_csv(path)
        labels = [row["label"] for row in rows]
        if not rows or not {"pos", "neg"}.issuperset(labels):
            raise ValueError
        logits = np.array([float(row["logit"].replace(",", ".")) for row in rows])
        if not np.isfinite(logits).all():
            raise ValueError
        return Predictions([(row["file name"], row["label"], row["rating"], row["film"]) for row in rows],
                           np.array(labels) == "pos", np.array([int(row["tokens"]) for row in rows]), logits)
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
    """How many reviews of each label are called what: {(label, predicted): count}."""
    labels = {"positive": predictions.positive, "negative": ~predictions.positive}
    called = {"positive": predictions.logits >= 0, "negative": predictions.logits < 0}
    return {(label, predicted): int((labels[label] & called[predicted]).sum())
            for label in labels for predicted in called}


def calibration(predictions, bins=10):
    """Predicted probabilities beside what came true, in bins of equal width.

    Returns:
        list of (mean probability, share of positive reviews, number of reviews), without empty bins.
    """
    probabilities = predictions.probabilities()
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    return [(float(probabilities[place == k].mean()), float(predictions.positive[place == k].mean()),
             int((place == k).sum())) for k in range(bins) if (place == k).any()]


def calibration_error(points):
    """How far the probabilities of calibration() are from the shares, on average over the reviews (Guo et al. 2017)."""
    return sum(count * abs(probability - share) for probability, share, count in points) / sum(
        count for *_, count in points)


def accuracy_by_rating(predictions):
    """{rating: accuracy in percent}, without reviews of unknown rating."""
    ratings = np.array([rating for _, _, rating, _ in predictions.reviews])
    known = sorted({rating for rating in ratings.tolist() if rating.isdecimal()}, key=int)
    return {rating: float(100 * predictions.correct[ratings == rating].mean()) for rating in known}


def accuracy_by_length(predictions, groups=5):
    """{"shortest-longest" in tokens: accuracy in percent}, in groups of nearly as many reviews each.

    Groups of the same length throughout are one.
    """
    order = np.argsort(predictions.tokens, kind="stable")
    found = {}
    for group in np.array_split(order, min(groups, len(order))):
        found.setdefault(f"{predictions.tokens[group[0]]}-{predictions.tokens[group[-1]]}", []).extend(group)
    return {name: float(100 * predictions.correct[group].mean()) for name, group in found.items()}
