"""Part 2a: train an LSTM on random crops of the labelled reviews.

    python 2a/RNN_sentiment_analysis.py --hidden-units 300
    python 2a/RNN_sentiment_analysis.py --lstm-layers 2 --sequence-length 50 --epochs 30
    python 2a/RNN_sentiment_analysis.py --model SentimentClassifier

Reads the preprocessed reviews from --data; writes rnn.model, data.npy,
record.json and curves.png to --output. While training, crops of twice the training length are tested;
RNN_test.py makes the whole table. The assignment's test accuracy is 76.14 % at 50 tokens and 87.25 % at
400. Other networks of the course are trained with --model; where --crop takes the last tokens, as many
are tested.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.data.reviews import read_splits
from common.errors import UserError, run_script
from common.training.evaluation import sentiment_score
from common.options import CLASSIFIER_DEFAULTS, parse_options
from common.processes import processes
from common.training.recipes import RECIPES
from common.training.loop import Training
from networks import PRESETS, build_network, network_arguments, refuse_options_of_others


def build_training(argv=None, logger=None):
    """The run that the options ask for, ready to start; argv as in parse_options, logger as in Training."""
    options = parse_options(
        __doc__, __file__, argv, presets={"model": PRESETS, "recipe": RECIPES["2a"]}, model="RNN_model",
        **CLASSIFIER_DEFAULTS, epochs=20, test_every=3, step_epochs=10, sequence_length=100, hidden_units=500,
        lstm_layers=1, pooling="max", vocab_size=8000, drop_stop_words=False, crop="random", cell="lstm",
        several_processes=True)
    if processes.size > 1 and options.model == "SentimentRNN":
        raise UserError("torchrun: each process would draw its own dropout for SentimentRNN; start it with python")
    refuse_options_of_others(options)
    reviews, vocabulary = read_splits(options)

    arguments = network_arguments(options, len(vocabulary) + 1)
    model = build_network(**arguments).to(options.device)
    if options.ngrams:
        model.ngrams.weigh(reviews["train"])
    parallel = processes.wrap(model)
    last = options.crop == "last"

    def score(split, indices):
        train = split == "train"
        rows = processes.share(indices)
        t = reviews[split].labels[rows]                                         # batch
        x = reviews[split].crops(indices, options.sequence_length * (1 if train or last else 2), last)  # batch, time
        lengths = None if model.counts_padding else reviews[split].lengths[rows]
        return sentiment_score(parallel(x, t, train=train, lengths=lengths), t)

    return Training("2a", "rnn.model", model, arguments, model.parameters(), score, reviews, vocabulary, options,
                    logger=logger)


def main():
    build_training().run()


if __name__ == "__main__":
    run_script(main)
