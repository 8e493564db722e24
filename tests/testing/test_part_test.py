"""Test tables and pseudo-labels are what the model says of the reviews, one by one."""

import math

import numpy as np
import pytest
import torch
from parts import MODELS
from random_models import KINDS, OTHERS, SCRIPTS, UNITS, WORDS, logits_of, save

from common.checkpoints import load_checkpoint
from common.data.reviews import build_reviews
from common.options import LSTM_TEST_DEFAULTS, parse_options
from common.results.records import read_table
from common.testing.part_test import SequenceTest

# Test reviews of up to four tokens, so that most have padding in a crop of four.
ROWS = [[1, 2], [4], [2, 5, 3], [7, 4, 6], [5, 5], [3, 1, 1, 4], [8, 2], [6]]
LABELS = ["pos", "neg", "unsup", "neg", "pos", "neg", "unsup", "pos"]
LABELLED = [(row, label) for row, label in zip(ROWS, LABELS) if label != "unsup"]


@pytest.fixture
def glove(tmp_path):
    """The reviews, as training and as test reviews, and word vectors."""
    folder = tmp_path / "data"
    folder.mkdir()
    vectors = np.random.default_rng(2).standard_normal((len(WORDS) + 1, UNITS), dtype=np.float32)
    vectors[0] = 0
    np.save(folder / "glove_embeddings.npy", vectors)
    for words in "imdb", "glove":
        np.save(folder / f"{words}_dictionary.npy", np.array(WORDS))
    for split in "train", "test":
        for suffix in "", "_glove":
            (folder / f"imdb_{split}{suffix}.txt").write_text("".join(" ".join(map(str, row)) + "\n" for row in ROWS))
        (folder / f"imdb_{split}_reviews.tsv").write_text(
            "".join(f"{k}_8.txt\t{label}\t8\ttt{k}\n" for k, label in enumerate(LABELS)))
    return torch.from_numpy(vectors)


@pytest.fixture
def run_test_script(tmp_path, glove, run_here):
    """Runs a part's test script on a model with random weights -> standard output."""
    def run_test_script(part, *options, **arguments):
        save(tmp_path, part, glove, **arguments)
        status, stdout, stderr = run_here(SCRIPTS[part], "--data", tmp_path / "data", "--output", tmp_path,
                                          "--precision", "float32", *options)
        assert (status, stderr) == (0, "")
        return stdout
    return run_test_script


def plain_row(logits):
    """(accuracies in percent by member, mean loss) of the labelled reviews, given each one's logits by member."""
    correct = {name: [(some[name] >= 0) == (label == "pos") for some, (_, label) in zip(logits, LABELLED)]
               for name in logits[0]}
    losses = [math.log1p(math.exp(-some["model"] if label == "pos" else some["model"]))
              for some, (_, label) in zip(logits, LABELLED)]
    return {name: 100 * np.mean(some) for name, some in correct.items()}, np.mean(losses)


@pytest.mark.parametrize("part, arguments", KINDS)
def test_the_row_of_whole_reviews_has_accuracy_and_loss_of_the_model_and_accuracy_of_its_members(
        part, arguments, run_test_script, glove, tmp_path):
    printed = run_test_script(part, "--batch-size", 2, *([] if part[0] == "1" else ["--lengths", 4]), **arguments)
    row = read_table(tmp_path / "test_table.csv")[-1]
    accuracies, loss = plain_row([logits_of(part, token_ids, glove, **arguments) for token_ids, _ in LABELLED])
    members = ["network", "n-grams"] if "ngrams" in arguments else []
    assert [name for name in row if "alone" in name] == [f"{name} alone" for name in members]
    for name in members:
        assert float(row[f"{name} alone"]) == pytest.approx(accuracies[name], abs=0.006)
    assert float(row["test accuracy"]) == pytest.approx(accuracies["model"], abs=0.006)
    assert float(row["test loss"]) == pytest.approx(loss, abs=1e-4)
    assert "  ".join(f"{name} {value}" for name, value in row.items() if name != "weights") in printed
    assert row["weights"] == load_checkpoint(tmp_path / MODELS[part.split("/")[0]], part.split("/")[0])["weights"]


