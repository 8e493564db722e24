"""The batch jobs on a real Slurm on this machine: the daemons run from a temporary folder, and only for these tests."""

import contextlib
import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest
from parts import MODELS, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not all(map(shutil.which, ["munged", "slurmctld", "slurmd"])), reason="no slurm-wlm and munge installed")]

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld_port}
SlurmdPort={slurmd_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
# A requeued job waits until its credentials have expired, by default two minutes.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
KillWait=10
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=usual Nodes={host} Default=YES
PartitionName=urgent Nodes={host} PriorityTier=10
"""

EXACT = "--device cpu --precision float32"
SMALL = f"{EXACT} --epochs 2 --batch-size 100"
CROPS = "--sequence-length 20"
OPTIONS = {
    "1a": f"{SMALL} --hidden-units 16", "1b": f"{SMALL} --hidden-units 16",
    "2a": f"{SMALL} --hidden-units 16 {CROPS}", "2b": f"{SMALL} --hidden-units 16 {CROPS}",
    # Slurm looks at the clocks every 30 s, and its notice comes up to 30 s too early; so within 30 s this job, which
    # has a minute, is told. It must take longer than that on any machine.
    "3a": f"{EXACT} --epochs 70 --hidden-units 64 --lstm-layers 1 --sequence-length 40 --batch-size 50",
    "3b": f"{EXACT} --length 20 --prime 'the film' 'i'", "3c": f"{SMALL} {CROPS}"}


class Cluster:
    """A Slurm of one node with two CPUs.

    Args:
        folder: where the settings put all files.
        environment: of the commands: the project's settings, and where Slurm's configuration is.
    """

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment

    def run(self, *command, **settings):
        """Standard output of a command that must succeed."""
        done = subprocess.run(command, cwd=ROOT, env=self.environment | settings, capture_output=True, text=True,
                              timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submit(self, *arguments, **settings):
        """Run jobs/submit -> dict of job ids by name."""
        return dict(re.findall(r"^(\S+) +job (\d+)$", self.run("jobs/submit", *arguments, **settings), re.MULTILINE))

    def job(self, job_id):
        """What `scontrol show job` says, the last task's for an array."""
        return dict(re.findall(r"(\w+)=(\S*)", self.run("scontrol", "show", "job", job_id)))

    def wait(self, timeout_s=600):
        """Wait until no job is left in the queue."""
        deadline = time.monotonic() + timeout_s
        while self.run("squeue", "--noheader"):
            assert time.monotonic() < deadline, self.run("squeue") + self.logs()
            time.sleep(0.5)

    def wait_for(self, text, job_id, log):
        """Wait until a job has written a text into its log."""
        on_its_way = True
        while not (log.exists() and text in log.read_text()):
            assert on_its_way, self.logs()
            on_its_way = self.job(job_id)["JobState"] in ("PENDING", "RUNNING", "SIGNALING", "COMPLETING")
            time.sleep(0.5)

    def logs(self):
        return "".join(f"--- {path.name}\n{path.read_text()}" for path in sorted((self.folder / "logs").iterdir()))


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o600)
    for name in "state", "spool", "logs":
        (folder / name).mkdir()
    slurmctld_port, slurmd_port = free_ports(2)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(
        host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=folder,
        slurmctld_port=slurmctld_port, slurmd_port=slurmd_port))
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith(("SLURM", "SBATCH", "SQUEUE", "SCONTROL"))}
    cluster = Cluster(folder, inherited | {
        "SLURM_CONF": str(folder / "slurm.conf"), "OMP_NUM_THREADS": "1", "PYTHON": sys.executable, "GPU": "",
        "CPUS": "1", "MEMORY": "0", "WALL_CLOCK": "60", "WALL_CLOCK_3a": "1", "NOTICE_S": "30",
        "SOURCE": "--sample --glove train",
        "DATA": str(folder / "data"), "RESULTS": str(folder / "results"), "LOGS": str(folder / "logs"),
        **{f"OPTIONS_{part}": options for part, options in OPTIONS.items()}})
    # --force: the temporary folder is closed to others, which munged thinks is a mistake.
    daemons = [["munged", "--foreground", "--force", "--key-file", "key", "--socket", folder / "munge.socket",
                "--pid-file", folder / "munged.pid", "--log-file", folder / "munged.log", "--seed-file",
                folder / "munged.seed"],
               ["slurmctld", "-D"], ["slurmd", "-D"]]
    with contextlib.ExitStack() as stack:
        for daemon in daemons:
            log = stack.enter_context(open(folder / f"{daemon[0]}.output", "w"))
            process = subprocess.Popen(daemon, cwd=folder, env=cluster.environment, stdout=log, stderr=log)
            stack.callback(stop, process)
        deadline = time.monotonic() + 60
        while "idle" not in subprocess.run(["sinfo", "--noheader", "--format=%T"], env=cluster.environment,
                                           capture_output=True, text=True).stdout:
            assert time.monotonic() < deadline, "".join(path.read_text() for path in folder.glob("*.output"))
            time.sleep(0.5)
        yield cluster
        # Whatever a failed test has left; slurmd does not end its jobs when it ends.
        subprocess.run(["scancel", "--user", getpass.getuser()], env=cluster.environment)
        cluster.wait()


