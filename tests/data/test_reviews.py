"""Preprocessed files to reviews in memory."""

import dataclasses

import numpy as np
import pytest
import torch
from small_reviews import WORDS, make_reviews, rows, write_folder
from torch import nn

from common.data.reviews import read_glove_embeddings, read_reviews, read_vectors_of, start_from
from common.errors import UserError


def test_reviews_have_token_ids_labels_and_films(tmp_path):
    reviews, vocabulary = read_reviews(write_folder(tmp_path), "train")
    assert vocabulary == WORDS
    assert rows(reviews) == [[1, 2, 3, 4], [5, 2], [0, 1, 2]]
    np.testing.assert_array_equal(reviews.labels, [1, 0, np.nan])
    assert reviews.films.tolist() == ["tt01", "tt02", "tt03"]


def test_the_glove_files_are_read_for_words_glove(tmp_path):
    write_folder(tmp_path)
    np.save(tmp_path / "glove_dictionary.npy", np.array(["great", "film"]))
    (tmp_path / "imdb_test_glove.txt").write_text("1\n0 2 0 0 0\n")
    reviews, vocabulary = read_reviews(tmp_path, "test", "glove")
    assert vocabulary == ["great", "film"]
    assert rows(reviews) == [[1], [0, 2, 0, 0, 0]]


def test_labelled_reviews_are_the_positive_and_negative_ones(tmp_path):
    reviews = read_reviews(write_folder(tmp_path), "train")[0].labelled()
    assert reviews.labels.tolist() == [1, 0]
    assert rows(reviews) == [[1, 2, 3, 4], [5, 2]]


def test_words_beyond_the_vocabulary_are_the_unknown_token(tmp_path):
    reviews, vocabulary = read_reviews(write_folder(tmp_path), "train", vocab_size=2)
    assert vocabulary == ["the", "film"]
    assert rows(reviews) == [[1, 2, 0, 0], [0, 2], [0, 1, 2]]


def test_a_larger_vocabulary_than_the_dictionary_keeps_all_words(tmp_path):
    reviews, vocabulary = read_reviews(write_folder(tmp_path), "train", vocab_size=8000)
    assert vocabulary == WORDS
    assert rows(reviews) == [[1, 2, 3, 4], [5, 2], [0, 1, 2]]


def test_token_and_table_files_that_do_not_belong_together_are_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "imdb_train.txt").write_text("1\n2\n")
    with pytest.raises(UserError, match="imdb_train.txt: 2 reviews, but imdb_train_reviews.tsv beside it has 3"):
        read_reviews(tmp_path, "train")


@pytest.mark.parametrize("name", ["imdb_dictionary.npy", "imdb_test.txt", "imdb_test_reviews.tsv"])
def test_each_missing_file_is_named(name, tmp_path):
    write_folder(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"{name}: no such file"):
        read_reviews(tmp_path, "test")


def test_embeddings_are_those_of_the_unknown_token_and_the_first_words(tmp_path):
    embeddings = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "glove_embeddings.npy", embeddings)
    np.testing.assert_array_equal(read_glove_embeddings(tmp_path, 2), embeddings[:3])


def test_vectors_are_found_by_word_and_are_zeros_for_words_without_one(tmp_path):
    np.save(tmp_path / "glove_dictionary.npy", np.array(["great", "film"]))
    np.save(tmp_path / "glove_embeddings.npy", np.array([[0, 0], [1, 2], [3, 4]], np.float32))
    found = read_vectors_of(tmp_path, ["film", "nowhere", "great"])
    np.testing.assert_array_equal(found, [[0, 0], [3, 4], [0, 0], [1, 2]])


@pytest.mark.parametrize("shape, kind", [((3, 2), "float32"), ((4, 2), "float64"), ((8,), "float32")],
                         ids=["too few", "double precision", "one number a word"])
def test_embeddings_that_are_no_float32_vector_for_each_word_are_refused(shape, kind, tmp_path):
    np.save(tmp_path / "glove_embeddings.npy", np.zeros(shape, kind))
    with pytest.raises(UserError, match="is not a float32 vector for each of 3 words"):
        read_glove_embeddings(tmp_path, 3)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_glove_embeddings_that_are_not_finite_are_refused(number, tmp_path):
    np.save(tmp_path / "glove_embeddings.npy", np.array([[0, 0], [1, number]], np.float32))
    with pytest.raises(UserError, match="glove_embeddings.npy: has NaN or infinite numbers"):
        read_glove_embeddings(tmp_path, 1)


def test_a_selection_has_its_own_reviews_alone():
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]], ["tt0", "tt1", "tt2"]).select(np.array([False, True, True]))
    assert (len(reviews), rows(reviews), reviews.films.tolist()) == (2, [[1, 2, 3], [9]], ["tt1", "tt2"])


