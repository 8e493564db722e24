"""The page shows the same reviews as each part reads them, telling words, and the worst mistakes."""

import re

import pytest
from leave_runs import explained, leave_explanations, leave_run

from common.results.examples import (disputed, explanations_of, side_by_side, telling_words, worst_mistakes)
from common.results.records import read_run


def text_of(markup):
    return re.sub(r"<[^>]+>", "", markup)


@pytest.fixture
def runs(tmp_path):
    """Runs of 1a and 2a; all reviews say the opposite of their words, which 2a alone reads."""
    found = {}
    for part, sign in ("1a", 1), ("2a", -1):
        leave_run(tmp_path / part, part)
        leave_explanations(tmp_path / part, [
            explained("1.txt", "positive", 1, "great", [1]),
            explained("2.txt", "positive", -2 * sign, "not bad at all", [0.1, -2 * sign, 0, 0]),
            explained("3.txt", "negative", 3 * sign, "never <good>", [0, 3 * sign])],
            [explained("4.txt", "negative", 9, "a " * 90 + "superb end", [0] * 90 + [9, 0])], [
                {"word": "good", "pull": 2.5, "reviews": 31, "examples": ["a good film", "so good"]},
                {"word": "bad", "pull": -3.5, "reviews": 1200, "examples": ["a bad one"]}])
        found[part] = read_run(tmp_path / part / "record.json")
    return found


def test_reviews_are_shown_about_which_the_parts_disagree_one_of_each_label_first(runs):
    assert disputed(explanations_of(runs.values())) == ["3.txt", "2.txt", "1.txt"]


def test_the_same_review_is_explained_by_each_part(runs):
    text = text_of(side_by_side(explanations_of(runs.values())))
    assert text.startswith("### Labelled negative, rating 9; right: 2a; wrong: 1a\n\n\n1a positive, 95 % sure ✗"
                           "never &lt;good&gt;\n2a negative, 95 % sure ✓never &lt;good&gt;\n")


def test_reviews_that_one_part_has_not_explained_are_not_shown(runs, tmp_path):
    leave_explanations(tmp_path / "2a", [explained("2.txt", "positive", 2, "not bad at all", [0, 2, 0, 0])])
    assert disputed(explanations_of(runs.values())) == ["2.txt"]


def test_telling_words_come_with_how_many_reviews_have_them_and_with_examples(runs):
    words, examples = map(text_of, telling_words(explanations_of(runs.values())))
    assert "1agood&nbsp;31bad&nbsp;1,200\n2a" in words
    assert "1a good +2.50a good filmso good\n1a bad -3.50a bad one\n" in examples


def test_of_a_long_mistake_the_telling_stretch_is_shown_beside_its_label(runs):
    [mistake] = worst_mistakes(explanations_of(runs.values())).splitlines()[1:-1]       # of both parts, but shown once
    assert re.match("1a positive, .* % sure ✗Labelled negative, rating 9… a a a", text_of(mistake))
    assert "superb" in mistake and len(text_of(mistake).split()) < 75


def test_explanations_of_other_weights_are_named_and_left_out(runs, tmp_path, capsys):
    leave_explanations(tmp_path / "1a", [], weights="crc-0")
    assert list(explanations_of(runs.values())) == ["2a"]
    assert capsys.readouterr().err == (f"{tmp_path}/1a/explanations.json: of other weights than record.json; run the "
                                       "part's test script again; left out\n")


@pytest.mark.parametrize("content", ["", "[]", "{}", "null"])
def test_broken_explanations_are_named_and_left_out(content, runs, tmp_path, capsys):
    (tmp_path / "1a" / "explanations.json").write_text(content)
    (tmp_path / "2a" / "explanations.json").unlink()
    assert explanations_of(runs.values()) == {}
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path}/1a/explanations.json: ") and line.endswith("test script again; left out")
