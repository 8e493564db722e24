# What jobs/submit is written with: checked settings, and jobs that are submitted unless done or in the queue.
# shellcheck shell=bash
source jobs/settings.sh
unset "${!SLURM_ARRAY_@}"       # of a job that this is called in, which sbatch would pass on

PARTS="1a 1b 2a 2b 3a 3b 3c"
PREPROCESSED="imdb_dictionary.npy imdb_train.txt imdb_test.txt imdb_train_reviews.tsv imdb_test_reviews.tsv
    glove_dictionary.npy glove_embeddings.npy imdb_train_glove.txt imdb_test_glove.txt"
trying=         # 1 in a first round, in which sbatch only looks whether it would take the jobs
again=          # 1 submits what is done as well
array=()        # sbatch's options for a sweep
submitted=      # jobs with commas between them
waiting=        # jobs that the report waits for, each behind a colon

fail() {
    local text="$*${submitted:+ (in the queue by now: $submitted)}"
    echo "error: ${text//$'\n'/ }" >&2
    exit 2
}

# check NAME PATTERN WHAT: the setting NAME must match.
check() {
    [[ ${!1} =~ ^($2)$ ]] || fail "$1=${!1}: $3"
}

# check_words WHERE WORDS: WORDS must be words to a shell, which may end in a comment.
check_words() {
    bash -n -c "words=($2"$'\n)' 2>/dev/null || fail "$1: a shell cannot read it; see its quotes"
}

