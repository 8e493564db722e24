"""Tokens and their ids: id k is entry k - 1 of the dictionary, id 0 is the unknown token."""

import numpy as np

# A NumPy string array is as wide as its longest entry, for all of its entries.
MAX_TOKEN_CHARACTERS = 255


def count_tokens(tokens, indices):
    """Count the occurring tokens and sort them by count, the highest first, and then by token.

    Args:
        tokens: list of str, distinct.
        indices: int array, positions in `tokens`.

    Returns:
        words: list of str; counts: int64 array (words,).
    """
    counts = np.bincount(indices, minlength=len(tokens))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda index: (-counts[index], tokens[index]))
    return [tokens[index] for index in order], counts[order]


def build_dictionary(words):
    """Return the words that are short enough for the dictionary file, in their order."""
    return [word for word in words if len(word) <= MAX_TOKEN_CHARACTERS]


def token_ids(tokens, dictionary):
    """Return the dictionary's id for each token, int32 (tokens,); 0 where it has none."""
    ids = {word: position for position, word in enumerate(dictionary, start=1)}
    return np.array([ids.get(token, 0) for token in tokens], dtype=np.int32)
