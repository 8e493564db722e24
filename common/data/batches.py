"""Batches of reviews as a network reads them, and the order in which reviews are put into batches."""

import abc
import dataclasses
import functools
from typing import NamedTuple

import torch
from torch.nn import functional as F

from common.data.ngrams import NGramIds
from common.processes import processes

TOKENS = 500        # of a review in a batch of whole ones, as many as in the longest crops of the assignment


class Bag(NamedTuple):
    """Reviews in a row, without padding.

    token_ids: (tokens,) int; offsets: (batch,) int, where each review starts; weights: (tokens,) float that sum
    to 1 in each review.
    """

    token_ids: torch.Tensor
    offsets: torch.Tensor
    weights: torch.Tensor


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some reviews; of several processes, this one's rows.

    x: what the network reads: (batch, time) int64 token ids, with the unknown token 0 behind short reviews; a Bag; or
        (batch, features) float, mean word vectors.
    labels: (batch,) float32, 1 positive, 0 negative, NaN unlabelled.
    lengths: (batch,) int64, tokens of each review before the padding; None where the padding counts, as in the
        assignment, and for bags of words.
    ngrams: NGramIds of the reviews, for an ensemble with n-grams; else None.
    """

    x: torch.Tensor | Bag
    labels: torch.Tensor
    lengths: torch.Tensor | None = None
    ngrams: NGramIds | None = None

    def arguments(self):
        """Arguments of a model's forward beside x and t, by name."""
        return {name: value for name in ("lengths", "ngrams") if (value := getattr(self, name)) is not None}


class ReviewData(abc.ABC):
    """What batches of reviews are drawn from.

    Args:
        reviews: Reviews.
        table: NGramTable whose n-grams batches carry, or None.
    """

    settings: dict = {}         # what a test has to know to read reviews as training did, in plain values

    def __init__(self, reviews, table=None):
        self.reviews, self.table = reviews, table

    @functools.cached_property
    def index(self):
        """The distinct n-grams of each review, as Reviews whose token ids are n-gram ids."""
        return self.table.index(self.reviews)

    def ngrams_of_whole(self, indices):
        """NGramIds of the whole reviews at indices (batch,); None without a table."""
        if self.table is None:
            return None
        ids, _, _, rows = self.index.row(indices)
        return NGramIds(ids, rows)

    def batches(self, batch_size):
        """Indices of all reviews in the batches of an evaluation."""
        return nearly_equal(torch.arange(len(self.reviews)), batch_size)

    @abc.abstractmethod
    def batch(self, indices):
        """The Batch of the reviews at indices (batch,)."""

    def epoch(self, batch_size):
        """Indices of all reviews in the batches of an epoch of training, drawn anew at each call."""
        return list(nearly_equal(torch.randperm(len(self.reviews)), batch_size))


class Crops(ReviewData):
    """Stretches of reviews, random ones or the last tokens:

        long review     [ . . . x x x x x x . . ]   ->   x x x x x x
        short review    [ x x x x ]                 ->   x x x x 0 0

    Args:
        reviews, table: of ReviewData.
        sequence_length: tokens of a crop.
        last: whether the last tokens are taken.
        padding_counts: whether networks read the padding too, as in the assignment.
        cut: whether batches have no more timesteps than their longest crop. Training has the same shapes at every
            step, so that a GPU can record it.
    """

    def __init__(self, reviews, sequence_length, last=False, padding_counts=True, cut=False, table=None):
        super().__init__(reviews, table)
        self.sequence_length, self.last, self.padding_counts = sequence_length, last, padding_counts
        self.settings = {"sequence_length": sequence_length, "last": last, "padding_counts": padding_counts}
        self.cut = cut and not padding_counts
        self.lengths = reviews.host_lengths.clamp(max=sequence_length)

    def batches(self, batch_size):      # of similar length where that saves padding
        if not self.cut:
            return super().batches(batch_size)
        return nearly_equal(self.lengths.argsort(descending=True, stable=True), batch_size)

    def batch(self, indices):
        """The Batch of the reviews at indices (batch,); every process draws the crops of all of them."""
        time = int(self.lengths[indices].max()) if self.cut else self.sequence_length
        indices = self.reviews.on_device(indices)
        slack = (self.reviews.lengths[indices] - time).clamp(min=0)                     # batch
        shift = slack if self.last else (
            torch.rand(len(slack), device=slack.device) * (slack + 1)).long().minimum(slack)
        if self.reviews.backwards:      # the crop that reading forwards would take
            shift = slack - shift
        if processes.size > 1:
            rows = processes.rows(len(indices))
            indices, shift = indices[rows], shift[rows]
        tokens = self.reviews.window(indices, shift, time)                              # batch, time
        lengths = None if self.padding_counts else self.reviews.lengths[indices].clamp(max=time)
        ngrams = None if self.table is None else self.table.of_batch(tokens)
        return Batch(tokens, self.reviews.labels[indices], lengths, ngrams)


