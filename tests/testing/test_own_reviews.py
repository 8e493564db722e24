"""Reviews of the user's own: classified as the test reviews are, and explained word by word."""

import csv
import io
import json
import math
import re
import sys

import numpy as np
import pytest
import torch
from nltk.tokenize.punkt import PunktSentenceTokenizer
from random_models import KINDS, SCRIPTS, UNITS, WORDS, logits_of, save

from common.data.reviews import read_reviews
from common.data.token_files import read_dictionary
from common.errors import UserError
from common.preprocessing.raw_reviews import sort_reviews
from common.preprocessing.sample_corpus import sample_reviews
from common.preprocessing.text_cleaning import argument_text
from common.results.explained import probability_text
from common.testing.own_reviews import encode_reviews, load_tokenizer, read_texts

REVIEWS = ["The film was GREAT.", "Bad!", "A great film. The film wasn't<br />bad, was it?"]
TOKENS = [["the", "film", "was", "great", "."], ["bad", "!"],
          ["a", "great", "film", ".", "the", "film", "was", "n't", "bad", ",", "was", "it", "?"]]
IDS = [[1, 2, 3, 4, 6], [5, 0], [0, 4, 2, 6, 1, 2, 3, 7, 5, 0, 3, 0, 0]]


@pytest.fixture(autouse=True)
def plain_punkt(monkeypatch):
    """Sentences cut by Punkt without anything learned, so that no test needs NLTK's data."""
    monkeypatch.setattr("common.preprocessing.tokenizer.load_punkt", lambda fetch=True: PunktSentenceTokenizer())


@pytest.fixture
def glove(tmp_path):
    """GloVe vectors of all words, written with both dictionaries."""
    vectors = torch.randn(len(WORDS) + 1, UNITS, generator=torch.Generator().manual_seed(2))
    vectors[0] = 0
    (tmp_path / "data").mkdir()
    for words in "imdb", "glove":
        np.save(tmp_path / "data" / f"{words}_dictionary.npy", np.array([*WORDS, "rarer"]))
    np.save(tmp_path / "data" / "glove_embeddings.npy", vectors.numpy())
    return vectors


@pytest.fixture
def classify(tmp_path, glove, run_here):
    """Runs a part's test script on a model with random weights -> as run_here."""
    def classify(part, *options, trained_with=None, **arguments):
        save(tmp_path, part, glove, trained_with, **arguments)
        return run_here(SCRIPTS[part], "--data", tmp_path / "data", "--output", tmp_path, "--precision", "float32",
                        *options)
    return classify


def probability(logit):
    return 1 / (1 + math.exp(-logit))


def assert_refused(outcome, *words):
    status, _, stderr = outcome
    [line] = stderr.splitlines()
    assert (status, line[:7]) == (2, "error: ")
    for word in words:
        assert word in line


@pytest.fixture(scope="module")
def tokenize_sample(data):
    return load_tokenizer(data)


@pytest.mark.parametrize("words, vocab_size", [("imdb", None), ("imdb", 50), ("glove", None)])
def test_own_reviews_get_the_ids_that_preprocessing_gave_them(words, vocab_size, data, tokenize_sample):
    raw = [review for review in sort_reviews(sample_reviews()) if review.split == "test"][::6]
    expected, vocabulary = read_reviews(data, "test", words, vocab_size)
    assert vocabulary == read_dictionary(data, words)[:vocab_size]
    tokens, rows = encode_reviews([review.text for review in raw], tokenize_sample, vocabulary)
    assert [row.tolist() for row in rows] == [row.tolist() for row in expected.rows()]
    assert [len(review) for review in tokens] == expected.lengths.tolist()


@pytest.mark.parametrize("part, arguments", KINDS)
def test_each_review_has_the_sentiment_that_the_model_gives_it_alone(part, arguments, classify, glove, tmp_path):
    status, stdout, stderr = classify(part, "--review", *REVIEWS, "--batch-size", "2", **arguments)
    assert (status, stderr) == (0, "")
    header, *lines = stdout.splitlines()
    assert header.startswith(f"part {part[:2]} | ")
    for line, token_ids, text in zip(lines, IDS, REVIEWS, strict=True):
        logit = logits_of(part, token_ids, glove, **arguments)["model"]
        number, rest = line.split("  ", 1)
        assert float(number) == pytest.approx(probability(logit), abs=1e-4)
        assert rest == probability_text(logit) + "  " + text.replace("<br />", " ")
    assert not (tmp_path / "explanation.html").exists() and not (tmp_path / "test_table.csv").exists()


