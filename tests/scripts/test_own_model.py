"""A model of one's own: what docs/own_model.md says to do, done in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from parts import ROOT
from tiny import RECURRENT, TINY

from common.results.records import read_table

PAGE = (ROOT / "docs" / "own_model.md").read_text(encoding="utf-8")
GRU, CONVOLUTION = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FOLDERS = {"gru": GRU, "cnn": CONVOLUTION}


@pytest.fixture(scope="session")
def copied(tmp_path_factory):
    """Puts a model file into a copy of 2a, in a copy of the project -> the project's folder."""
    project = tmp_path_factory.mktemp("project")
    for name in "common", "2a":
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("*.model", "*.state", ".*"))
    for folder, model_file in FOLDERS.items():
        shutil.copytree(project / "2a", project / folder)
        (project / folder / "RNN_model.py").write_text(model_file, encoding="utf-8")
    return project


@pytest.fixture(scope="session", params=["gru", pytest.param("cnn", marks=pytest.mark.slow)])
def trained_copy(request, copied, data):
    """A trained copy: (its folder, a function that runs a script of the project on its data)."""
    folder = copied / request.param

    def run_copy(script, *options):
        done = subprocess.run([sys.executable, script, *options], cwd=copied, env=os.environ | {"OMP_NUM_THREADS": "1"},
                              capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    run_copy(folder / "RNN_sentiment_analysis.py", "--data", data, *TINY, *RECURRENT, "--ngrams", "2",
             "--ngram-weight", "0.5")
    return folder, run_copy


def test_a_model_of_ones_own_is_tested_by_length(trained_copy, data):
    folder, run_copy = trained_copy
    run_copy(folder / "RNN_test.py", "--data", data, "--lengths", "20", "40")
    rows = read_table(folder / "test_table.csv")
    assert [row["sequence length"] for row in rows] == ["20", "40", "whole"]
    assert all(30 < float(row["network alone"]) <= 100 for row in rows)


def test_a_model_of_ones_own_is_explained(trained_copy, data):
    folder, run_copy = trained_copy
    printed = run_copy(folder / "RNN_test.py", "--data", data, "--review", "Not a bad film.", "--explain")
    assert re.search(r"(positive|negative), \d+ % sure", printed)
    assert "bad" in printed and (folder / "explanation.html").exists()


def test_a_model_of_ones_own_is_in_the_report(trained_copy, data):
    folder, run_copy = trained_copy
    run_copy(folder / "RNN_test.py", "--data", data, "--lengths", "20")
    run_copy("-m", "common.results.report", folder, "--output", folder / "report")
    assert f" of {folder.name}/" in (folder / "model_card.md").read_text(encoding="utf-8")
    assert (folder / "report" / "report.html").exists()
