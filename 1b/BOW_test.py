"""Part 1b: test the trained bag of words on the 25,000 test reviews, or on one's own.

    python 1b/BOW_test.py
    python 1b/BOW_test.py --review "A great film." --explain

Reads BOW.model from --output, the preprocessed reviews and GloVe vectors from --data; writes
test_table.csv to --output. Reviews given with --review or --reviews are classified instead; with
--explain each word comes with what it adds to the logit, in explanation.html too. --unlabelled
labels the unlabelled training reviews and writes pseudo_labels.npz.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from BOW_model import BOW_model
from common.errors import run_script
from common.options import TEST_DEFAULTS, parse_options
from common.testing.tables import BagTest


def main():
    options = parse_options(__doc__, __file__, **TEST_DEFAULTS, batch_size=1000)
    BagTest("1b", BOW_model, options, words="glove").run()


if __name__ == "__main__":
    run_script(main)