def explained_blocks(stdout):
    """(sentiment, words as shown, logit, what the words add, rest) of each explained review."""
    blocks = []
    for block in stdout.split("\n", 1)[1].split("\n\n")[:-1]:
        sentiment, words, numbers = block.splitlines()
        blocks.append((sentiment, words.split(), *map(float, re.findall(r"[+-]\d+\.\d\d", numbers))))
    return blocks


@pytest.mark.parametrize("part, arguments", KINDS)
def test_an_explained_review_has_its_words_and_its_logit_as_the_sum_of_words_and_rest(
        part, arguments, classify, glove, tmp_path):
    status, stdout, stderr = classify(part, "--review", *REVIEWS, "--explain", **arguments)
    assert (status, stderr) == (0, "")
    blocks = explained_blocks(stdout)
    for (sentiment, words, logit, added, rest), tokens, token_ids in zip(blocks, TOKENS, IDS, strict=True):
        expected = logits_of(part, token_ids, glove, **arguments)["model"]
        probability = 1 / (1 + math.exp(-expected))
        assert sentiment == f"{probability:.4f}  {probability_text(expected)}"
        assert logit == pytest.approx(expected, abs=0.006)
        assert added + rest == pytest.approx(logit, abs=1e-9)
        assert [re.sub(r"\([+-][\d.]+\)$", "", word).strip("[]") for word in words] == tokens
    page = (tmp_path / "explanation.html").read_text(encoding="utf-8")
    assert re.findall("<small>(.*?)</small>", page) == re.findall("^logit .*", stdout, re.M)
    assert "\033" not in stdout


def test_words_that_the_model_does_not_know_are_shown_as_such(classify):
    [(sentiment, words, *_)] = explained_blocks(classify("1a", "--review", "great zebra, okapi", "--explain")[1])
    assert [word.split("(")[0] for word in words] == ["great", "[zebra]", "[,]", "[okapi]"]
    assert sentiment.endswith("(3 of its 4 words unknown to the model)")


def test_a_bag_of_words_lets_unknown_words_count_only_where_its_mean_does(classify):
    def contributions(part, *reviews):
        return [words for _, words, *_ in explained_blocks(classify(part, "--review", *reviews, "--explain")[1])]
    [words] = contributions("1a", "great zebra")
    assert words[1].startswith("[zebra](")
    known, with_unknown = contributions("1b", "great", "great zebra")
    assert with_unknown == [*known, "[zebra]"]


def test_colours_are_used_on_a_terminal(classify, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "\033[30;48;5;" in classify("2a", "--review", "great film", "--explain")[1]


def answers(outcome):
    """The lines that a call has printed about reviews."""
    status, stdout, stderr = outcome
    assert (status, stderr) == (0, "")
    return [line for line in stdout.splitlines() if not line.startswith(("part ", "wrote "))]


def read_table_of(folder):
    with open(folder / "reviews.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_reviews_come_from_a_file_with_one_a_line_too(classify, tmp_path):
    (tmp_path / "mine.txt").write_bytes("\ufeffGreat film.\r\nBad\x85film.\n".encode())
    expected = answers(classify("1a", "--review", "The film", "Great film.", "Bad\x85film."))
    assert answers(classify("1a", "--reviews", tmp_path / "mine.txt", "--review", "The film")) == expected


def test_reviews_come_from_standard_input(classify, monkeypatch):
    expected = answers(classify("1a", "--review", "Great film.", "Bad."))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Great film.\nBad.\n")))
    assert answers(classify("1a", "--reviews", "-")) == expected


def test_what_is_typed_at_a_terminal_is_answered_line_by_line(classify, monkeypatch, capsys):
    expected = answers(classify("2a", "--review", "Great film.", "Bad."))
    printed = []

    class Terminal(io.BytesIO):
        def __next__(self):
            printed.append(capsys.readouterr().out)     # before the next line is typed
            return super().__next__()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Terminal(b"Great film.\nBad.\n")))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert classify("2a", "--reviews", "-")[0] == 0
    assert [text.splitlines()[-1] for text in printed] == ["type a review and press Enter; Ctrl-D ends", *expected]


