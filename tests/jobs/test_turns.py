"""How jobs stop and go on, on a real Slurm; a script of a few lines stands for all trainings and tests."""

import getpass
import re

import pytest
from parts import ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS

pytestmark = pytest.mark.slow

# Runs in place of Python. SAVES names the script that works until it is told to stop, and then saves in its first
# process; SLEEPS one that works and knows nothing of signals; IDLE one that ends well and has done nothing.
PYTHON = """#!/usr/bin/env python3
import os, pathlib, signal, sys, time
script, *options = sys.argv[1 + (sys.argv[1] == "-m"):]
output = pathlib.Path(options[options.index("--output") + 1])
output.mkdir(parents=True, exist_ok=True)
print(f"{script}: {os.environ['WORLD_SIZE']} processes on {len(os.sched_getaffinity(0))} cores", flush=True)
if script in os.environ["SAVES"].split():
    if not (output / "training.state").exists():
        told = []
        for number in signal.SIGUSR1, signal.SIGTERM:
            signal.signal(number, lambda number, _: told.append(signal.Signals(number).name))
        print("at work", flush=True)
        while not told:
            time.sleep(0.05)
        if os.environ["RANK"] == "0":
            end = time.monotonic() + float(os.environ["SAVING_S"])
            while time.monotonic() < end:
                time.sleep(0.1)
            (output / "training.state").touch()
            print(f"saved after {told[0]}", flush=True)
        sys.exit(75)
elif script in os.environ["SLEEPS"].split():
    print("at work", flush=True)
    time.sleep(600)
elif script in os.environ["IDLE"].split():
    sys.exit()
last = {"3b/generate_review.py": "generated_reviews.txt", "preprocess_data.py": "imdb_test_glove.txt",
        "common.results.report": "report.html"}.get(script, "test_table.csv")
if "--unlabelled" in options:
    last = "pseudo_labels.npz"
if "test" in script or last != "test_table.csv" or script[:2] == "3a":
    (output / last).unlink(missing_ok=True)
    (output / last).touch()
"""
TRAINING, TEST = TRAINING_SCRIPTS["2a"], TEST_SCRIPTS["2a"]


@pytest.fixture
def submit(cluster, tmp_path, monkeypatch):
    """Submits jobs with two cores each that run the script above -> dict of job ids by name."""
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/imdb_test_glove.txt").touch()
    usual = dict(PYTHON=str(tmp_path / "python"), DATA=str(tmp_path / "data"), RESULTS=str(tmp_path), CPUS="2",
                 SAVES="", SLEEPS="", IDLE="", SAVING_S="0")
    monkeypatch.setattr(cluster, "environment", cluster.environment | usual)
    return cluster.submit


@pytest.fixture
def by_hand(cluster, submit, tmp_path):
    """Submits part 2a with sbatch alone, and waits for its end -> job id."""
    def by_hand(*options, **settings):
        job = cluster.run("sbatch", "--parsable", "--job-name=2a", f"--output={tmp_path}/log", *map(str, options),
                          "jobs/part.sh", "2a", str(tmp_path / "2a"), "--hidden-units", "300", **settings).strip()
        cluster.wait()
        return job
    return by_hand


@pytest.fixture
def at_work(cluster, submit):
    """Submits part 2a -> (job id, log), once the script works."""
    def at_work(**settings):
        job = submit("2a", **settings)["2a"]
        log = cluster.folder / f"logs/2a-{job}.out"
        cluster.wait_for("at work", job, log)
        return job, log
    return at_work


@pytest.fixture
def preempt(cluster):
    def preempt():
        cluster.run("sbatch", "--partition=urgent", "--ntasks=2", "--output=/dev/null", "--wrap=true")
    return preempt


def outcome(cluster, job):
    return cluster.job(job)["JobState"], cluster.job(job)["Restarts"]


@pytest.mark.parametrize("processes", "12")
@pytest.mark.parametrize("partition", ["usual", "requeue", "grace-cancel", "grace-requeue"])
def test_a_job_saves_when_it_is_preempted_and_goes_on_when_there_is_room_again(
        cluster, at_work, preempt, partition, processes):
    job, log = at_work(SAVES=TRAINING, PARTITION=partition, PROCESSES=processes)
    preempt()
    cluster.wait()
    assert "saved after SIGTERM" in log.read_text()
    assert outcome(cluster, job) == ("COMPLETED", "1"), log.read_text()