check_settings() {
    local name probe error
    for name in SOURCE ${!OPTIONS_*}; do check_words "$name=${!name}" "${!name}"; done
    check DEVICE 'cpu|cuda' "give cpu or cuda"
    check GPU '|--(gres|gpus|gpus-per-node)=[^ ]+' "give sbatch's option, such as --gres=gpu:1 or --gpus-per-node=1"
    for name in NODES PROCESSES MOST_REQUEUES; do check $name '[1-9][0-9]*' "give a number"; done
    for name in CPUS TRIALS_AT_ONCE; do check $name '|[1-9][0-9]*' "give a number, or leave it empty"; done
    for name in MEMORY CPU_MEMORY; do check $name '|[0-9]+[KMGT]?' "give it as 16G, or leave it empty"; done
    for name in WALL_CLOCK ${!WALL_CLOCK_*}; do
        check "$name" '([0-9]+-)?[0-9]+(:[0-9]+){0,2}' "give hours:minutes:seconds, or minutes"
    done
    check NOTICE_S '[0-9]{1,4}' "give seconds"
    command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON: no such program; \`make .venv/installed\` makes .venv"
    [ -n "$(missing)" ] || check_source "$(sed -n 2p "$DATA/.job" 2>/dev/null)"
    for name in DATA RESULTS LOGS; do
        probe=${!name}/.probe.$$
        error=$({ mkdir -p "${!name}" && head -c 100000 /dev/zero >"$probe"; } 2>&1) ||
            fail "$name=${!name}: cannot be written (${error##*: }); make room there, or give another FOLDER or $name"
        rm "$probe"
    done
}

# missing: prints a preprocessed file that is not there.
missing() {
    local name
    for name in $PREPROCESSED; do
        [ -e "$DATA/$name" ] || { echo "$name" && return; }
    done
}

# check_source WHAT: the command WHAT that made the preprocessed files, if known, read what is named now.
check_source() {
    local source
    eval "source=($SOURCE"$'\n)'
    [ -z "$NAMED" ] || [ -z "$1" ] || [[ $1 == "preprocess_data.py ${source[*]} --output "* ]] ||
        fail "SOURCE=$SOURCE: the files in $DATA are made by \`$1\`; give other DATA and RESULTS"
}

check_part() {
    [[ " $PARTS " == *" $1 "* ]] || fail "'$1': no such part; give one of $PARTS"
    case " ${*:2} " in
    *" --data"[\ =]* | *" --output"[\ =]*) fail "--data and --output: the jobs take DATA and RESULTS for them" ;;
    esac
}

# submit NAME cpu|gpu AFTER NOTE WHAT [sbatch's options] SCRIPT [ARGUMENT ...]: sets `id`. AFTER is what --dependency
# takes, or empty. The job's id and WHAT it does are written to the file NOTE.
submit() {
    local name=$1 kind=$2 after=$3 note=$4 what=$5 answer
    local account=$ACCOUNT partition=$PARTITION constraint=$CONSTRAINT memory=$MEMORY
    shift 5
    if [ "$kind" = cpu ] || [ "$DEVICE" = cpu ]; then
        account=$CPU_ACCOUNT partition=$CPU_PARTITION constraint=$CPU_CONSTRAINT memory=$CPU_MEMORY
    fi
    set -- ${account:+--account="$account"} ${partition:+--partition="$partition"} \
        ${constraint:+--constraint="$constraint"} ${memory:+--mem="$memory"} "$@"
    if [ -n "$trying" ]; then
        id=
        answer=$(sbatch --test-only "$@" 2>&1) || fail "$name: $answer"
        return
    fi
    answer=$(sbatch --parsable --job-name="$name" --chdir="$PWD" --output="$LOGS/%x-%j.out" \
        --kill-on-invalid-dep=yes ${after:+--dependency="$after"} "$@" 2>&1) || fail "$name: $answer"
    id=$(grep -oE '^[0-9]+(;|$)' <<<"$answer" | tr -d ';') ||  # some sites' sbatch prints more than that
        fail "$name: sbatch prints no job id, but '$answer'; see squeue, and put the sbatch that takes --parsable first"
    told "$name" "job $id"
    submitted=$submitted${submitted:+,}$id
    mkdir -p "$(dirname "$note")"
    printf '%s\n' "$id" "$what" >"$note"
}

told() {
    [ -n "$trying" ] || printf '%-12s %s\n' "$1" "$2"
}

# submit_command NAME AFTER NOTE SCRIPT [ARGUMENT ...]: a CPU job.
submit_command() {
    submit "$1" cpu "$2" "$3" "${*:4}" --nodes=1 --ntasks-per-node=1 ${CPUS:+--cpus-per-task="$CPUS"} \
        --time="$WALL_CLOCK" jobs/command.sh "${@:4}"
}

# submit_part NAME AFTER PART OUTPUT [OPTION ...]: a part, done already or not.
submit_part() {
    local nodes=$NODES processes=$PROCESSES gpu=$GPU cpus wall_clock=WALL_CLOCK_$3
    case $3 in
    1a | 1b | 3b)                               # these run in one process, on one GPU
        nodes=1 processes=1
        [[ ! $GPU =~ ^(.*[:=])[0-9]+$ ]] || gpu=${BASH_REMATCH[1]}1
        ;;
    esac
    [ "$DEVICE" = cuda ] || gpu=
    cpus=${CPUS:+$((CPUS > processes ? CPUS / processes : 1))}
    submit "$1" gpu "$2" "$4/.job" "$DATA ${*:5}" --nodes="$nodes" --ntasks-per-node="$processes" \
        ${cpus:+--cpus-per-task="$cpus"} ${gpu:+"$gpu"} --time="${!wall_clock:-$WALL_CLOCK}" \
        --signal="B:USR1@$NOTICE_S" "${array[@]}" jobs/part.sh "${@:3}"
}

# queued NAME NOTE: whether the job that is noted there is in the queue still; sets `id` and `what` it does.
queued() {
    local noted does
    { read -r noted && IFS= read -r does; } 2>/dev/null <"$2" &&
        [ -n "$(squeue --noheader --jobs="$noted" 2>/dev/null)" ] &&
        id=$noted what=$does && told "$1" "job $id, in the queue already"
}

# is_done OUTPUT WHAT: whether jobs/part.sh has noted there that WHAT is done, and the files of then are there still.
is_done() {
    [ "$(head -n 1 "$1/.done" 2>/dev/null)" = "$2" ] && (cd "$1" && tail -n +2 .done | xargs -d '\n' ls) >/dev/null 2>&1
}

# preprocess: sets `ready` to what the parts have to wait for.
preprocess() {
    local source what
    ready=
    if queued preprocess "$DATA/.job"; then
        check_source "$what"
        ready=afterok:$id
    elif [ -n "$(missing)" ]; then
        if [ -z "$trying" ] && [ -n "$IMDB" ] && [[ $SOURCE == *--imdb* ]]; then
            "$PYTHON" -m jobs.fetch "$IMDB"
        fi
        eval "source=($SOURCE"$'\n)'
        submit_command preprocess "" "$DATA/.job" preprocess_data.py "${source[@]}" --output "$DATA" \
            ${CPUS:+--workers "$CPUS"}
        ready=${id:+afterok:$id}
    fi
}

# need NAME AFTER PART OUTPUT [OPTION ...]: submits a part, and preprocessing before it, where that is not done. AFTER
# is empty, or jobs with colons between them. Sets `id`, empty where there is none to wait for.
need() {
    local name=$1 after=${2:+afterok:$2} what
    if queued "$name" "$4/.job"; then
        [ "$what" = "$DATA ${*:5}" ] ||
            fail "$name: job $id works in $4 with other options; scancel it, or give other RESULTS"
    elif [ -z "$after$again" ] && is_done "$4" "$DATA ${*:5}"; then
        id=
        told "$name" "done already"
    else
        [ -n "${ready+set}" ] || preprocess
        submit_part "$name" "$ready${ready:+${after:+,}}$after" "${@:3}"
    fi
    waiting=$waiting${id:+:$id}
}

# report OUTPUT FOLDER ...: on what is in the folders, when all that was needed has ended.
report() {
    finally=$1/report.html
    if [ -z "$submitted" ] && queued report "$1/.report.job"; then
        :
    elif [ -n "$waiting$trying" ] || [ ! -e "$finally" ]; then
        submit_command report "${waiting:+afterany$waiting}" "$1/.report.job" \
            -m common.results.report "${@:2}" --output "$1"
    fi
}
