"""A record tells which data a run is of."""

import argparse
import json

import numpy as np
import pytest
import torch

from common.data.corpus import describe_data
from common.data.pseudo_labels import write_pseudo_labels
from common.data.reviews import read_reviews
from common.data.splits import split_by_film
from common.data.token_files import IMDB

TEACHER = dict(validation=0.0, seed=0, drop_duplicates=False)


@pytest.fixture
def folder(tmp_path):
    """Preprocessed files of four reviews a split."""
    return write_data(tmp_path / "data", "1 2\n2 1\n3 1 1\n2\n")


def write_data(folder, lines, films="abcd", labels=("pos", "pos", "neg", "neg")):
    folder.mkdir()
    np.save(folder / "imdb_dictionary.npy", np.array(["the", "film", "was"]))
    for split in "train", "test":
        (folder / f"imdb_{split}.txt").write_text(lines)
        (folder / f"imdb_{split}_reviews.tsv").write_text("".join(
            f"{k}.txt\t{label}\t\t{film}\n" for k, (label, film) in enumerate(zip(labels, films))))
    return folder


def describe(folder, seed=0, vocab_size=None, **more):
    train, test = (read_reviews(folder, split, vocab_size=vocab_size)[0] for split in ("train", "test"))
    train, _ = split_by_film(train, 0.3, seed)
    return describe_data(argparse.Namespace(data=folder, **more), train, test)


def test_the_seed_of_a_validation_split_makes_no_other_data(folder):
    assert describe(folder, 0) == describe(folder, 1)


@pytest.mark.parametrize("other", [dict(films="abce"), dict(labels=["pos", "neg"] * 2)])
def test_other_films_or_labels_are_other_data(other, folder, tmp_path):
    assert describe(folder) != describe(write_data(tmp_path / "other", "1 2\n2 1\n3 1 1\n2\n", **other))


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_words_in_either_split_are_other_data(split, folder):
    before = describe(folder)
    (folder / f"imdb_{split}.txt").write_text("1 2\n2 1\n3 1 1\n2 2\n")
    assert describe(folder) != before


def test_other_word_vectors_are_other_data(folder):
    train, test = (read_reviews(folder, split)[0] for split in ("train", "test"))
    options = argparse.Namespace(data=folder)
    found = [describe_data(options, train, test, glove) for glove in (None, torch.zeros(4, 2), torch.ones(4, 2))]
    assert len({str(some) for some in found}) == 3


def test_another_language_model_is_other_data(folder, tmp_path):
    for content in b"one", b"two":
        (tmp_path / content.decode()).write_bytes(content)
    assert describe(folder, language_model=tmp_path / "one") != describe(folder, language_model=tmp_path / "two")


def test_labels_of_another_teacher_are_other_data_and_those_of_another_seed_are_not(folder, tmp_path):
    def described(part, **options):
        unlabelled = (folder / "imdb_train_reviews.tsv").read_text().count("\tunsup\t")
        write_pseudo_labels(tmp_path / "labels.npz", torch.zeros(unlabelled), folder, part, TEACHER | options)
        return describe(folder, pseudo_labels=tmp_path / "labels.npz")
    assert described("1a") == described("1a", seed=1)
    assert described("1a") != described("3c")
    assert described("1a", epochs=3) != described("1a", epochs=4)


def test_the_sample_is_known_by_its_statistics(folder):
    assert describe(folder)["name"] == "other"
    (folder / "statistics.json").write_text(json.dumps({"tokenizer": {"sample_seed": 0}}))
    assert (describe(folder)["name"], describe(folder)["test_reviews"]) == ("sample", 4)
    for broken in b"", b"[]", b"{}", b'{"tokenizer": null}', b"\xff":
        (folder / "statistics.json").write_bytes(broken)
        assert describe(folder)["name"] == "other"


def test_a_dataset_is_known_by_its_texts_whatever_its_size(folder):
    (folder / "statistics.json").write_text(json.dumps({"test_texts": IMDB}))
    assert describe(folder)["name"] == "imdb"
    (folder / "statistics.json").write_text(json.dumps({"test_texts": IMDB + 1}))
    assert describe(folder)["name"] == "other"


def test_the_names_of_labels_are_kept(folder):
    assert "negative" not in describe(folder)
    (folder / "statistics.json").write_text(json.dumps({"labels": ["ham", "spam"]}))
    assert (describe(folder)["negative"], describe(folder)["positive"]) == ("ham", "spam")