def test_a_job_saves_before_its_wall_clock_and_goes_on(cluster, at_work):
    # Slurm looks at the clocks every 30 s, and its notice comes up to 30 s too early.
    job, log = at_work(SAVES=TRAINING, WALL_CLOCK="1", NOTICE_S="30")
    cluster.wait()
    assert "saved after SIGUSR1" in log.read_text()
    assert outcome(cluster, job) == ("COMPLETED", "1"), log.read_text()


def test_a_save_that_takes_longer_than_torchrun_would_wait_is_not_cut_off(cluster, at_work):
    job, log = at_work(SAVES=TRAINING, PROCESSES="2", SAVING_S="35")
    cluster.run("scancel", "--batch", "--signal=USR1", job)
    cluster.wait()
    assert "saved after SIGUSR1" in log.read_text()
    assert outcome(cluster, job) == ("COMPLETED", "1"), log.read_text()


def test_a_script_that_knows_no_signals_goes_back_when_preempted_but_not_when_cancelled(cluster, at_work, preempt):
    job, log = at_work(SLEEPS=TEST, PARTITION="grace-cancel")
    preempt()
    cluster.wait_for(r"(?s)turn 2.*at work", job, log)
    cluster.run("scancel", job)
    cluster.wait()
    assert outcome(cluster, job) == ("CANCELLED", "1"), log.read_text()


def test_a_trial_that_stops_goes_back_without_the_others(cluster, submit, tmp_path):
    (tmp_path / "seeds.txt").write_text("--seed 1\n--seed 2\n")
    jobs = submit("sweep", "2a", str(tmp_path / "seeds.txt"), CPUS="1", SAVES=TRAINING)
    logs = [cluster.folder / f"logs/2a-seeds-{trial}-{jobs[f'2a-seeds-{trial}']}.out" for trial in (1, 2)]
    for trial in (1, 2):
        cluster.wait_for("at work", jobs[f"2a-seeds-{trial}"], logs[trial - 1])
    cluster.run("scancel", "--batch", "--signal=USR1", jobs["2a-seeds-2"])
    cluster.wait_for("saved(?s:.*)turn 2", jobs["2a-seeds-2"], logs[1])
    assert "turn 2" not in logs[0].read_text()
    cluster.run("scancel", "--batch", "--signal=USR1", jobs["2a-seeds-1"])
    cluster.wait()
    assert all(f"{TEST}: 1" in log.read_text() for log in logs), cluster.logs()


@pytest.mark.parametrize("processes", "12")
def test_every_process_may_run_on_all_cores(cluster, submit, processes):
    job = submit("2a", PROCESSES=processes)["2a"]
    cluster.wait()
    log = (cluster.folder / f"logs/2a-{job}.out").read_text()
    cores = re.findall(rf"{TRAINING}: {processes} processes on (\d+) cores", log)
    assert len(cores) == int(processes) and min(map(int, cores)) >= 2


def test_parts_of_one_process_run_in_one_where_the_others_run_in_two(cluster, submit):
    jobs = submit(PROCESSES="2")
    cluster.wait()
    found = {part: re.findall(r"^\S+: (\d) processes", (cluster.folder / f"logs/{part}-{jobs[part]}.out").read_text(),
                              re.MULTILINE)[0] for part in jobs if part != "report"}
    assert found == {"1a": "1", "1b": "1", "2a": "2", "2b": "2", "3a": "2", "3b": "1", "3c": "2"}


def test_a_second_ladder_submits_what_is_missing_and_what_waits_for_it(cluster, submit, tmp_path):
    assert len(submit()) == 8
    assert submit() == {}, "all is in the queue"
    cluster.wait()
    assert submit() == {}, "all is done"
    (tmp_path / "2a/test_table.csv").unlink()
    assert list(submit()) == ["2a", "report"]
    cluster.wait()
    (tmp_path / "3a/test_table.csv").unlink()
    assert list(submit()) == ["3a", "3b", "3c", "report"]
    cluster.wait()


def test_a_job_in_the_queue_with_other_options_is_left_alone(cluster, at_work, tmp_path):
    job, _ = at_work(SLEEPS=TRAINING)
    done = cluster.start("jobs/submit", "2a", "--epochs", "3", RESULTS=str(tmp_path), DATA=str(tmp_path / "data"))
    cluster.run("scancel", job)
    cluster.wait()
    assert done.returncode == 2 and f"2a: job {job}" in done.stderr and done.stderr.count("\n") == 1


