"""Reviews read from their last word to their first."""

import numpy as np
import torch

from common.data.batches import Crops
from common.data.reviews import Reviews

WORDS = 20


def make_reviews(lengths):
    lengths = torch.tensor(lengths)
    token_ids = torch.randint(1, WORDS, (int(lengths.sum()),), generator=torch.Generator().manual_seed(0))
    return Reviews(token_ids.int(), lengths.cumsum(0) - lengths, lengths, torch.zeros(len(lengths)),
                   np.array(["tt1"] * len(lengths)))


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
