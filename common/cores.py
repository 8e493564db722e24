"""How many cores this process may use."""

import contextlib
import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")      # "150000 100000": microseconds of the cores' time in so many; or "max ..."


def usable_cores():
    """Cores that this process may run on, of which a batch job or a container may have few."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):      # no control groups, or no quota
        quota, period = map(int, QUOTA.read_text().split())
        cores = min(cores, math.ceil(quota / period))
    return cores
