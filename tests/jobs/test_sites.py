"""The ladder on a real Slurm that refuses what some sites refuse, with the settings that docs/clusters.md gives."""

import re
import shlex

import pytest
from conftest import slurm
from parts import MODELS, ROOT

pytestmark = pytest.mark.slow

# What TACC's documentation says of its clusters, and two accounts as Delta has them.
REFUSALS = """
function slurm_job_submit(job, partitions, user)
    local function refuse(what)
        slurm.log_user(what)
        return slurm.ERROR
    end
    if job.min_mem_per_node or job.min_mem_per_cpu then
        return refuse("--mem is not available")
    end
    if job.tres_per_node or job.tres_per_job or job.tres_per_task then
        return refuse("--gres is not supported")
    end
    if job.time_limit == slurm.NO_VAL then
        return refuse("--time is required")
    end
    if job.account ~= (job.partition == "gpu" and "lab-gpu" or "lab-cpu") then
        return refuse("the account does not fit the partition")
    end
    return slurm.SUCCESS
end
function slurm_job_modify(job, record, partitions, user)
    return slurm.SUCCESS
end
"""
