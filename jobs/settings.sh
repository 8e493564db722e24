# Settings of the batch jobs. Change them here, or give them in the environment: PARTITION=gpu jobs/submit
# Paths are taken from the project's folder.
# shellcheck shell=bash disable=SC2034

# The cluster. An empty setting leaves the choice to the cluster.
ACCOUNT=${ACCOUNT-}
PARTITION=${PARTITION-}
CPU_PARTITION=${CPU_PARTITION-$PARTITION}       # for preprocessing, which needs no GPU
GPU=${GPU-gpu:1}                                # what --gres asks for, such as gpu:a100:1; empty trains on the CPU
NODES=${NODES-1}                                # more than one, or more than one process, is for 2a, 2b, 3a and 3c
PROCESSES=${PROCESSES-1}                        # of torchrun on each node: one for each GPU of GPU
CPUS=${CPUS-4}
MEMORY=${MEMORY-16G}
WALL_CLOCK=${WALL_CLOCK-4:00:00}                # a training that needs longer goes on in the same job's next turn
NOTICE_S=${NOTICE_S-300}                        # seconds before the wall clock at which a training is told to save
MOST_REQUEUES=${MOST_REQUEUES-50}               # turns after which a job fails instead of going round for ever
MODULES=${MODULES-}                             # such as "python/3.11 cuda/12.8"
PYTHON=${PYTHON-.venv/bin/python}

DATA=${DATA-preprocessed_data}
RESULTS=${RESULTS-results}                      # a folder for each part in it
LOGS=${LOGS-logs}                               # one file a job, NAME-ID.out

# What preprocess_data.py reads. Reviews that are not there are downloaded before the jobs are submitted.
IMDB=${IMDB-$DATA/aclImdb_v1.tar.gz}
GLOVE=${GLOVE-train}
SOURCE=${SOURCE---imdb $IMDB --glove $GLOVE}

# For single parts: WALL_CLOCK_1a to WALL_CLOCK_3c instead of WALL_CLOCK, and OPTIONS_1a to OPTIONS_3c, options of
# the training script in the ladder, with quotes as in a shell.

if [ -n "$MODULES" ]; then                     # module is a function that seldom bears `set -u`
    # shellcheck disable=SC2086
    module load $MODULES
fi
