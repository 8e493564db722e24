"""Whole reviews in batches of similar length, and read in pieces by a language model that carries its state."""

import numpy as np
import pytest
import torch
from parts import load_script

from common.data.batches import Batch, Crops, Pieces, batches_by_length, batches_of
from common.data.reviews import Reviews
from common.training.loop import next_word_score

WORDS = 20


def make_reviews(lengths):
    lengths = torch.tensor(lengths)
    token_ids = torch.randint(1, WORDS, (int(lengths.sum()),), generator=torch.Generator().manual_seed(0))
    return Reviews(token_ids.int(), lengths.cumsum(0) - lengths, lengths, torch.zeros(len(lengths)),
                   np.array(["tt1"] * len(lengths)))


def language_model():
    torch.manual_seed(0)
    model = load_script("3a", "RNN_language_model.py").RNN_language_model(WORDS, 8, dropout=0.0, lstm_layers=2)
    return model


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


def test_pieces_have_every_next_word_of_reviews_of_one_length_once():
    reviews = make_reviews([10, 10, 10])
    parts = list(Pieces(reviews, 4).parts(torch.tensor([2, 0])))
    words = [list(zip(*(side.tolist() for side in (part.x[0, :-1], part.x[0, 1:])))) for part in parts]
    review = reviews.rows()[2].tolist()
    assert sum(words, []) == list(zip(review, review[1:]))
    assert [part.goes_on for part in parts] == [False, True, True]


def test_pieces_end_where_fewer_than_half_of_the_reviews_go_on():
    reviews = make_reviews([5, 6, 7, 100])
    parts = list(Pieces(reviews, 4).parts(torch.arange(4)))
    assert sum(part.x.shape[1] - 1 for part in parts) == 6
    assert parts[1].lengths.tolist() == [2, 3, 4, 97]
    assert parts[1].x[0].tolist() == [*reviews.rows()[0].tolist()[3:], 0, 0]


def test_a_review_in_pieces_has_the_loss_of_the_review_read_at_once():
    reviews, model = make_reviews([10, 9, 8, 10]), language_model().eval()
    parts = [next_word_score(model, part) for part in Pieces(reviews, 4).parts(torch.arange(4))]
    whole = next_word_score(model, Batch(reviews.window(torch.arange(4), 0, 10), reviews.labels, reviews.lengths))
    for found, expected in zip(zip(*parts), whole):
        torch.testing.assert_close(sum(found), expected)


def test_no_gradient_reaches_the_piece_before():
    reviews, model = make_reviews([10, 10, 10]), language_model().train()
    first, second, *_ = Pieces(reviews, 4).parts(torch.arange(3))
    next_word_score(model, first)[0].backward()         # frees what a gradient would go through
    model.zero_grad()
    next_word_score(model, second)[0].backward()        # raises where it reaches the piece before
    assert model.lstm1.lstm.weight_hh.grad.any()


def test_crops_after_pieces_start_from_zeros():
    reviews, model = make_reviews([10, 10, 10]), language_model().eval()
    crop = Batch(reviews.window(torch.arange(3), 0, 10), reviews.labels, reviews.lengths)
    expected = next_word_score(model, crop)
    for part in Pieces(reviews, 4).parts(torch.arange(3)):
        next_word_score(model, part)
    assert next_word_score(model, crop) == expected


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
