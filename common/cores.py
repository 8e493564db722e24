"""How many cores this process may use."""

import contextlib
import math
import os
from pathlib import Path


def usable_cores():
    """Cores that this process may run on, of which a batch job or a container may have few."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(cores, max(1, _quota())))


def _quota(root="/sys/fs/cgroup", groups="/proc/self/cgroup"):
    """Share of the cores' time that control groups leave to this process, as `docker run --cpus` sets it, in cores."""
    shares = [math.inf]
    with contextlib.suppress(OSError):
        for line in Path(groups).read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue                                                        # version 1 has a tree for each
            folder = Path(root, "cpu" if controllers else "", group.lstrip("/"))
            for place in folder, *folder.parents:
                with contextlib.suppress(OSError, ValueError):                  # "max", or no quota here
                    quota, period = ((place / "cpu.max").read_text().split() if not controllers else
                                     [(place / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")])
                    shares += [int(quota) / int(period)] if int(quota) > 0 else []
    return min(shares)
