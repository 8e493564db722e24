"""Which data a run is of, as its record says it."""

import zlib

from common.checkpoints import checksum
from common.data.pseudo_labels import teacher_of
from common.data.token_files import IMDB, LABEL_NAMES, read_json, read_label_names
from common.files import file_checksum


def describe_data(options, train, test, glove=None):
    """Data that a run was trained and tested on, in plain values.

    Runs with the same values differ in nothing but their options. They do not depend on the seed, unlike the
    reviews that --validation leaves for training.

    Args:
        options: of parse_options; train, test: Reviews, whole or a selection; glove: the word vectors that the model
            reads, if it does.

    Returns:
        dict: "name", "sample", "imdb" or "other"; "test_reviews", their number; "reviews", a CRC-32 of the test
        reviews' labels and films; "token_ids", one of all reviews' words, and "negative" and "positive", the names of
        the labels in a dataset of one's own, "glove", "language_model" and "teacher", the settings of the one that
        made the pseudo-labels, where there are such.
    """
    found = {"name": corpus_name(options.data), "test_reviews": len(test), "reviews": number_of(test),
             "token_ids": checksum(train.token_ids, test.token_ids)}
    if (names := read_label_names(options.data)) != LABEL_NAMES:
        found |= zip(LABEL_NAMES, names)
    if glove is not None:
        found["glove"] = checksum(glove)
    if getattr(options, "language_model", None):
        found["language_model"] = file_checksum(options.language_model)
    if getattr(options, "pseudo_labels", None):
        found["teacher"] = teacher_of(options.pseudo_labels)
    return found


def number_of(reviews):
    """A CRC-32 of Reviews' labels and films, whatever the vocabulary that they are read with."""
    return zlib.crc32("\n".join(reviews.films.tolist()).encode(), checksum(reviews.labels))


def corpus_name(folder):
    """"sample", "imdb" or "other", by the texts that statistics.json has of the test reviews, whatever their number."""
    statistics = read_json(folder / "statistics.json")
    if "sample_seed" in (statistics.get("tokenizer") or {}):
        return "sample"
    return "imdb" if statistics.get("test_texts") == IMDB else "other"
