"""The lines that docs/clusters.md has for other schedulers than Slurm, as far as a shell can play them."""

import os
import re
import subprocess

import pytest
from parts import ROOT

PAGE = (ROOT / "docs/clusters.md").read_text()


@pytest.fixture
def play(tmp_path):
    """Runs lines of a shell where the training ends with a status, after a notice if `told` -> (status, calls)."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name, script in (".venv/bin/python", '#!/bin/sh\n[ -z "$TOLD" ] || kill -USR1 $PPID\nexit $ENDS\n'), (
            "qsub", '#!/bin/sh\necho "$@" >>calls\n'):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)

    def play(lines, ends, told=""):
        done = subprocess.run(["bash", "-c", lines], cwd=tmp_path, timeout=30, env=os.environ | {
            "PATH": f"{tmp_path}:{os.environ['PATH']}", "PBS_O_WORKDIR": str(tmp_path), "ENDS": ends, "TOLD": told})
        return done.returncode, (tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""
    return play


STOPPED = pytest.mark.parametrize("ends, stopped", [
    ("0", False), ("2", False), ("75", True), ("138", True), ("143", True)])


@STOPPED
def test_a_pbs_job_submits_itself_again_when_it_was_stopped(play, ends, stopped):
    [lines] = re.findall(r"^ +#PBS.*\n((?: {4}.*\n)+)", PAGE, re.MULTILINE)
    assert play(lines, ends) == (int(ends), "jobs/3a.pbs\n" if stopped else "")


@STOPPED
def test_grid_engine_gets_its_99_when_the_training_was_stopped(play, ends, stopped):
    [line] = re.findall(r"`(trap : USR1; .*)`", PAGE)
    assert play(line, ends, told="1")[0] == (99 if stopped else int(ends))


def test_the_pbs_jobs_notice_reaches_the_training(tmp_path):
    line = re.search(r"timeout .*", PAGE)[0].replace("3.9h .venv/bin/python 3a/train_language_model.py", "1")
    done = subprocess.run(["bash", "-c", f"{line} bash -c 'trap \"exit 75\" USR1; sleep 20 & wait'"], timeout=15)
    assert done.returncode == 75
