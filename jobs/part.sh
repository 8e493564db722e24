#!/usr/bin/env bash
# Trains one part and tests it: jobs/part.sh PART OUTPUT [OPTION of the training script ...]. jobs/submit submits it.
#
# When the wall clock is near, or the job has to make room for another, the training saves and ends with status 75.
# The job then goes back into the queue, keeps its id, and goes on in its next turn.
#SBATCH --requeue --open-mode=append
source jobs/run.sh
part=$1 output=$2
shift 2
if [ -n "${SLURM_ARRAY_TASK_ID-}" ]; then       # a trial of a sweep
    eval "set -- \"\$@\" $(sed -n "${SLURM_ARRAY_TASK_ID}p" "$output/trials.txt")"
    output=$output/$SLURM_ARRAY_TASK_ID
    sleep $((SLURM_ARRAY_TASK_ID % 10))         # not all trials load Python from the shared file system at once
fi
asked="$DATA $*"
if [ "$turn" -gt 1 ]; then                      # --restart is for the first turn; the others go on
    for option in "$@"; do
        shift
        [ "$option" = --restart ] || set -- "$@" "$option"
    done
fi

train=$("$PYTHON" -m common.parts train "$part")
test=$("$PYTHON" -m common.parts test "$part")  # empty for 3a, which tests itself, and 3b
shared=(--data "$DATA" --output "$output" --device "$DEVICE")

echo "job $SLURM_JOB_ID on $(hostname), turn $turn: part $part $*"
rm -f "$output/.done"
run "$SLURM_JOB_NUM_NODES" "$SLURM_NTASKS_PER_NODE" "$train" "${shared[@]}" "$@"
if [ -n "$test" ]; then
    run 1 1 "$test" "${shared[@]}"
fi
files=$(ls "$output")
printf '%s\n' "$asked" "$files" >"$output/.done"    # for jobs/submit
