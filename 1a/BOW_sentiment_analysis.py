"""Part 1a: train a bag of words on the labelled reviews.

    python 1a/BOW_sentiment_analysis.py
    python 1a/BOW_sentiment_analysis.py --vocab-size 20000 --hidden-units 300 --epochs 10

Reads the preprocessed reviews from --data; writes BOW.model, data.npy,
record.json and curves.png to --output. The assignment's test accuracy is 86 to 88 %.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from BOW_model import BOW_model
from common.data.reviews import read_splits
from common.errors import run_script
from common.training.evaluation import sentiment_score
from common.options import CLASSIFIER_DEFAULTS, parse_options
from common.training.recipes import RECIPES
from common.training.loop import Training


def build_training(argv=None):
    """The run that the options ask for, ready to start; argv as in parse_options."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES["1a"]}, **CLASSIFIER_DEFAULTS, epochs=6, test_every=1,
        step_epochs=4, hidden_units=500, hidden_layers=1, vocab_size=8000, drop_stop_words=False)
    reviews, vocabulary = read_splits(options)
    bags = {split: some.distinct() for split, some in reviews.items()}

    arguments = dict(vocab_size=len(vocabulary) + 1, no_of_hidden_units=options.hidden_units,
                     hidden_layers=options.hidden_layers, dropout=options.dropout, ngrams=options.ngrams)
    model = BOW_model(**arguments).to(options.device)
    if model.ngrams:
        model.ngrams.weigh(reviews["train"])

    def score(split, indices):
        t = reviews[split].labels[indices]                                      # batch
        token_ids = reviews[split].whole(indices)[0] if model.ngrams else None  # batch, time
        return sentiment_score(model(bags[split].bags(indices), t, token_ids), t)

    return Training("1a", "BOW.model", model, arguments, model.parameters(), score, reviews, vocabulary, options)


def main():
    build_training().run()


if __name__ == "__main__":
    run_script(main)
