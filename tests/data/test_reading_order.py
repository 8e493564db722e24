"""Reviews in batches of similar length, and read from their last word to their first."""

import numpy as np
import pytest
import torch

from common.data.batches import Crops, batches_by_length, batches_of
from common.data.reviews import Reviews

WORDS = 20


def make_reviews(lengths):
    lengths = torch.tensor(lengths)
    token_ids = torch.randint(1, WORDS, (int(lengths.sum()),), generator=torch.Generator().manual_seed(0))
    return Reviews(token_ids.int(), lengths.cumsum(0) - lengths, lengths, torch.zeros(len(lengths)),
                   np.array(["tt1"] * len(lengths)))


@pytest.mark.parametrize("count", [10, 101, 990])
def test_an_epoch_by_length_has_every_review_once_in_as_many_batches_as_one_of_crops(count):
    lengths = torch.randint(10, 1000, (count,))
    batches = batches_by_length(lengths, 10, pool=7)
    assert torch.equal(torch.cat(batches).sort().values, torch.arange(count))
    assert len(batches) == batches_of(count, 10) and {len(batch) for batch in batches} <= {9, 10}


def test_batches_by_length_have_little_padding_come_in_no_order_of_length_and_differ_between_epochs():
    lengths = torch.randint(10, 1000, (1000,))
    first, second = (batches_by_length(lengths, 10, pool=20) for _ in range(2))
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in first)
    assert padded < 1.1 * int(lengths.sum())
    longest = torch.tensor([int(lengths[batch].max()) for batch in first])
    assert 20 < (longest.diff() > 0).sum() < 80
    assert {tuple(batch.sort().values.tolist()) for batch in first} != {
        tuple(batch.sort().values.tolist()) for batch in second}


def test_crops_cut_to_their_longest_train_in_batches_of_similar_length():
    reviews = make_reviews([3, 30] * 30)
    data = Crops(reviews, 20, padding_counts=False, cut=True)
    shapes = {data.batch(indices).x.shape[1] for indices in data.epoch(10)}
    assert shapes == {3, 20}


def test_reversed_reviews_stand_from_their_last_word_to_their_first():
    reviews = make_reviews([3, 7, 5])
    backwards = reviews.select(np.array([True, False, True])).reversed()
    for forwards, row in zip((reviews.rows()[0], reviews.rows()[2]), backwards.rows()):
        assert row.tolist() == forwards[::-1].tolist()
    assert all(map(np.array_equal, backwards.reversed().rows(), (reviews.rows()[0], reviews.rows()[2])))


def test_a_crop_of_a_reversed_review_has_the_words_of_the_crop_read_forwards():
    reviews = make_reviews([30, 4, 25, 40])
    for settings in {"last": False}, {"last": True}:
        crops = []
        for some in reviews, reviews.reversed():
            torch.manual_seed(0)
            crops.append(Crops(some, 10, padding_counts=False, **settings).batch(torch.arange(4)))
        forwards, backwards = crops
        for row, back, length in zip(forwards.x, backwards.x, forwards.lengths):
            assert back[:length].tolist() == row[:length].flip(0).tolist()
