"""What jobs/submit asks of sbatch, with a script in sbatch's place that notes its arguments."""

import os
import shutil
import subprocess
import sys

import pytest
from parts import ROOT

SBATCH = """#!/bin/sh
echo "$@" >>"$ASKED"
[ "$1" = --test-only ] || echo "Welcome.
41"
"""


@pytest.fixture
def submit(environment, tmp_path):
    """Runs jobs/submit -> (finished process, the arguments of each job that it submits)."""
    asked = tmp_path / "asked"
    (tmp_path / "bin").mkdir()
    for name, script in ("sbatch", SBATCH), ("squeue", "#!/bin/sh\n"):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    environment |= {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "ASKED": str(asked), "PYTHON": sys.executable,
        "FOLDER": str(tmp_path), "SOURCE": "--sample --glove train"}

    def submit(*arguments, **settings):
        asked.write_text("")
        done = subprocess.run([ROOT / "jobs/submit", *arguments], env=environment | settings, capture_output=True,
                              text=True, timeout=60)
        return done, [line for line in asked.read_text().splitlines() if not line.startswith("--test-only")]
    return submit


def test_the_shell_scripts_pass_shellcheck():
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck installed")
    scripts = [ROOT / ".ci/run", ROOT / "jobs/submit", *(ROOT / "jobs").glob("*.sh")]
    done = subprocess.run(["shellcheck", "--external-sources", *scripts], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_empty_settings_ask_for_nothing(submit):
    done, jobs = submit(GPU="", MEMORY="", CPUS="")
    assert done.returncode == 0 and len(jobs) == 9, done.stderr
    for option in "gres", "gpus", "mem", "cpus-per-task", "account", "partition", "constraint", "export":
        assert not any(f"--{option}" in job for job in jobs)
    assert all("--nodes=1 --ntasks-per-node=1" in job and "--time=4:00:00" in job for job in jobs)


@pytest.mark.parametrize("module", [None, "() {  return 1; }"], ids=["no module command", "no such module"])
def test_modules_that_cannot_be_loaded_are_refused(submit, module):
    done, jobs = submit(MODULES="pytorch", **{"BASH_FUNC_module%%": module} if module else {})
    assert done.returncode == 2 and not jobs
    assert done.stderr == "error: MODULES=pytorch: cannot be loaded here; `module avail` lists what there is\n"


def test_modules_are_loaded_into_the_shell_that_submits(submit):
    done, jobs = submit(MODULES="site-python", PYTHON="loaded-python",
                        **{"BASH_FUNC_module%%": f"() {{  loaded-python() {{ {sys.executable} \"$@\"; }}; }}"})
    assert done.returncode == 0 and len(jobs) == 9, done.stderr


def test_cpu_jobs_have_settings_of_their_own(submit):
    _, jobs = submit(ACCOUNT="lab-gpu", PARTITION="gpu", CONSTRAINT="a100", MEMORY="32G", GPU="--gpus-per-node=1",
                     CPU_ACCOUNT="lab-cpu", CPU_PARTITION="cpu", CPU_MEMORY="8G")
    for job in jobs:
        if "jobs/command.sh" in job:
            assert "--account=lab-cpu --partition=cpu --mem=8G" in job
            assert "--constraint" not in job and "--gpus-per-node" not in job
        else:
            assert "--account=lab-gpu --partition=gpu --constraint=a100 --mem=32G" in job and "--gpus-per-node=1" in job
    assert sum("jobs/command.sh" in job for job in jobs) == 2, "preprocessing and the report"


def test_parts_without_a_gpu_are_cpu_jobs(submit):
    _, jobs = submit(DEVICE="cpu", PARTITION="gpu", CPU_PARTITION="cpu")
    assert all("--partition=cpu" in job and "--gres" not in job for job in jobs)


@pytest.mark.parametrize("gpu, single", [
    ("--gres=gpu:a100:4", "--gres=gpu:a100:1"), ("--gpus-per-node=4", "--gpus-per-node=1"),
    ("--gres=gpu:v100", "--gres=gpu:v100")])
def test_parts_of_one_process_ask_for_one_node_and_gpu(submit, gpu, single):
    _, jobs = submit(GPU=gpu, NODES="2", PROCESSES="4", CPUS="32")
    for job in jobs:
        if "jobs/part.sh" not in job:
            continue
        one = any(f"jobs/part.sh {part}" in job for part in ("1a", "1b", "3b"))
        nodes, processes, cpus = (1, 1, 32) if one else (2, 4, 8)
        assert f"--nodes={nodes} --ntasks-per-node={processes} --cpus-per-task={cpus}" in job
        assert f" {single if one else gpu} " in job


def test_what_is_missing_is_downloaded_unless_imdb_is_empty(submit):
    # The program `false` in place of Python: it would download.
    done, jobs = submit("1a", PYTHON="false", SOURCE="--imdb reviews.tar.gz")
    assert done.returncode == 1 and not jobs
    done, jobs = submit("1a", PYTHON="false", SOURCE="--imdb reviews.tar.gz", IMDB="")
    assert done.returncode == 0 and "preprocess_data.py --imdb reviews.tar.gz" in jobs[0]


@pytest.fixture
def preprocessed(submit, tmp_path):
    """Preprocessed files, and the note of the job that made them from the sample."""
    done, _ = submit("1a")
    assert done.returncode == 0, done.stderr
    for name in subprocess.run(["bash", "-c", ". jobs/queue.sh; echo $PREPROCESSED"], cwd=ROOT, capture_output=True,
                               text=True, check=True).stdout.split():
        (tmp_path / "preprocessed_data" / name).write_text("")


def test_a_source_may_end_in_a_comment(submit, preprocessed):
    assert submit("1a", SOURCE="--sample --glove train  # as before")[0].returncode == 0


@pytest.mark.parametrize("arguments", [[], ["1a"], ["best"]])
def test_word_vectors_that_the_files_were_not_made_from_are_refused(submit, preprocessed, arguments):
    assert submit("1a")[0].returncode == 0
    done, jobs = submit(*arguments, SOURCE="--sample --glove vectors.zip")
    assert done.returncode == 2 and not jobs
    assert done.stderr.startswith("error: SOURCE=--sample --glove vectors.zip: the files in ")
    assert "made by `preprocess_data.py --sample --glove train --output" in done.stderr


def test_preprocessing_that_has_not_made_its_files_may_be_submitted_for_others(submit, preprocessed, tmp_path):
    (tmp_path / "preprocessed_data" / "imdb_test_glove.txt").unlink()
    done, jobs = submit("1a", SOURCE="--sample --glove vectors.zip")
    assert done.returncode == 0 and "--glove vectors.zip" in jobs[0], done.stderr


def test_the_best_recipes_are_submitted_without_python(submit):
    done, jobs = submit("best", PYTHON="false")
    assert done.returncode == 0 and any("jobs/command.sh 1a/BOW_test.py --unlabelled" in job for job in jobs)


def test_a_sweep_runs_as_many_trials_at_once_as_it_may(submit, tmp_path):
    (tmp_path / "widths.txt").write_text("--hidden-units 8\n--hidden-units 16\n")
    assert any("--array=1-2 " in job for job in submit("sweep", "2a", tmp_path / "widths.txt")[1])
    assert any("--array=1-2%1 " in job for job in submit("sweep", "2a", tmp_path / "widths.txt", TRIALS_AT_ONCE="1")[1])


@pytest.mark.parametrize("setting, value", [
    ("GPU", "gpu:1"), ("DEVICE", "gpu"), ("MEMORY", "16 GB"), ("CPU_MEMORY", "much"), ("NODES", ""), ("PROCESSES", "0"),
    ("CPUS", "four"), ("WALL_CLOCK", "4h"), ("WALL_CLOCK_3a", "day"), ("NOTICE_S", "5m"), ("MOST_REQUEUES", ""),
    ("TRIALS_AT_ONCE", "0"), ("SOURCE", "--imdb 'a"), ("OPTIONS_1a", "--epochs '1"), ("PYTHON", "no-such-python"),
    ("LOGS", "/dev/null/logs")])
def test_a_wrong_setting_ends_before_anything_is_submitted(submit, setting, value):
    done, jobs = submit(**{setting: value})
    assert done.returncode == 2 and not jobs
    assert done.stderr.startswith(f"error: {setting}={value}: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [
    ["4a"], ["2a", "--data", "here"], ["sweep", "2a"], ["sweep", "2a", "no-such-file"]])
