#!/usr/bin/env bash
# Runs a Python script on CPUs: jobs/command.sh SCRIPT [OPTION ...]. jobs/submit submits it.
#SBATCH --requeue --open-mode=append
source jobs/run.sh
echo "job $SLURM_JOB_ID on $(hostname), turn $turn: $*"
run 1 1 "$@"
