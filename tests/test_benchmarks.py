"""The benchmarks run: every part is timed, at sizes that take no time."""

import multiprocessing
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from parts import ROOT

from common.data.reviews import Reviews
from common.layers.stateful_lstm import StatefulLSTM

sys.path.insert(0, str(ROOT / "benchmarks"))
import bench
import compare
import probe

SIZES = {"1a": ["--hidden-units", "4"], "1b": ["--hidden-units", "4"], "3c": ["--sequence-length", "4"]}
RECURRENT = ["--hidden-units", "4", "--sequence-length", "4"]


@pytest.fixture(scope="module")
def random_reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    bench.write_data(folder, train=20, test=40)
    return folder


def gates_flops(places, in_size, out_size):
    """Of the products of an LSTM's gates with the input alone, or the hidden state alone."""
    return places * 2 * 4 * in_size * out_size


@pytest.mark.parametrize("learns, passes", [(True, 3), (False, 1)])
def test_the_limit_of_a_step_is_the_arithmetic_of_what_it_computes(learns, passes):
    lstm, x = StatefulLSTM(3, 4).requires_grad_(learns), torch.randn(10, 5, 3, requires_grad=learns)

    def step():
        output = lstm(x)
        if learns:
            output.sum().backward()
    assert bench.limit(step, rates=(2, 1), weight_bytes=0) == passes * gates_flops(10 * 5, 3 + 4, 4) / 2


def test_the_limit_counts_each_distinct_word_once_where_it_is_multiplied_once():
    lstm, words, positions = StatefulLSTM(3, 4), torch.randn(2, 3), torch.zeros(10, 5, dtype=torch.long)
    with torch.no_grad():
        limit = bench.limit(lambda: lstm(words, positions), rates=(1, 1), weight_bytes=0)
    assert limit == gates_flops(2, 3, 4) + gates_flops(10 * 5, 4, 4)


def test_the_limit_adds_the_time_that_the_weights_take_to_be_read():
    assert bench.limit(lambda: None, rates=(1, 100), weight_bytes=700) == 7


@pytest.mark.slow
@pytest.mark.parametrize("part", bench.TRAINED)
def test_a_part_is_timed_beside_its_limit(part, random_reviews):
    sizes = ["--batch-size", "10", *SIZES.get(part, RECURRENT)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows = pool.apply(bench.measure_part, (part, random_reviews, "cpu", "float32", 1, sizes))
    assert [row["part"] for row in rows] == ([part, "3b"] if part == "3a" else [part, part])
    assert all(row["ours_s"] > 0 and row["limit_s"] > 0 for row in rows)


def test_a_row_says_how_far_from_its_limit_it_is(capsys):
    bench.print_rows([bench.row("3b", "what", ours_s=1.0, limit_s=0.25)])
    assert capsys.readouterr().out.split() == ["3b", "what", "1,000.0", "ms", "250.0", "ms", "25%"]


@pytest.mark.slow
def test_every_script_starts():
    rows = bench.measure_start(1)
    assert [row["what"] for row in rows] == [f"{script} --help" for script in bench.SCRIPTS]
    assert all(row["ours_s"] >= row["limit_s"] > 0 for row in rows)


@pytest.fixture
def history(tmp_path, monkeypatch):
    """A repository whose benchmark takes twice as long in its first commit as in its second."""
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    (tmp_path / "benchmarks").mkdir()
    for arguments in ["init", "-q"], ["config", "user.name", "a"], ["config", "user.email", "a@b.example"]:
        compare.output_of("git", *arguments)
    for seconds in 2, 1:
        (tmp_path / "benchmarks" / "bench.py").write_text(
            "import json, pathlib, sys\n"
            f"rows = [dict(part=sys.argv[2], what='step', ours_s={seconds})]\n"
            "pathlib.Path(sys.argv[-1]).write_text(json.dumps(dict(rows=rows)))\n")
        compare.output_of("git", "add", ".")
        compare.output_of("git", "commit", "-qm", f"{seconds} s")


def compare_commits(monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["compare.py", *argv])
    compare.run_script(compare.main)


@pytest.mark.parametrize("commits", [["HEAD~1"], ["HEAD~1", "HEAD"]])
def test_two_commits_are_measured_side_by_side(commits, history, monkeypatch, capsys):
    compare_commits(monkeypatch, *commits, "--parts", "2a", "3a")
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [
        [part, "step", "2,000.0", "ms", "1,000.0", "ms", "2.00x"] for part in ("2a", "3a")]


def test_a_commit_that_is_not_there_is_refused_in_one_line(history, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        compare_commits(monkeypatch, "no-such-commit")
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: git archive") and "no-such-commit" in line


@pytest.mark.skipif(os.name == "nt", reason="no bash")
def test_a_part_of_the_gpu_script_that_there_is_not_is_refused(tmp_path):
    done = subprocess.run([ROOT / "benchmarks" / "gpu.sh", "sing", tmp_path, tmp_path], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "sing: no such part; check, measure or train\n"


@pytest.mark.slow
@pytest.mark.parametrize("part, logged", [("measure", "3a on one stream"), ("train", "wrote ")])
def test_the_gpu_script_runs_whole_at_small_sizes(part, logged, data, tmp_path):
    done = subprocess.run([ROOT / "benchmarks" / "gpu.sh", part, data, tmp_path], capture_output=True, text=True,
                          env=os.environ | {"SMALL": "1", "LIMIT": "3000", "PYTHON": sys.executable})
    log = (tmp_path / f"{part}.log").read_text()
    assert done.returncode == 0 and log == done.stdout
    assert set(re.findall(r"\[status (\d+)", log)) == {"0"} and logged in log
    assert (tmp_path / f"{part}.tar.gz").exists()


def test_the_probe_finds_what_a_regression_can_tell_and_its_bias():
    torch.manual_seed(0)
    x = torch.randn(2000, 3)
    y = (x[:, 0] - 2 * x[:, 1] + 1 > 0).float()
    weights = probe.regress(x, y, 1e-4)
    torch.testing.assert_close(weights / weights[0], torch.tensor([1.0, -2.0, 0.0, 1.0]), atol=0.1, rtol=0)


def test_the_probe_pools_reviews_without_their_padding_and_in_their_order():
    lengths = torch.tensor([3, 700, 5])
    reviews = Reviews(torch.arange(1, 709, dtype=torch.int32), lengths.cumsum(0) - lengths, lengths, torch.zeros(3),
                      np.array([""] * 3))
    model = SimpleNamespace(reset_state=lambda: None, hidden_units=lambda x, train: x[..., None].float())
    options = SimpleNamespace(device=torch.device("cpu"), precision="float32")
    found = probe.features(model, reviews, options)     # last, mean and maximum of token ids
    assert found.tolist() == [[3, 2, 3], [703, 353.5, 703], [708, 706, 708]]