def test_reviews_in_a_row_have_no_padding(device):
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]], device=device)
    token_ids, offsets, positions, of_review = reviews.row(torch.tensor([1, 2, 0]))
    assert token_ids.tolist() == [1, 2, 3, 9, 7, 8]
    assert offsets.tolist() == [0, 3, 4]
    assert torch.equal(reviews.token_ids[positions], token_ids)
    assert of_review.tolist() == [0, 0, 0, 1, 2, 2]


def test_each_word_of_a_review_stands_once_among_its_distinct_words_with_its_share(device):
    distinct, shares = make_reviews([[7, 0, 7, 7], [3, 1, 2, 1], [9]], device=device).distinct()
    assert rows(distinct) == [[0, 7], [1, 2, 3], [9]]
    assert shares.tolist() == [1 / 4, 3 / 4, 1 / 2, 1 / 4, 1 / 4, 1]


def test_the_distinct_words_of_a_selection_are_those_of_its_reviews():
    distinct, shares = make_reviews([[7, 8, 8], [1, 2, 1, 1], [9]]).select(np.array([False, True, True])).distinct()
    assert rows(distinct) == [[1, 2], [9]]
    assert shares.tolist() == [3 / 4, 1 / 4, 1]


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_distinct_words_do_not_depend_on_how_many_reviews_are_read_at_a_time(chunk, device, monkeypatch):
    monkeypatch.setattr("common.data.reviews.CHUNK", chunk)
    reviews = make_reviews([[7, 8, 8], [], [1, 2, 1, 1], [9]], device=device).reversed().select(np.arange(4) != 3)
    distinct, shares = reviews.distinct()
    assert rows(distinct) == [[7, 8], [], [1, 2]]
    torch.testing.assert_close(shares.tolist(), [1 / 3, 2 / 3, 3 / 4, 1 / 4])


def test_each_of_the_threads_that_read_chunks_computes_alone(monkeypatch):
    monkeypatch.setattr("common.data.reviews.CHUNK", 1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        found = make_reviews([[1], [2], [3], [4]]).by_chunks(lambda indices: (indices.item(), torch.get_num_threads()))
        assert found == [(0, 1), (1, 1), (2, 1), (3, 1)] and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_checksum_changes_with_tokens_labels_and_the_reviews_selected():
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]])
    labels = dataclasses.replace(reviews, labels=torch.tensor([0.0, 1.0, 0.0]))
    others = [make_reviews([[7, 8], [1, 2, 4], [9]]), make_reviews([[7, 8, 1], [2, 3], [9]]), labels,
              reviews.select(np.array([True, True, False]))]
    assert make_reviews([[7, 8], [1, 2, 3], [9]]).checksum() == reviews.checksum()
    assert reviews.checksum() not in [other.checksum() for other in others]


# An embedding that starts from word vectors

WORDS_OF_EMBEDDING, DIMENSIONS = 9, 4


def test_an_embedding_starts_from_vectors_standardised_by_dimension():
    embedding = nn.Embedding(WORDS_OF_EMBEDDING, DIMENSIONS)
    vectors = 3 + 5 * torch.randn(WORDS_OF_EMBEDDING, DIMENSIONS)
    vectors[0], vectors[1, 0] = 0, 0                                            # a word without one, and a number
    start_from(embedding, vectors)
    known = vectors[1:]
    torch.testing.assert_close(embedding.weight[1:], (known - known.mean(dim=0)) / known.std(dim=0, correction=0))


@pytest.mark.parametrize("width", [DIMENSIONS - 2, DIMENSIONS + 2])
def test_an_embedding_keeps_its_own_weights_where_there_are_no_vectors(width):
    embedding, vectors = nn.Embedding(WORDS_OF_EMBEDDING, width), torch.randn(WORDS_OF_EMBEDDING, DIMENSIONS)
    vectors[[0, 3]] = 0
    before = embedding.weight.clone()
    start_from(embedding, vectors)
    changed = embedding.weight != before
    expected = torch.zeros(WORDS_OF_EMBEDDING, width, dtype=torch.bool)
    expected[:, :DIMENSIONS] = True
    expected[[0, 3]] = False
    assert torch.equal(changed, expected)


def test_an_embedding_that_starts_from_one_vector_stays_finite():
    embedding, vectors = nn.Embedding(WORDS_OF_EMBEDDING, DIMENSIONS), torch.zeros(WORDS_OF_EMBEDDING, DIMENSIONS)
    vectors[2] = 1
    start_from(embedding, vectors)
    assert embedding.weight.isfinite().all()
