"""Preprocessed files: token ids as text, arrays, and the table of what each line is."""

import io

import numpy as np

from common.files import replace_file


def write_token_ids(path, token_ids, offsets):
    """Write one review a line, ids separated by spaces; a review without tokens becomes the id 0.

    Args:
        path: file to write.
        token_ids: int32 (total tokens,), one review after the other.
        offsets: int64 (reviews + 1,), where in `token_ids` each review starts and ends.
    """
    # Formatting each distinct id once is several times faster than formatting each token's.
    digits = [b"%d" % token_id for token_id in range(token_ids.max(initial=0) + 1)]
    with replace_file(path, "wb") as file:
        for start, end in zip(offsets[:-1], offsets[1:]):
            line = b" ".join([digits[token_id] for token_id in token_ids[start:end].tolist()])
            file.write((line or digits[0]) + b"\n")


def write_reviews(path, reviews):
    """Write one RawReview a line: file name, label, rating and film, separated by tabs."""
    with replace_file(path) as file:
        for review in reviews:
            file.write(f"{review.name}\t{review.label}\t{review.rating}\t{review.film}\n")


def write_array(path, array):
    """Write an array in NumPy's .npy format."""
    with replace_file(path, "wb") as file:
        np.save(file, array, allow_pickle=False)


def write_dictionary(path, words, dependents):
    """Write words as an array of strings, after removing what belongs to other words.

    Files in the ids of one dictionary are misread with another. Removing them first keeps the
    folder sound even if the run ends before they are written anew.

    Args:
        path: file to write.
        words: list of str, in the order of their ids.
        dependents: names of the files beside `path` that hold its ids.
    """
    content = io.BytesIO()
    np.save(content, np.array(words), allow_pickle=False)
    if path.exists() and path.read_bytes() == content.getvalue():
        return
    for name in dependents:
        if path.with_name(name).exists():
            print(f"removing {name}, which belongs to another {path.name}")
            path.with_name(name).unlink()
    with replace_file(path, "wb") as file:
        file.write(content.getbuffer())
