"""GloVe word vectors, learned from the reviews themselves.

Pennington, Socher and Manning (2014), "GloVe: Global Vectors for Word Representation".
"""

import numpy as np
import torch
from tqdm import tqdm

from common.errors import UserError

WINDOW = 10  # words on each side
X_MAX = 10.0  # count from which on a pair has full weight (100 in the paper, for a corpus of 6e9 tokens)
ALPHA = 0.75  # power of the weight below X_MAX
LEARNING_RATE = 0.1
FIRST_SQUARES = 0.01  # where AdaGrad's sums of squared gradients start
BLOCK_SIZE = 1024  # words at most; an update takes all pairs of two blocks of words
MIN_BLOCKS = 32  # a small vocabulary has smaller blocks, so that an epoch still makes many updates
DENSE_SHARE = 0.01  # a block with a larger share of its pairs seen is quicker as a matrix product


def train_glove(token_ids, offsets, vocabulary, max_words, dimensions=300, seed=0, min_count=5, epochs=15):
    """Learn word vectors from the reviews with the GloVe objective.

    Minimises the sum over all pairs of min(1, (X / X_MAX)**ALPHA) * (w_i c_j + b_i + b_j - log X)**2
    with AdaGrad, where X counts how often word j stands within WINDOW words of word i in one
    review, each time weighted by 1/distance. Unlike the reference program, which updates after
    every pair, an update takes all pairs of two blocks of words, the blocks in random order.
    Words left out count for no distance, as in the reference program.

    Args:
        token_ids: int32 (tokens,), all reviews one after the other; id k > 0 is vocabulary[k - 1],
            0 is unknown.
        offsets: int64 (reviews + 1,), where each review starts in token_ids, and the end.
        vocabulary: words by falling count.
        max_words: words to learn at most, the most frequent ones.
        min_count: words with fewer occurrences are left out.

    Returns:
        words: list of str, the first entries of the vocabulary; vectors: float32 (words, dimensions),
        the sum of each word's two vectors. The same input and seed give the same bytes.

    Raises:
        UserError: no two words that occur min_count times stand near each other.
    """
    occurrences = np.bincount(token_ids, minlength=len(vocabulary) + 1)[1:]
    vocab_size = min(max_words, int((occurrences >= min_count).sum()))
    known = (token_ids > 0) & (token_ids <= vocab_size)
    reviews = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))[known]
    block_size = min(BLOCK_SIZE, 1 + vocab_size // MIN_BLOCKS)
    blocks = list(cooccurrence_blocks(token_ids[known] - 1, reviews, vocab_size, WINDOW, block_size))
    if not any(len(counts) for *_, counts in blocks):
        raise UserError(f"--glove train: no two words that occur {min_count} times in the training reviews stand near "
                        "each other; give more reviews, or longer ones")
    vectors = _fit(blocks, vocab_size, dimensions, epochs, torch.Generator().manual_seed(seed))
    return list(vocabulary[:vocab_size]), vectors.numpy()


def cooccurrence_blocks(words, reviews, vocab_size, window, block_size):
    """Count word pairs within a review, weighted by 1/distance, and yield those of a block of words with another.

    The counts are symmetric, so only blocks on and above the diagonal are made.

    Args:
        words: int (tokens,), word indices 0 to vocab_size - 1.
        reviews: int (tokens,), which review each of them is of.
        window: words on each side; block_size: words in a block.

    Yields:
        rows, columns: slices of word indices; positions: int32 (pairs,), row * width + column within the
        block, of the pairs that occur; counts: float32 (pairs,), how often they do.
    """
    words = np.pad(words, window)
    reviews = np.pad(reviews, window, constant_values=-1)
    order = np.argsort(words[window:-window], kind="stable") + window  # places of word 0, of word 1, ...
    starts = range(0, vocab_size, block_size)
    bounds = np.searchsorted(words[order], [*starts, vocab_size])
    for start, first, last in zip(tqdm(starts, desc="counting pairs", disable=None), bounds, bounds[1:]):
        height, width = min(block_size, vocab_size - start), vocab_size - start
        counts = np.zeros(height * width)
        for places in np.array_split(order[first:last], 1 + (last - first) // 1_000_000):  # bounds the memory
            row_starts = (words[places].astype(np.int64) - start) * width
            for distance in range(1, window + 1):
                for neighbours in (places - distance, places + distance):
                    counted = (reviews[neighbours] == reviews[places]) & (words[neighbours] >= start)
                    np.add.at(counts, (row_starts + words[neighbours] - start)[counted], 1 / distance)
        counts = counts.reshape(height, width)
        for column in range(0, width, block_size):
            block = counts[:, column:column + block_size].ravel()
            positions = np.flatnonzero(block)
            columns = slice(start + column, min(start + column + block_size, vocab_size))
            yield (slice(start, start + height), columns, torch.from_numpy(positions.astype(np.int32)),
                   torch.from_numpy(block[positions].astype(np.float32)))


def _fit(blocks, vocab_size, dimensions, epochs, generator):
    """Run AdaGrad over the blocks; return the sum of word and context vectors."""
    # Two columns more make the biases part of the product: (w, b, 1) . (c, 1, b') = wc + b + b'.
    parameters = (torch.rand(2, vocab_size, dimensions + 2, generator=generator) - 0.5) / dimensions
    fixed = (dimensions + 1, dimensions)  # the column of ones, of word and of context vectors
    # Were words independent, log X would be the sum of such biases. Starting there leaves to the
    # vectors what is particular about a pair, not how frequent its words are.
    totals = torch.zeros(vocab_size, dtype=torch.float64)  # occurrences of each word in all pairs
    for rows, columns, positions, counts in blocks:
        width = columns.stop - columns.start
        totals[rows].index_add_(0, positions // width, counts.double())
        if rows != columns:
            totals[columns].index_add_(0, positions % width, counts.double())
    biases = totals.clamp(min=1).log() - totals.sum().log() / 2
    for side in (0, 1):
        parameters[side, :, fixed[side]] = 1
        parameters[side, :, fixed[1 - side]] = biases.float()
    squares = torch.full_like(parameters, FIRST_SQUARES)
    for epoch in range(1, epochs + 1):
        loss = pairs = 0
        order = torch.randperm(len(blocks), generator=generator).tolist()
        for index in tqdm(order, desc=f"GloVe epoch {epoch}/{epochs}", leave=False, disable=None):
            rows, columns, positions, counts = blocks[index]
            # The pair (i, j) and the pair (j, i), which on the diagonal are in the block already.
            for word, context in [(0, 1)] if rows == columns else [(0, 1), (1, 0)]:
                sides = ((word, rows), (context, columns))
                block_loss, *gradients = block_gradients(
                    parameters[word, rows], parameters[context, columns], positions, counts)
                loss, pairs = loss + block_loss, pairs + len(counts)
                for (side, part), gradient in zip(sides, gradients):
                    gradient[:, fixed[side]] = 0
                    squares[side, part].addcmul_(gradient, gradient)
                    parameters[side, part].addcdiv_(gradient, squares[side, part].sqrt(), value=-LEARNING_RATE)
        print(f"GloVe epoch {epoch:02}/{epochs:02} | mean loss {loss / pairs:.4f}", flush=True)
    return parameters[:, :, :dimensions].sum(0)  # words, dimensions


def block_gradients(words, contexts, positions, counts):
    """GloVe's loss over the pairs of one block, and half its gradient for both sides.

    Args:
        words: float32 (rows, width); contexts: float32 (columns, width); the biases are columns.
        positions: int32 (pairs,), row * columns + column; counts: float32 (pairs,).

    Returns:
        loss: float; gradient of loss / 2 for words (rows, width) and for contexts (columns, width).
    """
    size = len(words) * len(contexts)
    weights = (counts / X_MAX).pow(ALPHA).clamp(max=1)
    if len(counts) > DENSE_SHARE * size:
        differences = (words @ contexts.T).view(-1)[positions] - counts.log()  # pairs
        errors = words.new_zeros(size)
        errors[positions] = weights * differences
        errors = errors.view(len(words), len(contexts))  # rows, columns
        gradients = errors @ contexts, errors.T @ words
    else:
        rows, columns = positions // len(contexts), positions % len(contexts)
        row_vectors, column_vectors = words[rows], contexts[columns]  # pairs, width
        differences = (row_vectors * column_vectors).sum(1) - counts.log()
        errors = (weights * differences)[:, None]
        gradients = (torch.zeros_like(words).index_add_(0, rows, errors * column_vectors),
                     torch.zeros_like(contexts).index_add_(0, columns, errors * row_vectors))
    return (weights * differences.square()).sum().item(), *gradients
