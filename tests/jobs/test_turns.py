"""How jobs stop and go on, on a real Slurm; a script of a few lines stands for all trainings and tests."""

import re

import pytest
from parts import TEST_SCRIPTS, TRAINING_SCRIPTS

pytestmark = pytest.mark.slow

# Runs in place of Python. SAVES names the script that works until it is told to stop, and then saves in its first
# process; SLEEPS one that works and knows nothing of signals.
PYTHON = """#!/usr/bin/env python3
import os, pathlib, signal, sys, time
script, *options = sys.argv[1:]
if script == "-m":          # tells which scripts a part has
    os.execvp("python3", ["python3", *sys.argv[1:]])
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
(output / "result").touch()
"""
FILES = ["imdb_dictionary.npy", "imdb_train.txt", "imdb_test.txt", "imdb_train_reviews.tsv", "imdb_test_reviews.tsv",
         "glove_dictionary.npy", "glove_embeddings.npy", "imdb_train_glove.txt", "imdb_test_glove.txt"]
TRAINING, TEST = TRAINING_SCRIPTS["2a"], TEST_SCRIPTS["2a"]


@pytest.fixture
def submit(cluster, tmp_path):
    """Submits jobs with two cores each that run the script above -> dict of job ids by name."""
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "data").mkdir()
    for name in FILES:
        (tmp_path / "data" / name).touch()
    usual = dict(PYTHON=str(tmp_path / "python"), DATA=str(tmp_path / "data"), RESULTS=str(tmp_path), CPUS="2",
                 SAVES="", SLEEPS="", SAVING_S="0")
    return lambda *arguments, **settings: cluster.submit(*arguments, **usual | settings)


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
@pytest.mark.parametrize("partition", ["grace-cancel", "grace-requeue"])
def test_a_job_saves_in_the_grace_time_and_goes_on_when_there_is_room_again(
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
    job = submit("sweep", "2a", str(tmp_path / "seeds.txt"), CPUS="1", SAVES=TRAINING)["2a-seeds"]
    logs = [cluster.folder / f"logs/2a-seeds-{job}_{trial}.out" for trial in (1, 2)]
    for log in logs:
        cluster.wait_for("at work", job, log)
    # The id of the last one is that of the whole array.
    cluster.run("scancel", "--batch", "--signal=USR1", f"{job}_2")
    cluster.wait_for("saved(?s:.*)turn 2", job, logs[1])
    assert "turn 2" not in logs[0].read_text()
    cluster.run("scancel", "--batch", "--signal=USR1", f"{job}_1")
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
    (tmp_path / "report.html").touch()
    assert submit() == {}, "all is done"
    (tmp_path / "2a/result").unlink()
    assert list(submit(OPTIONS_1b="--epochs 3")) == ["1b", "2a", "report"]
    cluster.wait()
    (tmp_path / "3a/result").unlink()
    assert list(submit(OPTIONS_1b="--epochs 3")) == ["3a", "3b", "3c", "report"]
    cluster.wait()


def test_a_job_in_the_queue_with_other_options_is_left_alone(cluster, at_work, tmp_path):
    job, _ = at_work(SLEEPS=TRAINING)
    done = cluster.start("jobs/submit", "2a", "--epochs", "3", RESULTS=str(tmp_path), DATA=str(tmp_path / "data"))
    cluster.run("scancel", job)
    cluster.wait()
    assert done.returncode == 2 and f"2a: job {job}" in done.stderr and done.stderr.count("\n") == 1


def test_the_best_recipes_wait_for_the_labels_of_their_teacher(cluster, submit):
    jobs = submit("best", "--seed", "1", SLEEPS=TRAINING_SCRIPTS["1a"])
    names = {job: name.removeprefix("best-") for name, job in jobs.items()}
    waiting = {name: {names[other] for other in re.findall(r"after(?:ok|any):(\d+)", cluster.job(job)["Dependency"])}
               for job, name in names.items()}
    cluster.run("scancel", *jobs.values())
    cluster.wait()
    assert waiting == {"teacher": set(), "labels": {"teacher"}, "3a": set(), "3c": {"3a"},
                       **dict.fromkeys(["1a", "1b", "2a", "2b"], {"labels"}),
                       "report": set(names.values()) - {"report", "labels"}}
