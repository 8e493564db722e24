"""Part 3a: train a language model on all reviews, labelled or not.

    python 3a/train_language_model.py
    python 3a/train_language_model.py --recipe short

Reads the preprocessed reviews, and with --word-vectors the word vectors, from --data; writes language.model,
data.npy, record.json, curves.png and test_table.csv to --output. Loss, perplexity and next-word accuracy are those of
crops of twice the training length of the test reviews, without the padding. The assignment says that its
75 epochs took about a day.
"""

import argparse
import math
import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])         # the part's folder, and the project's

from common.arguments import positive_int
from common.errors import run_script
from common.options import TRAINING_DEFAULTS, Option, parse_options

CUTOFFS = Option("model", [], nargs="*", type=positive_int, metavar="N",
                 help="token ids at which the clusters of an adaptive softmax begin; none for the assignment's decoder")
WORD_VECTORS = Option("model", False, action=argparse.BooleanOptionalAction,
                      help="start the embedding from the word vectors that preprocessing wrote")
# For those without a GPU: an hour on two cores, and three.
SHORT = dict(hidden_units=320, dropout=0.05, vocab_size=20_000, cutoffs=[1000, 4000], word_vectors=True,
             drop_duplicates=True, epochs=10, batch_size=100, schedule="one-cycle", learning_rate=0.006)
LONG = SHORT | dict(hidden_units=500, dropout=0.1, epochs=15, learning_rate=0.004)
RECIPES = {"assignment": {}, "short": SHORT, "long": LONG}


def build_training(argv=None, logger=None):
    """The training that the options ask for; argv as in parse_options, logger as in Training."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES}, **TRAINING_DEFAULTS | dict(
            epochs=75, test_every=2, schedule="step", step_epochs=50, clip_norm=2.0, sequence_length=50,
            hidden_units=500, lstm_layers=3, dropout=0.3, vocab_size=8000, cutoffs=CUTOFFS,
            word_vectors=WORD_VECTORS, reversed=False, precise_batch_norm=False))

    # Only now, since torch takes a second to import, and --help should not.
    from common.data.batches import Crops
    from common.data.reviews import read_vectors_of, start_from
    from common.data.splits import read_splits
    from common.devices import set_up
    from common.training.loop import Training, next_word_score
    from common.training.schedules import build_optimizer
    from RNN_language_model import RNN_language_model

    set_up(options, several_processes=True)
    reviews, vocabulary = read_splits(options, unlabelled=True)
    # The assignment trains on the padding of short reviews too.
    data = {split: Crops(some, options.sequence_length) if split == "train" else
            Crops(some, 2 * options.sequence_length, padding_counts=False, cut=True) for split, some in reviews.items()}

    arguments = dict(vocab_size=len(vocabulary) + 1, no_of_hidden_units=options.hidden_units,
                     dropout=options.dropout, lstm_layers=options.lstm_layers,
                     cutoffs=sorted({cutoff for cutoff in options.cutoffs if cutoff <= len(vocabulary)}))
    model = RNN_language_model(**arguments)
    vectors = None
    if options.word_vectors:
        vectors = read_vectors_of(options.data, vocabulary)
        start_from(model.embedding, vectors)
    model.to(options.device)
    optimizer = build_optimizer(model, options)
    return Training("3a", model, arguments, optimizer, next_word_score, data, vocabulary, options, vectors, logger)


def main():
    training = build_training()
    test = training.run()

    from common.processes import processes
    from common.results.records import save_table

    row = {"test loss": f"{test.loss:.4f}", "perplexity": f"{math.exp(test.loss):.2f}",
           "next-word accuracy": f"{100 * test.accuracy:.2f}"}
    print("next word of the test reviews | " + " | ".join(f"{name} {value}" for name, value in row.items()))
    row["weights"] = training.checkpoint()["weights"]
    if processes.rank == 0:
        save_table(training.options.output / "test_table.csv", [row])


if __name__ == "__main__":
    run_script(main)
