"""The ladder with the settings that docs/clusters.md gives for a site, on a real Slurm with that site's refusals."""

import re
import shlex
import sys

import pytest
from conftest import slurm
from parts import MODELS, ROOT

pytestmark = pytest.mark.slow

# Vista's partitions take neither memory nor GPUs; Delta's take an account each.
REFUSALS = """
local accounts = { cpu = "abc-delta-cpu", gpuA100x4 = "abc-delta-gpu" }
function slurm_job_submit(job)
    local tacc = accounts[job.partition] == nil
    local why
    if job.time_limit == slurm.NO_VAL then why = "--time is required" end
    if job.account ~= accounts[job.partition] then why = "this account cannot use the partition" end
    if tacc and (job.min_mem_per_node or job.min_mem_per_cpu) then why = "--mem is not available" end
    if tacc and (job.gres or job.tres_per_node or job.tres_per_job) then why = "--gres is not supported" end
    if not why then return slurm.SUCCESS end
    slurm.log_user(why)
    return slurm.ERROR
end
function slurm_job_modify()
    return slurm.SUCCESS
end
"""
# There is no GPU here, so this Python takes the CPU where it is asked for one.
PYTHON = f"""#!/bin/bash
exec {sys.executable} "${{@/#cuda/cpu}}"
"""
SMALL = "--precision float32 --epochs 1 --hidden-units 8 --batch-size 100"
CROPS = "--sequence-length 20"
OPTIONS = {
    "OPTIONS_1a": SMALL, "OPTIONS_1b": SMALL, "OPTIONS_2a": f"{SMALL} {CROPS}", "OPTIONS_2b": f"{SMALL} {CROPS}",
    "OPTIONS_3a": f"{SMALL} {CROPS} --lstm-layers 1", "OPTIONS_3b": "--precision float32 --length 20",
    "OPTIONS_3c": f"--precision float32 --epochs 1 --batch-size 100 {CROPS}"}


def settings(site):
    """What the table of docs/clusters.md says of a site."""
    [line] = re.findall(rf"^\| {site} \| `(.*)` \|$", (ROOT / "docs/clusters.md").read_text(), re.MULTILINE)
    return dict(setting.split("=", 1) for setting in shlex.split(line))


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    (folder / "job_submit.lua").write_text(REFUSALS)
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    partitions = "".join(f"PartitionName={name} Nodes=ALL\n" for name in ["gh", "gg", "gpuA100x4", "cpu"])
    with slurm(folder, f"JobSubmitPlugins=lua\nSlurmdParameters=config_overrides\n{partitions}", node="Gres=gpu:1 RealMemory=16384",
               DEVICE="cuda", PYTHON=str(folder / "python"), **OPTIONS) as cluster:
        yield cluster


def complete(cluster, jobs):
    cluster.wait()
    assert {cluster.job(job)["JobState"] for job in jobs.values()} == {"COMPLETED"}, cluster.logs()


def test_a_site_without_mem_and_gres_completes_the_ladder(sites):
    vista = dict(RESULTS=str(sites.folder / "vista"), **settings("TACC Vista"))
    for refused, why in (dict(MEMORY="1G"), "--mem is not"), (dict(GPU="--gres=gpu:1"), "--gres is not"):
        done = sites.start("jobs/submit", **vista | refused)
        assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
    complete(sites, sites.submit(**vista))
    for part, model in MODELS.items():
        assert (sites.folder / "vista" / part / model).exists()
    assert (sites.folder / "vista/report.html").exists()


def test_a_site_with_two_accounts_takes_each_where_it_belongs(sites):
    delta = dict(RESULTS=str(sites.folder / "delta"), **settings("NCSA Delta"))
    assert sites.start("jobs/submit", "1a", **delta | dict(ACCOUNT="abc-delta-cpu")).returncode == 2
    complete(sites, sites.submit("1a", **delta))
    assert (sites.folder / "delta/1a/test_table.csv").exists()
