#!/usr/bin/env bash
# What is to be learned on a GPU, in three parts of at most four minutes each:
#
#     benchmarks/gpu.sh check DATA OUT        the tests of CUDA; three epochs of 3a beside the committed curve
#     benchmarks/gpu.sh measure DATA OUT      steps and kernels; every part beside the machine's limit
#     benchmarks/gpu.sh train DATA OUT        3a and 3c at the assignment's settings, 3c over five seeds; the best recipes
#
# DATA: folder of the preprocessed files. OUT: folder for PART.log, and PART.tar.gz with the records and tables of what was
# trained. A command that fails or runs out of time is noted, and the next one begins; trained parts are in OUT/trained and
# are resumed by another call. In the environment: LIMIT, seconds of a part; PYTHON; SMALL=1 tries everything at sizes that
# take no time, on the simulated device of the tests where there is no GPU.
set -u -o pipefail
part=${1:?a part: check, measure or train} data=$(realpath "${2:?a folder of preprocessed files}") out=${3:?a folder}
mkdir -p "$out/trained" && out=$(realpath "$out") && cd "$(dirname "$0")/.." || exit
python=${PYTHON:-python3} end=$((SECONDS + ${LIMIT:-240}))
script=("$python") lm=() crops=() epochs=75 native=(--hidden-units 512 --vocab-size 19999) lengths=(50 200 500)
five="0 1 2 3 4" three="0 1 2"
"$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2> /dev/null || script=("$python" tests/simulated_cuda.py)
if [ "${SMALL:-}" ]; then
    lm=(--hidden-units 8 --sequence-length 10 --batch-size 50) crops=(--sequence-length 10 --batch-size 50 --epochs 1)
    epochs=1 native=(--epochs 1) lengths=(20) five="0 1" three="0"
fi

# run COMMAND: its output goes to PART.log, its seconds and its status too.
run() {
    local begun=$SECONDS status
    echo "\$ $*"
    timeout --signal TERM --kill-after 20 $((end > SECONDS ? end - SECONDS : 1)) "$@" 2>&1
    status=$?
    echo "[status $status, $((SECONDS - begun)) s]"
    return $status
}

# train SCRIPT FOLDER OPTION...
train() {
    run "${script[@]}" "$1" --data "$data" --device cuda --output "$out/trained/$2" "${@:3}"
}

check() {
    run "$python" -m pytest -q -p no:cacheprovider ${SMALL:+-k stateful_lstm} tests/layers tests/training/test_recorded_steps.py \
        tests/scripts/test_cuda.py
    train 3a/train_language_model.py 3a-check --epochs $((epochs < 3 ? 1 : 3)) --test-every 9 "${lm[@]}"
    echo "as committed:"
    grep '^epoch  [123]/' benchmarks/results/gpu_202611/3a.log
}

measure() {
    run "${script[@]}" benchmarks/gpu_steps.py --data "$data" ${SMALL:+--small}
    [ "${SMALL:-}" ] || run "$python" benchmarks/bench.py --device cuda --repeats 10 --output "$out/bench.json"
}

# seeds FOLDER SEEDS OPTION...: 3c's trainings at the same time, then their tests.
seeds() {
    local seed jobs=()
    for seed in $2; do
        { train 3c/RNN_sentiment_analysis.py "$1-$seed" --seed "$seed" "${@:3}" "${crops[@]}" &&
            run "${script[@]}" 3c/RNN_test.py --data "$data" --device cuda --output "$out/trained/$1-$seed" \
                --lengths "${lengths[@]}"; } > "$out/trained/$1-$seed.log" &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    for seed in $2; do cat "$out/trained/$1-$seed.log"; done
}

train_all() {
    train 3a/train_language_model.py 3a --epochs $epochs --test-every 25 "${lm[@]}"
    seeds 3c-assignment "$five" --language-model "$out/trained/3a/language.model"
    # Without clusters of rare words, whose number a GPU would wait for, and in widths that need no padding.
    train 3a/train_language_model.py 3a-long --recipe long --cutoffs --test-every 99 "${native[@]}" "${lm[@]}"
    seeds 3c-best "$three" --recipe best --language-model "$out/trained/3a-long/language.model" --test-every 9
}

case $part in
    check | measure) "$part" ;;
    train) train_all ;;
    *) echo "$part: no such part; check, measure or train" >&2; exit 2 ;;
esac > >(tee "$out/$part.log")
tar -C "$out/trained" -czf "$out/$part.tar.gz" --exclude '*.model' --exclude '*.state' .
