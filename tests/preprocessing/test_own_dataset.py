"""A dataset of one's own, as docs/data.md shows it, from its tables to the report."""

import csv
import random
import re
import shlex

from parts import ROOT

from common.data.token_files import read_label_names
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