def test_reviews_write_a_table(classify, tmp_path):
    texts = ["A great, film.", "Bad."]
    (tmp_path / "mine.txt").write_text("\n".join(texts))
    status, stdout, _ = classify("1a", "--reviews", tmp_path / "mine.txt")
    shown = [line.split("  ")[:2] for line in stdout.splitlines()[1:3]]
    rows = read_table_of(tmp_path)
    assert stdout.endswith(f"wrote {tmp_path / 'reviews.csv'}\n")
    assert [list(row) for row in rows] == [["text", "probability", "prediction"]] * 2
    assert [row["text"] for row in rows] == texts
    for row, (number, line) in zip(rows, shown):
        assert number == row["probability"]
        logit = math.log(float(row["probability"]) / (1 - float(row["probability"])))
        assert line == probability_text(logit) and line.startswith(row["prediction"])


@pytest.mark.parametrize("empty", ["", " ", "<br />"])
def test_an_empty_line_stays_an_empty_line(empty, classify, tmp_path):
    (tmp_path / "mine.txt").write_text(f"Great film.\n{empty}\nBad.\n")
    first, second, third = answers(classify("1a", "--reviews", tmp_path / "mine.txt"))
    assert second == "" and [first, third] == answers(classify("1a", "--review", "Great film.", "Bad."))
    assert read_table_of(tmp_path)[1] == {"text": empty, "probability": "", "prediction": ""}


@pytest.mark.parametrize("options", [["--text", "what"], []])
def test_reviews_come_from_a_column_of_a_table(options, classify, tmp_path):
    name = "what" if options else "text"
    (tmp_path / "mine.csv").write_text(f'id,{name}\n1,"Great, film."\n2,Bad.\n')
    expected = answers(classify("1a", "--review", "Great, film.", "Bad."))
    assert answers(classify("1a", "--reviews", tmp_path / "mine.csv", *options)) == expected


def test_a_column_that_is_not_there_is_refused_with_those_that_are(classify, tmp_path):
    (tmp_path / "mine.csv").write_text("id,review\n1,Great.\n")
    assert_refused(classify("1a", "--reviews", tmp_path / "mine.csv"), "mine.csv", "'text'", "'review'")


def test_a_column_without_a_table_is_refused(classify):
    assert_refused(classify("1a", "--review", "good", "--text", "what"), "--text: names a column of a table")


def test_predictions_have_the_names_of_the_datas_labels(classify, tmp_path):
    (tmp_path / "data" / "statistics.json").write_text('{"labels": ["ham", "spam"], "tokenizer": {}}')
    (tmp_path / "mine.txt").write_text("Great film.\nBad.\n")
    lines = answers(classify("1a", "--reviews", tmp_path / "mine.txt"))
    predictions = {row["prediction"] for row in read_table_of(tmp_path)}
    assert {line.split("  ")[1].split(",")[0] for line in lines} == predictions
    assert {row["prediction"] for row in read_table_of(tmp_path)} <= {"ham", "spam"}


def test_review_can_be_given_several_times(classify):
    assert classify("1a", "--review", "Great.", "--review", "Bad.") == classify("1a", "--review", "Great.", "Bad.")


@pytest.mark.parametrize("part", [part for part, _ in KINDS[:5]])
def test_a_review_without_a_known_word_is_classified_and_said_to_be_unknown(part, classify):
    known, unknown = answers(classify(part, "--review", "great", "zebra okapi"))
    assert "unknown" not in known and "(2 of its 2 words unknown to the model)" in unknown


def test_a_review_is_shown_on_one_line_that_steers_no_terminal(classify):
    [shown] = answers(classify("1a", "--review", "a great \x1b[2J film\nthe " + "film was great " * 20))
    assert "\x1b" not in shown and "film the film was great" in shown
    assert shown.endswith(" ...") and len(shown.split(" % sure  ")[1]) <= 80


def test_a_long_review_without_spaces_is_shown_too(classify):
    [shown] = answers(classify("1a", "--review", "\u8fd9" * 100))
    assert "\u8fd9" * 70 in shown and shown.endswith(" ...")


