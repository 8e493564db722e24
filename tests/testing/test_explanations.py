"""What each word adds to a logit, for models of any kind."""

import collections
import difflib
import itertools
import re

import numpy as np
import pytest
import torch
from parts import load_script
from random_models import NGRAM_WEIGHT, UNITS, WORDS, build
from torch import nn

from common.preprocessing.sample_corpus import sample_reviews
from common.results.explained import is_punctuation
from common.testing.explanations import STRETCH, bag_contributions, word_contributions

VECTORS = torch.cat([torch.zeros(1, UNITS), torch.randn(len(WORDS), UNITS, generator=torch.Generator().manual_seed(3))])


# Bags of words


def logit_of_weights(network, token_ids, weights, vectors):
    """The logit of a bag whose words have these weights in the mean."""
    table = network.embedding.weight if vectors is None else vectors
    h = weights[None] @ table[token_ids]
    for linear, batch_norm, _ in network.layers:
        h = torch.relu(batch_norm(linear(h)))
    return network.fc_output(h).item()


@pytest.mark.parametrize("part, vectors", [("1a", None), ("1b", VECTORS)])
@pytest.mark.parametrize("hidden_layers", [1, 3])
def test_a_words_contribution_is_the_slope_of_the_logit_as_the_word_fades(hidden_layers, part, vectors):
    network, token_ids = build(part, hidden_layers=hidden_layers)[1], torch.tensor([1, 4, 0, 2, 1, 5])
    counted = torch.ones(6) if vectors is None else (token_ids > 0).float()
    weights = counted / counted.sum()
    found = bag_contributions(network, token_ids, vectors)
    step = 1e-3
    with torch.no_grad():
        for place in range(6):
            faded = weights.clone()
            faded[place] *= 1 - step
            slope = (logit_of_weights(network, token_ids, weights, vectors)
                     - logit_of_weights(network, token_ids, faded, vectors)) / step
            assert found[place].item() == pytest.approx(slope, abs=5e-3)
    assert (found[2] == 0) == (vectors is not None)     # the mean of word vectors is of the known words alone


def test_a_bag_without_relus_has_the_exact_contributions():
    """The logit of a linear network is its bias and each word's own logit, in equal parts."""
    linear = nn.Linear(UNITS, 1)

    class Network(nn.Module):
        def forward(self, x, t):
            return None, linear(x)[:, 0]
    token_ids = torch.tensor([3, 1, 2])
    torch.testing.assert_close(bag_contributions(Network(), token_ids, VECTORS),
                               (linear.weight[0] @ VECTORS[token_ids].T / 3).detach())


def test_in_an_ensemble_an_n_gram_adds_to_its_last_word():
    model, network, _ = build("1a", ngrams=2)
    token_ids = torch.tensor([1, 4, 2])
    ngrams = model.ngrams.contributions(token_ids[None])[0]
    found = bag_contributions(model, token_ids)
    torch.testing.assert_close(
        found, (1 - NGRAM_WEIGHT) * bag_contributions(network, token_ids) + NGRAM_WEIGHT * ngrams)


# Models of any kind


def test_a_words_contribution_is_the_mean_of_what_it_says_alone_and_of_what_the_review_loses_without_it():
    logits = {(1,): 0.0, (2,): 1.0, (3,): 5.0, (2, 3, 2): 7.0, (3, 2): 4.0, (2, 2): 2.0, (2, 3): 6.5, (0,): 9.0}
    asked = []

    def logits_of(reviews):
        asked.extend(reviews)
        return np.array([logits[review] for review in reviews])
    [found] = word_contributions(logits_of, [[2, 3, 2]], [[0, 1, 2]], vocab_size=3)
    common = 1.0                                                                # the median of the three words
    np.testing.assert_allclose(found, [((1 - common) + (7 - 4)) / 2, ((5 - common) + (7 - 2)) / 2,
                                       ((1 - common) + (7 - 6.5)) / 2])
    assert len(asked) == len(set(asked))


def test_only_the_places_asked_for_are_explained():
    def logits_of(reviews):
        return np.array([float(sum(review)) for review in reviews])
    found = word_contributions(logits_of, [[5, 6], [7, 8, 9]], [[1], [0, 2]], vocab_size=1)
    assert [some.tolist() for some in found] == [[(6 - 1 + 6) / 2], [(7 - 1 + 7) / 2, (9 - 1 + 9) / 2]]


