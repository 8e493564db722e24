"""Preprocessed files to reviews in memory, and the batches drawn from them."""

from math import nan

import numpy as np
import pytest
import torch

from common.data.reviews import (Reviews, mean_vectors, read_glove_embeddings, read_reviews, read_splits, split_by_film,
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
    lengths = torch.tensor([len(review) for review in token_ids], device=device)
    return Reviews(torch.tensor(sum(token_ids, []), dtype=torch.int32, device=device), lengths.cumsum(0) - lengths,
                   lengths, torch.zeros(len(lengths), device=device),
                   np.array(films or [f"tt{k}" for k in range(len(lengths))]))


def rows(reviews):
    """Token ids of each review, as lists."""
    x, lengths = reviews.whole(torch.arange(len(reviews)))
    return [review[:length].tolist() for review, length in zip(x, lengths)]


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


def test_a_crop_is_a_stretch_of_its_review(device):
    reviews = make_reviews([list(range(100 * k, 100 * k + 30)) for k in range(1, 6)], device=device)
    indices = torch.tensor([4, 0, 2], device=device)
    x = reviews.crops(indices, 10)
    assert x.shape == (3, 10) and x.dtype == torch.int64
    assert (x.diff(dim=1) == 1).all()
    assert (x // 100).tolist() == [[5] * 10, [1] * 10, [3] * 10]
    assert (x % 100 < 30).all()


def test_the_last_tokens_of_a_review_can_be_taken():
    reviews = make_reviews([[1, 2, 3, 4, 5], [6, 7], [8, 9, 10]])
    states = torch.get_rng_state()
    assert reviews.crops(torch.tensor([2, 0, 1]), 3, last=True).tolist() == [[8, 9, 10], [3, 4, 5], [6, 7, 0]]
    assert torch.equal(torch.get_rng_state(), states)


def test_every_start_of_a_crop_is_drawn():
    torch.manual_seed(0)
    reviews = make_reviews([[9, 9], [0, 1, 2, 3, 4, 5], [9, 9]])
    starts = reviews.crops(torch.ones(2000, dtype=torch.long), 3)[:, 0]
    counts = starts.bincount()
    assert len(counts) == 4
    assert (counts > 400).all()     # 500 each are expected


def test_a_short_review_stands_at_the_start_and_is_padded_with_0():
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]])
    x = reviews.crops(torch.tensor([0, 2, 1]), 5)
    assert x.tolist() == [[7, 8, 0, 0, 0], [9, 0, 0, 0, 0], [1, 2, 3, 0, 0]]


def test_a_review_of_the_crops_length_is_taken_whole():
    reviews = make_reviews([[5, 6, 7], [1, 2, 3]])
    assert reviews.crops(torch.tensor([1, 0]), 3).tolist() == [[1, 2, 3], [5, 6, 7]]


def test_crops_of_two_draws_differ_and_a_seed_repeats_them():
    reviews = make_reviews([list(range(1000))] * 4)
    torch.manual_seed(1)
    first, second = (reviews.crops(torch.arange(4), 10) for _ in range(2))
    torch.manual_seed(1)
    assert not torch.equal(first, second)
    assert torch.equal(first, reviews.crops(torch.arange(4), 10))


def test_whole_reviews_are_padded_to_the_longest_of_the_batch():
    reviews = make_reviews([[7, 8], [1, 2, 3, 4], [9]])
    x, lengths = reviews.whole(torch.tensor([2, 0]))
    assert x.tolist() == [[9, 0], [7, 8]]
    assert lengths.tolist() == [1, 2]


def test_bags_are_whole_reviews_in_a_row(device):
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]], device=device)
    token_ids, offsets, shares = reviews.bags(torch.tensor([1, 2, 0], device=device))
    assert token_ids.tolist() == [1, 2, 3, 9, 7, 8]
    assert offsets.tolist() == [0, 3, 4]
    torch.testing.assert_close(shares, torch.tensor([1 / 3, 1 / 3, 1 / 3, 1, 1 / 2, 1 / 2], device=device))


def test_bags_of_a_selection_are_its_own_reviews():
    reviews = make_reviews([[7, 8], [1, 2, 3], [9]]).select(np.array([False, True, True]))
    token_ids, offsets, _ = reviews.bags(torch.tensor([0, 1]))
    assert token_ids.tolist() == [1, 2, 3, 9]
    assert offsets.tolist() == [0, 3]