def crops_of_splits(splits, options):
    """A dict of Crops by split from a dict of Reviews; splits other than "train" have crops of twice the length.

    Padding counts as in the assignment, unless --pooling concat takes the last timestep, which often would be padding.
    """
    return {split: Crops(reviews, options.sequence_length * (1 if split == "train" else 2),
                         padding_counts=options.pooling != "concat", cut=split != "train")
            for split, reviews in splits.items()}


class WholeReviews(ReviewData):
    """Whole reviews, padded to the longest of a batch.

    Args:
        reviews, table: of ReviewData.
        padded_to: tokens up to which padding counts, for a network that was trained on crops of that length with
            their padding: it has not learned to read a short review without.
    """

    def __init__(self, reviews, padded_to=0, table=None):
        super().__init__(reviews, table)
        self.padded_to = padded_to

    def batches(self, batch_size):
        """Indices in batches of reviews of similar length, each at most batch_size * TOKENS tokens or one review."""
        lengths = self.reviews.host_lengths.clamp(min=self.padded_to)
        batches, order = [], lengths.argsort(descending=True)
        while len(order):
            size = max(batch_size * TOKENS // int(lengths[order[0]]), 1)
            batches.append(order[:size])
            order = order[size:]
        return batches

    def batch(self, indices):
        time = max(self.padded_to, int(self.reviews.host_lengths[indices].max()))
        on_device = self.reviews.on_device(indices)
        return Batch(self.reviews.window(on_device, 0, time), self.reviews.labels[on_device],
                     self.reviews.lengths[on_device].clamp(min=self.padded_to), self.ngrams_of_whole(indices))


class BagsOfWords(ReviewData):
    """Whole reviews as bags of distinct words."""

    def __init__(self, reviews, table=None):
        super().__init__(reviews, table)
        self.distinct, self.weights = reviews.distinct()

    def batch(self, indices):
        token_ids, offsets, positions, _ = self.distinct.row(indices)
        bag = Bag(token_ids, offsets.int(), self.weights.index_select(0, positions))
        return Batch(bag, self.reviews.labels[self.reviews.on_device(indices)], ngrams=self.ngrams_of_whole(indices))


class MeanVectors(ReviewData):
    """Whole reviews as the mean vectors of their known words.

    Args:
        reviews, table: of ReviewData.
        vectors: (words + 1, features) float32; row 0, the unknown token, is left out of the mean, which is zeros for
            a review without a known word.
    """

    def __init__(self, reviews, vectors, table=None, batch_size=1000):
        super().__init__(reviews, table)
        rows = map(reviews.row, torch.arange(len(reviews)).split(batch_size))
        self.means = torch.cat([F.embedding_bag(token_ids, vectors, offsets.int(), mode="mean", padding_idx=0)
                                for token_ids, offsets, _, _ in rows])          # reviews, features

    def batch(self, indices):
        on_device = self.reviews.on_device(indices)
        return Batch(self.means[on_device], self.reviews.labels[on_device], ngrams=self.ngrams_of_whole(indices))


def nearly_equal(order, batch_size):
    """Split (reviews,) into batches of nearly equal size, at most batch_size each.

    None of several reviews is of one, which batch normalisation could not take: three are one, even of batch_size 2.
    """
    return order.tensor_split(batches_of(len(order), batch_size))


def batches_of(count, batch_size):
    """How many batches nearly_equal makes of so many reviews."""
    return max(min(-(-count // batch_size), count // 2), 1)
