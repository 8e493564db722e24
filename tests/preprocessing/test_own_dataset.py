"""A dataset of one's own, as docs/data.md shows it, from its tables to the report."""

import csv
import random
import re
import shlex

import pytest
from parts import ROOT

from common.data.token_files import read_label_names
from common.preprocessing.csv_tables import read_tables
from common.preprocessing.raw_reviews import read_reviews
from common.preprocessing.tokenizer import learn_punkt

SMALL = ["--epochs", "2", "--hidden-units", "8", "--batch-size", "8", "--device", "cpu"]


def write_table(path, size):
    rng = random.Random(size)
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["label", "text"])
        for number in range(size):
            word, label = (("great", "pos"), ("dull", "neg"))[number % 2]
            table.writerow([label, " ".join(rng.choices(["the", "film", "was", "a", "plot", word], k=15)) + "."])


@pytest.mark.parametrize("delimiter, encoding", [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")])
def test_the_folders_that_the_page_makes_of_the_tables_are_the_same_dataset(delimiter, encoding, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "train.csv", "test.csv":
        with open(name, "w", newline="", encoding=encoding) as file:
            csv.writer(file, delimiter=delimiter).writerows(
                [["label", "text"], ["neg", "bad,\nso bad"], ["pos", "caf\u00e9"]])
    exec(re.search(r"```python\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)[1])
    tables, _ = read_tables(tmp_path / "train.csv", tmp_path / "test.csv", "text", "label")
    assert [(review.split, review.label, review.text) for review in read_reviews("mine")] == [
        (review.split, review.label, review.text) for review in tables]


def test_everything_from_preprocessing_to_the_report_works_on_it(tmp_path, monkeypatch, run_here):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("common.preprocessing.preprocess.load_punkt", lambda: learn_punkt(["It was. A film."]))
    write_table("train.csv", 40)
    write_table("test.csv", 20)
    page = (ROOT / "docs" / "data.md").read_text()
    for line in re.search(r"```sh\n(.*?)```", page, re.DOTALL)[1].splitlines():
        script, *options = shlex.split(line)[1:]
        if script == "-m":
            script, *options = options
            script = script.replace(".", "/") + ".py"
        training = re.search("analysis|train_", script)
        more = SMALL + ["--sequence-length", "8"] * ("3a" in script) if training else []
        status, stdout, stderr = run_here(script, *options, *more)
        assert status == 0, stderr
    assert len((tmp_path / "preprocessed_data/mine/imdb_train.txt").read_text().splitlines()) == 40
    assert read_label_names("preprocessed_data/mine") == ["neg", "pos"]
    report = (tmp_path / "results/mine/report.md").read_text()
    assert "bag of words" in report and "language model" in report