def test_distinct_bags_hold_each_word_of_a_review_once_with_its_share(device):
    reviews = make_reviews([[7, 0, 7, 7], [3, 1, 2, 1], [9]], device=device).distinct()
    token_ids, offsets, shares = reviews.bags(torch.tensor([1, 0, 2], device=device))
    assert token_ids.tolist() == [1, 2, 3, 0, 7, 9]
    assert offsets.tolist() == [0, 3, 5]
    assert shares.tolist() == [1 / 2, 1 / 4, 1 / 4, 1 / 4, 3 / 4, 1]


def test_distinct_bags_of_a_selection_are_those_of_its_reviews():
    reviews = make_reviews([[7, 8, 8], [1, 2, 1], [9]]).select(np.array([False, True, True])).distinct()
    assert rows(reviews) == [[1, 2], [9]]


def test_mean_vectors_are_plain_means_of_the_known_tokens(device):
    embeddings = torch.randn(6, 4, device=device)
    embeddings[0] = 0
    token_ids = [[1, 0, 5, 5], [2], [0, 0, 3], [4, 1, 2]]
    expected = [torch.stack([embeddings[k] for k in review if k]).mean(dim=0) for review in token_ids]
    found = mean_vectors(make_reviews(token_ids, device=device), embeddings, batch_size=3)
    torch.testing.assert_close(found, torch.stack(expected))


def test_the_mean_vector_of_a_review_without_known_tokens_is_zero():
    embeddings = torch.ones(3, 4)
    embeddings[0] = 0
    assert mean_vectors(make_reviews([[0, 0], [1]]), embeddings).tolist() == [[0.0] * 4, [1.0] * 4]


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


def splits(folder, *argv, **keywords):
    options = parse_options("", __file__, ["--data", str(folder), *argv], vocab_size=100, drop_stop_words=False,
                            validation=0.0, drop_copies=False, pseudo_labels=None)
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
def test_training_reviews_that_are_test_reviews_word_for_word_can_be_left_out(unlabelled, tmp_path):
    copies = {"1_1.txt\tneg\t1\ttt02": "1 2 3 0 5", "1_0.txt\tunsup\t0\ttt03": "4"}
    write_folder(tmp_path, TRAIN | copies | {"2_9.txt\tpos\t9\ttt01": "4 4"})
    kept = splits(tmp_path, "--drop-copies", unlabelled=unlabelled)
    assert rows(kept["train"]) == [[1, 2, 3, 4], [5, 2]] + [[0, 1, 2]] * unlabelled + [[4, 4]]
    assert rows(kept["test"]) == [[4], [1, 2, 3, 0, 5]]


@pytest.mark.parametrize("words", ["imdb", "glove"])
@pytest.mark.parametrize("argv", [["--vocab-size", "1"], ["--drop-stop-words"]], ids=["rare words", "stop words"])
def test_reviews_that_only_read_the_same_without_some_words_are_no_copies(argv, words, tmp_path):
    train = {"0_9.txt\tpos\t9\ttt01": "1 4", "0_1.txt\tneg\t1\ttt02": "3 5", "1_1.txt\tneg\t1\ttt02": "1 2"}
    write_folder(tmp_path, train, {"0_8.txt\tpos\t8\ttt11": "3 4", "0_2.txt\tneg\t2\ttt12": "1 2"})
    np.save(tmp_path / "glove_dictionary.npy", np.array(["the"]))
    for split, ids in ("train", "1 0\n0 0\n1 0\n"), ("test", "0 0\n1 0\n"):
        (tmp_path / f"imdb_{split}_glove.txt").write_text(ids)
    assert len(splits(tmp_path, "--drop-copies", *argv, words=words)["train"]) == 2


def write_pseudo_labels(folder, *probabilities):
    np.save(folder / "pseudo_labels.npy", np.array(probabilities, dtype=np.float32))
    return "--pseudo-labels", str(folder / "pseudo_labels.npy")


def test_pseudo_labels_add_the_unlabelled_reviews_to_the_training_reviews(tmp_path):
    unlabelled = {"1_0.txt\tunsup\t0\ttt03": "4", "2_0.txt\tunsup\t0\ttt03": "5 5"}
    write_folder(tmp_path, TRAIN | unlabelled)                                  # TRAIN has one more, the third
    reviews = splits(tmp_path, *write_pseudo_labels(tmp_path, nan, nan, 0.4, 0.5, 0.9), "--drop-copies")["train"]
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


def test_no_copy_of_a_validation_review_is_learned_from(tmp_path):
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
