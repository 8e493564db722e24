# Settings of the batch jobs. Change them here, or give them in the environment: PARTITION=gpu jobs/submit
# An empty setting leaves sbatch's option out, and with it the choice to the cluster. docs/clusters.md has a line
# for each of some sites. Paths are taken from the project's folder.
# shellcheck shell=bash disable=SC2034

# The parts, which run on a GPU.
DEVICE=${DEVICE-cuda}                           # cpu trains without one, as a CPU job
GPU=${GPU---gres=gpu:1}                         # sbatch's option, such as --gpus-per-node=a100:1; empty on whole nodes
NODES=${NODES-1}                                # more than one node or process is for 2a, 2b, 3a and 3c; the other
PROCESSES=${PROCESSES-1}                        # parts take one. Of each node: one process for each GPU of GPU
ACCOUNT=${ACCOUNT-}
PARTITION=${PARTITION-}
CONSTRAINT=${CONSTRAINT-}
MEMORY=${MEMORY-16G}

# CPU jobs: preprocessing, labelling and the report.
CPU_ACCOUNT=${CPU_ACCOUNT-$ACCOUNT}
CPU_PARTITION=${CPU_PARTITION-$PARTITION}
CPU_CONSTRAINT=${CPU_CONSTRAINT-}
CPU_MEMORY=${CPU_MEMORY-$MEMORY}

# All jobs.
CPUS=${CPUS-4}                                  # of each node
WALL_CLOCK=${WALL_CLOCK-4:00:00}                # a training that needs longer goes on in the same job's next turn
NOTICE_S=${NOTICE_S-300}                        # seconds before the wall clock at which a training is told to save
MOST_REQUEUES=${MOST_REQUEUES-50}               # turns after which a job fails instead of going round for ever
TRIALS_AT_ONCE=${TRIALS_AT_ONCE-}               # of a sweep; empty runs as many as the cluster lets
MODULES=${MODULES-}                             # such as "python/3.11 cuda/12.8"
PYTHON=${PYTHON-.venv/bin/python}               # or a script that starts one, in a container for example

FOLDER=${FOLDER:-.}                             # where there is room, such as $SCRATCH/imdb
DATA=${DATA:-$FOLDER/preprocessed_data}
RESULTS=${RESULTS:-$FOLDER/results}             # a folder for each part in it
LOGS=${LOGS:-$FOLDER/logs}                      # one file a job, NAME-ID.out

# What preprocess_data.py reads. Before the jobs are submitted, IMDB and NLTK's Punkt data are downloaded where they
# are missing; an empty IMDB downloads nothing.
NAMED=${SOURCE:+1}${IMDB:+1}${GLOVE:+1}         # whether they must be what the files were made from
IMDB=${IMDB-$DATA/aclImdb_v1.tar.gz}
GLOVE=${GLOVE-train}
SOURCE=${SOURCE-"--imdb ${IMDB@Q} --glove ${GLOVE@Q}"}

# For single parts: WALL_CLOCK_1a to WALL_CLOCK_3c instead of WALL_CLOCK, and OPTIONS_1a to OPTIONS_3c, options of
# the training script in `jobs/submit` and `jobs/submit best`, with quotes as in a shell.

if [ -n "$MODULES" ]; then                      # module is a function that seldom bears `set -u`
    # shellcheck disable=SC2086
    { command -v module >/dev/null && module load $MODULES; } || {
        echo "error: MODULES=$MODULES: cannot be loaded here; \`module avail\` lists what there is" >&2
        exit 2
    }
fi
