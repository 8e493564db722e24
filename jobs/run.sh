# What the batch scripts share: starting a Python script, and going back into the queue when it has to stop.
# shellcheck shell=bash
source jobs/settings.sh

job=$SLURM_JOB_ID
if [ -n "${SLURM_ARRAY_TASK_ID-}" ]; then       # the id of the last task is that of the whole array, too
    job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
fi
cpus=${CPUS:-$SLURM_CPUS_ON_NODE}
threads=${OMP_NUM_THREADS-}
turn=$((${SLURM_RESTART_COUNT-0} + 1))

# Puts the job back into the queue; but not one that was cancelled, which Slurm would take as well.
requeue() {
    local state
    state=$(scontrol show job "$job")
    if [[ $state == *JobState=COMPLETING* && $state != *PreemptTime=[0-9]* ]]; then
        exit 75
    fi
    if [ "$turn" -gt "$MOST_REQUEUES" ]; then
        echo "error: not done after $MOST_REQUEUES turns; submit it again to go on, or with a longer WALL_CLOCK" >&2
        exit 1
    fi
    echo "job $job goes back into the queue"
    scontrol requeue "$job"
    exit
}

# run NODES PROCESSES SCRIPT [OPTION ...]: so many processes of a Python script on each node. Returns if it succeeds.
#
# srun starts single processes as well: before it preempts a job, Slurm tells those that srun has started, but not the
# batch script. There is no torchrun, which kills its processes 30 s after a signal, however long they have to save.
run() {
    local nodes=$1 processes=$2 status
    shift 2
    # srun does not take sbatch's CPUs for its own.
    export SRUN_CPUS_PER_TASK=$((cpus > processes ? cpus / processes : 1))
    export OMP_NUM_THREADS=${threads:-$SRUN_CPUS_PER_TASK} WORLD_SIZE=$((nodes * processes)) MASTER_ADDR MASTER_PORT
    # The first node is where all processes meet; the job's id makes a port that no other job is likely to take.
    MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))
    # Processes may end one after the other, since only the first one saves.
    # shellcheck disable=SC2016
    srun --nodes="$nodes" --ntasks="$WORLD_SIZE" --ntasks-per-node="$processes" --cpu-bind=none \
        --kill-on-bad-exit=0 --wait="$NOTICE_S" \
        bash -c 'RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID exec "$@"' bash "$PYTHON" "$@" &
    script=$!
    while kill -0 "$script" 2>/dev/null; do     # a signal ends wait early
        wait "$script"
    done
    wait "$script"
    status=$?
    case $status in
    0) ;;
    # Stopped and saved; or, by USR1 or TERM, ended in a script that knows nothing of them or was still starting.
    75 | 138 | 143) requeue ;;
    *) exit "$status" ;;
    esac
}

trap 'kill -USR1 "$script"' USR1                # the wall clock is near
trap 'kill -TERM "$script"' TERM                # cancelled, or to make room for another job
