"""What a model says of every test review stands in predictions.csv, and in Python it is one call."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from parts import MODELS, ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS

from common.checkpoints import load_checkpoint
from common.errors import UserError
from common.results.explained import probability_text
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
            return run_here(TEST_SCRIPTS[part], "--data", data, "--output", folder, *more)
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
    correct = [row["prediction"] == row["label"] for row in rows]
    assert f"{100 * sum(correct) / len(correct):.2f}" == whole["test accuracy"]


def test_each_line_says_which_review_it_is(trained, data):
    folder, test = trained("1b")
    test()
    reviews = [line.split("\t") for line in (data / "imdb_test_reviews.tsv").read_text().splitlines()]
    token_ids = (data / "imdb_test_glove.txt").read_text().splitlines()
    for row, (name, label, rating, film), line in zip(read_csv(folder / "predictions.csv"), reviews, token_ids,
                                                      strict=True):
        assert (row["file name"], row["rating"], row["film"]) == (name, rating, film)
        assert row["label"] == label
        assert int(row["tokens"]) == len(line.split())
        assert list(row) == ["file name", "film", "label", "rating", "tokens", "logit", "probability", "prediction",
                             "weights", "text"]
        logit = float(row["logit"])
        assert float(row["probability"]) == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-4)
        assert row["prediction"] == ("pos" if logit >= 0 else "neg")
    assert {row["weights"] for row in read_csv(folder / "predictions.csv")} == {
        load_checkpoint(folder / MODELS["1b"], "1b")["weights"]}


def test_each_line_begins_as_the_review_does(trained, data):
    folder, test = trained("1a", options=[*PARTS["1a"], "--vocab-size", "20"])
    test()
    dictionary = np.load(data / "imdb_dictionary.npy")
    for row, line in zip(read_csv(folder / "predictions.csv"), (data / "imdb_test.txt").read_text().splitlines()):
        words = [dictionary[int(k) - 1] if k != "0" else "<unk>" for k in line.split()]
        assert row["text"].split() == words[:25]


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
    shown = [[f"{probability:.4f}", probability_text(math.log(probability / (1 - probability)))]
             for probability in found]
    assert [line.split("  ")[:2] for line in printed.splitlines()[1:]] == shown
    assert torch.equal(torch.get_rng_state(), state)


def test_no_texts_have_no_probabilities(tmp_path):
    assert classify_texts(tmp_path, []) == []


def test_python_is_told_which_text_has_no_word(trained, data):
    folder, _ = trained("1b")
    with pytest.raises(UserError, match="text 2: an empty review"):
        classify_texts(str(folder), ["Good.", " "], data=data)


def test_python_is_told_which_text_is_none(trained, data):
    folder, _ = trained("1b")
    with pytest.raises(UserError, match="text 2: not a text, but nan"):
        classify_texts(folder, ["Good.", float("nan")], data=data)


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


@pytest.fixture
def explanations(trained):
    """Trains and tests a part -> (its folder, what it has written to explanations.json)."""
    def explanations(part):
        folder, test = trained(part)
        assert test(*["--lengths", "20"] * (part[0] == "2"))[0] == 0
        return folder, json.loads((folder / "explanations.json").read_text())
    return explanations


@pytest.mark.parametrize("part", ["1a", "2a"])
def test_a_test_explains_its_worst_mistakes_and_some_short_reviews_of_each_label(part, explanations):
    folder, found = explanations(part)
    rows = {f"{row['label']}/{row['file name']}": row for row in read_csv(folder / "predictions.csv")}
    wrong = [abs(float(row["logit"])) for row in rows.values() if row["label"] != row["prediction"]]
    assert [abs(entry["logit"]) for entry in found["mistakes"]] == pytest.approx(sorted(wrong)[:-6:-1], rel=1e-4)
    assert [entry["label"] for entry in found["reviews"]] == ["positive"] * 10 + ["negative"] * 10
    for entry in found["reviews"] + found["mistakes"]:
        row = rows[entry["name"]]
        assert (entry["film"], entry["rating"]) == (row["film"], row["rating"])
        assert entry["prediction"].startswith(row["prediction"])
        assert entry["logit"] == pytest.approx(float(row["logit"]), rel=1e-4)
        assert " ".join(entry["words"]).startswith(row["text"])
        assert len(entry["words"]) == len(entry["contributions"]) == len(entry["known"]) == int(row["tokens"])
    assert max(len(entry["words"]) for entry in found["reviews"]) <= 60
    assert found["weights"] == row["weights"]


def test_all_parts_explain_the_same_short_reviews(explanations):
    first, second = ([entry["name"] for entry in explanations(part)[1]["reviews"]] for part in ("1b", "2a"))
    assert first == second


@pytest.mark.parametrize("part", ["1a", "2a"])
def test_telling_words_come_with_how_many_reviews_have_them(part, explanations, data):
    folder, found = explanations(part)
    pulls = [word["pull"] for word in found["telling_words"]]
    assert pulls == sorted(pulls, reverse=True) and pulls[0] > 0 > pulls[-1] and len(pulls) == 30
    dictionary = np.load(data / "imdb_dictionary.npy").tolist()
    reviews = [{dictionary[int(k) - 1] for k in line.split() if k != "0"}
               for line in (data / "imdb_test.txt").read_text().splitlines()]
    for word in found["telling_words"]:
        assert word["reviews"] == sum(word["word"] in review for review in reviews) >= 3
        assert word["word"].strip(".,;:'")


def test_a_bags_telling_words_are_those_of_the_largest_weights(explanations, data):
    """With one word a review, what a word adds is its logit but for the rest; so the order is that of the logits."""
    folder, found = explanations("1b")
    words = [word["word"] for word in found["telling_words"]]
    alone = classify_texts(folder, words, data=data, device="cpu")
    assert min(alone[:15]) > max(alone[-15:])


def test_one_review_is_explained_by_each_trained_part_in_a_line(trained, data, run_here, tmp_path):
    folders = [trained(part)[0] for part in ("1a", "1b", "2a")]
    status, stdout, stderr = run_here("common/testing/side_by_side.py", "A great, dull film.", *folders, "--data", data)
    assert (status, stderr) == (0, "")
    for line, folder in zip(stdout.splitlines(), folders, strict=True):
        place, answer = line.split(": ", 1)
        [probability] = classify_texts(folder, ["A great, dull film."], data=data, device="cpu")
        assert place == str(folder)
        assert answer.startswith(probability_text(math.log(probability / (1 - probability))) + "  ")
        words = answer.split("  ")[1].split()
        assert [word.split("(")[0].strip("[]") for word in words] == ["a", "great", ",", "dull", "film", "."]


def test_no_words_are_not_explained_by_any_part(trained, data, run_here):
    folder, _ = trained("1b")
    status, _, stderr = run_here("common/testing/side_by_side.py", " ", folder, "--data", data)
    assert (status, stderr) == (2, "error: the review: is empty; give it some words\n")


@pytest.mark.parametrize("part", TEST_SCRIPTS)
def test_a_test_scripts_docstring_names_its_predictions(part):
    assert "predictions.csv" in (ROOT / TEST_SCRIPTS[part]).read_text().split('"""')[1]
