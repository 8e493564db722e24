#!/usr/bin/env bash
# Trains one part and tests it: jobs/part.sh PART [OPTION of the training script ...]. jobs/submit submits it.
#
# When the wall clock is near (USR1), or the job has to make room for another (TERM), the training saves and
# ends with status 75. The job then goes back into the queue, keeps its id, and goes on in its next turn.
#SBATCH --ntasks-per-node=1 --requeue --open-mode=append
source jobs/settings.sh
part=$1
shift
export OMP_NUM_THREADS=${OMP_NUM_THREADS-$((CPUS > PROCESSES ? CPUS / PROCESSES : 1))}

# Puts the job back into the queue; but not one that was cancelled, which Slurm would take as well.
requeue() {
    local job
    job=$(scontrol show job "$SLURM_JOB_ID")
    if [[ $job == *JobState=COMPLETING* && $job != *PreemptTime=[0-9]* ]]; then
        exit 75
    fi
    if [ "${SLURM_RESTART_COUNT-0}" -ge "$MOST_REQUEUES" ]; then
        echo "error: not done after $MOST_REQUEUES turns; submit it again to go on, or with a longer WALL_CLOCK" >&2
        exit 1
    fi
    echo "job $SLURM_JOB_ID goes back into the queue"
    scontrol requeue "$SLURM_JOB_ID"
    exit
}

# Runs a command and passes signals on to it. Returns if it succeeds.
run() {
    "$@" &
    script=$!
    while kill -0 "$script" 2>/dev/null; do     # a signal ends wait early
        wait "$script"
    done
    wait "$script"
    local status=$?
    # A script that knows nothing of the signal, or was still starting, ends with 128 + its number.
    # torchrun tells of no status but its own, but its processes save as a single one does.
    case $status:$signal:$launch in
    0:*) ;;
    75:* | 138:USR1:* | 143:TERM:* | *:?*:*torch.distributed.run*) requeue ;;
    *) exit "$status" ;;
    esac
}

signal=
trap 'signal=USR1; kill -$pass_on "$script"' USR1
trap 'signal=TERM; kill -TERM "$script"' TERM

output=$RESULTS/$part
if [ -n "${SLURM_ARRAY_TASK_ID-}" ]; then       # a trial of a sweep
    output=$SWEEP/$SLURM_ARRAY_TASK_ID
    eval "set -- \"\$@\" $(sed -n "${SLURM_ARRAY_TASK_ID}p" "$SWEEP/trials.txt")"
fi

if [ "${SLURM_RESTART_COUNT-0}" -gt 0 ]; then   # --restart is for the first turn; the others go on
    for option in "$@"; do
        shift
        [ "$option" = --restart ] || set -- "$@" "$option"
    done
fi

case $part in
1a | 1b) train=BOW_sentiment_analysis.py test=BOW_test.py ;;
2a | 2b | 3c) train=RNN_sentiment_analysis.py test=RNN_test.py ;;
3a) train=train_language_model.py test= ;;      # tests itself
3b) train=generate_review.py test= ;;
esac
shared=(--data "$DATA" --output "$output" --device "$([ -n "$GPU" ] && echo cuda || echo cpu)")
case $part in
3b | 3c) set -- --language-model "$RESULTS/3a/language.model" "$@" ;;
esac

launch=$PYTHON pass_on=USR1
if [ $((NODES * PROCESSES)) -gt 1 ]; then
    # The first node is where all processes meet; the job's id makes a port that no other job is likely to take.
    host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    launch="srun $PYTHON -m torch.distributed.run --nnodes $NODES --nproc_per_node $PROCESSES
        --rdzv_backend c10d --rdzv_id $SLURM_JOB_ID --rdzv_endpoint $host:$((20000 + SLURM_JOB_ID % 10000))"
    pass_on=TERM                                # USR1 would end torchrun itself
fi

echo "job $SLURM_JOB_ID on $(hostname), turn $((${SLURM_RESTART_COUNT-0} + 1)): part $part $*"
# shellcheck disable=SC2086
run $launch "$part/$train" "${shared[@]}" "$@"
if [ -n "$test" ]; then
    launch=$PYTHON pass_on=USR1
    run "$PYTHON" "$part/$test" "${shared[@]}"
fi
