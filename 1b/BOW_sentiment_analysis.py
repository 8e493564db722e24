"""Part 1b: train a bag of words on the mean GloVe vector of each labelled review.

    python 1b/BOW_sentiment_analysis.py
    python 1b/BOW_sentiment_analysis.py --hidden-layers 2 --optimizer sgd --learning-rate 0.01

Reads the preprocessed reviews and GloVe vectors from --data; writes BOW.model, data.npy,
record.json and curves.png to --output. The assignment's test accuracy is 81 to 87 %.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from BOW_model import BOW_model
from common.data.reviews import mean_vectors, read_glove_embeddings, read_splits
from common.errors import run_script
from common.training.evaluation import sentiment_score
from common.options import CLASSIFIER_DEFAULTS, parse_options
from common.training.recipes import RECIPES
from common.training.loop import Training


def build_training(argv=None):
    """The run that the options ask for, ready to start; argv as in parse_options."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES["1b"]}, **CLASSIFIER_DEFAULTS, epochs=6, test_every=1,
        step_epochs=4, hidden_units=500, hidden_layers=1, vocab_size=100_000, drop_stop_words=False)
    reviews, vocabulary = read_splits(options, words="glove")
    glove = read_glove_embeddings(options.data, len(vocabulary), options.device)
    features = {split: mean_vectors(some, glove) for split, some in reviews.items()}    # reviews, dimensions

    arguments = dict(no_of_hidden_units=options.hidden_units, hidden_layers=options.hidden_layers,
                     dropout=options.dropout, in_size=glove.shape[1], ngrams=options.ngrams)
    model = BOW_model(**arguments).to(options.device)
    if model.ngrams:
        model.ngrams.weigh(reviews["train"])

    def score(split, indices):
        t = reviews[split].labels[indices]                                      # batch
        token_ids = reviews[split].whole(indices)[0] if model.ngrams else None  # batch, time
        return sentiment_score(model(features[split][indices], t, token_ids), t)

    return Training("1b", "BOW.model", model, arguments, model.parameters(), score, reviews, vocabulary, options,
                    glove)


def main():
    build_training().run()


if __name__ == "__main__":
    run_script(main)
