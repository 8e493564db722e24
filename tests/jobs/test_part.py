"""How jobs/part.sh ends, with small scripts in place of srun, scontrol and Python."""

import os
import re
import subprocess

import pytest
from parts import ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS

# Runs what it is given here, once.
SRUN = """#!/bin/bash
echo "srun $*"
[ -z "$SRUN_DOES_NOTHING" ] || exit 0
while [[ $1 == --* ]]; do shift; done
SLURM_PROCID=0 SLURM_LOCALID=0 exec "$@"
"""
# STATE: of the job; FAILS: so many of its calls are not answered.
SCONTROL = """#!/bin/bash
case $1 in
hostnames) echo node1 ;;
show) [ "$2" = hostnames ] && echo node1 && exit
    echo "JobState=${STATE-RUNNING} PreemptTime=${PREEMPTED-None}" ;;
requeue) echo "requeue $2" >>"$FOLDER/calls"
    [ "$(wc -l <"$FOLDER/calls")" -gt "${FAILS-0}" ] || { echo "slurm_requeue error: timed out" >&2; exit 1; } ;;
esac
"""
# Writes the file that the script writes last, or does what DOES says of it. A training removes an older table.
PYTHON = """#!/bin/bash
echo "python $*"
echo "$MASTER_ADDR:$MASTER_PORT $WORLD_SIZE $RANK $LOCAL_RANK" >"$FOLDER/distributed"
[[ $1 != $WHOSE ]] || eval "$DOES"
cd "$FOLDER/out"
case "$1 $2" in
*sentiment_analysis.py*) rm -f test_table.csv ;;
*--unlabelled*) touch pseudo_labels.npz ;;
*generate*) touch generated_reviews.txt ;;
*preprocess*) touch imdb_test_glove.txt ;;
*report*) touch report.html ;;
*) rm -f test_table.csv; touch test_table.csv ;;
esac
"""


@pytest.fixture
def part(environment, tmp_path):
    """Runs jobs/part.sh PART with an output folder of its own -> the finished process."""
    for folder in "bin", "out":
        (tmp_path / folder).mkdir()
    for name, script in ("srun", SRUN), ("scontrol", SCONTROL), ("python", PYTHON), ("sleep", "#!/bin/sh\n"):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    environment |= {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "PYTHON": "python", "FOLDER": str(tmp_path), "WHOSE": "",
        "DOES": "", "SLURM_JOB_ID": "12", "SLURM_JOB_NODELIST": "node1", "SLURM_JOB_NUM_NODES": "1",
        "SLURM_CPUS_ON_NODE": "2"}

    def part(name, *options, cwd=ROOT, **settings):
        return subprocess.run(["bash", ROOT / "jobs/part.sh", name, tmp_path / "out", *options], cwd=cwd,
                              env=environment | settings, capture_output=True, text=True, timeout=60)
    return part


def scripts(done):
    return re.findall(r"^python (\S+\.py|-m \S+)", done.stdout, re.MULTILINE)


def test_a_part_runs_its_training_and_then_its_test(part):
    for name, script in TRAINING_SCRIPTS.items():
        done = part(name, "--epochs", "3")
        assert done.returncode == 0, done.stderr
        assert scripts(done) == [script, *([TEST_SCRIPTS[name]] if name in TEST_SCRIPTS else [])]
        assert done.stdout.count("--epochs 3\n") == 3, "the head, srun and the training have its options, the test none"
    assert scripts(part("3b")) == ["3b/generate_review.py"]


@pytest.mark.parametrize("name, command", [
    ("preprocess_data.py", "preprocess_data.py --workers 2 --output {} --sample"),
    ("report", "-m common.results.report --output {} --sample"),
    ("labels", "1a/BOW_test.py --unlabelled --data preprocessed_data --device auto --output {} --sample")])
def test_the_other_jobs_run_one_script(part, tmp_path, name, command):
    done = part(name, "--sample")
    assert done.returncode == 0 and f"\npython {command.format(tmp_path / 'out')}\n" in done.stdout


def test_it_sets_what_torch_distributed_asks_for(part, tmp_path):
    part("2a", MASTER_SUFFIX="i", MASTER_ADDR="of-another-job", WORLD_SIZE="7")
    assert (tmp_path / "distributed").read_text() == "node1i:20012 1 0 0\n"


@pytest.mark.parametrize("settings, told", [
    ({"cwd": "/"}, "is not the project's folder"), ({"SRUN_DOES_NOTHING": "1"}, "test_table.csv has not been written"),
    ({"WHOSE": TEST_SCRIPTS["2a"], "DOES": "exit 0"}, "test_table.csv has not been written"),
    ({"PYTHON": "no-such-python"}, "no-such-python"), ({"SLURM_JOB_NODELIST": ""}, None)],
    ids=["elsewhere", "a node set down", "a test that does nothing", "no Python", "no node"])
@pytest.mark.parametrize("before", [False, True], ids=["new", "an older table"])
def test_a_job_that_has_not_done_its_work_fails(part, tmp_path, before, settings, told):
    if before:
        (tmp_path / "out/test_table.csv").touch()
    if told is None:        # Slurm's own commands fail
        (tmp_path / "bin/scontrol").write_text("#!/bin/sh\nexit 1\n")
    done = part("2a", **settings)
    assert done.returncode not in (0, 75) and (told or "") in done.stderr


