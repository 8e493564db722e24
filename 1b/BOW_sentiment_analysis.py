"""Part 1b: train a bag of words on the mean GloVe vector of each labelled review.

    python 1b/BOW_sentiment_analysis.py
    python 1b/BOW_sentiment_analysis.py --hidden-layers 2 --optimizer sgd --learning-rate 0.01

Reads the preprocessed reviews and GloVe vectors from --data; writes BOW.model, data.npy,
record.json and curves.png to --output. The assignment's test accuracy is 81 to 87 %.
"""

import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])         # the part's folder, and the project's

from common.errors import run_script
from common.options import CLASSIFIER_DEFAULTS, PSEUDO_LABELS, parse_options

RECIPES = {
    "assignment": {},
    "overfit": dict(hidden_layers=3, dropout=0.0, epochs=60),
    "underfit": dict(hidden_units=2, epochs=3),
    "best": dict(ngrams=3, ngram_weight=0.9, ngram_learning_rate=0.003, drop_duplicates=True,
                 pseudo_labels=PSEUDO_LABELS, epochs=1, schedule="one-cycle", learning_rate=0.01),
}


def build_training(argv=None, logger=None):
    """The training that the options ask for; argv as in parse_options, logger as in Training."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES}, **CLASSIFIER_DEFAULTS, epochs=6, test_every=1,
        step_epochs=4, hidden_units=500, hidden_layers=1, vocab_size=100_000)

    # Only now, since torch takes a second to import, and --help should not.
    from BOW_model import BOW_model
    from common.data.batches import MeanVectors
    from common.data.reviews import read_glove_embeddings
    from common.data.splits import read_splits
    from common.devices import set_up
    from common.layers.ngram_ensemble import ensemble_with_ngrams
    from common.training.loop import Training, sentiment_score
    from common.training.schedules import build_optimizer

    set_up(options)
    reviews, vocabulary = read_splits(options, words="glove")
    glove = read_glove_embeddings(options.data, len(vocabulary), options.device)    # words + 1, dimensions
    data = {split: MeanVectors(some, glove) for split, some in reviews.items()}

    arguments = dict(no_of_hidden_units=options.hidden_units, hidden_layers=options.hidden_layers,
                     dropout=options.dropout, in_size=glove.shape[1])
    model = ensemble_with_ngrams(BOW_model(**arguments).to(options.device), data, options)
    optimizer = build_optimizer(model, options)
    return Training("1b", model, arguments, optimizer, sentiment_score, data, vocabulary, options, glove, logger)


if __name__ == "__main__":
    run_script(lambda: build_training().run())