def test_wrong_arguments_end_before_anything_is_submitted(submit, arguments):
    done, jobs = submit(*arguments)
    assert done.returncode == 2 and not jobs
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_what_sbatch_refuses_ends_before_anything_is_submitted(submit, tmp_path):
    (tmp_path / "bin/sbatch").write_text('#!/bin/sh\necho "sbatch: error: no\nallocation failure" >&2\nexit 1\n')
    done, jobs = submit(PARTITION="none")
    assert done.returncode == 2 and not jobs
    assert done.stderr == "error: preprocess: sbatch: error: no allocation failure\n"


def test_a_full_folder_is_named(submit, tmp_path):
    (tmp_path / "bin/head").write_text("#!/bin/sh\nexec /usr/bin/head \"$@\" >/dev/full\n")
    (tmp_path / "bin/head").chmod(0o755)
    done, jobs = submit()
    assert done.returncode == 2 and not jobs
    assert done.stderr == (f"error: DATA={tmp_path}/preprocessed_data: cannot be written (No space left on device); "
                           "make room there, or give another FOLDER or DATA\n")


def test_paths_may_have_spaces_and_quotes(environment):
    path = "/data/my 'own' files/vectors 1.txt"
    script = 'source jobs/settings.sh; eval "source=($SOURCE)"; printf "%s\\n" "${source[@]}"'
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environment | {"IMDB": path, "GLOVE": path},
                          capture_output=True, text=True)
    assert done.stdout.splitlines() == ["--imdb", path, "--glove", path], done.stderr