def test_the_ladder_gives_the_results_of_a_run_without_slurm(cluster, tmp_path):
    jobs = cluster.submit()
    assert list(jobs) == ["preprocess", *OPTIONS]
    log = cluster.folder / f"logs/3a-{jobs['3a']}.out"
    cluster.wait_for("going on in epoch", jobs["3a"], log)
    # Once is enough: on a busy machine many short turns would take long. Slurm refuses while a turn is ending.
    while subprocess.run(["scontrol", "update", f"JobId={jobs['3a']}", "TimeLimit=60"],
                         env=cluster.environment).returncode:
        assert cluster.job(jobs["3a"])["JobState"] != "COMPLETED"
        time.sleep(0.5)
    # `timeout` ends the scripts, too, if it comes to that.
    cluster.run("timeout", "600", "make", "ladder", "VENV=", RESULTS=str(tmp_path))
    cluster.wait()
    assert {part: cluster.job(job)["JobState"] for part, job in jobs.items()} == dict.fromkeys(jobs, "COMPLETED"), (
        cluster.logs())
    assert int(cluster.job(jobs["3a"])["Restarts"]) > 0
    assert "stopped by SIGUSR1 in epoch" in log.read_text()
    results = cluster.folder / "results"
    for part, model in MODELS.items():
        assert (results / part / "test_table.csv").exists()
        for name in model, "data.npy":
            assert (results / part / name).read_bytes() == (tmp_path / part / name).read_bytes()
    assert (results / "3b/generated_reviews.txt").read_text() == (tmp_path / "3b/generated_reviews.txt").read_text()


@pytest.fixture
def at_work(cluster, data, tmp_path):
    """A training on both CPUs that is in its first epochs -> (job id, log, folder of its results)."""
    [job] = cluster.submit("2a", "--restart", "--epochs", "40", "--hidden-units", "16", CPUS="2", DATA=str(data),
                           RESULTS=str(tmp_path)).values()
    log = cluster.folder / f"logs/2a-{job}.out"
    cluster.wait_for("epoch  1", job, log)
    return job, log, tmp_path / "2a"


def test_a_cancelled_job_saves_and_stays_cancelled(cluster, at_work):
    job, log, results = at_work
    cluster.run("scancel", job)
    cluster.wait()
    assert cluster.job(job)["JobState"] == "CANCELLED"
    assert "stopped by SIGTERM in epoch" in log.read_text()
    assert (results / "training.state").exists()


def test_a_preempted_job_goes_on_for_all_its_restart_when_there_is_room_again(cluster, at_work):
    job, log, _ = at_work
    cluster.run("sbatch", "--partition=urgent", "--ntasks=2", "--output=/dev/null", "--wrap=true")
    cluster.wait()
    assert cluster.job(job)["JobState"] == "COMPLETED", log.read_text()
    assert "stopped by SIGTERM in epoch" in log.read_text() and "going on in epoch" in log.read_text()


def test_two_processes_train_together_and_go_on_after_a_notice(cluster, data, tmp_path):
    [job] = cluster.submit("2a", "--epochs", "30", "--hidden-units", "16", "--sequence-length", "20", DATA=str(data),
                           RESULTS=str(tmp_path), CPUS="2", PROCESSES="2", WALL_CLOCK="60").values()
    log = cluster.folder / f"logs/2a-{job}.out"
    cluster.wait_for("epoch  1", job, log)
    cluster.run("scancel", "--batch", "--signal=USR1", job)
    cluster.wait()
    assert cluster.job(job)["JobState"] == "COMPLETED", log.read_text()
    assert log.read_text().count("2 processes") >= 2 and "going on in epoch" in log.read_text()
    assert (tmp_path / "2a" / "test_table.csv").exists()


def test_an_error_of_the_user_fails_the_job(cluster, data):
    jobs = cluster.submit("3c", DATA=str(data), RESULTS=str(cluster.folder / "empty"))
    cluster.wait()
    job = cluster.job(jobs["3c"])
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "2:0", "0")
    assert "language.model" in (cluster.folder / f"logs/3c-{jobs['3c']}.out").read_text()


def test_a_sweep_runs_each_trial_in_a_folder_of_its_own(cluster, data, tmp_path):
    (tmp_path / "widths.txt").write_text("# widths\n--hidden-units 8\n\n--hidden-units 16 --dropout 0.2\n")
    [name] = cluster.submit("sweep", "1a", str(tmp_path / "widths.txt"), "--epochs", "1", DATA=str(data),
                            RESULTS=str(tmp_path))
    assert name == "1a-widths"
    cluster.wait()
    logs = cluster.logs()
    assert "part 1a --epochs 1 --hidden-units 8\n" in logs
    assert "part 1a --epochs 1 --hidden-units 16 --dropout 0.2\n" in logs
    for trial in "12":
        assert (tmp_path / name / trial / "test_table.csv").exists(), logs