def test_a_review_of_one_word_is_explained_beside_an_unknown_word():
    [found] = word_contributions(lambda reviews: np.array([float(sum(review)) for review in reviews]), [[4]], [[0]], 1)
    assert found.tolist() == [(4 - 1 + 4 - 0) / 2]


def test_a_long_review_is_explained_in_stretches():
    lengths = []

    def logits_of(reviews):
        lengths.extend(map(len, reviews))
        return np.array([float(sum(review)) for review in reviews])
    review = [1] * (2 * STRETCH) + [2, 3]
    found = word_contributions(logits_of, [review], [[0, STRETCH, len(review) - 1]], vocab_size=1)
    assert found[0].tolist() == [(1 - 1 + 1) / 2, (1 - 1 + 1) / 2, (3 - 1 + 3) / 2] and max(lengths) == STRETCH


# Networks that have learned the sample, in which it is known which words decide


def tokens_of(review):
    return re.findall(r"[\w']+|[.,;:!?]", review.text.replace("<br />", " ").lower())


LABELLED = [review for review in sample_reviews() if review.label != "unsup"]
TRAIN, TEST = ([review for review in LABELLED if review.split == split] for split in ("train", "test"))
IDS = {word: k for k, (word, _) in enumerate(collections.Counter(
    itertools.chain.from_iterable(map(tokens_of, TRAIN))).most_common(), 1)}
LONGEST = max(len(tokens_of(review)) for review in LABELLED)


def rows_of(reviews):
    return [[IDS.get(word, 0) for word in tokens_of(review)] for review in reviews]


def padded(rows):
    return torch.tensor([[*row] + [0] * (LONGEST - len(row)) for row in rows])


class GRU(nn.Module):
    """A network of one's own in place of 2a's."""

    def __init__(self):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(len(IDS) + 1, 16), nn.GRU(16, 32, batch_first=True)
        self.fc_output = nn.Linear(32, 1)

    def features(self, x):
        return self.gru(self.embedding(x))[0]

    def forward(self, x, t):
        logit = self.fc_output(self.features(x).amax(dim=1))[:, 0]
        return nn.functional.binary_cross_entropy_with_logits(logit, t), logit


class Convolution(GRU):
    """Another one."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(16, 32, 3, padding=1)

    def features(self, x):
        return torch.relu(self.convolution(self.embedding(x).mT)).mT


def lstm():
    return load_script("2a", "RNN_model.py").RNN_model(vocab_size=len(IDS) + 1, no_of_hidden_units=32)


def deciding_places(review, mirror):
    """Which words of a review are not those of its mirror, which has the other label and else the same words."""
    blocks = difflib.SequenceMatcher(None, tokens_of(review), tokens_of(mirror), autojunk=False).get_opcodes()
    return {place for kind, start, end, _, _ in blocks if kind != "equal" for place in range(start, end)}


@pytest.mark.slow
@pytest.mark.parametrize("make", [lstm, GRU, Convolution])
def test_a_deciding_word_comes_first_in_eight_of_ten_reviews_of_the_sample_and_the_full_stop_in_none(make):
    torch.manual_seed(0)
    network = make()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    x, labels = padded(rows_of(TRAIN)), torch.tensor([float(review.label == "pos") for review in TRAIN])
    for indices in (some for _ in range(10) for some in torch.randperm(len(x)).split(50)):
        loss, _ = network(x[indices], labels[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()

    @torch.no_grad()
    def logits_of(rows):
        return torch.cat([network(x, torch.zeros(len(x)))[1] for x in padded(rows).split(500)]).numpy()

    assert np.mean((logits_of(rows_of(TEST)) >= 0) == [review.label == "pos" for review in TEST]) > 0.9
    reviews, mirrors = TEST[::8], (TEST[len(TEST) // 2:] + TEST)[::8]           # positive ones, then negative ones
    found = word_contributions(logits_of, rows_of(reviews), [range(len(tokens_of(review))) for review in reviews],
                               len(IDS))
    decided, words = [], []
    for review, mirror, added in zip(reviews, mirrors, found):
        sizes = np.abs(added) * [not is_punctuation(word) for word in tokens_of(review)]        # as they are coloured
        words.append(tokens_of(review)[sizes.argmax()])
        decided.append(sizes.argmax() in deciding_places(review, mirror))
    assert np.mean(decided) >= 0.8 and "." not in words
