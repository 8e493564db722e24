"""jobs/submit called again: what is in the queue or done is not submitted."""

import os
import subprocess

import pytest
from fake_slurm import SBATCH, SQUEUE
from parts import ROOT


# What is in the queue

def test_what_is_in_the_queue_is_not_submitted_again(submit):
    submit.jobs()
    done = submit()
    assert done.returncode == 0 and not submit.asked
    assert "1a           job 42, in the queue already (Priority)\n" in done.stdout


@pytest.mark.parametrize("command", [[], ["best"], ["2a"], ["sweep", "2a", "trials"]])
def test_an_squeue_that_gives_no_answer_ends_it(submit, command, tmp_path):
    (tmp_path / "trials").write_text("--epochs 1\n")
    submit.jobs(*command, cwd=tmp_path)
    done = submit(*command, cwd=tmp_path, NO_ANSWER="1")
    assert done.returncode == 2 and not submit.asked
    assert done.stderr.splitlines()[-1].startswith("error: squeue gives no answer")


def test_an_squeue_that_gives_no_answer_when_all_is_submitted_ends_nothing(submit, tmp_path):
    (tmp_path / "bin/squeue").write_text(SQUEUE.replace('"$NO_ANSWER"', '"$(cat "$QUEUE")"'))
    assert len(submit.jobs()) == 9


def test_a_users_own_settings_of_squeue_do_not_count(submit):
    submit.jobs()
    assert not submit.jobs(SQUEUE_FORMAT="%i", SQUEUE_STATES="RUNNING")


def test_two_calls_at_once_submit_once(submit, tmp_path):
    (tmp_path / "bin/sbatch").write_text(SBATCH.replace("#!/bin/bash", "#!/bin/bash\nsleep 0.1"))
    calls = [subprocess.Popen(ROOT / "jobs/submit", env=submit.environment, stdout=subprocess.DEVNULL) for _ in "12"]
    assert [call.wait(timeout=60) for call in calls] == [0, 0]
    assert len((tmp_path / "queue").read_text().splitlines()) == 9


def test_an_sbatch_that_times_out_though_it_submitted_is_believed_by_what_is_in_the_queue(submit, tmp_path):
    jobs = submit.jobs(SBATCH_FAILS="1")
    assert list(jobs) == ["preprocess", "1a", "1b", "2a", "2b", "3a", "3b", "3c", "report"]
    assert "--dependency=afterok:41,afterok:46 " in jobs["3c"]
    assert len((tmp_path / "queue").read_text().splitlines()) == 9


def test_what_sbatch_refuses_is_shown_and_ends_it(submit):
    done = submit(REFUSES="1")
    assert done.returncode == 2 and len(submit.asked) == 1
    shown, error = done.stderr.splitlines()
    assert shown == "sbatch: error: no allocation" and error.startswith("error: preprocess: not submitted")


def test_what_is_in_the_queue_by_then_is_named_where_sbatch_refuses(submit, tmp_path):
    (tmp_path / "bin/sbatch").write_text(SBATCH.replace('[ -n "$REFUSES" ]', '[ "$id" -gt 42 ]'))
    assert submit().stderr.splitlines()[-1].endswith("; in the queue by now: 41,42")


def test_a_job_of_another_checkout_is_not_taken_for_this_ones(submit, tmp_path):
    submit.jobs("2a")
    queue = (tmp_path / "queue").read_text()
    (tmp_path / "queue").write_text(queue.replace(str(ROOT), "/elsewhere"))
    assert list(submit.jobs("2a")) == ["preprocess", "2a"]


def test_a_job_in_the_queue_with_other_options_is_left_alone(submit):
    submit.jobs("2a", "--epochs", "2")
    assert "2a: job 42 works in" in submit.refused("2a", "--epochs", "3")


def test_a_job_in_a_folder_whose_name_goes_on_is_another_one(submit, tmp_path):
    submit.jobs("2a")
    assert list(submit.jobs("2a", RESULTS=str(tmp_path / "results/2a"))) == ["2a"]


@pytest.mark.parametrize("reason", ["PartitionConfig", "PartitionTimeLimit", "QOSMaxWallDurationPerJobLimit"])
def test_a_job_that_waits_for_ever_is_named(submit, reason):
    done = submit("1a", REASON=reason)
    assert f"warning: job 42 waits for ever ({reason})" in done.stdout
    assert "waits for ever" not in submit("1b").stdout


def test_what_sbatch_says_while_it_tries_again_is_seen_at_once(submit, tmp_path):
    (tmp_path / "bin/sbatch").write_text("#!/bin/sh\necho 'job queue full, sleeping and retrying' >&2\nsleep 60\n")
    (tmp_path / "asked").touch()
    with subprocess.Popen([ROOT / "jobs/submit", "1a"], env=submit.environment, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as call:
        assert "retrying" in call.stderr.readline()
        os.killpg(call.pid, 9)


# What is done

def test_what_is_done_is_not_submitted_again(submit):
    submit.write("preprocessed_data/imdb_test_glove.txt", "results/3b/generated_reviews.txt", "results/report.html",
                 *(f"results/{part}/test_table.csv" for part in ("1a", "1b", "2a", "2b", "3a", "3c")))
    assert not submit.jobs()


def test_what_is_missing_is_submitted_with_what_waits_for_it(submit):
    submit.write("preprocessed_data/imdb_test_glove.txt", "results/3b/generated_reviews.txt", "results/report.html",
                 *(f"results/{part}/test_table.csv" for part in ("1a", "2a", "2b", "3c")))
    assert list(submit.jobs()) == ["1b", "3a", "3b", "3c", "report"]


def test_restart_submits_what_is_done(submit):
    submit.write("preprocessed_data/imdb_test_glove.txt",
                 *(f"results/{part}/test_table.csv" for part in ("1a", "1b", "2a", "2b", "3a", "3c")))
    submit.write("results/3b/generated_reviews.txt")
    assert list(submit.jobs(OPTIONS_2a="--restart")) == ["2a", "report"]


def test_a_single_part_that_is_done_is_submitted(submit):
    submit.write("preprocessed_data/imdb_test_glove.txt", "results/2a/test_table.csv")
    assert list(submit.jobs("2a")) == ["2a"]


def test_the_best_recipes_that_are_done_are_not_submitted_again(submit):
    jobs = submit.jobs("best")
    assert len(jobs) == 10 and "jobs/part.sh labels" in jobs["best-labels"]
    submit.end()
    submit.write("preprocessed_data/imdb_test_glove.txt", "results/best/teacher/pseudo_labels.npz",
                 "results/best/report.html", *(f"results/best/{part}/test_table.csv" for part in (
                     "teacher", "1a", "1b", "2a", "2b", "3a", "3c")))
    assert not submit.jobs("best")
