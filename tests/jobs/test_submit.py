"""What jobs/submit asks of sbatch."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from parts import ROOT


# The scripts themselves

def test_the_shell_scripts_pass_shellcheck():
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck installed")
    scripts = [ROOT / ".ci/run", *(ROOT / "jobs").glob("*.sh")]
    done = subprocess.run(["shellcheck", "--external-sources", *scripts], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_driver_runs_on_the_python_of_an_old_login_node(submit):
    ast.parse((ROOT / "jobs/submit").read_text(), feature_version=(3, 6))
    python = next(iter(sorted(Path.home().glob(".pyenv/versions/3.6.*/bin/python"))), None)
    if python:
        assert len(submit.jobs(command=(python, ROOT / "jobs/submit"))) == 9


# Settings

def test_empty_settings_ask_for_nothing(submit):
    jobs = submit.jobs(GPU="", MEMORY="", CPUS="", NODES="", PROCESSES="", WALL_CLOCK="")
    assert len(jobs) == 9
    for option in "gres", "gpus", "mem", "cpus", "account", "partition", "constraint", "nodes", "ntasks", "time":
        assert not any(f"--{option}" in job for job in jobs.values())


def test_cpu_jobs_have_settings_of_their_own(submit):
    jobs = submit.jobs(ACCOUNT="lab-gpu", PARTITION="gpu", CONSTRAINT="a100", MEMORY="32G", GPU="--gpus-per-node=1",
                       SBATCH_ARGS="--qos=gpu --licenses='a b'", PYTHON="gpu-python",
                       CPU_ACCOUNT="lab-cpu", CPU_PARTITION="cpu", CPU_MEMORY="8G", CPU_SBATCH_ARGS="--mail-type=FAIL",
                       CPU_PYTHON="cpu-python")
    for name in "preprocess", "report":
        job = jobs.pop(name)
        assert "--mem=8G --account=lab-cpu --partition=cpu --nodes" in job and " --mail-type=FAIL jobs/part.sh" in job
        assert "PYTHON=cpu-python DEVICE=cpu" in job
        assert not re.search("--(constraint|gpus-per-node|qos|licenses)", job)
    for job in jobs.values():
        assert "--mem=32G --account=lab-gpu --partition=gpu --constraint=a100" in job
        assert "--gpus-per-node=1 --qos=gpu --licenses=a b jobs/part.sh" in job and "--mail-type" not in job
        assert "PYTHON=gpu-python DEVICE=cuda" in job


def test_cpu_jobs_take_the_settings_of_the_others_where_they_have_none(submit):
    job = submit.jobs(PARTITION="all", SBATCH_ARGS="--qos=short", PYTHON="my-python")["preprocess"]
    assert "--partition=all" in job and "--qos=short" in job and "PYTHON=my-python" in job


def test_parts_without_a_gpu_are_cpu_jobs(submit):
    jobs = submit.jobs(DEVICE="cpu", PARTITION="gpu", CPU_PARTITION="cpu")
    assert all("--partition=cpu" in job and "--gres" not in job for job in jobs.values())


@pytest.mark.parametrize("gpu, single", [
    ("--gres=gpu:a100:4", "--gres=gpu:a100:1"), ("--gpus-per-node=4", "--gpus-per-node=1"),
    ("--gres=gpu:v100", "--gres=gpu:v100")])
def test_parts_of_one_process_ask_for_one_node_and_gpu(submit, gpu, single):
    jobs = submit.jobs(GPU=gpu, NODES="2", PROCESSES="4", CPUS="32")
    for part in "1a", "1b", "2a", "2b", "3a", "3b", "3c":
        one = part in ("1a", "1b", "3b")
        nodes, processes, cpus = (1, 1, 32) if one else (2, 4, 8)
        assert f" --cpus-per-task={cpus} " in jobs[part]
        assert f" --nodes={nodes} --ntasks-per-node={processes} " in jobs[part]
        assert f" {single if one else gpu} " in jobs[part]


@pytest.mark.parametrize("wall_clock", ["5", "5:00", "0:05:00", "0-0:05:00", "00:04:59"])
def test_a_wall_clock_that_ends_at_its_notice_is_refused(submit, wall_clock):
    assert f"WALL_CLOCK={wall_clock}: is not longer than NOTICE_S=300" in submit.refused(WALL_CLOCK=wall_clock)


@pytest.mark.parametrize("wall_clock", ["6", "5:01", "0:05:01", "1-0", "1-0:00", "0-0:05:01"])
def test_a_wall_clock_that_is_longer_than_its_notice_is_taken(submit, wall_clock):
    assert f"--time={wall_clock} " in submit.jobs("2a", WALL_CLOCK="60", WALL_CLOCK_2a=wall_clock)["2a"]


@pytest.mark.parametrize("setting, value", [
    ("SOURCE", "--imdb 'a"), ("OPTIONS_1a", "--epochs '1"), ("SBATCH_ARGS", "--comment='a"), ("CPUS", "four"),
    ("TRIALS_AT_ONCE", "many"), ("LOGS", "/dev/null/logs")])
def test_a_wrong_setting_ends_before_anything_is_submitted(submit, setting, value, tmp_path):
    (tmp_path / "trials").write_text("--epochs 1\n")
    arguments = ["sweep", "1a", str(tmp_path / "trials")] if setting == "TRIALS_AT_ONCE" else []
    assert value.split("'")[0] in submit.refused(*arguments, **{setting: value})


@pytest.mark.parametrize("arguments", [["4a"], ["sweep", "2a"], ["sweep", "4a", "x"], ["sweep", "2a", "no-such-file"]])
def test_wrong_arguments_end_before_anything_is_submitted(submit, arguments):
    assert arguments[-1] in submit.refused(*arguments)


# What the environment of the call holds

def test_what_a_surrounding_job_has_set_is_left_out(submit):
    names = ["SLURM_MEM_PER_CPU", "SLURM_ARRAY_TASK_ID", "SLURM_CPUS_PER_TASK", "SLURM_NTASKS_PER_NODE"]
    assert submit.jobs("1a", SLURM_CONF="/etc/slurm.conf", SLURM_CLUSTERS="c1", **dict.fromkeys(names, "3"))
    for job in submit.asked:
        assert "SLURM_CONF=/etc/slurm.conf" in job and "SLURM_CLUSTERS=c1" in job
        assert not any(name in job for name in names)


def test_what_a_job_needs_is_said_whatever_a_site_sets(submit):
    for job in submit.jobs(SBATCH_EXPORT="NONE", SBATCH_NO_REQUEUE="1", SBATCH_OPEN_MODE="truncate").values():
        assert "--requeue --open-mode=append --export=ALL --kill-on-invalid-dep=yes" in job


@pytest.mark.parametrize("shell", ["fish", "tcsh"])
def test_settings_are_given_in_other_shells_by_env(submit, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} installed")
    jobs = submit.jobs(command=(shell, "-c", f"env PARTITION=gpu OPTIONS_2a='--epochs 3' {ROOT}/jobs/submit"))
    assert "--partition=gpu" in jobs["2a"] and jobs["2a"].endswith("results/2a --epochs 3")


def test_it_may_be_called_through_a_link_with_a_file_beside_the_user(submit, tmp_path):
    (tmp_path / "link").symlink_to(ROOT / "jobs/submit")
    (tmp_path / "widths.txt").write_text("--hidden-units 8\n")
    jobs = submit.jobs("sweep", "2a", "widths.txt", command=(tmp_path / "link",), cwd=tmp_path)
    assert f"--chdir={ROOT} " in jobs["2a-widths-1"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_it_may_be_given_to_a_shell(submit, shell):
    assert list(submit.jobs("2a", command=(shell, "jobs/submit"), cwd=ROOT)) == ["preprocess", "2a"]


def test_without_slurm_it_says_where_to_submit(submit, tmp_path):
    for program in "squeue", "sbatch":
        (tmp_path / "bin" / program).unlink()
    assert "sbatch" in submit.refused(PATH=str(tmp_path / "bin"), command=(sys.executable, ROOT / "jobs/submit"))


def test_where_only_sbatch_can_be_reached_it_submits_all(submit, tmp_path):
    (tmp_path / "bin/squeue").unlink()
    for program in "bash", "env", "grep", "tr", "wc":
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    assert len(submit.jobs(PATH=str(tmp_path / "bin"), command=(sys.executable, ROOT / "jobs/submit"))) == 9


# Sweeps

@pytest.fixture
def sweep(submit, tmp_path):
    """Submits a sweep of 2a with a file of these bytes -> as jobs(), without preprocessing and report."""
    submit.write("preprocessed_data/imdb_test_glove.txt")

    def sweep(content, *arguments, **settings):
        (tmp_path / "trials.txt").write_bytes(content)
        jobs = submit.jobs("sweep", "2a", str(tmp_path / "trials.txt"), *arguments, **settings)
        return [job.split("jobs/part.sh ")[1] for name, job in jobs.items() if name != "report"]
    return sweep


@pytest.mark.parametrize("content", [
    b"--epochs 1\n--epochs 2\n", b"--epochs 1\r\n# none\r\n--epochs 2\r\n", b"\xef\xbb\xbf--epochs 1\n--epochs 2",
    b"--epochs 1\r--epochs 2\r", b"\t\n--epochs 1\n\t# none\n\n--epochs 2  # the best\n"],
    ids=["plain", "Windows", "byte order mark", "carriage returns", "tabs and comments"])
def test_a_file_of_trials_is_read_as_editors_save_it(sweep, tmp_path, content):
    assert sweep(content, "--seed", "1") == [
        f"2a {tmp_path}/results/2a-trials/{k} --seed 1 --epochs {k}" for k in (1, 2)]


def test_a_finished_sweep_is_not_submitted_again_and_of_others_what_is_missing(submit, sweep, tmp_path):
    content = b"--epochs 1\n--epochs 2\n--epochs 3\n"
    submit.write("results/2a-trials/report.html", *(f"results/2a-trials/{k}/test_table.csv" for k in (1, 2, 3)))
    assert sweep(content) == []
    (tmp_path / "results/2a-trials/2/test_table.csv").unlink()
    assert [job.split()[1][-2:] for job in sweep(content)] == ["/2"]


def test_a_sweep_runs_as_many_trials_at_once_as_it_may(submit, sweep):
    sweep(b"--epochs 1\n--epochs 2\n--epochs 3\n", TRIALS_AT_ONCE="2")
    waits = [re.findall("--dependency=(\\S+)", job) for job in submit.asked]
    assert waits == [[], [], ["afterany:41"], ["afterany:41:42:43"]]


def test_a_trial_may_have_quotes(sweep):
    quoted, file = sweep(b"--pseudo-labels 'my \"own\" labels.npz'\n@mine.txt\n")
    assert quoted.endswith('/1 --pseudo-labels my "own" labels.npz') and file.endswith("/2 @mine.txt")


@pytest.mark.parametrize("content, error", [
    (b"--epochs 1\n--reviews 'a\n", "trials.txt=--reviews 'a: No closing quotation"),
    ("--epochs 1\n".encode("utf-16"), "'utf-8' codec can't decode byte 0xff")])
def test_a_file_that_holds_no_options_is_refused(submit, tmp_path, content, error):
    (tmp_path / "trials.txt").write_bytes(content)
    assert error in submit.refused("sweep", "2a", str(tmp_path / "trials.txt"))


# What preprocessing reads

def test_what_is_missing_is_downloaded_unless_imdb_is_empty(submit):
    # The program `false` in place of Python: it would download.
    assert "IMDB=" in submit.refused("1a", PYTHON="false", SOURCE="--imdb reviews.tar.gz")
    job = submit.jobs("1a", PYTHON="false", SOURCE="--imdb reviews.tar.gz", IMDB="")["preprocess"]
    assert job.endswith("preprocessed_data --imdb reviews.tar.gz")


def test_the_download_runs_in_the_python_of_cpu_jobs(submit):
    assert submit.jobs("1a", PYTHON="false", CPU_PYTHON="true", SOURCE="--imdb reviews.tar.gz")


def test_paths_may_have_spaces_and_quotes(submit, tmp_path):
    (tmp_path / "bin/sbatch").write_text('#!/bin/bash\nprintf "<%s>" "$@" >>"$ASKED"\necho 41\n')
    path = str(tmp_path / "my 'own' files/vectors 1.txt")
    settings = {name: value for name, value in submit.environment.items() if name != "SOURCE"}
    submit.environment = settings
    assert submit("1a", IMDB=path, GLOVE=path, PYTHON="true").returncode == 0
    assert f"<--imdb><{path}><--glove><{path}>" in submit.asked[0]


def test_a_source_may_end_in_a_comment(submit):
    assert submit.jobs("1a", SOURCE="--sample --glove train  # as before")["preprocess"].endswith("--glove train")


def test_files_that_were_made_from_others_are_refused_but_not_where_nothing_is_named(submit, tmp_path):
    submit.write("preprocessed_data/imdb_test_glove.txt")
    (tmp_path / "preprocessed_data/statistics.json").write_text('{"arguments": ["--sample", "--glove", "train"]}')
    assert list(submit.jobs("1a")) == ["1a"]
    submit.end()
    assert "SOURCE=--sample --glove v.zip: other files" in submit.refused("1a", SOURCE="--sample --glove v.zip")
    submit.environment = {name: value for name, value in submit.environment.items() if name != "SOURCE"}
    assert "aclImdb_v1.tar.gz --glove v.zip: other files" in submit.refused("1a", GLOVE="v.zip")
    assert list(submit.jobs("1a")) == ["1a"]
