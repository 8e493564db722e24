"""Which data a run is of, as its record says it."""

import contextlib
import json
import zlib

from common.checkpoints import checksum
from common.data.pseudo_labels import teacher_of
from common.files import file_checksum

# Test reviews of the dataset of the assignment (Maas et al. 2011), and how many of them are positive.
IMDB = 25_000, 12_500


def describe_data(options, train, test, glove=None):
    """Data that a run was trained and tested on, in plain values.

    Runs with the same values differ in nothing but their options. They do not depend on the seed, unlike the
    reviews that --validation leaves for training.

    Args:
        options: of parse_options; train, test: Reviews, whole or a selection; glove: the word vectors that the model
            reads, if it does.

    Returns:
        dict: "name", "sample", "imdb" or "other"; "test_reviews", their number; "reviews", a CRC-32 of the test
        reviews' labels and films; "token_ids", one of all reviews' words, and "glove", "language_model" and
        "teacher", the settings of the one that made the pseudo-labels, where there are such.
    """
    found = {"name": corpus_name(options.data, test), "test_reviews": len(test),
             "reviews": zlib.crc32("\n".join(test.films.tolist()).encode(), checksum(test.labels)),
             "token_ids": checksum(train.token_ids, test.token_ids)}
    if glove is not None:
        found["glove"] = checksum(glove)
    if getattr(options, "language_model", None):
        found["language_model"] = file_checksum(options.language_model)
    if getattr(options, "pseudo_labels", None) and (teacher := teacher_of(options.pseudo_labels)) is not None:
        found["teacher"] = teacher
    return found


def corpus_name(folder, test):
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        if "sample_seed" in json.loads((folder / "statistics.json").read_bytes())["tokenizer"]:
            return "sample"
    return "imdb" if (len(test), int(test.labels.sum())) == IMDB else "other"