@pytest.mark.parametrize("part", ["2a", "2b", "3c"])
def test_a_row_of_crops_counts_the_padding_as_in_the_assignment(part, run_test_script, glove, tmp_path):
    run_test_script(part, "--lengths", 4)
    crops, _ = read_table(tmp_path / "test_table.csv")
    padded = [token_ids + [0] * (4 - len(token_ids)) for token_ids, _ in LABELLED]
    accuracies, loss = plain_row([logits_of(part, token_ids, glove) for token_ids in padded])
    assert crops["sequence length"] == "4"
    assert float(crops["test accuracy"]) == pytest.approx(accuracies["model"], abs=0.006)
    assert float(crops["test loss"]) == pytest.approx(loss, abs=1e-4)


@pytest.mark.parametrize("part", ["2a", "2b", "3c"])
def test_crops_longer_than_every_review_are_as_long_as_the_longest(part, run_test_script, tmp_path):
    run_test_script(part, "--lengths", 4, 10 ** 12)         # more padding than any memory holds
    longest, beyond, _ = read_table(tmp_path / "test_table.csv")
    assert (longest["sequence length"], beyond["sequence length"]) == ("4", str(10 ** 12))
    assert longest["test loss"] == beyond["test loss"]


@pytest.mark.parametrize("part, arguments", [
    (OTHERS, {"model": "SentimentRNN"}), *((part, {"pooling": "concat"}) for part in ("2a", "2b", "3c"))])
def test_the_other_networks_and_concat_pooling_do_not_read_the_padding(part, arguments, run_test_script, tmp_path):
    run_test_script(part, "--lengths", 4, **arguments)
    crops, whole = read_table(tmp_path / "test_table.csv")
    assert crops["test loss"] == whole["test loss"]


@pytest.mark.parametrize("part, arguments", [(part, arguments) for part, arguments in KINDS if part != OTHERS])
def test_pseudo_labels_are_the_probabilities_of_the_unlabelled_reviews(
        part, arguments, run_test_script, glove, tmp_path):
    printed = run_test_script(part, "--unlabelled", **arguments)
    probabilities = np.load(tmp_path / "pseudo_labels.npz")["probabilities"]
    expected = [1 / (1 + math.exp(-logits_of(part, token_ids, glove, **arguments)["model"])) if label == "unsup"
                else math.nan for token_ids, label in zip(ROWS, LABELS)]
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert f"{np.sum(probabilities >= 0.5)} of 2 unlabelled reviews positive" in printed
    assert not (tmp_path / "test_table.csv").exists()


def test_no_unlabelled_reviews_are_refused(glove, run_here, tmp_path):
    table = tmp_path / "data" / "imdb_train_reviews.tsv"
    table.write_text(table.read_text().replace("unsup", "pos"))
    save(tmp_path, "1a", glove)
    status, _, stderr = run_here(SCRIPTS["1a"], "--data", tmp_path / "data", "--output", tmp_path, "--unlabelled")
    assert (status, stderr) == (
        2, f"error: {tmp_path / 'data'}: 0 unlabelled training reviews; at least two are needed\n")
    assert not (tmp_path / "pseudo_labels.npz").exists()


def test_what_is_found_on_other_test_reviews_is_marked(run_test_script, glove, run_here, tmp_path):
    save(tmp_path, "1a", glove, inputs={"test reviews": 1})
    status, _, stderr = run_here(SCRIPTS["1a"], "--data", tmp_path / "data", "--output", tmp_path)
    assert status == 0 and "other test reviews than those of the training" in stderr
    assert read_table(tmp_path / "test_table.csv")[0]["weights"].endswith(" on other reviews")


def test_batches_of_whole_reviews_count_the_padding_of_training(glove, tmp_path):
    save(tmp_path, "2a", glove)
    run = SequenceTest("2a", parse_options(
        "", __file__, ["--data", str(tmp_path / "data"), "--output", str(tmp_path), "--batch-size", "2"],
        **LSTM_TEST_DEFAULTS))
    run.checkpoint["crops"]["sequence_length"] = 400
    reviews = build_reviews(np.ones(50, np.int32), np.ones(50, np.int64), [0.0] * 50, [""] * 50, "cpu")
    assert max(map(len, run.whole(reviews).batches(2))) == 2 * 500 // 400