def test_a_file_of_trials_may_have_windows_line_ends(submit, tmp_path):
    (tmp_path / "widths.txt").write_bytes(b"--hidden-units 100\r\n# none\r\n--hidden-units 200\r\n")
    done, jobs = submit("sweep", "2a", str(tmp_path / "widths.txt"))
    assert done.returncode == 0, done.stderr
    assert any("--array=1-2" in job for job in jobs)
    trials = tmp_path / "results" / "2a-widths" / "trials.txt"
    assert trials.read_bytes() == b"--hidden-units 100\n--hidden-units 200\n"


@pytest.mark.parametrize("content", [
    b"\xef\xbb\xbf--epochs 1\n--epochs 2", b"--epochs 1\r--epochs 2\r", b"\t\n--epochs 1\n\t# none\n\n--epochs 2\n"],
    ids=["byte order mark", "carriage returns", "tabs"])
def test_a_file_of_trials_is_read_as_editors_save_it(submit, tmp_path, content):
    (tmp_path / "epochs.txt").write_bytes(content)
    done, jobs = submit("sweep", "2a", str(tmp_path / "epochs.txt"))
    assert done.returncode == 0 and any("--array=1-2 " in job for job in jobs), done.stderr
    assert (tmp_path / "results" / "2a-epochs" / "trials.txt").read_bytes() == b"--epochs 1\n--epochs 2\n"


def test_a_trial_may_have_quotes_and_end_in_a_comment(submit, tmp_path):
    (tmp_path / "labels.txt").write_text("--pseudo-labels 'my \"own\" labels.npz'    # the best\n@mine.txt\n")
    done, jobs = submit("sweep", "2a", str(tmp_path / "labels.txt"))
    assert done.returncode == 0 and any("--array=1-2 " in job for job in jobs), done.stderr


@pytest.mark.parametrize("trial", ["--epochs '1", "--epochs 1; touch x", "--reviews a&b", "\u2013epochs 1", "epochs 1",
                                   "--output here", "--epochs 1\0"])
def test_a_trial_that_is_no_options_ends_before_anything_is_submitted(submit, tmp_path, trial):
    (tmp_path / "trials.txt").write_text(f"--epochs 2\n{trial}\n", encoding="utf-16" if "\0" in trial else "utf-8")
    done, jobs = submit("sweep", "2a", str(tmp_path / "trials.txt"))
    assert done.returncode == 2 and not jobs
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_an_sbatch_that_prints_no_job_id_is_shown(submit, tmp_path):
    (tmp_path / "bin/sbatch").write_text("#!/bin/sh\necho Submitted batch job 41\n")
    done, _ = submit("1a")
    assert done.returncode == 2
    assert done.stderr.startswith("error: preprocess: sbatch prints no job id, but 'Submitted batch job 41'; ")


def test_an_empty_folder_is_that_of_the_project(environment):
    script = 'source jobs/settings.sh; echo "$DATA $RESULTS $LOGS"'
    empty = {name: "" for name in ("FOLDER", "DATA", "RESULTS", "LOGS")}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environment | empty, capture_output=True, text=True)
    assert done.stdout == "./preprocessed_data ./results ./logs\n"


def test_jobs_do_not_inherit_the_array_index_of_the_job_that_submits_them(submit, tmp_path):
    (tmp_path / "bin" / "sbatch").write_text(SBATCH + 'env | grep SLURM_ARRAY >>"$ASKED" || true\n')
    done, jobs = submit("1a", SLURM_ARRAY_TASK_ID="3", SLURM_ARRAY_JOB_ID="40")
    assert done.returncode == 0, done.stderr
    assert jobs and not any("SLURM_ARRAY" in job for job in jobs)
