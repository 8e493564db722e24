"""Training, validation and test reviews."""

import numpy as np
import pytest
from small_reviews import TEST, TRAIN, make_reviews, rows, splits, write_folder

from common.data.splits import split_by_film
from common.errors import UserError


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


def test_reviews_of_no_known_film_are_split_one_by_one_with_a_note(capsys):
    train, validation = split_by_film(make_reviews([[k] for k in range(20)], [""] * 20), 0.25, seed=0)
    assert (len(train), len(validation)) == (15, 5)
    assert "splits by review, not by film, where the film is not known: 20 of 20 reviews" in capsys.readouterr().err
    split_by_film(films_of_sizes([1] * 20), 0.25, seed=0)
    assert capsys.readouterr().err == ""


def test_a_validation_share_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(UserError, match="--validation 0.5: leaves no training reviews"):
        split_by_film(films_of_sizes([10]), 0.5, seed=0)


def test_splits_are_the_labelled_reviews(tmp_path):
    reviews = splits(write_folder(tmp_path, test=TEST | {"0_0.txt\tunsup\t0\ttt13": "3"}))
    assert {split: rows(some) for split, some in reviews.items()} == {
        "train": [[1, 2, 3, 4], [5, 2]], "test": [[4], [1, 2, 3, 0, 5]]}


def test_splits_of_a_language_model_train_on_the_unlabelled_reviews_too(tmp_path):
    reviews = splits(write_folder(tmp_path), unlabelled=True)
    assert rows(reviews["train"]) == [[1, 2, 3, 4], [5, 2], [0, 1, 2]]


def test_reversed_splits_stand_from_the_last_word_to_the_first(tmp_path):
    assert rows(splits(write_folder(tmp_path), "--reversed")["train"]) == [[4, 3, 2, 1], [2, 5]]


def test_splits_follow_the_options(tmp_path):
    train = {f"{k}_9.txt\tpos\t9\ttt{k}": f"{k % 7 + 1} " * (k + 1) for k in range(40)}
    write_folder(tmp_path, train, words=["the", "film", "was", *"abcd"])
    reviews = splits(tmp_path, "--validation", "0.25", "--vocab-size", "3")
    assert (len(reviews["train"]), len(reviews["validation"])) == (30, 10)
    assert {k for some in reviews.values() for review in rows(some) for k in review} == {0, 1, 2, 3}


@pytest.mark.parametrize("unlabelled", [False, True])
def test_training_reviews_that_read_the_same_as_a_test_review_can_be_left_out(unlabelled, tmp_path):
    duplicates = {"1_1.txt\tneg\t1\ttt02": "1 2 3 0 5", "1_0.txt\tunsup\t0\ttt03": "4"}
    write_folder(tmp_path, TRAIN | duplicates | {"2_9.txt\tpos\t9\ttt01": "4 4"})
    kept = splits(tmp_path, "--drop-duplicates", unlabelled=unlabelled)
    assert rows(kept["train"]) == [[1, 2, 3, 4], [5, 2]] + [[0, 1, 2]] * unlabelled + [[4, 4]]
    assert rows(kept["test"]) == [[4], [1, 2, 3, 0, 5]]


@pytest.mark.parametrize("words", ["imdb", "glove"])
def test_reviews_that_only_read_the_same_without_rare_words_are_no_duplicates(words, tmp_path):
    train = {"0_9.txt\tpos\t9\ttt01": "1 4", "0_1.txt\tneg\t1\ttt02": "3 5", "1_1.txt\tneg\t1\ttt02": "1 2"}
    write_folder(tmp_path, train, {"0_8.txt\tpos\t8\ttt11": "3 4", "0_2.txt\tneg\t2\ttt12": "1 2"})
    np.save(tmp_path / "glove_dictionary.npy", np.array(["the"]))
    for split, ids in ("train", "1 0\n0 0\n1 0\n"), ("test", "0 0\n1 0\n"):
        (tmp_path / f"imdb_{split}_glove.txt").write_text(ids)
    assert len(splits(tmp_path, "--drop-duplicates", "--vocab-size", "1", words=words)["train"]) == 2


@pytest.mark.parametrize("split", ["train", "test"])
def test_too_few_reviews_are_refused(split, tmp_path):
    with pytest.raises(UserError, match=f"1 {split} reviews; at least two are needed"):
        splits(write_folder(tmp_path, **{split: {"0_8.txt\tpos\t8\ttt11": "4"}}))


def test_no_training_review_reads_the_same_as_a_validation_review(tmp_path):
    train = {f"{k}_9.txt\tpos\t9\ttt{k}": str(k // 2) for k in range(40)}    # each twice, of two films
    reviews = splits(write_folder(tmp_path, train, words=[str(k) for k in range(20)]), "--validation", "0.25")
    trained, validated = ({review[0] for review in rows(reviews[split])} for split in ("train", "validation"))
    assert len(reviews["validation"]) == 10 and trained == set(range(20)) - validated


def test_a_language_model_holds_out_the_films_that_a_classifier_does(tmp_path):
    kinds = ["pos", "neg", "unsup"]
    train = {f"{k}_9.txt\t{kinds[k % 3]}\t9\ttt{k % 20}": str(k) for k in range(60)}
    write_folder(tmp_path, train, words=[str(k) for k in range(60)])
    classifier, language_model = (splits(tmp_path, "--validation", "0.25", unlabelled=some) for some in (False, True))
    held_out = {film for film in classifier["validation"].films}
    assert {film for film in language_model["validation"].films} == held_out
    assert not held_out & {film for film in language_model["train"].films}
