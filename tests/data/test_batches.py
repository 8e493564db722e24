"""Batches drawn from reviews, and the order in which reviews are put into batches."""

import itertools

import numpy as np
import pytest
import torch

from common.data.batches import BagsOfWords, Crops, MeanVectors, WholeReviews, batches_of, nearly_equal
from common.data.reviews import build_reviews
from common.processes import processes


def make_reviews(token_ids, device="cpu"):
    """Reviews of which every second is positive."""
    return build_reviews(np.array(sum(token_ids, []), np.int32), np.array([len(review) for review in token_ids]),
                         [k % 2.0 for k in range(len(token_ids))], [""] * len(token_ids), device)


def tokens(data, *indices):
    return data.batch(torch.tensor(indices)).x.tolist()


# Crops


def test_a_crop_is_a_stretch_of_its_review(device):
    reviews = make_reviews([list(range(100 * k, 100 * k + 30)) for k in range(1, 6)], device)
    x = Crops(reviews, 10).batch(torch.tensor([4, 0, 2])).x
    assert x.shape == (3, 10) and x.dtype == torch.int64
    assert (x.diff(dim=1) == 1).all()
    assert (x // 100).tolist() == [[5] * 10, [1] * 10, [3] * 10]
    assert (x % 100 < 30).all()


def test_every_start_of_a_crop_is_drawn():
    torch.manual_seed(0)
    crops = Crops(make_reviews([[9, 9], [0, 1, 2, 3, 4, 5], [9, 9]]), 3)
    counts = crops.batch(torch.ones(2000, dtype=torch.long)).x[:, 0].bincount()
    assert len(counts) == 4
    assert (counts > 400).all()     # 500 each are expected


def test_two_draws_of_crops_differ_and_a_seed_repeats_them():
    crops = Crops(make_reviews([list(range(1000))] * 4), 10)
    torch.manual_seed(1)
    first, second = (tokens(crops, 0, 1, 2, 3) for _ in range(2))
    torch.manual_seed(1)
    assert first != second
    assert first == tokens(crops, 0, 1, 2, 3)


def test_a_short_review_stands_at_the_start_of_its_crop_and_is_padded_with_0():
    crops = Crops(make_reviews([[7, 8], [1, 2, 3], [9]]), 5)
    assert tokens(crops, 0, 2, 1) == [[7, 8, 0, 0, 0], [9, 0, 0, 0, 0], [1, 2, 3, 0, 0]]


def test_a_review_of_the_crops_length_is_taken_whole():
    assert tokens(Crops(make_reviews([[5, 6, 7], [1, 2, 3]]), 3), 1, 0) == [[1, 2, 3], [5, 6, 7]]


def test_crops_can_be_the_last_tokens():
    crops = Crops(make_reviews([[1, 2, 3, 4, 5], [6, 7], [8, 9, 10]]), 3, last=True)
    state = torch.get_rng_state()
    assert tokens(crops, 2, 0, 1) == [[8, 9, 10], [3, 4, 5], [6, 7, 0]]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("padding_counts, lengths", [(True, None), (False, [1, 2, 3])])
def test_crops_have_lengths_where_the_padding_does_not_count(padding_counts, lengths, device):
    crops = Crops(make_reviews([[7, 8], [1, 2, 3], [9]], device), 5, padding_counts=padding_counts)
    found = crops.batch(torch.tensor([2, 0, 1])).lengths
    assert (found if lengths is None else found.tolist()) == lengths


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("size", [2, 3])
def test_the_rows_of_several_processes_are_those_of_one_process(size, last, monkeypatch):
    crops = Crops(make_reviews([list(range(k, k + 3 * k + 1)) for k in range(10)]), 8, last, padding_counts=False)
    indices = torch.tensor([9, 0, 4, 7, 2, 5, 1])

    def draw():
        torch.manual_seed(0)
        return crops.batch(indices), torch.get_rng_state()
    whole, state = draw()
    monkeypatch.setattr(processes, "size", size)
    parts = []
    for rank in range(size):
        monkeypatch.setattr(processes, "rank", rank)
        part, state_after = draw()
        assert torch.equal(state_after, state)          # so that the next batch is the same too
        parts.append(part)
    for name in "x", "labels", "lengths":
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))


LENGTHS = [3, 9, 1, 12, 5, 2, 7, 4]


def test_an_evaluation_whose_padding_does_not_count_reads_crops_of_similar_length():
    crops = Crops(make_reviews([[1] * length for length in LENGTHS]), 6, padding_counts=False, cut=True)
    batches = [crops.batch(indices) for indices in crops.batches(3)]
    assert [batch.x.shape[1] for batch in batches] == [6, 5, 2]
    assert [batch.lengths.tolist() for batch in batches] == [[6, 6, 6], [5, 4, 3], [2, 1]]
    assert sorted(torch.cat(crops.batches(3)).tolist()) == list(range(len(LENGTHS)))


def test_crops_keep_their_padding_where_it_counts():
    crops = Crops(make_reviews([[1] * length for length in LENGTHS]), 6, padding_counts=True, cut=True)
    assert torch.cat(crops.batches(3)).tolist() == list(range(len(LENGTHS)))
    assert all(crops.batch(indices).x.shape[1] == 6 for indices in crops.batches(3))


