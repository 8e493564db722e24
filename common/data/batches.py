"""Batches of reviews as a model takes them, and the order in which reviews are put into batches."""

import dataclasses
import functools
from typing import NamedTuple

import torch
from torch.nn import functional as F

from common.data.reviews import Reviews
from common.processes import processes


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some reviews; of several processes, this one's rows.

    tokens: (batch, time) int64 token ids, with the unknown token 0 behind short reviews.
    labels: (batch,) float32, 1 positive, 0 negative, NaN unlabelled.
    lengths: (batch,) int64, tokens of each review before the padding; None where the padding counts, as in the
        assignment.
    """

    tokens: torch.Tensor
    labels: torch.Tensor
    lengths: torch.Tensor | None = None


@dataclasses.dataclass(frozen=True)
class BagBatch:
    """Some reviews as bags of words.

    bag: a Bag, or (batch, features) float, mean word vectors; labels: (batch,) float32.
    """

    bag: "Bag | torch.Tensor"
    labels: torch.Tensor
    reviews: Reviews
    indices: torch.Tensor

    @functools.cached_property
    def tokens(self):
        """The reviews in reading order: (batch, time) int64, padded with 0."""
        return self.reviews.padded(self.indices)

    @property
    def lengths(self):
        """(batch,) int64, tokens of each review."""
        return self.reviews.lengths[self.reviews.on_device(self.indices)]


class Bag(NamedTuple):
    """Reviews in a row, without padding.

    token_ids: (tokens,) int; offsets: (batch,) int, where each review starts; weights: (tokens,) float that sum
    to 1 in each review.
    """

    token_ids: torch.Tensor
    offsets: torch.Tensor
    weights: torch.Tensor


class Crops:
    """Stretches of reviews, random ones or the last tokens:

        long review     [ . . . x x x x x x . . ]   ->   x x x x x x
        short review    [ x x x x ]                 ->   x x x x 0 0

    Args:
        reviews: Reviews.
        sequence_length: tokens of a crop.
        last: whether the last tokens are taken.
        padding_counts: whether models read the padding too, as in the assignment.
    """

    def __init__(self, reviews, sequence_length, last=False, padding_counts=True):
        self.reviews, self.sequence_length = reviews, sequence_length
        self.last, self.padding_counts = last, padding_counts

    def batch(self, indices):
        """The Batch of the reviews at indices (batch,); every process draws the crops of all of them."""
        indices = self.reviews.on_device(indices)
        slack = (self.reviews.lengths[indices] - self.sequence_length).clamp(min=0)     # batch
        shift = slack if self.last else (
            torch.rand(len(slack), device=slack.device) * (slack + 1)).long().minimum(slack)
        rows = processes.rows(len(indices))
        indices, shift = indices[rows], shift[rows]
        tokens = self.reviews.window(indices, shift, self.sequence_length)
        lengths = None if self.padding_counts else self.reviews.lengths[indices]
        return Batch(tokens, self.reviews.labels[indices], lengths)


class WholeReviews:
    """Whole reviews, padded to the longest of a batch."""

    def __init__(self, reviews):
        self.reviews = reviews

    def batch(self, indices):
        """The Batch of the reviews at indices (batch,)."""
        on_device = self.reviews.on_device(indices)
        return Batch(self.reviews.padded(indices), self.reviews.labels[on_device], self.reviews.lengths[on_device])


class BagsOfWords:
    """Whole reviews as bags of distinct words."""

    def __init__(self, reviews):
        self.reviews = reviews
        self.distinct, self.weights = reviews.distinct()

    def batch(self, indices):
        """The BagBatch of the reviews at indices (batch,)."""
        token_ids, offsets, positions = self.distinct.row(indices)
        bag = Bag(token_ids, offsets.int(), self.weights.index_select(0, positions))
        return BagBatch(bag, self.reviews.labels[self.reviews.on_device(indices)], self.reviews, indices)


class MeanVectors:
    """Whole reviews as the mean vectors of their known words.

    Args:
        table: (words + 1, features) float32; row 0, the unknown token, is left out of the mean, which is zeros for a
            review without a known word.
    """

    def __init__(self, reviews, table, batch_size=1000):
        self.reviews = reviews
        batches = torch.arange(len(reviews)).split(batch_size)
        self.vectors = torch.cat([self.means(reviews, indices, table) for indices in batches])     # reviews, features

    @staticmethod
    def means(reviews, indices, table):
        token_ids, offsets, _ = reviews.row(indices)
        return F.embedding_bag(token_ids, table, offsets.int(), mode="mean", padding_idx=0)

    def batch(self, indices):
        """The BagBatch of the reviews at indices (batch,)."""
        on_device = self.reviews.on_device(indices)
        return BagBatch(self.vectors[on_device], self.reviews.labels[on_device], self.reviews, indices)


def in_order(count, batch_size):
    """Indices 0 to count - 1 in batches of nearly equal size, at most batch_size each."""
    return torch.arange(count).tensor_split(-(-count // batch_size))


def nearly_equal(order, batch_size):
    """Split (reviews,) into batches of nearly equal size, at most batch_size each.

    None has only one review, which batch normalisation could not take: three reviews are one
    batch, even where batch_size is 2.
    """
    return order.tensor_split(batches_of(len(order), batch_size))


def batches_of(count, batch_size):
    """How many batches nearly_equal makes of so many reviews."""
    return min(-(-count // batch_size), count // 2)


def by_length(lengths, batch_tokens):
    """Indices in batches of reviews of similar length, each at most batch_tokens padded tokens or one review."""
    batches, batch = [], []
    order = lengths.argsort(descending=True)
    longest = 0
    for index, length in zip(order.tolist(), lengths[order].tolist()):
        longest = longest or length
        if batch and (len(batch) + 1) * longest > batch_tokens:
            batches.append(torch.tensor(batch))
            batch, longest = [], length
        batch.append(index)
    return batches + [torch.tensor(batch)]
