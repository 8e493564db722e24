"""Two processes under torchrun train as one does."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parts import MODELS, ROOT, TRAINING_SCRIPTS
from torch import multiprocessing

from common.checkpoints import load_checkpoint
from common.layers.batch_norm import TimestepBatchNorm
from common.layers.locked_dropout import LockedDropout
from common.processes import processes

SMALL = ["--device", "cpu", "--precision", "float32", "--batch-size", "101", "--test-every", "1"]
RECURRENT = ["--hidden-units", "24", "--sequence-length", "20"]
OPTIONS = {"2a": [*RECURRENT, "--lstm-layers", "2", "--validation", "0.2", "--ngrams", "2"], "2b": RECURRENT,
           "3a": [*RECURRENT, "--lstm-layers", "2"],
           "3a adaptive": [*RECURRENT, "--cutoffs", "100", "300", "--word-vectors"],
           "3c": ["--sequence-length", "20", "--fine-tune", "all"],
           "3c adversarial": ["--sequence-length", "20", "--fine-tune", "all", "--pooling", "concat",
                              "--fixed-batch-norm", "--adversarial", "0.02", "--ngrams", "2"]}


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def in_two_processes(task, *arguments):
    """Run task(*arguments) in two processes that have met."""
    multiprocessing.start_processes(meet_and_run, (free_port(), task, arguments), nprocs=2, start_method="fork")


def meet_and_run(rank, port, task, arguments):
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    processes.join(torch.device("cpu"))
    task(*arguments)
    processes.leave()


BATCH, TIME, FEATURES = 5, 4, 3


def check_batch_norm():
    torch.manual_seed(0)
    x = (2 + 3 * torch.randn(BATCH, TIME, FEATURES)).requires_grad_()
    gradient = torch.randn(BATCH, TIME, FEATURES)
    whole, together = TimestepBatchNorm(FEATURES), TimestepBatchNorm(FEATURES)
    rows = processes.rows(BATCH)
    own = x.detach()[rows].clone().requires_grad_()
    output = together(own)
    output.backward(gradient[rows])

    processes.size, size = 1, processes.size
    expected = whole(x)
    expected.backward(gradient)
    processes.size = size
    torch.testing.assert_close(output, expected[rows])
    torch.testing.assert_close(own.grad, x.grad[rows])
    torch.testing.assert_close(together.running_mean, whole.running_mean)
    torch.testing.assert_close(together.running_var, whole.running_var)
    for parameter, expected in zip(together.parameters(), whole.parameters()):
        torch.testing.assert_close(processes.total(parameter.grad), expected.grad)


def check_batch_norm_in_bfloat16():
    x = (100 + torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(0))).bfloat16()
    rows = processes.rows(BATCH)
    output = TimestepBatchNorm(FEATURES)(x[rows])
    processes.size, size = 1, processes.size
    expected = TimestepBatchNorm(FEATURES)(x)[rows]
    processes.size = size
    torch.testing.assert_close(output, expected)        # in bfloat16 too, but from sums in float32


def check_dropout():
    rows = processes.rows(BATCH)
    torch.manual_seed(0)
    mask = LockedDropout()(torch.ones(BATCH, FEATURES)[rows])
    rank, size = processes.rank, processes.size
    processes.rank, processes.size = 0, 1
    torch.manual_seed(0)
    whole = LockedDropout()(torch.ones(BATCH, FEATURES))
    processes.rank, processes.size = rank, size
    assert torch.equal(mask, whole[rows])


def check_signals():
    assert processes.any(processes.rank == 1)
    assert not processes.any(False)


@pytest.mark.parametrize("check", [check_batch_norm, check_batch_norm_in_bfloat16, check_dropout, check_signals])
def test_two_processes_compute_what_one_does(check):
    in_two_processes(check)


@pytest.fixture
def torchrun(start):
    """Starts a script in two processes, which torchrun starts once more if one dies -> torchrun's own process."""
    torchrun = os.path.join(os.path.dirname(sys.executable), "torchrun")

    def run(script, *options):
        return start(torchrun, "--standalone", "--nproc_per_node", 2, "--max_restarts", 1, script, *options)
    return run


def end(process):
    """Let torchrun stop its processes; were it killed, they would go on."""
    process.terminate()
    return finish(process)


def finish(process):
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@pytest.fixture(scope="module")
def language_model(run, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("3a")
    done = run(ROOT / TRAINING_SCRIPTS["3a"], "--data", data, "--output", folder, "--epochs", "1", *SMALL, *RECURRENT)
    assert done.returncode == 0, done.stderr
    return folder / MODELS["3a"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_the_loss_curves_are_those_of_one_process(name, run, torchrun, data, language_model, tmp_path):
    part, options = name.split()[0], ["--data", data, "--epochs", "3", *SMALL, *OPTIONS[name]]
    if part == "3c":
        options += ["--language-model", language_model]
    for folder, launch in ("one", run), ("two", lambda *arguments: finish(torchrun(*arguments))):
        done = launch(ROOT / TRAINING_SCRIPTS[part], *options, "--output", tmp_path / folder)
        assert done.returncode == 0, done.stderr
        assert len(re.findall(r"^epoch  \d/3", done.stdout, re.M)) == 3     # one process prints
    one, two = (load_checkpoint(tmp_path / folder / MODELS[part], part)["curves"] for folder in ("one", "two"))
    for curve in one:
        tolerance = 1e-4 if curve.endswith("loss") else 2e-3                # a review or word more or less is correct
        torch.testing.assert_close(torch.tensor(two[curve]), torch.tensor(one[curve]), rtol=tolerance, atol=tolerance,
                                   equal_nan=True)


LONG = ["--epochs", "400", "--hidden-units", "16", "--sequence-length", "20", "--device", "cpu"]


@pytest.mark.slow
def test_stopped_processes_resume_together(torchrun, data, tmp_path):
    command = [ROOT / TRAINING_SCRIPTS["2a"], "--data", data, "--output", tmp_path, *LONG]
    process = torchrun(*command)
    wait_for("epoch  2/", process)
    done = end(process)
    assert "in epoch" in done.stdout and "start again with the same options to resume" in done.stdout
    assert (tmp_path / "training.state").exists()
    process = torchrun(*command)
    wait_for("resuming in epoch", process)
    end(process)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_torchrun_resumes_after_a_process_died(rank, torchrun, data, tmp_path):
    process = torchrun(ROOT / TRAINING_SCRIPTS["2a"], "--data", data, "--output", tmp_path, *LONG)
    wait_for("epoch  2/", process)      # the first is saved by then
    os.kill(process_of_rank(rank, process.pid), signal.SIGKILL)
    wait_for("resuming in epoch", process)
    end(process)


def process_of_rank(rank, parent):
    """The id of a process that torchrun started."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):              # it has ended
            if f"\nPPid:\t{parent}\n" in (folder / "status").read_text() and (
                    f"\0RANK={rank}\0".encode() in (folder / "environ").read_bytes()):
                return int(folder.name)
    raise AssertionError(f"no process of rank {rank}")


def wait_for(text, process):
    """Read what is printed up to a line that has the text in it."""
    while text not in (line := process.stdout.readline()):
        assert line, process.stderr.read()


@pytest.mark.parametrize("part", ["1a", "1b"])
def test_a_part_of_one_process_refuses_torchrun(part, run_here, data, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    status, _, stderr = run_here(TRAINING_SCRIPTS[part], "--data", data, "--output", tmp_path)
    assert status == 2 and "torchrun: this script runs in one process; start it with python" in stderr
