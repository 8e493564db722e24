"""Preprocessed files to reviews in memory, and their splits."""

import dataclasses
from math import nan

import numpy as np
import pytest
import torch

from common.data.reviews import (build_reviews, read_glove_embeddings, read_reviews, read_splits, split_by_film,
                                 without_stop_words)
from common.errors import UserError
from common.options import parse_options

WORDS = ["the", "film", "was", "great", "bad"]
TRAIN = {"0_9.txt\tpos\t9\ttt01": "1 2 3 4", "0_1.txt\tneg\t1\ttt02": "5 2", "0_0.txt\tunsup\t0\ttt03": "0 1 2"}
TEST = {"0_8.txt\tpos\t8\ttt11": "4", "0_2.txt\tneg\t2\ttt12": "1 2 3 0 5"}


def write_folder(folder, train=TRAIN, test=TEST, words=WORDS):
    """Preprocessed files of reviews given as {line of the review table: line of token ids}."""
    np.save(folder / "imdb_dictionary.npy", np.array(words))
    for split, reviews in ("train", train), ("test", test):
        (folder / f"imdb_{split}.txt").write_text("".join(line + "\n" for line in reviews.values()))
        (folder / f"imdb_{split}_reviews.tsv").write_text("".join(line + "\n" for line in reviews))
    return folder


def make_reviews(token_ids, films=None, device="cpu"):
    return build_reviews(np.array(sum(token_ids, []), np.int32), np.array([len(review) for review in token_ids]),
                         [0.0] * len(token_ids), films or [""] * len(token_ids), device)


def rows(reviews):
    """Token ids of each review, as lists."""
    return [row.tolist() for row in reviews.rows()]


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


def test_stop_words_are_left_out_of_the_reviews(tmp_path):
    reviews, vocabulary = read_reviews(write_folder(tmp_path), "train", drop_stop_words=True)
    assert vocabulary == WORDS
    assert rows(reviews) == [[2, 4], [5, 2], [0, 2]]


def test_a_review_of_stop_words_alone_becomes_one_unknown_token():
    token_ids, lengths = without_stop_words(np.array([1, 3, 4, 1, 3, 1], np.int32), np.array([1, 2, 3]), WORDS)
    assert token_ids.tolist() == [0, 4, 0]
    assert lengths.tolist() == [1, 1, 1]


def test_negations_are_no_stop_words():
    words = ["not", "n't", "no", "never", "the"]
    token_ids, _ = without_stop_words(np.array([1, 2, 3, 4, 5], np.int32), np.array([5]), words)
    assert token_ids.tolist() == [1, 2, 3, 4]


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


def test_fewer_embeddings_than_words_are_refused(tmp_path):
    np.save(tmp_path / "glove_embeddings.npy", np.zeros((3, 2), np.float32))
    with pytest.raises(UserError, match="glove_embeddings.npy: "):
        read_glove_embeddings(tmp_path, 5)


def test_a_selection_has_its_own_reviews_alone():
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]], ["tt0", "tt1", "tt2"]).select(np.array([False, True, True]))
    assert (len(reviews), rows(reviews), reviews.films.tolist()) == (2, [[1, 2, 3], [9]], ["tt1", "tt2"])


def test_reviews_in_a_row_have_no_padding(device):
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]], device=device)
    token_ids, offsets, positions = reviews.row(torch.tensor([1, 2, 0]))
    assert token_ids.tolist() == [1, 2, 3, 9, 7, 8]
    assert offsets.tolist() == [0, 3, 4]
    assert torch.equal(reviews.token_ids[positions], token_ids)


def test_each_word_of_a_review_stands_once_among_its_distinct_words_with_its_share(device):
    distinct, shares = make_reviews([[7, 0, 7, 7], [3, 1, 2, 1], [9]], device=device).distinct()
    assert rows(distinct) == [[0, 7], [1, 2, 3], [9]]
    assert shares.tolist() == [1 / 4, 3 / 4, 1 / 2, 1 / 4, 1 / 4, 1]


