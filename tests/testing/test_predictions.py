"""What a model says of every test review stands in predictions.csv, and in Python it is one call."""

import csv

import numpy as np
import pytest
import torch
from parts import ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS

from common.errors import UserError
from common.testing.own_reviews import classify_texts

SMALL = ["--epochs", "1", "--device", "cpu", "--precision", "float32"]
PARTS = {"1a": ["--hidden-units", "8", "--ngrams", "2"], "1b": ["--hidden-units", "8"],
         "2a": ["--hidden-units", "8", "--sequence-length", "20"],
         "3a": ["--hidden-units", "8", "--sequence-length", "20"]}


@pytest.fixture
def trained(data, tmp_path, run_here):
    """Trains a part for an epoch in a folder of its own -> (the folder, what runs its test script)."""
    def trained(part, script=None, options=()):
        folder = tmp_path / part
        outcome = run_here(script or TRAINING_SCRIPTS[part], "--data", data, "--output", folder, *SMALL,
                           *(options or PARTS[part]))
        assert outcome[0] == 0, outcome

        def test(*more):
            return run_here(script.replace("train", "test") if script else TEST_SCRIPTS[part], "--data", data,
                            "--output", folder, *more)
        return folder, test
    return trained


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("part", ["1a", "2a"])
def test_the_predictions_accuracy_is_the_tables(part, trained, data):
    folder, test = trained(part)
    status, _, stderr = test(*["--lengths", "20"] * (part[0] == "2"))
    assert (status, stderr) == (0, "")
    rows = read_csv(folder / "predictions.csv")
    assert len(rows) == len((data / "imdb_test_reviews.tsv").read_text().splitlines())
    [whole] = [row for row in read_csv(folder / "test_table.csv") if row.get("sequence length", "whole") == "whole"]
    correct = [(float(row["logit"]) >= 0) == (row["label"] == "pos") for row in rows]
    assert f"{100 * sum(correct) / len(correct):.2f}" == whole["test accuracy"]


def test_each_line_says_which_review_it_is(trained, data):
    folder, test = trained("1b")
    test()
    reviews = [line.split("\t") for line in (data / "imdb_test_reviews.tsv").read_text().splitlines()]
    token_ids = (data / "imdb_test_glove.txt").read_text().splitlines()
    for row, (name, label, rating, film), line in zip(read_csv(folder / "predictions.csv"), reviews, token_ids,
                                                      strict=True):
        assert (row["file name"], row["label"], row["rating"], row["film"]) == (name, label, rating, film)
        assert int(row["tokens"]) == len(line.split())
        assert list(row) == ["file name", "film", "label", "rating", "tokens", "logit", "weights"]


def test_an_ensembles_line_has_the_logits_of_both_members(trained):
    folder, test = trained("1a", options=[*PARTS["1a"], "--ngram-weight", "0.25"])
    test()
    for row in read_csv(folder / "predictions.csv"):
        network, ngrams = float(row["network logit"]), float(row["n-grams logit"])
        assert float(row["logit"]) == pytest.approx(0.75 * network + 0.25 * ngrams, rel=1e-3, abs=1e-4)


def test_training_anew_removes_the_predictions_of_the_model_before(trained):
    folder, test = trained("1b")
    test()
    trained("1b", options=[*PARTS["1b"], "--restart"])
    assert not (folder / "predictions.csv").exists()


@pytest.mark.parametrize("part, script", [
    ("1b", None), ("2a", None), ("2a", "2a/other_networks/train.py")])
def test_python_classifies_texts_as_the_test_script_does(part, script, trained, data):
    folder, test = trained(part, script, script and ["--hidden-units", "8", "--sequence-length", "20"])
    texts = ["A wonderful film, go and see it!", "It's dreadful."]
    _, printed, _ = test("--review", *texts)
    state = torch.get_rng_state()
    found = classify_texts(folder, texts, data=data, device="cpu")
    assert [f"{probability:.4f}" for probability in found] == [line[:6] for line in printed.splitlines()[1:]]
    assert torch.equal(torch.get_rng_state(), state)


def test_no_texts_have_no_probabilities(tmp_path):
    assert classify_texts(tmp_path, []) == []


def test_python_is_told_which_text_has_no_word(trained, data):
    folder, _ = trained("1b")
    with pytest.raises(UserError, match="text 2: an empty review"):
        classify_texts(str(folder), ["Good.", " "], data=data)


def test_python_is_refused_other_data_than_the_model_was_trained_on(trained, tmp_path):
    folder, _ = trained("1a")
    (tmp_path / "other").mkdir()
    np.save(tmp_path / "other" / "imdb_dictionary.npy", np.array(["other", "words"]))
    with pytest.raises(UserError, match="trained with another dictionary"):
        classify_texts(folder, ["Good."], data=tmp_path / "other")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}/record.json: no such file; train the part first"):
        classify_texts(tmp_path, ["Good."])


def test_the_folder_of_a_language_model_is_refused(trained):
    folder, _ = trained("3a")
    with pytest.raises(UserError, match="holds a model of part 3a, which classifies nothing"):
        classify_texts(folder, ["Good."])


@pytest.mark.parametrize("part", TEST_SCRIPTS)
def test_a_test_scripts_docstring_names_its_predictions(part):
    assert "predictions.csv" in (ROOT / TEST_SCRIPTS[part]).read_text().split('"""')[1]
