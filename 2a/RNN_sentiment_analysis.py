"""Part 2a: train an LSTM on random crops of the labelled reviews.

    python 2a/RNN_sentiment_analysis.py
    python 2a/RNN_sentiment_analysis.py --lstm-layers 2 --sequence-length 50 --epochs 30

Reads the preprocessed reviews from --data; writes rnn.model, data.npy, record.json and curves.png to --output. Crops of
twice the training length are tested while training; RNN_test.py makes the whole table. The assignment's test accuracy
is 76.14 % at 50 tokens and 87.25 % at 400. RNN_model.py says where the assignment's loop over the timesteps is.
"""

import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])         # the part's folder, and the project's

from common.errors import run_script
from common.options import CLASSIFIER_DEFAULTS, PSEUDO_LABELS, parse_options

RECIPES = {
    "assignment": {},
    "overfit": dict(dropout=[0.0], epochs=40),
    "underfit": dict(sequence_length=10, hidden_units=10, epochs=6),
    "best": dict(ngrams=3, ngram_weight=0.75, ngram_learning_rate=0.0015, drop_duplicates=True,
                 pseudo_labels=PSEUDO_LABELS, vocab_size=20_000, hidden_units=100, sequence_length=200, epochs=4,
                 pooling="concat", precise_batch_norm=True, schedule="one-cycle", learning_rate=0.003),
}


def build_training(argv=None, logger=None):
    """The training that the options ask for; argv as in parse_options, logger as in Training."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES}, **CLASSIFIER_DEFAULTS | dict(
            epochs=20, test_every=3, step_epochs=10, sequence_length=100, hidden_units=500, lstm_layers=1,
            dropout=[0.5, 0.3], pooling="max", precise_batch_norm=False, vocab_size=8000))

    # Only now, since torch takes a second to import, and --help should not.
    from common.data.batches import crops_of_splits
    from common.data.splits import read_splits
    from common.devices import set_up
    from common.layers.ngram_ensemble import ensemble_with_ngrams
    from common.training.loop import Training, sentiment_score
    from common.training.schedules import build_optimizer
    from RNN_model import RNN_model

    set_up(options, several_processes=True)
    reviews, vocabulary = read_splits(options)
    data = crops_of_splits(reviews, options)

    arguments = dict(vocab_size=len(vocabulary) + 1, no_of_hidden_units=options.hidden_units,
                     lstm_layers=options.lstm_layers, dropout=options.dropout, pooling=options.pooling)
    model = ensemble_with_ngrams(RNN_model(**arguments).to(options.device), data, options)
    optimizer = build_optimizer(model, options)
    return Training("2a", model, arguments, optimizer, sentiment_score, data, vocabulary, options, logger=logger)


if __name__ == "__main__":
    run_script(lambda: build_training().run())
