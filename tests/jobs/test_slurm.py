"""The batch jobs with real trainings on a real Slurm."""

import pytest

pytestmark = pytest.mark.slow


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
    assert text.count("2 processes") == 2 and "stopped by SIGTERM in epoch" in text and "resuming in epoch" in text
    assert (results / "test_table.csv").exists()


def test_an_error_of_the_user_fails_the_job(cluster, data):
    jobs = cluster.submit("3c", DATA=str(data), RESULTS=str(cluster.folder / "empty"), PROCESSES="2", CPUS="2")
    cluster.wait()
    job = cluster.job(jobs["3c"])
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "2:0", "0")
    assert "language.model" in (cluster.folder / f"logs/3c-{jobs['3c']}.out").read_text()


def test_a_sweep_runs_each_trial_in_a_folder_of_its_own_and_again_what_has_failed(cluster, data, tmp_path):
    (tmp_path / "widths.txt").write_text(
        "# widths\n--hidden-units 8\n\n--hidden-units none\n--hidden-units 16 --dropout 0.2\n")
    sweep = ["sweep", "1a", str(tmp_path / "widths.txt"), "--epochs", "1"]
    settings = dict(DATA=str(data), RESULTS=str(tmp_path), TRIALS_AT_ONCE="1")
    jobs = cluster.submit(*sweep, **settings)
    assert list(jobs) == ["1a-widths-1", "1a-widths-2", "1a-widths-3", "report"]
    cluster.wait()
    logs = cluster.logs()
    assert "from the start: 1a --epochs 1 --hidden-units 8\n" in logs
    assert "from the start: 1a --epochs 1 --hidden-units 16 --dropout 0.2\n" in logs
    states = [cluster.job(job)["JobState"] for job in jobs.values()]
    assert states == ["COMPLETED", "FAILED", "COMPLETED", "COMPLETED"], logs
    tested = [(tmp_path / "1a-widths" / trial / "test_table.csv").exists() for trial in "123"]
    assert tested == [True, False, True]
    assert (tmp_path / "1a-widths/report.html").exists()
    assert list(cluster.submit(*sweep, **settings)) == ["1a-widths-2", "report"], "what has failed"
    cluster.wait()
