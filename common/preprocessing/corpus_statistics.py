"""What the reviews look like: lengths, token counts and how much of the text the top tokens cover."""

import numpy as np

COUNT_BINS = (1, 10, 100, 1_000, 10_000)
COVERAGE_SIZES = (100, 8_000)


def count_tokens(tokens, indices):
    """The distinct tokens at the indices by falling count and then by spelling, a list, and their counts, an array."""
    counts = np.bincount(indices, minlength=len(tokens))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda index: (-counts[index], tokens[index]))
    return [tokens[index] for index in order], counts[order]


def corpus_statistics(lengths, words, counts):
    """Describe a tokenised corpus in plain values, ready for JSON.

    Args:
        lengths: int array (reviews,), tokens per review.
        words: list of str, the distinct tokens, the most frequent first.
        counts: int array (words,), in the same order.

    Returns:
        dict; `tokens_per_review` in tokens (population standard deviation), the histogram's keys
        are ranges of counts, its values how many distinct tokens occur so often, `coverage` the
        share of all tokens (0 to 1) that are among the so many most frequent ones.
    """
    total = int(counts.sum())
    ends = [f"-{next_bin - 1}" for next_bin in COUNT_BINS[1:]] + [" and up"]
    histogram, _ = np.histogram(counts, bins=[*COUNT_BINS, np.inf])
    return {
        "tokens": total, "distinct_tokens": len(words),
        "tokens_per_review": {"minimum": int(lengths.min()), "maximum": int(lengths.max()),
                              "mean": float(lengths.mean()), "standard_deviation": float(lengths.std())},
        "token_count_histogram": {f"{start}{end}": int(n) for start, end, n in zip(COUNT_BINS, ends, histogram)},
        "most_frequent": [[word, int(count)] for word, count in zip(words[:10], counts)],
        "coverage": {str(size): float(counts[:size].sum() / total) for size in COVERAGE_SIZES}}


def print_statistics(statistics):
    """Print what preprocess_data.py keeps in statistics.json as a small report."""
    names = dict(zip(["neg", "pos"], statistics.get("labels", [])))
    for split, labels in statistics["reviews"].items():
        print(f"{split} reviews: " + ", ".join(f"{number:,} {names.get(label, label)}"
                                               for label, number in labels.items()))
    length = statistics["tokens_per_review"]
    print(f"tokens: {statistics['tokens']:,}, {statistics['distinct_tokens']:,} of them distinct")
    print(f"tokens per review: minimum {length['minimum']:,}, maximum {length['maximum']:,}, "
          f"mean {length['mean']:.2f}, standard deviation {length['standard_deviation']:.2f}")
    print("occurrences     distinct tokens")
    for occurrences, distinct in statistics["token_count_histogram"].items():
        print(f"  {occurrences:<13} {distinct:>15,}")
    print("most frequent tokens")
    for word, count in statistics["most_frequent"]:
        print(f"  {word:<13} {count:>15,}")
    for size, share in statistics["coverage"].items():
        print(f"the top {int(size):,} tokens cover {share:.2%} of all tokens")
    print(f"a review before\n  {statistics['example']['before']}")
    print(f"and after\n  {statistics['example']['after']}")
