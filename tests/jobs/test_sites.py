"""The ladder with the settings that docs/clusters.md gives for a site, on a real Slurm with that site's refusals."""

import getpass
import re
import shlex
import sys

import pytest
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
EXACT = "--device cpu --precision float32"
SMALL = f"{EXACT} --epochs 2 --batch-size 100"
CROPS = "--sequence-length 20"
OPTIONS = {
    "OPTIONS_1a": f"{SMALL} --hidden-units 16", "OPTIONS_1b": f"{SMALL} --hidden-units 16",
    "OPTIONS_2a": f"{SMALL} --hidden-units 16 {CROPS}", "OPTIONS_2b": f"{SMALL} --hidden-units 16 {CROPS}",
    "OPTIONS_3a": f"{EXACT} --epochs 12 --hidden-units 32 --lstm-layers 1 {CROPS} --batch-size 50",
    "OPTIONS_3b": f"{EXACT} --length 20 --prompt 'the film' 'i'", "OPTIONS_3c": f"{SMALL} {CROPS}"}


def settings(site):
    """What the table of docs/clusters.md says of a site."""
    [line] = re.findall(rf"^\| {site} \| `(.*)` \|$", (ROOT / "docs/clusters.md").read_text(), re.MULTILINE)
    return dict(setting.split("=", 1) for setting in shlex.split(line))


@pytest.fixture(scope="module")
def sites(start_slurm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    (folder / "job_submit.lua").write_text(REFUSALS)
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    partitions = "".join(f"PartitionName={name} Nodes=ALL\n" for name in ["gh", "gg", "gpuA100x4", "cpu"])
    more = f"JobSubmitPlugins=lua\nSlurmdParameters=config_overrides\n{partitions}"
    with start_slurm(folder, more, node="Gres=gpu:1 RealMemory=16384", DEVICE="cuda", PYTHON=str(folder / "python"),
                     **OPTIONS) as cluster:
        yield cluster


def complete(cluster, jobs):
    cluster.wait()
    assert {cluster.job(job)["JobState"] for job in jobs.values()} == {"COMPLETED"}, cluster.logs()


@pytest.fixture(scope="module")
def vista(sites):
    return dict(RESULTS=str(sites.folder / "vista"), **settings("TACC Vista"))


def test_what_a_site_refuses_is_shown_and_what_is_in_the_queue_by_then_is_not_submitted_again(sites, vista):
    results = dict(RESULTS=str(sites.folder / "refused"), DATA=str(sites.folder / "refused"))
    done = sites.start("jobs/submit", "1a", **vista | results | dict(GPU="--gres=gpu:1"))
    job = re.search(r"^preprocess +job (\d+)\n", done.stdout)[1]
    assert done.returncode == 2 and "--gres is not supported" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: 1a: not submitted; put right what sbatch says")
    assert done.stderr.endswith(f"in the queue by now: {job}\n")
    sites.run("scontrol", "hold", job)
    again = sites.run("jobs/submit", "1a", **vista | results)
    sites.run("scancel", "--user", getpass.getuser())
    sites.wait()
    assert f"preprocess   job {job}, in the queue already" in again and re.search(r"^1a +job", again, re.MULTILINE)


def test_the_ladder_at_a_site_without_mem_and_gres_gives_the_results_of_a_run_without_slurm(sites, vista, tmp_path):
    jobs = sites.submit(**vista)
    assert list(jobs) == ["preprocess", "1a", "1b", "2a", "2b", "3a", "3b", "3c", "report"]
    log = sites.folder / f"logs/3a-{jobs['3a']}.out"
    sites.wait_for("epoch  2", jobs["3a"], log)
    sites.run("scancel", "--batch", "--signal=USR1", jobs["3a"])
    complete(sites, jobs)
    assert "stopped by SIGUSR1 in epoch" in log.read_text() and "resuming in epoch" in log.read_text()
    # `timeout` ends the scripts, too, if it comes to that.
    sites.run("timeout", "600", "make", "ladder", "VENV=", f"PYTHON={sys.executable}",
              f"DATA={sites.folder}/preprocessed_data", f"RESULTS={tmp_path}", f"REPORT={tmp_path}",
              *(f"{name}={options}" for name, options in OPTIONS.items()))
    assert set(re.findall(r"^(\w+) +(.*), in ", sites.run("jobs/submit", **vista), re.MULTILINE)) == {
        (part, "done already") for part in jobs if part not in ("preprocess", "report")}
    results = sites.folder / "vista"
    for part, model in MODELS.items():
        assert (results / part / "test_table.csv").exists()
        for name in model, "data.npy":
            assert (results / part / name).read_bytes() == (tmp_path / part / name).read_bytes()
    assert (results / "3b/generated_reviews.txt").read_text() == (tmp_path / "3b/generated_reviews.txt").read_text()
    assert (results / "report.html").exists()


def test_a_site_with_two_accounts_takes_each_where_it_belongs(sites):
    delta = dict(RESULTS=str(sites.folder / "delta"), **settings("NCSA Delta"))
    assert sites.start("jobs/submit", "1a", **delta | dict(ACCOUNT="abc-delta-cpu")).returncode == 2
    sites.wait()
    complete(sites, sites.submit("1a", **delta))
    assert (sites.folder / "delta/1a/test_table.csv").exists()
