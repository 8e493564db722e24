"""The benchmark runs: every part is timed beside its loops, at sizes that take no time."""

import multiprocessing
import sys

import pytest
from parts import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import bench

SIZES = {"1a": ["--hidden-units", "4"], "1b": ["--hidden-units", "4"], "3c": ["--sequence-length", "4"]}
RECURRENT = ["--hidden-units", "4", "--sequence-length", "4"]


@pytest.fixture(scope="module")
def random_reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    bench.write_data(folder, train=20, test=40)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("part", bench.SCRIPTS)
def test_a_part_is_timed_beside_its_loops(part, random_reviews):
    sizes = ["--batch-size", "10", *SIZES.get(part, RECURRENT)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows = pool.apply(bench.measure_part, (part, random_reviews, "cpu", "float32", 1, sizes))
    assert {row.part for row in rows} == ({part, "3b"} if part == "3a" else {part})
    assert all(row.loop_s > 0 and row.ours_s > 0 and row.tokens > 0 for row in rows)
