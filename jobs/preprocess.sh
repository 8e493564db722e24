#!/usr/bin/env bash
# Turns reviews and word vectors into the files that the parts read. jobs/submit submits it.
#SBATCH --nodes=1 --ntasks=1 --requeue --open-mode=append
set -eo pipefail
source jobs/settings.sh

if [ -e "$DATA/imdb_test_glove.txt" ]; then     # the last file of all
    echo "$DATA is preprocessed already"
    exit
fi
eval "set -- $SOURCE"
"$PYTHON" preprocess_data.py "$@" --workers "$CPUS" --output "$DATA"