def test_a_part_may_be_submitted_by_hand(cluster, by_hand, tmp_path):
    job = by_hand("--chdir", ROOT)
    assert outcome(cluster, job) == ("COMPLETED", "0")
    assert (tmp_path / "2a/test_table.csv").exists()


def test_a_part_may_be_submitted_by_hand_inside_another_job(cluster, by_hand, tmp_path):
    job = by_hand("--mem=1", SLURM_MEM_PER_CPU="1", SLURM_TRES_PER_TASK="cpu:7")
    assert outcome(cluster, job) == ("COMPLETED", "0"), (tmp_path / "log").read_text()


def test_a_job_on_a_node_that_does_not_mount_the_project_fails(cluster, by_hand, tmp_path):
    job = by_hand("--chdir", tmp_path / "not-mounted")
    assert outcome(cluster, job) == ("FAILED", "0")
    log = (tmp_path / "log").read_text()
    assert "couldn't chdir" in log and "error: /tmp on " in log and "is not the project's folder" in log


def test_what_waits_for_a_part_that_was_not_trained_is_cancelled(cluster, submit):
    jobs = submit(IDLE=TRAINING_SCRIPTS["3a"])
    cluster.wait()
    states = {name: cluster.job(job)["JobState"] for name, job in jobs.items()}
    assert states == {"1a": "COMPLETED", "1b": "COMPLETED", "2a": "COMPLETED", "2b": "COMPLETED", "3a": "FAILED",
                      "3b": "CANCELLED", "3c": "CANCELLED", "report": "COMPLETED"}


def test_jobs_run_whatever_a_site_or_a_job_around_the_call_has_set(cluster, submit):
    jobs = submit("2a", SBATCH_EXPORT="NONE", SBATCH_NO_REQUEUE="1", SBATCH_OPEN_MODE="truncate",
                  SLURM_MEM_PER_CPU="100", SLURM_MEM_PER_NODE="200", SLURM_NTASKS_PER_NODE="7",
                  SLURM_CPUS_PER_TASK="9", SLURM_ARRAY_TASK_ID="3", SLURM_GPUS="1", SLURM_EXACT="1")
    cluster.wait()
    assert outcome(cluster, jobs["2a"]) == ("COMPLETED", "0"), cluster.logs()


def test_preprocessing_that_the_wall_clock_ends_fails_with_a_word_about_it(cluster, submit, tmp_path):
    (tmp_path / "data/imdb_test_glove.txt").unlink()
    jobs = submit("2a", SLEEPS="preprocess_data.py")
    log = cluster.folder / f"logs/preprocess-{jobs['preprocess']}.out"
    cluster.wait_for("at work", jobs["preprocess"], log)
    cluster.run("scancel", "--batch", "--signal=USR1", jobs["preprocess"])
    cluster.wait()
    assert outcome(cluster, jobs["preprocess"]) == ("FAILED", "0")
    assert "give a longer WALL_CLOCK" in log.read_text()
    assert cluster.job(jobs["2a"])["JobState"] == "CANCELLED"


def test_a_wall_clock_beyond_the_partitions_is_said_to_wait_for_ever(cluster, submit, tmp_path):
    done = cluster.start("jobs/submit", "2a", PARTITION="short", RESULTS=str(tmp_path), DATA=str(tmp_path / "data"))
    cluster.run("scancel", "--partition=short", "--user", getpass.getuser())
    cluster.wait()
    assert re.search(r"waits for ever \(Partition\w+\)", done.stdout)


def test_the_best_recipes_wait_for_the_labels_of_their_teacher(cluster, submit):
    jobs = submit("best", "--seed", "1", SLEEPS=TRAINING_SCRIPTS["1a"])
    names = {job: name.removeprefix("best-") for name, job in jobs.items()}
    waiting = {name: {names[other] for other in re.findall(r"after(?:ok|any):(\d+)", cluster.job(job)["Dependency"])}
               for job, name in names.items()}
    cluster.run("scancel", *jobs.values())
    cluster.wait()
    assert waiting == {"teacher": set(), "labels": {"teacher"}, "3a": set(), "3c": {"3a"},
                       **dict.fromkeys(["1a", "1b", "2a", "2b"], {"labels"}),
                       "report": set(names.values()) - {"report"}}
