"""Part 2a: the trained LSTM's test accuracy by sequence length, the assignment's table; or one's own reviews.

    python 2a/RNN_test.py
    python 2a/RNN_test.py --review "A great film." --explain
    python 2a/RNN_test.py --mistakes 10

Reads rnn.model from --output and the preprocessed reviews from --data. Writes test_table.csv and test_table.png, of
crops of 50 to 500 tokens and of whole reviews, predictions.csv, a line a test review read whole, and explanations.json,
some of them explained, to --output. With --review, --reviews or --mistakes it classifies or explains single reviews
instead: those of --reviews in reviews.csv too, explanations in explanation.html. With --unlabelled it writes
pseudo_labels.npz, labels of the unlabelled reviews.
"""

import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])         # the part's folder, and the project's

from common.errors import run_script
from common.options import LSTM_TEST_DEFAULTS, parse_options


def build_test(argv=None):
    """The test that the options ask for; argv as in parse_options."""
    options = parse_options(__doc__, __file__, argv, **LSTM_TEST_DEFAULTS)

    from common.testing.tables import SequenceTest
    from RNN_model import RNN_model

    return SequenceTest("2a", RNN_model, options)


def main():
    build_test().run()


if __name__ == "__main__":
    run_script(main)