def test_the_distinct_words_of_a_selection_are_those_of_its_reviews():
    distinct, shares = make_reviews([[7, 8, 8], [1, 2, 1, 1], [9]]).select(np.array([False, True, True])).distinct()
    assert rows(distinct) == [[1, 2], [9]]
    assert shares.tolist() == [3 / 4, 1 / 4, 1]


def test_the_checksum_changes_with_tokens_labels_and_the_reviews_selected():
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]])
    labels = dataclasses.replace(reviews, labels=torch.tensor([0.0, 1.0, 0.0]))
    others = [make_reviews([[7, 8], [1, 2, 4], [9]]), make_reviews([[7, 8, 1], [2, 3], [9]]), labels,
              reviews.select(np.array([True, True, False]))]
    assert make_reviews([[7, 8], [1, 2, 3], [9]]).checksum() == reviews.checksum()
    assert reviews.checksum() not in [other.checksum() for other in others]


def films_of_sizes(sizes):
    """Reviews in shuffled order, sizes[k] of them about film k."""
    films = np.random.default_rng(0).permutation(np.repeat([f"tt{k}" for k in range(len(sizes))], sizes))
    return make_reviews([[k + 1] for k in range(sum(sizes))], films.tolist())


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_validation_holds_about_the_share_and_no_film_of_the_training_reviews(fraction):
    reviews = films_of_sizes([1 + k % 7 for k in range(100)])
    train, validation = split_by_film(reviews, fraction, seed=3)
    assert not set(train.films) & set(validation.films)
    assert 0 <= len(validation) - fraction * len(reviews) < 7
    assert sorted(sum(rows(train) + rows(validation), [])) == list(range(1, len(reviews) + 1))


def test_the_seed_decides_the_validation_reviews():
    reviews = films_of_sizes([3] * 40)
    first, again, other = (rows(split_by_film(reviews, 0.25, seed)[1]) for seed in (0, 0, 1))
    assert first == again != other


def test_reviews_of_no_known_film_are_split_one_by_one():
    train, validation = split_by_film(make_reviews([[k] for k in range(20)]), 0.25, seed=0)
    assert (len(train), len(validation)) == (15, 5)


def test_a_validation_share_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(UserError, match="--validation 0.5: leaves no training reviews"):
        split_by_film(films_of_sizes([10]), 0.5, seed=0)


def splits(folder, *argv, **keywords):
    options = parse_options("", __file__, ["--data", str(folder), *argv], vocab_size=100, drop_stop_words=False,
                            validation=0.0, drop_duplicates=False, pseudo_labels=None)
    return read_splits(options, **keywords)[0]


def test_splits_are_the_labelled_reviews(tmp_path):
    reviews = splits(write_folder(tmp_path))
    assert {split: rows(some) for split, some in reviews.items()} == {
        "train": [[1, 2, 3, 4], [5, 2]], "test": [[4], [1, 2, 3, 0, 5]]}


def test_splits_of_a_language_model_train_on_the_unlabelled_reviews_too(tmp_path):
    reviews = splits(write_folder(tmp_path), unlabelled=True)
    assert rows(reviews["train"]) == [[1, 2, 3, 4], [5, 2], [0, 1, 2]]


def test_splits_follow_the_options(tmp_path):
    train = {f"{k}_9.txt\tpos\t9\ttt{k}": f"1 {k % 5 + 1}" for k in range(40)}
    reviews = splits(write_folder(tmp_path, train), "--validation", "0.25", "--vocab-size", "3", "--drop-stop-words")
    assert (len(reviews["train"]), len(reviews["validation"])) == (30, 10)
    assert {k for some in reviews.values() for review in rows(some) for k in review} == {0, 2}


