"""Part 2b: the trained LSTM's test accuracy by sequence length, the assignment's table.

    python 2b/RNN_test.py

Reads rnn.model from --output, the preprocessed reviews and GloVe vectors from --data; writes
test_table.csv and test_table.png to --output: crops of 50 to 500 tokens, and whole reviews.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from RNN_model import RNN_model
from common.errors import run_script
from common.evaluation import sentiment_score
from common.options import parse_options
from common.testing import TestRun


def main():
    options = parse_options(__doc__, __file__, batch_size=200)
    run = TestRun("2b", "rnn.model", RNN_model, options)
    _, glove = run.read_test_reviews("glove")                                   # words + 1, dimensions

    def score(x, t, lengths=None):
        return sentiment_score(run.model(glove[x], t, train=False, lengths=lengths), t)

    run.test_by_length(score)


if __name__ == "__main__":
    run_script(main)