def test_training_crops_have_the_same_shape_at_every_step():
    crops = Crops(make_reviews([[1, 2], [3], [4]]), 6, padding_counts=False)
    assert crops.batch(torch.tensor([1, 2])).x.shape == (2, 6)


# Whole reviews


def test_whole_reviews_are_padded_to_the_longest_of_the_batch(device):
    batch = WholeReviews(make_reviews([[7, 8], [1, 2, 3, 4], [9]], device)).batch(torch.tensor([2, 0]))
    assert batch.x.tolist() == [[9, 0], [7, 8]]
    assert batch.lengths.tolist() == [1, 2]


def test_short_whole_reviews_are_read_with_the_padding_that_counted_in_training():
    batch = WholeReviews(make_reviews([[7, 8], [1, 2, 3, 4], [9]]), padded_to=3).batch(torch.tensor([2, 0, 1]))
    assert batch.x.tolist() == [[9, 0, 0, 0], [7, 8, 0, 0], [1, 2, 3, 4]]
    assert batch.lengths.tolist() == [3, 3, 4]


def test_a_batch_of_short_reviews_is_padded_to_the_length_of_training():
    batch = WholeReviews(make_reviews([[7, 8], [1]]), padded_to=4).batch(torch.tensor([1, 0]))
    assert batch.x.tolist() == [[1, 0, 0, 0], [7, 8, 0, 0]]


def test_a_bag_holds_each_word_of_a_review_once_with_its_share(device):
    bags = BagsOfWords(make_reviews([[7, 0, 7, 7], [3, 1, 2, 1], [9]], device))
    token_ids, offsets, weights = bags.batch(torch.tensor([1, 0, 2])).x
    assert token_ids.tolist() == [1, 2, 3, 0, 7, 9]
    assert offsets.tolist() == [0, 3, 5]
    assert weights.tolist() == [1 / 2, 1 / 4, 1 / 4, 1 / 4, 3 / 4, 1]


def test_mean_vectors_are_those_of_the_known_tokens(device):
    table = torch.randn(6, 4, device=device)
    token_ids = [[1, 0, 5, 5], [2], [0, 0, 3], [4, 1, 2]]
    expected = torch.stack([table[[k for k in review if k]].mean(dim=0) for review in token_ids])
    found = MeanVectors(make_reviews(token_ids, device), table, batch_size=3).batch(torch.tensor([3, 1, 0, 2])).x
    torch.testing.assert_close(found, expected[[3, 1, 0, 2]])


def test_the_mean_vector_of_a_review_without_known_tokens_is_zero():
    data = MeanVectors(make_reviews([[0, 0], [1]]), torch.ones(3, 4))
    assert data.batch(torch.tensor([0, 1])).x.tolist() == [[0.0] * 4, [1.0] * 4]


DATA = {"Crops": lambda reviews: Crops(reviews, 2), "WholeReviews": WholeReviews, "BagsOfWords": BagsOfWords,
        "MeanVectors": lambda reviews: MeanVectors(reviews, torch.ones(10, 4, device=reviews.labels.device))}


@pytest.mark.parametrize("kind", DATA)
def test_a_batch_has_the_labels_of_its_reviews(kind, device):
    data = DATA[kind](make_reviews([[7, 8], [1, 2, 3], [9]], device))
    assert data.batch(torch.tensor([1, 1, 0, 2])).labels.tolist() == [1, 1, 0, 0]


# Order


def test_batches_hold_each_review_once_and_never_one_alone():
    for count, batch_size in itertools.product([2, 3, 9, 10, 11, 101], [2, 3, 10, 1000]):
        batches = nearly_equal(torch.arange(count), batch_size)
        assert torch.cat(batches).tolist() == list(range(count))
        assert len(batches) == batches_of(count, batch_size)
        assert min(map(len, batches)) >= 2
        # An odd number of reviews in twos ends with a three.
        assert max(map(len, batches)) <= max(batch_size, 3)
        assert max(map(len, batches)) - min(map(len, batches)) <= 1


def test_one_review_is_a_batch_where_there_is_no_other():
    assert [batch.tolist() for batch in nearly_equal(torch.arange(1), 10)] == [[0]]


def test_batches_of_whole_reviews_stay_within_their_tokens():
    lengths = torch.randint(1, 300, (200,), generator=torch.Generator().manual_seed(0))
    batches = WholeReviews(make_reviews([[1] * length for length in lengths.tolist()])).batches(2)
    assert sorted(torch.cat(batches).tolist()) == list(range(200))
    assert all(len(batch) * lengths[batch].max() <= 1000 for batch in batches)
    ordered = lengths[torch.cat(batches)]
    assert (ordered.diff() <= 0).all()
    # None could take the first review of the next.
    assert all((len(batch) + 1) * lengths[batch].max() > 1000 for batch in batches[:-1])


def test_a_review_longer_than_a_batch_is_one_of_its_own():
    batches = WholeReviews(make_reviews([[1] * length for length in (5, 2000, 3000, 7)])).batches(2)
    assert [batch.tolist() for batch in batches] == [[2], [1], [3, 0]]
