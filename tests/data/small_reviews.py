"""Small preprocessed files and reviews, which the tests of the data share."""

import numpy as np

from common.data.reviews import build_reviews
from common.data.splits import read_splits
from common.devices import set_up
from common.options import parse_options

WORDS = ["the", "film", "was", "great", "bad"]
TRAIN = {"0_9.txt\tpos\t9\ttt01": "1 2 3 4", "0_1.txt\tneg\t1\ttt02": "5 2", "0_0.txt\tunsup\t0\ttt03": "0 1 2"}
TEST = {"0_8.txt\tpos\t8\ttt11": "4", "0_2.txt\tneg\t2\ttt12": "1 2 3 0 5"}


def write_folder(folder, train=TRAIN, test=TEST, words=WORDS):
    """Preprocessed files of reviews given as {line of the review table: line of token ids}."""
    np.save(folder / "imdb_dictionary.npy", np.array(words))
    for split, reviews in ("train", train), ("test", test):
        (folder / f"imdb_{split}.txt").write_text("".join(line + "\n" for line in reviews.values()))
        (folder / f"imdb_{split}_reviews.tsv").write_text("".join(line + "\n" for line in reviews))
    return folder


def make_reviews(token_ids, films=None, device="cpu"):
    return build_reviews(np.array(sum(token_ids, []), np.int32), np.array([len(review) for review in token_ids]),
                         [0.0] * len(token_ids), films or [""] * len(token_ids), device)


def rows(reviews):
    """Token ids of each review, as lists."""
    return [row.tolist() for row in reviews.rows()]


def splits(folder, *argv, **keywords):
    options = parse_options("", __file__, ["--data", str(folder), *argv], vocab_size=100,
                            validation=0.0, drop_duplicates=False, pseudo_labels=None, reversed=False,
                            ngrams=0)
    set_up(options)
    return read_splits(options, **keywords)[0]
