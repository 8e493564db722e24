"""How many cores a process may use."""

import os

import pytest

from common.preprocessing import tokenizer


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
@pytest.mark.parametrize("quota, usable", [
    ("max 100000", 8), ("50000 100000", 1), ("250000 100000", 3), ("6400000 100000", 8), (None, 8)])
def test_the_smaller_of_affinity_and_a_containers_quota_counts(quota, usable, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8))
    monkeypatch.setattr(tokenizer, "QUOTA", tmp_path / "cpu.max")
    if quota:
        tokenizer.QUOTA.write_text(quota + "\n")
    assert tokenizer.usable_cores() == usable