@pytest.mark.parametrize("unlabelled", [False, True])
def test_training_reviews_that_read_the_same_as_a_test_review_can_be_left_out(unlabelled, tmp_path):
    duplicates = {"1_1.txt\tneg\t1\ttt02": "1 2 3 0 5", "1_0.txt\tunsup\t0\ttt03": "4"}
    write_folder(tmp_path, TRAIN | duplicates | {"2_9.txt\tpos\t9\ttt01": "4 4"})
    kept = splits(tmp_path, "--drop-duplicates", unlabelled=unlabelled)
    assert rows(kept["train"]) == [[1, 2, 3, 4], [5, 2]] + [[0, 1, 2]] * unlabelled + [[4, 4]]
    assert rows(kept["test"]) == [[4], [1, 2, 3, 0, 5]]


def write_pseudo_labels(folder, *probabilities):
    np.save(folder / "pseudo_labels.npy", np.array(probabilities, dtype=np.float32))
    return "--pseudo-labels", str(folder / "pseudo_labels.npy")


def test_pseudo_labels_add_the_unlabelled_reviews_to_the_training_reviews(tmp_path):
    unlabelled = {"1_0.txt\tunsup\t0\ttt03": "4", "2_0.txt\tunsup\t0\ttt03": "5 5"}
    write_folder(tmp_path, TRAIN | unlabelled)                                  # TRAIN has one more, the third
    reviews = splits(tmp_path, *write_pseudo_labels(tmp_path, nan, nan, 0.4, 0.5, 0.9), "--drop-duplicates")["train"]
    assert rows(reviews) == [[1, 2, 3, 4], [5, 2], [0, 1, 2], [5, 5]]           # [4] is a test review
    assert reviews.labels.tolist() == [1, 0, 0, 1]
    assert reviews.films.tolist() == ["tt01", "tt02", "tt03", "tt03"]


def test_no_pseudo_label_is_validated_on(tmp_path):
    train = {f"{k}_9.txt\t{'unsup' if k % 2 else 'pos'}\t9\ttt{k}": "1 2" if k % 2 else "1" for k in range(40)}
    write_folder(tmp_path, train)
    pseudo_labels = write_pseudo_labels(tmp_path, *[0.1 if k % 2 else nan for k in range(40)])
    reviews = splits(tmp_path, *pseudo_labels, "--validation", "0.25")
    assert reviews["validation"].labels.tolist() == [1] * 5
    assert reviews["train"].labels.tolist() == [1] * 15 + [0] * 20


def test_no_duplicate_of_a_validation_review_is_learned_from(tmp_path):
    train = {f"{k}_9.txt\t{'unsup' if k % 2 else 'pos'}\t9\ttt{k}": str(k // 2) for k in range(40)}   # all twice
    write_folder(tmp_path, train, words=[str(k) for k in range(20)])
    pseudo_labels = write_pseudo_labels(tmp_path, *[0.1 if k % 2 else nan for k in range(40)])
    reviews = splits(tmp_path, *pseudo_labels, "--validation", "0.25")
    learned, validated = ([review[0] for review in rows(reviews[split])] for split in ("train", "validation"))
    assert len(validated) == 5 and sorted(learned) == sorted(2 * list(set(range(20)) - set(validated)))


@pytest.mark.parametrize("probabilities", [(nan, nan), (nan, 0.5, nan), (0.1, 0.2, 0.3), (nan, nan, 1.5)])
def test_pseudo_labels_of_other_reviews_are_refused(probabilities, tmp_path):
    write_folder(tmp_path)
    with pytest.raises(UserError, match="pseudo_labels.npy: holds no probabilities of these reviews; make it anew"):
        splits(tmp_path, *write_pseudo_labels(tmp_path, *probabilities))


def test_missing_pseudo_labels_are_refused_with_the_way_to_make_them(tmp_path):
    write_folder(tmp_path)
    with pytest.raises(UserError, match="none.npy: no such file; make it with 1a's teacher, as README.md shows$"):
        splits(tmp_path, "--pseudo-labels", str(tmp_path / "none.npy"))


def test_too_few_reviews_are_refused(tmp_path):
    with pytest.raises(UserError, match="1 test reviews; at least two are needed"):
        splits(write_folder(tmp_path, test={"0_8.txt\tpos\t8\ttt11": "4"}))
