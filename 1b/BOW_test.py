"""Part 1b: test the trained bag of words on the 25,000 test reviews.

    python 1b/BOW_test.py

Reads BOW.model from --output, the preprocessed reviews and GloVe vectors from --data; writes
test_table.csv to --output.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from BOW_model import BOW_model
from common.data import mean_vectors
from common.errors import run_script
from common.evaluation import sentiment_score
from common.options import parse_options
from common.testing import TestRun


def main():
    options = parse_options(__doc__, __file__, batch_size=1000)
    run = TestRun("1b", "BOW.model", BOW_model, options)
    reviews, glove = run.read_test_reviews("glove")
    features = mean_vectors(reviews, glove)                                     # reviews, dimensions

    def score(indices):
        t = reviews.labels[indices]                                             # batch
        return sentiment_score(run.model(features[indices], t), t)

    run.test_once(score)


if __name__ == "__main__":
    run_script(main)
