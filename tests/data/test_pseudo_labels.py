"""Labels of a trained model for the unlabelled reviews."""

from math import nan

import numpy as np
import pytest
import torch
from small_reviews import TRAIN, rows, splits, write_folder

from common.data.pseudo_labels import write_pseudo_labels
from common.errors import UserError

TEACHER = dict(validation=0.0, seed=0, drop_duplicates=False)
NAMES = [str(k) for k in range(40)]
# Reviews of a word each, every second one without a label.
WORDS = {f"{k}_9.txt\t{'unsup' if k % 2 else 'pos'}\t9\ttt{k}": str(k) for k in range(40)}


def labels(folder, *probabilities, **teacher):
    """Options that name a file of these probabilities, nan for reviews with a label."""
    found = torch.tensor([probability for probability in probabilities if probability == probability])
    write_pseudo_labels(folder / "labels.npz", found, folder, "1a", TEACHER | teacher)
    return "--pseudo-labels", str(folder / "labels.npz")


def test_they_add_the_unlabelled_reviews_to_the_training_reviews(tmp_path):
    unlabelled = {"1_0.txt\tunsup\t0\ttt03": "4", "2_0.txt\tunsup\t0\ttt03": "5 5"}
    write_folder(tmp_path, TRAIN | unlabelled)                                  # TRAIN has one more, the third
    options = labels(tmp_path, nan, nan, 0.4, 0.5, 0.9, drop_duplicates=True)
    reviews = splits(tmp_path, *options, "--drop-duplicates")["train"]
    assert rows(reviews) == [[1, 2, 3, 4], [5, 2], [0, 1, 2], [5, 5]]           # [4] is a test review
    assert reviews.labels.tolist() == [1, 0, 0, 1]
    assert reviews.films.tolist() == ["tt01", "tt02", "tt03", "tt03"]


def test_no_review_with_one_is_validated_on(tmp_path):
    write_folder(tmp_path, WORDS, words=NAMES)
    options = labels(tmp_path, *[0.1 if k % 2 else nan for k in range(40)], validation=0.25)
    reviews = splits(tmp_path, *options, "--validation", "0.25")
    assert reviews["validation"].labels.tolist() == [1] * 5
    assert reviews["train"].labels.tolist() == [1] * 15 + [0] * 20


def test_no_duplicate_of_a_validation_review_is_trained_on(tmp_path):
    train = {line: str(int(word) // 2) for line, word in WORDS.items()}         # each labelled review once without
    write_folder(tmp_path, train, words=NAMES)
    options = labels(tmp_path, *[0.1 if k % 2 else nan for k in range(40)], validation=0.25)
    reviews = splits(tmp_path, *options, "--validation", "0.25")
    trained, validated = ([review[0] for review in rows(reviews[split])] for split in ("train", "validation"))
    assert len(validated) == 5 and sorted(trained) == sorted(2 * list(set(range(20)) - set(validated)))


def test_no_review_of_a_validation_film_is_trained_on(tmp_path):
    train = {line.replace(f"tt{k}", f"tt{k // 2}"): word for k, (line, word) in enumerate(WORDS.items())}
    write_folder(tmp_path, train, words=NAMES)
    options = labels(tmp_path, *[0.1 if k % 2 else nan for k in range(40)], validation=0.25)
    reviews = splits(tmp_path, *options, "--validation", "0.25")
    assert (len(reviews["validation"]), len(reviews["train"])) == (5, 30)
    assert not set(reviews["validation"].films) & set(reviews["train"].films)


def test_reviews_of_no_known_film_are_trained_on_where_one_is_validated_on(tmp_path):
    train = {line[:line.rindex("\t") + 1]: word for line, word in WORDS.items()}
    write_folder(tmp_path, train, words=NAMES)
    options = labels(tmp_path, *[0.1 if k % 2 else nan for k in range(40)], validation=0.25)
    reviews = splits(tmp_path, *options, "--validation", "0.25")
    assert (len(reviews["validation"]), len(reviews["train"])) == (5, 35)


def test_a_teacher_that_has_seen_the_validation_reviews_is_refused(tmp_path):
    write_folder(tmp_path, WORDS, words=NAMES)
    options = labels(tmp_path, *[0.1 if k % 2 else nan for k in range(40)])
    with pytest.raises(UserError, match="labels.npz: its teacher was trained with another --validation,"):
        splits(tmp_path, *options, "--validation", "0.25")


@pytest.mark.parametrize("probabilities", [(nan, nan), (nan, 0.5, nan), (0.1, 0.2, 0.3)])
def test_labels_that_do_not_fit_the_reviews_are_refused(probabilities, tmp_path):
    write_folder(tmp_path)
    _, path = labels(tmp_path, nan, nan, 0.5)
    change(path, probabilities=np.array(probabilities))
    with pytest.raises(UserError, match="labels.npz: holds the labels of other reviews than those in --data"):
        splits(tmp_path, "--pseudo-labels", path)


def test_labels_of_other_reviews_of_the_same_number_are_refused(tmp_path):
    options = labels(write_folder(tmp_path), nan, nan, 0.4)
    write_folder(tmp_path, dict(zip([line.replace("tt0", "tt9") for line in TRAIN], TRAIN.values())))
    with pytest.raises(UserError, match="labels.npz: holds the labels of other reviews than those in --data"):
        splits(tmp_path, *options)


@pytest.mark.parametrize("kind", ["float64", "float16", ">f4", "U9"])
def test_labels_of_another_number_format_are_read(kind, tmp_path):
    write_folder(tmp_path)
    _, path = labels(tmp_path, nan, nan, 0.5)
    change(path, probabilities=np.array([nan, nan, 0.5], kind))
    assert splits(tmp_path, "--pseudo-labels", path)["train"].labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("found", [
    dict(probabilities=np.float32([nan, nan, 3])), dict(probabilities=np.float32([nan, nan, -3])),
    dict(probabilities=np.array(["", "", "good"])), dict(reviews=np.array([1, 2])), dict(seed=np.array([0, 1]))],
    ids=["a positive logit", "a negative logit", "words", "reviews", "seeds"])
def test_other_numbers_are_refused(found, tmp_path):
    write_folder(tmp_path)
    _, path = labels(tmp_path, nan, nan, 0.5)
    change(path, **found)
    with pytest.raises(UserError, match="labels.npz: holds no labels"):
        splits(tmp_path, "--pseudo-labels", path)


def change(path, **found):
    with np.load(path) as file:
        np.savez(path, **dict(file) | found)


def test_a_missing_file_is_refused_with_the_way_to_make_it(tmp_path):
    write_folder(tmp_path)
    with pytest.raises(UserError, match="none.npz: no such file; make it with `1a/BOW_sentiment_analysis.py --recipe"):
        splits(tmp_path, "--pseudo-labels", str(tmp_path / "none.npz"))


@pytest.mark.parametrize("write", [
    lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"soup"),
    lambda path: path.write_bytes(b"PK\x03\x04 cut off"), lambda path: np.save(open(path, "wb"), np.zeros(3))],
    ids=["empty", "text", "cut off", "array"])
def test_a_file_that_holds_no_labels_is_refused(write, tmp_path):
    write_folder(tmp_path)
    write(tmp_path / "labels.npz")
    with pytest.raises(UserError, match="labels.npz: holds no labels"):
        splits(tmp_path, "--pseudo-labels", str(tmp_path / "labels.npz"))
