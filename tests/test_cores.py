"""How many cores a process may use."""

import os

import pytest

from common import cores


@pytest.mark.parametrize("files, groups, share", [
    ({"cpu.max": "max 100000"}, "0::/\n", float("inf")),
    ({"job/cpu.max": "150000 100000"}, "0::/job\n", 1.5),
    ({"job/cpu.max": "100000 100000", "job/step/cpu.max": "max 100000"}, "0::/job/step\n", 1),
    ({"cpu.max": "200000 100000"}, "0::/elsewhere\n", 2),                       # in a container that sees its own group
    ({"cpu/job/cpu.cfs_quota_us": "300000\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
     "3:memory:/other\n2:cpu,cpuacct:/job\n", 3),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "2:cpu:/\n", float("inf")),
    ({}, "", float("inf"))])
def test_the_share_that_control_groups_leave(files, groups, share, tmp_path):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "groups").write_text(groups)
    assert cores._quota(tmp_path, tmp_path / "groups") == share


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
@pytest.mark.parametrize("quota, usable", [(float("inf"), 8), (0.5, 1), (2.5, 3), (64, 8)])
def test_the_smaller_of_affinity_and_share_counts(quota, usable, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8))
    monkeypatch.setattr(cores, "_quota", lambda: quota)
    assert cores.usable_cores() == usable
