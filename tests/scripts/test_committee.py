"""A committee's logit is the mean of what its members say."""

import shutil

import numpy as np
import pytest
from parts import TEST_SCRIPTS, TRAINING_SCRIPTS
from tiny import OPTIONS, TINY

from common.results.records import read_table

SCRIPT = "common/testing/committee.py"


@pytest.fixture
def committee(run_here, data, tmp_path):
    """Asks a committee -> (what it printed, the folder that it wrote)."""
    def ask(*members, status=0, options=()):
        found, stdout, stderr = run_here(SCRIPT, "--members", *members, "--data", data, "--output", tmp_path, *options)
        assert found == status, stderr
        return (stderr if status else stdout), tmp_path
    return ask


@pytest.fixture
def alone(run_here, data, trained):
    """Runs the test script of a part -> the folder of its results."""
    def test(part, *options):
        folder, _ = trained(part)
        status, _, stderr = run_here(TEST_SCRIPTS[part], "--data", data, "--output", folder, *options)
        assert status == 0, stderr
        return folder
    return test


def predictions(folder):
    return read_table(folder / "predictions.csv")


@pytest.mark.slow
def test_its_predictions_are_the_mean_of_its_members(committee, alone):
    members = [alone(part, "--lengths", 20) for part in ("2a", "2b")]
    printed, folder = committee(*members, options=["--lengths", 20])
    of_members, together = map(predictions, members), predictions(folder)
    for *rows, row in zip(*of_members, together, strict=True):
        assert row["file name"] == rows[0]["file name"]
        assert float(row["logit"]) == pytest.approx(np.mean([float(some["logit"]) for some in rows]), abs=1e-4)
    lines = read_table(folder / "test_table.csv")
    assert [line["sequence length"] for line in lines] == ["20", "whole"] and "networks alone" not in lines[0]
    correct = [(float(row["logit"]) >= 0) == (row["label"] == "pos") for row in together]
    assert float(lines[-1]["test accuracy"]) == pytest.approx(100 * np.mean(correct), abs=0.01)
    for member in members:
        # Of crops too, each member says what its own test says.
        expected = [line["test accuracy"] for line in read_table(member / "test_table.csv")]
        assert [line[f"{member} alone"] for line in lines] == expected
        assert f"reviews that {member} has wrong are right" in printed


def test_its_networks_are_asked_without_their_ngrams_too(committee, alone, run_here, data, tmp_path):
    with_ngrams, without = tmp_path / "with n-grams", alone("1b")
    training = [*TINY, *OPTIONS["1a"], "--ngrams", 2]
    for script, options in (TRAINING_SCRIPTS["1a"], training), (TEST_SCRIPTS["1a"], []):
        status, _, stderr = run_here(script, "--data", data, "--output", with_ngrams, *options)
        assert status == 0, stderr
    _, folder = committee(with_ngrams, without)
    rows = predictions(folder)
    for some, other, row in zip(predictions(with_ngrams), predictions(without), rows, strict=True):
        expected = (float(some["network logit"]) + float(other["logit"])) / 2
        assert float(row["networks logit"]) == pytest.approx(expected, abs=1e-4)
        assert float(row["logit"]) == pytest.approx((float(some["logit"]) + float(other["logit"])) / 2, abs=1e-4)
    correct = [(float(row["networks logit"]) >= 0) == (row["label"] == "pos") for row in rows]
    [line] = read_table(folder / "test_table.csv")
    assert float(line["networks alone"]) == pytest.approx(100 * np.mean(correct), abs=0.01)


def test_a_member_does_not_take_the_name_of_what_the_committee_says(committee):
    error, _ = committee("networks", "1a", status=2)
    assert "--members: write ./networks" in error


def test_with_a_bag_of_words_among_its_members_it_reads_whole_reviews_alone(committee, alone):
    _, folder = committee(alone("1a"), alone("2a", "--lengths", 20))
    assert [line["sequence length"] for line in read_table(folder / "test_table.csv")] == ["whole"]


def test_its_pseudo_labels_are_of_the_mean_logit(committee, alone):
    members = [alone(part, "--unlabelled") for part in ("1a", "2a")]
    _, folder = committee(*members, options=["--unlabelled"])
    *of_members, together = (np.load(some / "pseudo_labels.npz")["probabilities"] for some in (*members, folder))
    logits = np.mean([np.log(p) - np.log1p(-p) for p in of_members], axis=0)
    np.testing.assert_allclose(together, 1 / (1 + np.exp(-logits)), atol=1e-5)
    assert (np.isnan(together) == np.isnan(of_members[0])).all() and not np.isnan(together).all()


def test_labels_are_refused_where_no_review_is_without_one(committee, trained, data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "labelled")
    (folder / "checksums.json").unlink(missing_ok=True)
    table = folder / "imdb_train_reviews.tsv"
    table.write_text(table.read_text().replace("\tunsup\t", "\tpos\t"))
    error, _ = committee(trained("2a")[0], trained("2b")[0], status=2, options=["--unlabelled", "--data", folder])
    assert error.startswith(f"error: {folder}: 0 unlabelled training reviews")


def test_one_member_is_none(committee, trained):
    error, _ = committee(trained("2a")[0], status=2)
    assert "--members: a committee has two or more" in error


def test_members_with_other_reviews_held_out_are_refused(committee, trained, run_here, data, tmp_path):
    status, _, stderr = run_here("1a/BOW_sentiment_analysis.py", "--data", data, "--output", tmp_path / "held out",
                                 "--epochs", 1, "--hidden-units", 4, "--validation", 0.2)
    assert status == 0, stderr
    error, _ = committee(trained("2a")[0], tmp_path / "held out", status=2)
    assert "--members: trained with different --validation" in error
