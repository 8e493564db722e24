"""Runs that are killed without warning, again and again, lose nothing (CPU, float32)."""

import random
import signal
import time

import pytest
from parts import MODELS, ROOT, TRAINING_SCRIPTS

pytestmark = pytest.mark.slow

# With --save-minutes 0 every step saves, so that a good part of the kills hit a save.
OPTIONS = {"1a": ["--epochs", "8", "--hidden-units", "64", "--validation", "0.2", "--patience", "2"],
           "2a": ["--epochs", "6", "--hidden-units", "32", "--sequence-length", "20", "--test-every", "1"],
           "3a": ["--epochs", "3", "--hidden-units", "32", "--sequence-length", "20"]}
KILLS = 5


@pytest.mark.parametrize("part", OPTIONS)
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(part, start, run, data, tmp_path):
    command = [ROOT / TRAINING_SCRIPTS[part], "--data", data, "--device", "cpu", "--precision", "float32",
               "--batch-size", "100", *OPTIONS[part]]
    done = run(*command, "--output", tmp_path / "whole")
    assert done.returncode == 0, done.stderr

    moments = random.Random(part)
    kills = 0
    while kills < KILLS:
        process = start(*command, "--output", tmp_path / "killed", "--save-minutes", "0")
        while process.stdout.readline().startswith(("part", "stopped")):     # up to the line before the first step
            pass
        time.sleep(moments.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGKILL, 0), stderr
        if process.returncode == 0:
            break                                                            # it was quicker than we
        kills += 1
    assert kills > 2
    done = run(*command, "--output", tmp_path / "killed")
    assert done.returncode == 0, done.stderr
    for name in MODELS[part], "data.npy":
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {
        path.name for path in (tmp_path / "whole").iterdir()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signalled_script_saves_and_says_that_it_is_not_done(number, start, data, tmp_path):
    command = [ROOT / TRAINING_SCRIPTS["2a"], "--data", data, "--output", tmp_path, "--device", "cpu",
               "--hidden-units", "32", "--epochs", "500"]
    before = signal.signal(number, signal.SIG_DFL)       # tests in the background hand on that SIGINT is ignored
    process = start(*command)
    signal.signal(number, before)
    while "epoch" not in process.stdout.readline():
        pass
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    assert f"stopped by {signal.Signals(number).name} in epoch" in stdout
    assert (tmp_path / "training.state").exists()


def test_a_disk_that_fills_up_leaves_the_last_good_state(run, start, data, tmp_path):
    """The limit is on the size of a file: the model fits, the state, which is three times as large, does not."""
    command = [ROOT / TRAINING_SCRIPTS["1a"], "--data", data, "--device", "cpu", "--precision", "float32",
               "--epochs", "20", "--hidden-units", "64"]
    assert run(*command, "--output", tmp_path / "whole").returncode == 0
    full = tmp_path / "full_disk.py"
    full.write_text(f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
del sys.argv[0]
sys.path.insert(0, {str((ROOT / "1a"))!r})
runpy.run_path(sys.argv[0], run_name="__main__")
""")
    process = start(*command, "--output", tmp_path / "full", "--save-minutes", "0")
    while not (tmp_path / "full" / "training.state").exists():
        time.sleep(0.01)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    state = (tmp_path / "full" / "training.state").read_bytes()
    done = run(full, *command, "--output", tmp_path / "full")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "training.state: cannot be written (File too large); the file of before is kept; free some space" in line
    assert (tmp_path / "full" / "training.state").read_bytes() == state
    assert run(*command, "--output", tmp_path / "full").returncode == 0
    for name in "BOW.model", "data.npy":
        assert (tmp_path / "full" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
