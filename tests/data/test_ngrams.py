"""The n-grams of reviews: which are known, and their ids in batches and in whole reviews."""

import numpy as np
import pytest
import torch

from common.data.batches import BagsOfWords, Crops, WholeReviews
from common.data.ngrams import LEAST, WORDS, NGramTable, Places
from common.data.reviews import build_reviews

REVIEWS = [[3, 1, 3, 1, 2], [2, 0, 3, 1], [4], [0, 0], [3, 1, 2, 5, 6, 5]]


def make_reviews(token_ids=REVIEWS, device="cpu"):
    return build_reviews(np.array(sum(token_ids, []), np.int32), np.array([len(review) for review in token_ids]),
                         [0.0] * len(token_ids), [""] * len(token_ids), device)


def ngrams_of(review, longest):
    """The n-grams of a review without an unknown word, a list of tuples."""
    return [gram for n in range(1, longest + 1) for k in range(len(review) - n + 1)
            if 0 not in (gram := tuple(review[k:k + n]))]


def known(reviews, longest):
    """The n-grams that occur at least LEAST times in the reviews, a set of tuples."""
    grams = [gram for review in reviews for gram in ngrams_of(review, longest)]
    return {gram for gram in grams if grams.count(gram) >= LEAST}


def id_of(table, gram):
    return table.ids(torch.tensor(gram, device=table.keys.device))[-1, len(gram) - 1].item()


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
def test_the_table_has_an_id_for_each_ngram_that_is_seen_twice_and_for_no_other(longest, device):
    table = NGramTable.of(make_reviews(device=device), longest)
    expected = known(REVIEWS, longest)
    seen = {gram for review in REVIEWS for gram in ngrams_of(review, longest)}
    assert expected < seen
    ids = {gram: id_of(table, gram) for gram in seen}
    assert all((ids[gram] > 0) == (gram in expected) for gram in seen)
    assert len({ids[gram] for gram in expected}) == len(expected)
    assert max(ids.values()) < len(table.keys)


def test_ngrams_of_random_reviews_never_share_an_id():
    reviews = np.random.default_rng(0).integers(0, 30, (50, 40)).tolist()
    table = NGramTable.of(make_reviews(reviews), 3)
    expected = known(reviews, 3)
    assert len({id_of(table, gram) for gram in expected} - {0}) == len(expected) > 500


def test_an_ngram_ends_where_its_review_ends():
    reviews = [[1, 2], [3, 4]] * 3
    assert id_of(NGramTable.of(make_reviews(reviews), 2), (2, 3)) == 0


def test_a_table_is_rebuilt_from_its_size_and_state():
    table = NGramTable.of(make_reviews(), 3)
    other = NGramTable(torch.full_like(table.keys, -1), table.longest)
    other.load_state_dict(table.state_dict())
    tokens = torch.tensor(REVIEWS[0])
    assert torch.equal(other.ids(tokens), table.ids(tokens))


@pytest.mark.parametrize("token_ids", [[[1], [2, 3]], [[], []], [[0, 0], [0]]])
def test_reviews_without_any_known_ngram_have_an_empty_table(token_ids):
    table = NGramTable.of(make_reviews(token_ids), 2)
    assert not table.ids(torch.tensor([1, 2, 3])).any()


def test_words_beyond_the_table_are_not_known():
    table = NGramTable.of(make_reviews([[1, 2], [1, 2]]), 2)
    assert table.ids(torch.tensor([1, 2, 9])).tolist() == [[1, 0], [2, 3], [0, 0]]


def test_numbers_above_the_single_words_are_found_in_any_order(device):
    table = NGramTable(torch.tensor([-1, 1, -1, 3, WORDS + 7, WORDS + 9, 5 * WORDS], device=device), 2)
    wanted = torch.tensor([[5 * WORDS, WORDS + 8, WORDS + 9], [WORDS + 6, WORDS + 7, 6 * WORDS]], device=device)
    assert table.places(wanted).tolist() == [[6, 0, 5], [0, 4, 0]]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 1000])
def test_every_key_has_a_place_and_no_other_number_has_one(number, device):
    numbers = WORDS + torch.randperm(3 * number, generator=torch.Generator().manual_seed(0))
    table = NGramTable(torch.cat([torch.tensor([-1]), numbers[:number].sort().values]).to(device), 2)
    assert table.places(table.keys)[1:].tolist() == list(range(1, number + 1))
    assert not table.places(numbers[number:].to(device)).any()


def test_keys_that_the_last_slot_has_no_room_for_are_found_in_the_first_ones():
    numbers = WORDS + torch.tensor([2, 15, 23, 36, 57, 70])
    places = Places(torch.cat([torch.tensor([-1]), numbers[:3]]))
    assert (places.first_slots(numbers) == len(places.slots) - 1).all()
    assert places(numbers).tolist() == [1, 2, 3, 0, 0, 0]


def test_a_longer_ngram_is_no_single_word():
    table = NGramTable(torch.tensor([-1, 1, 2, WORDS + 2]), 2)
    assert table.ids(torch.tensor([2, 1, 2])).tolist() == [[2, 0], [1, 0], [2, 3]]


def ids_by_review(ngrams, count):
    """The ids above 0 of each review in NGramIds, sorted."""
    return [sorted(k for k in ngrams.ids[ngrams.rows == row].tolist() if k) for row in range(count)]


@pytest.mark.parametrize("kind", [BagsOfWords, WholeReviews, Crops])
@pytest.mark.parametrize("longest", [1, 2, 3])
def test_a_batch_carries_each_known_ngram_of_its_reviews_once(longest, kind, device):
    reviews = make_reviews(device=device)
    table = NGramTable.of(reviews, longest)
    data = Crops(reviews, 9, table=table) if kind is Crops else kind(reviews, table=table)
    indices = [4, 0, 3, 1]
    found = ids_by_review(data.batch(torch.tensor(indices)).ngrams, len(indices))
    expected = [{id_of(table, gram) for gram in ngrams_of(REVIEWS[k], longest)} - {0} for k in indices]
    assert found == [sorted(ids) for ids in expected]


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_table_and_index_do_not_depend_on_how_many_reviews_are_read_at_a_time(chunk, device, monkeypatch):
    monkeypatch.setattr("common.data.reviews.CHUNK", chunk)
    reviews = make_reviews(device=device)
    table = NGramTable.of(reviews, 3)
    assert [row.tolist() for row in table.index(reviews).rows()] == [
        sorted({id_of(table, gram) for gram in ngrams_of(review, 3)} - {0}) for review in REVIEWS]


def test_a_crop_has_the_ngrams_inside_of_it_alone():
    reviews = make_reviews([[1, 2, 3]] * 4)
    table = NGramTable.of(reviews, 3)
    batch = Crops(reviews, 2, table=table).batch(torch.tensor([0]))
    assert ids_by_review(batch.ngrams, 1) == [sorted(id_of(table, gram) for gram in ngrams_of(batch.x[0].tolist(), 2))]


def test_without_a_table_a_batch_carries_no_ngrams():
    assert Crops(make_reviews(), 3).batch(torch.tensor([0])).ngrams is None
    assert BagsOfWords(make_reviews()).batch(torch.tensor([0])).ngrams is None
