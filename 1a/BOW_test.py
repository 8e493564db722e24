"""Part 1a: test the trained bag of words on the 25,000 test reviews, or on one's own.

    python 1a/BOW_test.py
    python 1a/BOW_test.py --review "A great film." --explain
    python 1a/BOW_test.py --mistakes 10

Reads BOW.model from --output and the preprocessed reviews from --data. Writes test_table.csv, predictions.csv, a line
a test review, and explanations.json, some of them explained, to --output. With --review, --reviews or --mistakes it
classifies or explains single reviews instead: those of --reviews in reviews.csv too, explanations in explanation.html.
With --unlabelled it writes pseudo_labels.npz, labels of the unlabelled reviews.
"""

import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:2])         # the part's folder, and the project's

from common.errors import run_script
from common.options import TEST_DEFAULTS, parse_options


def build_test(argv=None):
    """The test that the options ask for; argv as in parse_options."""
    options = parse_options(__doc__, __file__, argv, **TEST_DEFAULTS, batch_size=1000)

    from BOW_model import BOW_model
    from common.testing.tables import BagTest

    return BagTest("1a", BOW_model, options)


def main():
    build_test().run()


if __name__ == "__main__":
    run_script(main)
