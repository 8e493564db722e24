"""--restart in a job that goes back into the queue, which starts all its turns with the same options."""

import pytest
from parts import TRAINING_SCRIPTS


@pytest.fixture
def turn(monkeypatch, run_here, data, tmp_path):
    """Trains part 1a with --restart in a turn of job 7 -> whether it kept what was trained before."""
    def turn(count, job="7", restart=True):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv("SLURM_RESTART_COUNT", count)
        status, stdout, stderr = run_here(
            TRAINING_SCRIPTS["1a"], "--data", data, "--output", tmp_path, "--device", "cpu", "--epochs", "1",
            "--hidden-units", "8", *["--restart"] * restart)
        assert status == 0, stderr
        return "is trained already" in stdout
    return turn


def test_the_first_turn_discards_what_was_trained_before(turn):
    turn("0", restart=False)
    assert not turn("0") and not turn("0"), "an interactive job has many first turns"


def test_a_later_turn_keeps_what_an_earlier_one_has_trained(turn):
    turn("0")
    assert turn("1") and turn("2")


def test_a_later_turn_discards_what_was_trained_before_where_no_earlier_one_got_so_far(turn):
    turn("0", restart=False)
    assert not turn("1") and turn("2")


def test_a_later_turn_discards_what_another_job_has_restarted(turn):
    turn("0", job="6")
    assert not turn("1")
