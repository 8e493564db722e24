"""jobs/submit with small scripts in place of sbatch and squeue, which share a file for a queue."""

import os
import re
import subprocess

from parts import ROOT

# SBATCH_FAILS: it submits, but is not answered in time. A job's line is its id, why it waits, and its command line.
SBATCH = f"""#!/bin/bash
echo "$(env | grep -E '^(SLURM|SQUEUE)_' | tr '\\n' ' ')PYTHON=$PYTHON DEVICE=$DEVICE $*" >>"$ASKED"
echo >>"$QUEUE.ids"
id=$((40 + $(wc -l <"$QUEUE.ids")))
all=$*
[ -n "$REFUSES" ] && {{ echo "sbatch: error: no allocation" >&2; exit 1; }}
echo "$id|${{REASON-Priority}}|{ROOT}/jobs/part.sh${{all##*jobs/part.sh}}" >>"$QUEUE"
[ -n "$SBATCH_FAILS" ] && {{ echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1; }}
echo "Welcome to the cluster"
echo "$id;cluster"
"""
SQUEUE = """#!/bin/sh
[ -z "$NO_ANSWER" ] || { echo "slurm_load_jobs error: Socket timed out" >&2; exit 1; }
case " $* " in *" --me "*) echo "squeue: unrecognized option '--me'" >&2; exit 1 ;; esac        # before 20.02
[ -z "$SQUEUE_FORMAT$SQUEUE_STATES" ] || { echo "nothing that was asked for"; exit; }
cat "$QUEUE"
"""


class Submit:
    """jobs/submit with the sample, in a folder of its own.

    asked: for each sbatch of the last call, its environment and arguments as one line of text.
    """

    def __init__(self, folder, environment):
        (folder / "bin").mkdir()
        for name, script in ("sbatch", SBATCH), ("squeue", SQUEUE):
            (folder / "bin" / name).write_text(script)
            (folder / "bin" / name).chmod(0o755)
        self.folder, self.environment = folder, environment | {
            "PATH": f"{folder}/bin:{os.environ['PATH']}", "ASKED": str(folder / "asked"),
            "QUEUE": str(folder / "queue"), "FOLDER": str(folder), "SOURCE": "--sample --glove train"}
        self.end()

    def __call__(self, *arguments, command=(ROOT / "jobs/submit",), cwd="/", **settings):
        (self.folder / "asked").write_text("")
        done = subprocess.run([*command, *arguments], env=self.environment | settings, cwd=cwd, capture_output=True,
                              text=True, timeout=60)
        self.asked = (self.folder / "asked").read_text().splitlines()
        return done

    def jobs(self, *arguments, **settings):
        """The lines of `asked` by the jobs' names, of a call that must succeed."""
        done = self(*arguments, **settings)
        assert done.returncode == 0, done.stderr
        return {re.search(r"--job-name=(\S+)", line)[1]: line for line in self.asked}

    def refused(self, *arguments, **settings):
        """The one line of a call that must fail before it has submitted anything."""
        done = self(*arguments, **settings)
        assert done.returncode == 2 and not self.asked, done.stdout
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def end(self):
        """All jobs leave the queue."""
        (self.folder / "queue").write_text("")

    def write(self, *paths):
        for path in paths:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).touch()
