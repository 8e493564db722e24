"""Part 2a: test another network of the course, by sequence length; or classify one's own reviews.

    python 2a/other_networks/test.py
    python 2a/other_networks/test.py --review "A great film." --explain

Reads rnn.model from --output and the preprocessed reviews from --data; writes test_table.csv, predictions.csv and
explanations.json to --output. Crops are taken as in training, random or the last tokens. The other options are those
of 2a/RNN_test.py.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common.errors import run_script
from common.options import LSTM_TEST_DEFAULTS, parse_options


def main():
    options = parse_options(__doc__, __file__, **LSTM_TEST_DEFAULTS)

    from common.testing.tables import SequenceTest

    SequenceTest("2a", options).run()


if __name__ == "__main__":
    run_script(main)
