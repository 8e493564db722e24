"""The GloVe objective, and vectors learned with it."""

import numpy as np
import pytest
import torch

from common.errors import UserError
from common.preprocessing import glove


def random_reviews(tokens=300, vocab_size=23):
    """Word indices of nine reviews, the second of them empty, and the review of each token."""
    generator = np.random.default_rng(0)
    words = generator.integers(0, vocab_size, tokens)
    reviews = np.sort(generator.choice([0, *range(2, 9)], tokens))
    return words, reviews, vocab_size


@pytest.mark.parametrize("block_size", [5, 1024])
def test_pair_counts_equal_a_double_loop(block_size):
    words, reviews, vocab_size = random_reviews()
    expected = np.zeros((vocab_size, vocab_size))
    for i in range(len(words)):
        for j in range(max(0, i - 4), i):
            if reviews[i] == reviews[j]:
                expected[words[i], words[j]] += 1 / (i - j)
                expected[words[j], words[i]] += 1 / (i - j)
    counts = np.zeros_like(expected)
    for rows, columns, positions, found in glove.cooccurrence_blocks(
            words, reviews, vocab_size, window=4, block_size=block_size):
        part = counts[rows, columns]
        flat = np.zeros(part.size)
        flat[positions] = found
        part[:] = flat.reshape(part.shape)
    # Blocks below the diagonal are the mirror image of those above.
    above = np.triu_indices(vocab_size)
    np.testing.assert_allclose(counts[above], expected[above], rtol=1e-6)
    assert (np.diff(words[:50]) != 0).any() and expected.trace() > 0


@pytest.mark.parametrize("dense_share", [0, 1])
def test_loss_and_gradients_equal_the_sum_over_pairs(monkeypatch, dense_share):
    monkeypatch.setattr(glove, "DENSE_SHARE", dense_share)
    generator = torch.Generator().manual_seed(0)
    words = torch.randn(4, 3, generator=generator, requires_grad=True)
    contexts = torch.randn(5, 3, generator=generator, requires_grad=True)
    pairs = {(0, 0): 0.1, (0, 4): 2.5, (1, 2): 30.0, (3, 4): 1.0}
    expected = sum(min(1, (count / glove.X_MAX) ** 0.75) * (words[i] @ contexts[j] - np.log(count)) ** 2
                   for (i, j), count in pairs.items())
    (expected / 2).backward()
    positions = torch.tensor([i * 5 + j for i, j in pairs], dtype=torch.int32)
    loss, word_gradient, context_gradient = glove.block_gradients(
        words.detach(), contexts.detach(), positions, torch.tensor(list(pairs.values())))
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(word_gradient, words.grad)
    torch.testing.assert_close(context_gradient, contexts.grad)


def two_topics():
    """Reviews that each speak of wet or of dry things, as train_glove takes them."""
    generator = np.random.default_rng(0)
    vocabulary = ["rain", "sand", "river", "dune", "lake", "desert", "rare"]
    wet, dry = [1, 3, 5], [2, 4, 6]
    reviews = [generator.choice(topic, 12) for _ in range(60) for topic in (wet, dry)]
    reviews[0][:2] = 7, 0
    offsets = np.cumsum([0, *map(len, reviews)]).astype(np.int64)
    return np.concatenate(reviews).astype(np.int32), offsets, vocabulary


def nearest(words, vectors, word):
    """The two words whose vectors have the highest cosine with that of `word`."""
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = directions @ directions[words.index(word)]
    return {words[index] for index in np.argsort(-cosines)[1:3]}


def test_words_of_the_same_contexts_come_near_each_other():
    words, vectors = glove.train_glove(*two_topics(), max_words=10, dimensions=8, epochs=40)
    assert words == ["rain", "sand", "river", "dune", "lake", "desert"]
    assert vectors.shape == (6, 8) and vectors.dtype == np.float32
    assert nearest(words, vectors, "rain") == {"river", "lake"}
    assert nearest(words, vectors, "desert") == {"sand", "dune"}


def test_training_lowers_the_loss(capsys):
    glove.train_glove(*two_topics(), max_words=10, dimensions=8, epochs=10)
    losses = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 10
    assert losses[-1] < losses[0] / 2


def test_the_seed_decides_every_byte():
    first, same, other = (glove.train_glove(*two_topics(), max_words=10, dimensions=8, seed=seed, epochs=2)[1]
                          for seed in (1, 1, 2))
    assert first.tobytes() == same.tobytes() != other.tobytes()


def test_max_words_and_min_count_limit_the_words():
    assert glove.train_glove(*two_topics(), max_words=3, dimensions=4, epochs=1)[0] == ["rain", "sand", "river"]
    assert len(glove.train_glove(*two_topics(), max_words=10, dimensions=4, epochs=1, min_count=1)[0]) == 7
    with pytest.raises(UserError, match="no two words that occur 1000 times"):
        glove.train_glove(*two_topics(), max_words=10, min_count=1000)
