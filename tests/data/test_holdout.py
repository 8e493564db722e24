"""Models that are built on, and the reviews that they have seen."""

from types import SimpleNamespace

import pytest
from small_reviews import rows, splits, write_folder

from common.data.splits import refuse_other_holdout
from common.errors import UserError


def refusal(trained_with, options):
    """What a model trained with these options is refused with, "" where it is taken."""
    default = dict(validation=0.0, seed=0, drop_duplicates=False)
    try:
        refuse_other_holdout("a.model", "it", default | trained_with, SimpleNamespace(**default | options))
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("trained_with, options", [
    (dict(validation=0.2, seed=1), {}), (dict(drop_duplicates=True), {}),
    (dict(drop_duplicates=True, validation=0.2), dict(drop_duplicates=True)),
    (dict(drop_duplicates=True, validation=0.2), dict(drop_duplicates=True, validation=0.2))])
def test_a_model_that_has_seen_no_more_reviews_is_taken(trained_with, options):
    assert refusal(trained_with, options) == ""


@pytest.mark.parametrize("trained_with, options, option", [
    ({}, dict(drop_duplicates=True), "--drop-duplicates"), ({}, dict(validation=0.2), "--validation"),
    (dict(validation=0.1), dict(validation=0.2), "--validation"),
    (dict(validation=0.2, seed=1), dict(validation=0.2), "--seed"),
    (dict(validation=0.2, drop_duplicates=True), dict(validation=0.2), "--drop-duplicates")])
def test_a_model_that_has_seen_reviews_that_are_left_out_is_refused(trained_with, options, option):
    assert refusal(trained_with, options).startswith(f"a.model: it was trained with another {option},")


def test_other_reviews_are_held_out_where_duplicates_are_dropped(tmp_path):
    train = {f"{k}_9.txt\tpos\t9\ttt{k}": str(k) for k in range(40)}
    test = {"0_8.txt\tpos\t8\ttt50": "0", "1_8.txt\tpos\t8\ttt51": "40"}      # the first is a training review too
    write_folder(tmp_path, train, test, words=[str(k) for k in range(40)])
    kept = splits(tmp_path, "--validation", "0.25")
    dropped = splits(tmp_path, "--validation", "0.25", "--drop-duplicates")
    assert any(review in rows(dropped["train"]) for review in rows(kept["validation"]))
