"""Part 1a: test the trained bag of words on the 25,000 test reviews, or on one's own.

    python 1a/BOW_test.py
    python 1a/BOW_test.py --review "A great film." --explain
    python 1a/BOW_test.py --mistakes 10

Reads BOW.model from --output and the preprocessed reviews from --data; writes test_table.csv, predictions.csv and
explanations.json, of test reviews, to --output. Single reviews that are explained are written to explanation.html, too.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.testing.script import run_test

if __name__ == "__main__":
    run_test("1a", __doc__, __file__)
