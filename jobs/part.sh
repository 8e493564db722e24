#!/usr/bin/env bash
# Trains a part and tests it, as a Slurm job. In the project's folder, with what your site asks for besides:
#
#   sbatch --job-name=2a --gres=gpu:1 jobs/part.sh 2a results/2a --hidden-units 300
#
# When the wall clock is near, or the job has to make room for another, the training saves and ends with status 75.
# The job then goes back into the queue, keeps its id, and goes on in its next turn. jobs/submit submits this file, too.
#SBATCH --time=4:00:00 --signal=B:USR1@300
#SBATCH --output=%x-%j.out --open-mode=append --requeue --export=ALL
fail() { echo "error: $*" >&2; exit 1; }
if [ -n "${MODULES-}" ]; then           # where the user's own shell is not bash, nobody has defined `module` yet
    command -v module >/dev/null || source /etc/profile
    for module in $MODULES; do module load "$module" || fail "MODULES: $module cannot be loaded on $(hostname)"; done
fi
set -euo pipefail
[ -e jobs/part.sh ] || fail "$PWD on $(hostname) is not the project's folder: submit there, and see that nodes mount it"
part=$1 output=$2 last=test_table.csv test='' told='' script='' status=0 trained='' before=''
turn=$((${SLURM_RESTART_COUNT:-0} + 1)) processes=${SLURM_NTASKS_PER_NODE:-1}
cpus=$((${SLURM_CPUS_PER_TASK:-$((SLURM_CPUS_ON_NODE / processes))} * processes))       # of each node
unset SLURM_CPUS_PER_TASK SLURM_TRES_PER_TASK "${!SLURM_MEM_@}"      # srun is told; these may be of a job around
shared=(--data "${DATA:-preprocessed_data}" --device "${DEVICE:-auto}")
case $part in                           # its scripts, and the file that is written last
1[ab]) train=("$part/BOW_sentiment_analysis.py") test=$part/BOW_test.py ;;
2[ab] | 3c) train=("$part/RNN_sentiment_analysis.py") test=$part/RNN_test.py ;;
3a) train=(3a/train_language_model.py) ;;
3b) train=(3b/generate_review.py) last=generated_reviews.txt ;;
preprocess_data.py) train=("$part") last=imdb_test_glove.txt shared=(--workers "$cpus") ;;
labels) train=(1a/BOW_test.py --unlabelled) last=pseudo_labels.npz ;;
report) train=(-m common.results.report) last=report.html shared=() ;;
*) fail "'$part': no such part" ;;
esac

# Puts the job back into the queue; but not one that was cancelled, which Slurm would take as well.
requeue() {
    [ "$told$status$trained" != USR1138 ] || fail "$part cannot save, or not in time: give a longer WALL_CLOCK (--time)"
    [ "$turn" -le "${MOST_REQUEUES:-50}" ] || fail "not done in $turn turns: submit it again, with a longer WALL_CLOCK"
    for pause in 5 15 60 0; do          # a busy Slurm may not answer
        state=$(scontrol show job "$SLURM_JOB_ID") || state=
        [[ $state != *JobState=COMPLETING* || $state == *PreemptTime=[0-9]* ]] || exit 75
        echo "job $SLURM_JOB_ID goes back into the queue"
        [ -z "$state" ] || ! scontrol requeue "$SLURM_JOB_ID" || exit 0
        sleep $pause
    done
    fail "Slurm does not take the job back; what is saved is kept: submit it again to go on"
}
# run NODES PROCESSES SCRIPT [OPTION ...]: so many processes of a Python script on each node. Returns if it succeeds.
run() {
    [ -z "$told" ] || requeue
    script=
    export WORLD_SIZE=$(($1 * $2)) OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cpus / $2))} MASTER_ADDR MASTER_PORT
    MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)${MASTER_SUFFIX-}   # where all meet
    MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))                               # which no other job is likely to take
    # srun starts single processes as well: before it preempts a job, Slurm tells those that srun has started, but not
    # the batch script. torchrun would kill its processes 30 s after a signal; srun waits for the first one to save.
    # shellcheck disable=SC2016
    srun --export=ALL --nodes="$1" --ntasks="$WORLD_SIZE" --cpus-per-task=$((cpus / $2)) \
        --cpu-bind=none --kill-on-bad-exit=0 --wait="${NOTICE_S:-300}" \
        bash -c 'RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID exec "$@"' bash "${PYTHON:-.venv/bin/python}" "${@:3}" &
    script=$!
    [ -z "$told" ] || stop "$told"      # which came before the script had a number
    while kill -0 $script 2>/dev/null; do wait $script || true; done    # a signal ends wait early,
    wait $script || true                                                # and one that comes as the script ends, this
    wait $script && status=0 || status=$?
    [ $status -ne 255 ] || [ -z "$told" ] || status=138     # of a signal that came before srun had started
    case $status in 75 | 138 | 143) requeue ;; esac     # it has saved; or USR1 or TERM has ended it where it could not
    [ $status -eq 0 ] || exit $status
}
stop() { told=$1; kill -s "$1" "$script" 2>/dev/null || true; }
trap 'stop USR1' USR1; trap 'stop TERM' TERM    # the wall clock is near; cancelled, or to make room for another job
written() { stat --format='%i %z' "$output/$last" 2>/dev/null || true; }
[ "$part" = preprocess_data.py ] || before=$(written)   # which leaves alone what is made from the same
from=$(ls "$output/training.state" 2>/dev/null) || from="the start"
echo "job $SLURM_JOB_ID on $(hostname), turn $turn, from $from: $part ${*:3}"
run "$SLURM_JOB_NUM_NODES" "$processes" "${train[@]}" "${shared[@]}" --output "$output" "${@:3}"
trained=1
[ -z "$test" ] || run 1 1 "$test" "${shared[@]}" --output "$output"
[[ $(written) != @("$before"|) ]] || fail "$output/$last has not been written, whatever srun says: see the nodes"
