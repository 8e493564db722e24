"""Part 1b: test the trained bag of words on the 25,000 test reviews, or on one's own.

    python 1b/BOW_test.py
    python 1b/BOW_test.py --review "A great film." --explain
    python 1b/BOW_test.py --mistakes 10

Reads BOW.model from --output, the preprocessed reviews and GloVe vectors from --data; writes test_table.csv,
predictions.csv and explanations.json, of test reviews, to --output. Single reviews that are explained are written to
explanation.html, too.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.testing.script import run_test

if __name__ == "__main__":
    run_test("1b", __doc__, __file__)
