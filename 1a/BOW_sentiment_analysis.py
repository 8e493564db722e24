"""Part 1a: train a bag of words on the labelled reviews.

    python 1a/BOW_sentiment_analysis.py
    python 1a/BOW_sentiment_analysis.py --vocab-size 20000 --hidden-units 300 --epochs 10

Reads the preprocessed reviews from --data; writes BOW.model, data.npy,
record.json and curves.png to --output. The assignment's test accuracy is 86 to 88 %.
"""

import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])         # the part's folder, and the project's

from common.errors import run_script
from common.options import CLASSIFIER_DEFAULTS, PSEUDO_LABELS, parse_options

RECIPES = {
    "assignment": {},
    "overfit": dict(hidden_layers=3, dropout=0.0, epochs=20),
    "underfit": dict(vocab_size=100, hidden_units=10),
    # Labels the unlabelled reviews for the best recipes of all parts.
    "teacher": dict(ngrams=3, ngram_weight=0.9, ngram_learning_rate=0.008, drop_duplicates=True, vocab_size=30_000,
                    hidden_units=100, epochs=1, schedule="one-cycle", learning_rate=0.016),
    "best": dict(ngrams=3, ngram_weight=0.9, ngram_learning_rate=0.004, drop_duplicates=True, vocab_size=30_000,
                 hidden_units=100, epochs=1, batch_size=400, schedule="one-cycle", learning_rate=0.017,
                 pseudo_labels=PSEUDO_LABELS),
}


def build_training(argv=None, logger=None):
    """The training that the options ask for; argv as in parse_options, logger as in Training."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES}, **CLASSIFIER_DEFAULTS, epochs=6, test_every=1,
        step_epochs=4, hidden_units=500, hidden_layers=1, vocab_size=8000)

    # Only now, since torch takes a second to import, and --help should not.
    from BOW_model import BOW_model
    from common.data.batches import BagsOfWords
    from common.data.splits import read_splits
    from common.devices import set_up
    from common.layers.ngram_ensemble import ensemble_with_ngrams
    from common.training.loop import Training, sentiment_score
    from common.training.schedules import build_optimizer

    set_up(options)
    reviews, vocabulary = read_splits(options)
    data = {split: BagsOfWords(some) for split, some in reviews.items()}

    arguments = dict(vocab_size=len(vocabulary) + 1, no_of_hidden_units=options.hidden_units,
                     hidden_layers=options.hidden_layers, dropout=options.dropout)
    model = ensemble_with_ngrams(BOW_model(**arguments).to(options.device), data, options)
    optimizer = build_optimizer(model, options)
    return Training("1a", model, arguments, optimizer, sentiment_score, data, vocabulary, options, logger=logger)


if __name__ == "__main__":
    run_script(lambda: build_training().run())
