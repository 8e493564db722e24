"""The batch jobs with real trainings on a real Slurm."""

import pytest
from parts import MODELS

pytestmark = pytest.mark.slow

EXACT = "--device cpu --precision float32"
SMALL = f"{EXACT} --epochs 2 --batch-size 100"
CROPS = "--sequence-length 20"
OPTIONS = {
    "1a": f"{SMALL} --hidden-units 16", "1b": f"{SMALL} --hidden-units 16",
    "2a": f"{SMALL} --hidden-units 16 {CROPS}", "2b": f"{SMALL} --hidden-units 16 {CROPS}",
    "3a": f"{EXACT} --epochs 12 --hidden-units 32 --lstm-layers 1 --sequence-length 20 --batch-size 50",
    "3b": f"{EXACT} --length 20 --prime 'the film' 'i'", "3c": f"{SMALL} {CROPS}"}


def test_the_ladder_gives_the_results_of_a_run_without_slurm(cluster, tmp_path):
    settings = {f"OPTIONS_{part}": options for part, options in OPTIONS.items()}
    jobs = cluster.submit(**settings)
    assert list(jobs) == ["preprocess", *OPTIONS, "report"]
    log = cluster.folder / f"logs/3a-{jobs['3a']}.out"
    cluster.wait_for("epoch  2", jobs["3a"], log)
    cluster.run("scancel", "--batch", "--signal=USR1", jobs["3a"])
    cluster.wait()
    # `timeout` ends the scripts, too, if it comes to that.
    cluster.run("timeout", "600", "make", "ladder", "VENV=", **settings, DATA=str(cluster.folder / "preprocessed_data"),
                RESULTS=str(tmp_path), REPORT=str(tmp_path))
    assert {part: cluster.job(job)["JobState"] for part, job in jobs.items()} == dict.fromkeys(jobs, "COMPLETED"), (
        cluster.logs())
    assert "stopped by SIGUSR1 in epoch" in log.read_text() and "going on in epoch" in log.read_text()
    results = cluster.folder / "results"
    for part, model in MODELS.items():
        assert (results / part / "test_table.csv").exists()
        for name in model, "data.npy":
            assert (results / part / name).read_bytes() == (tmp_path / part / name).read_bytes()
    assert (results / "report.html").exists()
    assert (results / "3b/generated_reviews.txt").read_text() == (tmp_path / "3b/generated_reviews.txt").read_text()


@pytest.fixture
def at_work(cluster, data, tmp_path):
    """Starts a training that is in its first epochs -> (job id, log, folder of its results)."""
    def at_work(**settings):
        [job] = cluster.submit("2a", "--restart", "--epochs", "40", "--hidden-units", "16", "--sequence-length", "20",
                               CPUS="2", DATA=str(data), RESULTS=str(tmp_path), **settings).values()
        log = cluster.folder / f"logs/2a-{job}.out"
        cluster.wait_for("epoch  1", job, log)
        return job, log, tmp_path / "2a"
    return at_work


def test_a_cancelled_job_saves_and_stays_cancelled(cluster, at_work):
    job, log, results = at_work()
    cluster.run("scancel", job)
    cluster.wait()
    assert cluster.job(job)["JobState"] == "CANCELLED"
    assert "stopped by SIGTERM in epoch" in log.read_text()
    assert (results / "training.state").exists()


@pytest.mark.parametrize("partition", ["usual", "grace-requeue"])
def test_two_preempted_processes_go_on_for_all_their_restart_when_there_is_room_again(cluster, at_work, partition):
    job, log, results = at_work(PARTITION=partition, PROCESSES="2")
    cluster.run("sbatch", "--partition=urgent", "--ntasks=2", "--output=/dev/null", "--wrap=true")
    cluster.wait()
    text = log.read_text()
    assert cluster.job(job)["JobState"] == "COMPLETED", text
    assert text.count("2 processes") == 2 and "stopped by SIGTERM in epoch" in text and "going on in epoch" in text
    assert (results / "test_table.csv").exists()


def test_an_error_of_the_user_fails_the_job(cluster, data):
    jobs = cluster.submit("3c", DATA=str(data), RESULTS=str(cluster.folder / "empty"), PROCESSES="2", CPUS="2")
    cluster.wait()
    job = cluster.job(jobs["3c"])
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "2:0", "0")
    assert "language.model" in (cluster.folder / f"logs/3c-{jobs['3c']}.out").read_text()


def test_a_sweep_runs_each_trial_in_a_folder_of_its_own(cluster, data, tmp_path):
    (tmp_path / "widths.txt").write_text("# widths\n--hidden-units 8\n\n--hidden-units 16 --dropout 0.2\n")
    jobs = cluster.submit("sweep", "1a", str(tmp_path / "widths.txt"), "--epochs", "1", DATA=str(data),
                          RESULTS=str(tmp_path), TRIALS_AT_ONCE="1")
    assert list(jobs) == ["1a-widths", "report"]
    cluster.wait()
    logs = cluster.logs()
    assert "part 1a --epochs 1 --hidden-units 8\n" in logs
    assert "part 1a --epochs 1 --hidden-units 16 --dropout 0.2\n" in logs
    for trial in "12":
        assert (tmp_path / "1a-widths" / trial / "test_table.csv").exists(), logs
    assert (tmp_path / "1a-widths/report.html").exists()
