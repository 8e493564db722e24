"""Part 2a: train an LSTM on random crops of the labelled reviews.

    python 2a/RNN_sentiment_analysis.py --hidden-units 300
    python 2a/RNN_sentiment_analysis.py --lstm-layers 2 --sequence-length 50 --epochs 30

Reads the preprocessed reviews from --data; writes rnn.model, data.npy and curves.png to --output.
While training, crops of twice the training length are tested; RNN_test.py makes the whole table.
The assignment's test accuracy is 76.14 % at 50 tokens and 87.25 % at 400.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from RNN_model import RNN_model
from common.data import read_splits
from common.errors import run_script
from common.evaluation import sentiment_score
from common.options import TRAINING_DEFAULTS, parse_options
from common.processes import processes
from common.recipes import RECIPES
from common.training import Training


def build_training(argv=None):
    """The run that the options ask for, ready to start; argv as in parse_options."""
    options = parse_options(
        __doc__, __file__, argv, presets={"recipe": RECIPES["2a"]}, recipe="assignment", **TRAINING_DEFAULTS,
        epochs=20, test_every=3, step_epochs=10, sequence_length=100, hidden_units=500, lstm_layers=1,
        dropout=0.5, pooling="max", vocab_size=8000, drop_stop_words=False, several_processes=True)
    reviews, vocabulary = read_splits(options)

    arguments = dict(vocab_size=len(vocabulary) + 1, no_of_hidden_units=options.hidden_units,
                     lstm_layers=options.lstm_layers, dropout=options.dropout, pooling=options.pooling)
    model = RNN_model(**arguments).to(options.device)
    parallel = processes.wrap(model)

    def score(split, indices):
        train = split == "train"
        t = reviews[split].labels[processes.share(indices)]                     # batch
        x = reviews[split].crops(indices, options.sequence_length * (1 if train else 2))    # batch, time
        return sentiment_score(parallel(x, t, train=train), t)

    return Training("2a", "rnn.model", model, arguments, model.parameters(), score, reviews, vocabulary, options)


def main():
    build_training().run()


if __name__ == "__main__":
    run_script(main)
