"""Part 1a: test the trained bag of words on the 25,000 test reviews.

    python 1a/BOW_test.py

Reads BOW.model from --output and the preprocessed reviews from --data; writes test_table.csv to --output.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from BOW_model import BOW_model
from common.errors import run_script
from common.evaluation import sentiment_score
from common.options import parse_options
from common.testing import TestRun


def main():
    options = parse_options(__doc__, __file__, batch_size=1000)
    run = TestRun("1a", "BOW.model", BOW_model, options)
    reviews, _ = run.read_test_reviews("imdb")

    def score(indices):
        t = reviews.labels[indices]                                             # batch
        return sentiment_score(run.model(reviews.bags(indices), t), t)

    run.test_once(score)


if __name__ == "__main__":
    run_script(main)
