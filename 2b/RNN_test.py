"""Part 2b: the trained LSTM's test accuracy by sequence length, the assignment's table; or one's own reviews.

    python 2b/RNN_test.py
    python 2b/RNN_test.py --review "A great film." --explain
    python 2b/RNN_test.py --mistakes 10

Reads rnn.model from --output, the preprocessed reviews and GloVe vectors from --data; writes test_table.csv, of
crops of 50 to 500 tokens and of whole reviews, and predictions.csv and explanations.json, of test reviews read whole,
to --output. Single reviews that are explained are written to explanation.html, too.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.testing.script import run_test

if __name__ == "__main__":
    run_test("2b", __doc__, __file__)
