"""What many tests share: the devices to test on, the sample corpus, and ways to run a script."""

import os
import runpy
import subprocess
import sys

import pytest
import torch
from hypothesis import settings
from parts import ROOT, import_from
from simulated_cuda import simulated_cuda

# The tests' tensors are tiny: on a busy machine threads would only wait for each other.
torch.set_num_threads(1)

settings.register_profile("few", max_examples=500, deadline=None)
settings.register_profile("many", max_examples=20_000, deadline=None)
settings.load_profile("few")


@pytest.fixture(autouse=True)
def smallest_numbers():
    """Put back the numbers that a script has flushed to 0 for the whole process."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def cuda(monkeypatch):
    """The GPU, with float32 as exact there as on a CPU; a simulated one where there is none."""
    # cuDNN's LSTM rounds its inputs to TF32 by default.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    if torch.cuda.is_available():
        yield "cuda"
        return
    with simulated_cuda():
        yield "cuda"


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """Each device."""
    return "cpu" if request.param == "cpu" else request.getfixturevalue("cuda")


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Starts a script where no NLTK can be imported -> the running process."""
    blocked = tmp_path_factory.mktemp("blocked")
    (blocked / "nltk.py").write_text("raise ImportError('only preprocessing needs NLTK')\n")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(blocked)}

    def start(script, *options, cwd=blocked):
        return subprocess.Popen([sys.executable, str(script), *map(str, options)], cwd=cwd, env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return start


@pytest.fixture(scope="session")
def run(start):
    """Runs a script to its end -> the finished process."""
    def run(*arguments, **places):
        process = start(*arguments, **places)
        stdout, stderr = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
    return run


@pytest.fixture
def run_here(monkeypatch, capsys):
    """Runs a script in this process, which is quicker -> (exit status, standard output, standard error)."""
    def run_here(script, *options):
        script = ROOT / script
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [str(script), *map(str, options)])
            import_from(script.parent, patch)
            status = 0
            try:
                runpy.run_path(str(script), run_name="__main__")
            except SystemExit as end:
                status = end.code
        return status, *capsys.readouterr()
    return run_here


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The preprocessed sample, with a sixth of its test reviews."""
    folder = tmp_path_factory.mktemp("preprocessed")
    done = subprocess.run([sys.executable, ROOT / "preprocess_data.py", "--sample", "--glove", "train",
                           "--output", folder, "--workers", "1"],
                          env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in "imdb_test.txt", "imdb_test_glove.txt", "imdb_test_reviews.tsv":
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[::6]))
    (folder / "checksums.json").unlink()
    return folder