@pytest.mark.parametrize("content, message", [
    (None, "mine.txt: cannot be read (No such file or directory); give --reviews a text file"),
    (b"", "mine.txt: no reviews in it; give one a line"), (b" \n\n", "mine.txt: no reviews in it"),
    (b"good\nb\xe9b\xe9\n", "mine.txt:2: not UTF-8 text")])
def test_a_bad_file_of_reviews_is_refused_with_its_line(content, message, classify, tmp_path):
    if content is not None:
        (tmp_path / "mine.txt").write_bytes(content)
    assert_refused(classify("1a", "--reviews", tmp_path / "mine.txt"), message)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_reviews_are_lines_of_any_kind_in_any_unicode(end, encoding, tmp_path):
    for last in "", end:
        (tmp_path / "mine.txt").write_bytes((f"good{end}bad{end}caf\u00e9" + last).encode(encoding))
        assert read_texts(tmp_path / "mine.txt") == ["good", "bad", "caf\u00e9"]


def test_an_argument_is_utf8_whatever_the_locale():
    assert argument_text("caf\u00e9") == argument_text(b"caf\xc3\xa9".decode("ascii", "surrogateescape")) == "caf\u00e9"
    assert argument_text(b"caf\xe9 so".decode("utf-8", "surrogateescape")) == "caf\ufffd so"


def test_a_folder_of_reviews_is_refused(classify, tmp_path):
    assert_refused(classify("1a", "--reviews", tmp_path), f"{tmp_path}: cannot be read (Is a directory)")


@pytest.mark.parametrize("text", ["", "  ", "<br />"])
def test_an_empty_review_is_refused(text, classify):
    assert_refused(classify("1a", "--review", "good", text), "--review 2: an empty review")


def test_explain_without_reviews_is_refused(classify):
    assert_refused(classify("1a", "--explain"), "--explain: needs reviews")


@pytest.mark.parametrize("part, arguments", KINDS)
@pytest.mark.parametrize("options", [["--review", "great"], []], ids=["own reviews", "table"])
def test_a_dictionary_other_than_the_models_is_refused(options, part, arguments, classify, tmp_path):
    name = "glove" if part in ("1b", "2b") else "imdb"
    np.save(tmp_path / "data" / f"{name}_dictionary.npy", np.array(WORDS[::-1]))
    assert_refused(classify(part, *options, **arguments), str(tmp_path), "trained with another dictionary")


@pytest.mark.parametrize("part, arguments", KINDS)
def test_a_folder_of_data_that_is_not_there_is_refused_with_its_name(part, arguments, classify, tmp_path):
    outcome = classify(part, "--data", tmp_path / "away", "--review", "great", **arguments)
    assert_refused(outcome, f"{tmp_path / 'away'}", "no such file", "--data")


def test_word_vectors_of_another_training_are_refused(classify, glove, tmp_path):
    np.save(tmp_path / "data" / "glove_embeddings.npy", glove.numpy() + 1)
    assert_refused(classify("2b", "--review", "great"), "trained with another dictionary or other word vectors")


def test_nltk_that_is_not_installed_is_refused_with_the_way_to_install_it(classify, monkeypatch):
    monkeypatch.delitem(sys.modules, "common.preprocessing.tokenizer")
    monkeypatch.setitem(sys.modules, "nltk", None)
    assert_refused(classify("1a", "--review", "great"), "NLTK: cannot be imported", "pip install nltk")


def test_punkt_that_is_not_installed_is_refused(classify, monkeypatch):
    def load_punkt(fetch):
        raise UserError("punkt_tab: not installed")
    monkeypatch.setattr("common.preprocessing.tokenizer.load_punkt", load_punkt)
    assert_refused(classify("1a", "--review", "great"), "punkt_tab: not installed")


def test_the_statistics_say_how_sentences_were_cut(data, tmp_path, tokenize_sample):
    text = "I saw Mr. Hale. He left."
    assert json.loads((data / "statistics.json").read_text())["tokenizer"]["sample_seed"] == 0
    assert tokenize_sample(text) == ["i", "saw", "mr.", "hale", ".", "he", "left", "."]
    assert load_tokenizer(tmp_path)(text) == ["i", "saw", "mr", ".", "hale", ".", "he", "left", "."]