def test_preprocessing_that_leaves_its_files_alone_is_done(part, tmp_path):
    idle = dict(WHOSE="preprocess_data.py", DOES="exit 0")
    assert part("preprocess_data.py", **idle).returncode == 1
    (tmp_path / "out/imdb_test_glove.txt").touch()
    assert part("preprocess_data.py", **idle).returncode == 0


def test_a_script_that_fails_fails_the_job_before_its_test(part):
    done = part("2a", WHOSE=TRAINING_SCRIPTS["2a"], DOES="exit 2")
    assert done.returncode == 2 and scripts(done) == [TRAINING_SCRIPTS["2a"]]


@pytest.mark.parametrize("status", ["75", "138", "143"])
def test_a_script_that_is_stopped_sends_the_job_back(part, tmp_path, status):
    done = part("2a", WHOSE=TRAINING_SCRIPTS["2a"], DOES=f"exit {status}")
    assert done.returncode == 0 and "job 12 goes back into the queue" in done.stdout
    assert (tmp_path / "calls").read_text() == "requeue 12\n"


def test_all_options_come_back_in_the_next_turn(part):
    done = part("2a", "--restart", "--epochs", "3", SLURM_RESTART_COUNT="1")
    assert re.search(r"python 2a/RNN_sentiment_analysis.py .* --restart --epochs 3\n", done.stdout)


def test_a_job_tries_again_to_go_back(part, tmp_path):
    done = part("2a", WHOSE=TRAINING_SCRIPTS["2a"], DOES="exit 75", FAILS="2")
    assert done.returncode == 0 and (tmp_path / "calls").read_text() == 3 * "requeue 12\n"


def test_a_job_that_cannot_go_back_fails_and_says_what_to_do(part):
    done = part("2a", WHOSE=TRAINING_SCRIPTS["2a"], DOES="exit 75", FAILS="99")
    assert done.returncode == 1 and "submit it again to go on" in done.stderr


def test_a_cancelled_job_does_not_go_back(part, tmp_path):
    done = part("2a", WHOSE=TRAINING_SCRIPTS["2a"], DOES="exit 75", STATE="COMPLETING")
    assert done.returncode == 75 and not (tmp_path / "calls").exists()


def test_a_job_that_goes_round_for_ever_fails(part):
    done = part("2a", WHOSE=TRAINING_SCRIPTS["2a"], DOES="exit 75", MOST_REQUEUES="3", SLURM_RESTART_COUNT="3")
    assert done.returncode == 1 and "not done in 4 turns" in done.stderr


@pytest.mark.parametrize("name, script", [("preprocess_data.py", "preprocess_data.py"), ("2a", TRAINING_SCRIPTS["2a"])])
def test_what_the_wall_clock_ends_before_it_could_save_fails_with_a_word_about_it(part, tmp_path, name, script):
    done = part(name, WHOSE=script, DOES="kill -USR1 $PPID; command sleep 5; exit 0")
    assert done.returncode == 1 and not (tmp_path / "calls").exists()
    assert f"{name} cannot save, or not in time: give a longer WALL_CLOCK" in done.stderr


def test_a_test_that_the_wall_clock_ends_goes_on_in_the_next_turn(part, tmp_path):
    done = part("2a", WHOSE=TEST_SCRIPTS["2a"], DOES="kill -USR1 $PPID; command sleep 5")
    assert done.returncode == 0 and (tmp_path / "calls").exists()


def test_a_notice_between_training_and_test_is_not_lost(part, tmp_path):
    done = part("2a", WHOSE=TRAINING_SCRIPTS["2a"], DOES="trap '' USR1; kill -USR1 $PPID")
    assert scripts(done) == [TRAINING_SCRIPTS["2a"]] and (tmp_path / "calls").exists()


def test_the_log_says_from_where_each_turn_goes_on(part, tmp_path):
    assert re.match(r"job 12 on \S+, turn 1, from the start: 2a --epochs 3\n", part("2a", "--epochs", "3").stdout)
    (tmp_path / "out/training.state").touch()
    done = part("2a", SLURM_RESTART_COUNT="1")
    assert f"turn 2, from {tmp_path}/out/training.state: 2a" in done.stdout


# Modules

MODULE = "() {  echo \"module $*\"; [ \"$2\" != missing ]; }"


def test_modules_are_loaded_where_the_users_own_shell_is_not_bash(part):
    # In place of /etc/profile, which tells a login shell what `module` is.
    profile = f"() {{  [ \"$1\" = /etc/profile ] && module {MODULE}; }}"
    assert part("2a", MODULES="python cuda", **{"BASH_FUNC_source%%": profile}).stdout.startswith(
        "module load python\nmodule load cuda\n")


@pytest.mark.parametrize("module", [None, MODULE], ids=["no module command", "no such module"])
def test_modules_that_cannot_be_loaded_fail_the_job(part, module):
    done = part("2a", MODULES="missing", **{"BASH_FUNC_module%%": module} if module else {})
    assert done.returncode == 1 and not scripts(done)
    assert "error: MODULES: missing cannot be loaded on " in done.stderr.splitlines()[-1]
