"""The embedded sample: what its reviews look like, and that word order decides them."""

import collections
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from parts import ROOT, TRAINING_SCRIPTS

from common.preprocessing.sample_corpus import sample_reviews

RATINGS = {"pos": range(7, 11), "neg": range(1, 5), "unsup": range(1)}


@pytest.fixture(scope="module")
def reviews():
    return sample_reviews()


def folder(reviews, split, label):
    return [review for review in reviews if (review.split, review.label) == (split, label)]


def words(review):
    return re.findall(r"[\w']+", review.text.replace("<br />", " ").lower())


def pairs(reviews, split):
    return list(zip(folder(reviews, split, "pos"), folder(reviews, split, "neg"), strict=True))


def is_mirrored(pos, neg):
    return collections.Counter(words(pos)) == collections.Counter(words(neg))


def test_folders_have_their_sizes(reviews):
    sizes = collections.Counter((review.split, review.label) for review in reviews)
    assert sizes == {("train", "pos"): 600, ("train", "neg"): 600, ("train", "unsup"): 600,
                     ("test", "pos"): 300, ("test", "neg"): 300}


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_same_seed_gives_the_same_reviews_in_another_process(reviews, hash_seed):
    code = ("import hashlib; from common.preprocessing.sample_corpus import sample_reviews; "
            "print(hashlib.sha256(repr(sample_reviews()).encode()).hexdigest())")
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": hash_seed})
    assert other.stdout.strip() == hashlib.sha256(repr(reviews).encode()).hexdigest()


def test_another_seed_gives_other_reviews(reviews):
    assert not {review.text for review in sample_reviews(seed=1)} >= {review.text for review in reviews}


def test_names_count_from_zero_and_end_in_a_rating_that_fits_the_label(reviews):
    for split, label in {(review.split, review.label) for review in reviews}:
        for k, review in enumerate(folder(reviews, split, label)):
            assert review.name == f"{k}_{review.rating}.txt"
            assert review.rating in RATINGS[label]


def test_each_film_has_at_most_six_reviews_and_a_valid_id(reviews):
    counts = collections.Counter(review.film for review in reviews)
    assert all(re.fullmatch(r"tt\d{7}", film) for film in counts)
    assert max(counts.values()) <= 6


def test_test_films_are_not_in_train(reviews):
    train_films = {review.film for review in reviews if review.split == "train"}
    assert not [review for review in reviews if review.split == "test" and review.film in train_films]


def test_every_text_is_distinct(reviews):
    assert len({review.text for review in reviews}) == len(reviews)


def test_train_knows_every_word_of_the_test_reviews(reviews):
    known = {word for review in reviews if review.split == "train" for word in words(review)}
    assert {word for review in reviews if review.split == "test" for word in words(review)} <= known


def test_lengths_are_those_of_short_reviews_and_vary(reviews):
    lengths = [len(words(review)) for review in reviews]
    assert 8 <= min(lengths) < 20 and 50 < max(lengths) <= 75


def test_no_slot_is_left_unfilled(reviews):
    assert not [review.text for review in reviews if re.search(r"[{}]", review.text)]


def test_texts_hold_line_breaks_abbreviations_and_contractions(reviews):
    text = " ".join(review.text for review in reviews)
    assert all(text.count(form) > 50 for form in ("<br /><br />", "Dr. ", "Mr. ", "n't ", "'s "))


@pytest.mark.parametrize("split", ["train", "test"])
def test_half_of_the_pairs_hold_the_same_words_in_another_order(reviews, split):
    same_bag = [(pos, neg) for pos, neg in pairs(reviews, split) if is_mirrored(pos, neg)]
    assert 0.4 < len(same_bag) / len(pairs(reviews, split)) < 0.6
    assert all(pos.film == neg.film and words(pos) != words(neg) for pos, neg in same_bag)


def test_word_counts_tell_some_reviews_but_far_from_all(reviews):
    labelled = [review for review in reviews if review.label != "unsup"]
    vocabulary = {word: k for k, word in enumerate(sorted({w for review in labelled for w in words(review)}))}
    counts = np.zeros((len(labelled), len(vocabulary)))  # review, word
    for row, review in zip(counts, labelled):
        np.add.at(row, [vocabulary[word] for word in words(review)], 1)
    positive = np.array([review.label == "pos" for review in labelled])
    train = np.array([review.split == "train" for review in labelled])

    # Logistic regression by plain gradient descent; the classes are balanced, so it needs no bias.
    weights = np.zeros(len(vocabulary))
    for _ in range(200):
        error = 1 / (1 + np.exp(-counts[train] @ weights)) - positive[train]
        weights -= 0.2 * counts[train].T @ error / train.sum()
    accuracy = np.mean((counts[~train] @ weights > 0) == positive[~train])
    assert 0.6 < accuracy < 0.85


@pytest.mark.slow
def test_an_lstm_learns_what_a_bag_of_words_cannot(run, data, tmp_path):
    """Word order tells praise from blame in half of the reviews, so a bag of words has about 75 % to win."""
    small = ["--data", data, "--epochs", "12", "--batch-size", "50", "--learning-rate", "0.003"]
    accuracy = {}
    for part, options in ("1a", []), ("2a", ["--hidden-units", "64", "--sequence-length", "50"]):
        done = run(ROOT / TRAINING_SCRIPTS[part], *small, *options, "--output", tmp_path / part)
        assert done.returncode == 0, done.stderr
        accuracy[part] = np.load(tmp_path / part / "data.npy")[2, -1]
    assert accuracy["1a"] < 0.85
    assert accuracy["2a"] > accuracy["1a"] + 0.1
