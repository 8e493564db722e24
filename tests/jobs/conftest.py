"""A real Slurm on this machine, whose daemons run from a temporary folder, and jobs/submit without one."""

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
from fake_slurm import Submit
from parts import ROOT

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
TaskPlugin=task/affinity
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
KillWait=10
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
# What a site may have: the end of one process kills the others, unless srun is told otherwise.
KillOnBadExit=1
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 {node}
PartitionName=usual Nodes={host} Default=YES
PartitionName=requeue Nodes={host} PreemptMode=REQUEUE
PartitionName=grace-cancel Nodes={host} PreemptMode=CANCEL GraceTime=60
PartitionName=grace-requeue Nodes={host} PreemptMode=REQUEUE GraceTime=60
PartitionName=urgent Nodes={host} PriorityTier=10
PartitionName=short Nodes={host} MaxTime=1
{more}"""


class Cluster:
    """A Slurm of one node with two CPUs.

    Args:
        folder: where the settings put all files.
        environment: of the commands: the project's settings, and where Slurm's configuration is.
    """

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment

    def start(self, *command, **settings):
        """Run a command to its end -> the finished process."""
        return subprocess.run(command, cwd=ROOT, env=self.environment | settings, capture_output=True, text=True,
                              timeout=900)

    def run(self, *command, **settings):
        """Standard output of a command that must succeed."""
        done = self.start(*command, **settings)
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

    def wait_for(self, pattern, job_id, log):
        """Wait until a job has written what matches the pattern into its log."""
        on_its_way, deadline = True, time.monotonic() + 180
        while not (log.exists() and re.search(pattern, log.read_text())):
            assert on_its_way and time.monotonic() < deadline, self.logs()
            on_its_way = self.job(job_id)["JobState"] in ("PENDING", "RUNNING", "SIGNALING", "COMPLETING")
            time.sleep(0.5)

    def logs(self):
        return "".join(f"--- {path.name}\n{path.read_text()}" for path in sorted((self.folder / "logs").iterdir()))


def environment_without_settings():
    """The environment, but for what the jobs and Slurm's commands would take from it."""
    settings = set(re.findall(r'"([A-Z_]+)"', (ROOT / "jobs/submit").read_text()))
    settings |= set(re.findall(r"\{([A-Z_]+):?-", (ROOT / "jobs/part.sh").read_text()))
    prefixes = "SLURM", "SBATCH", "SQUEUE", "SCONTROL", "SRUN", "OPTIONS_", "WALL_CLOCK", "CPU_"
    return {name: value for name, value in os.environ.items()
            if name not in settings and not name.startswith(prefixes)}


@pytest.fixture
def environment():
    return environment_without_settings()


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


@contextlib.contextmanager
def slurm(folder, more="", node="", **settings):
    """A Cluster at work in a folder, with more lines of configuration and of its node, and settings of the project."""
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o600)
    for name in "state", "spool", "logs":
        (folder / name).mkdir()
    slurmctld_port, slurmd_port = free_ports(2)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(
        host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=folder,
        slurmctld_port=slurmctld_port, slurmd_port=slurmd_port, more=more, node=node))
    cluster = Cluster(folder, environment_without_settings() | {
        "SLURM_CONF": str(folder / "slurm.conf"), "OMP_NUM_THREADS": "1", "PYTHON": sys.executable, "DEVICE": "cpu",
        "CPUS": "1", "MEMORY": "", "WALL_CLOCK": "60", "NOTICE_S": "60", "SOURCE": "--sample --glove train",
        "FOLDER": str(folder), **settings})
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


@pytest.fixture(scope="session")
def start_slurm():
    """slurm(), where one is installed."""
    if not all(map(shutil.which, ["munged", "slurmctld", "slurmd"])):
        pytest.skip("no slurm-wlm and munge installed")
    return slurm


@pytest.fixture(scope="module")
def cluster(start_slurm, tmp_path_factory):
    with start_slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def submit(environment, tmp_path):
    """jobs/submit without a Slurm, in a folder of the test's own."""
    return Submit(tmp_path, environment)
