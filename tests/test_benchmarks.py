"""The benchmark runs: every part is timed beside its loops, at sizes that take no time."""

import multiprocessing
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from parts import ROOT
from torch import nn

from common.layers.stateful_lstm import StatefulLSTM

sys.path.insert(0, str(ROOT / "benchmarks"))
import bench
import peers

SIZES = {"1a": ["--hidden-units", "4"], "1b": ["--hidden-units", "4"], "3c": ["--sequence-length", "4"]}
RECURRENT = ["--hidden-units", "4", "--sequence-length", "4"]


@pytest.fixture(scope="module")
def random_reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    bench.write_data(folder, train=20, test=40)
    return folder


@pytest.mark.parametrize("frozen, layers_forward_and_back", [(0, 9), (2, 5)])
def test_the_arithmetic_of_a_step_leaves_out_the_way_back_through_layers_that_do_not_learn(
        frozen, layers_forward_and_back):
    model = nn.ModuleDict({f"lstm{k}": StatefulLSTM(4, 4).requires_grad_(k > frozen) for k in (1, 2, 3)})
    training = SimpleNamespace(model=model, arguments={"no_of_hidden_units": 4, "lstm_layers": 3})
    flops = bench.training_flops("3c", training, batch=10, time_steps=5)
    assert flops == layers_forward_and_back * 10 * 5 * 2 * (4 + 4) * 4 * 4


def test_the_arithmetic_of_an_evaluation_counts_each_distinct_word_once_where_it_is_multiplied_once():
    model = nn.ModuleDict({"embedding": nn.Embedding(3, 4), "lstm1": StatefulLSTM(4, 4)})
    training = SimpleNamespace(model=model, arguments={"no_of_hidden_units": 4, "lstm_layers": 1})
    x = torch.tensor([[0, 1, 1, 0, 1]] * 10)                                    # batch, time
    with torch.no_grad():
        assert bench.evaluation_flops("2a", training, x) == (10 * 5 * 4 + 2 * 4) * 2 * 4 * 4
    assert bench.evaluation_flops("2a", training, x) == 10 * 5 * (4 + 4) * 2 * 4 * 4


@pytest.mark.slow
@pytest.mark.parametrize("part", bench.TRAINED)
def test_a_part_is_timed_beside_its_loops(part, random_reviews):
    sizes = ["--batch-size", "10", *SIZES.get(part, RECURRENT)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows = pool.apply(bench.measure_part, (part, random_reviews, "cpu", "float32", 1, sizes))
    assert {row.part for row in rows} == ({part, "3b"} if part == "3a" else {part})
    assert all(row.loop_s > 0 and row.ours_s > 0 and row.tokens > 0 for row in rows)


@pytest.mark.parametrize("memory, printed", [((), []), ((0, 2 ** 20), ["0", "MiB", "1", "MiB"])])
def test_memory_that_was_not_measured_is_left_blank(memory, printed, capsys):
    bench.print_rows([bench.Comparison("3b", "", 2.0, 1.0, 10, *memory)], {"flops": 1.0})
    assert capsys.readouterr().out.split() == ["3b", "2,000", "ms", "1,000.0", "ms", "2.0x", "10", *printed]


@pytest.mark.slow
def test_the_weights_of_the_n_grams_are_compared_on_validation_reviews_again_where_they_were_before(tmp_path):
    bench.write_data(tmp_path, train=100, test=40)
    command = [sys.executable, ROOT / "benchmarks/ngram_weights.py", "1a", "--ngrams", "1", "--validation", "0.2",
               "--epochs", "1", "--hidden-units", "4", "--data", tmp_path, "--output", tmp_path / "1a"]
    first, again = (subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[-12:]
                    for _ in range(2))
    assert [line[:11] for line in first[:-1]] == [f"weight {k / 10:.1f} " for k in range(11)]
    assert again == first
    assert not list(tmp_path.rglob("record.json"))


def test_without_scikit_learn_there_are_no_peers(monkeypatch, capsys):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["peers.py"])
    with pytest.raises(SystemExit, match="2"):
        peers.run_script(peers.main)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: scikit-learn: not installed") and "benchmarks/requirements.txt" in line
