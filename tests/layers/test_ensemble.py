"""N-grams beside a network: what counts, how much, and what the two learn from each other."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from parts import load_script

from common.data.reviews import build_reviews
from common.layers.ensemble import SCALE, SHARE, SMOOTHING, NGrams

REVIEWS = [[3, 1, 3, 1, 2], [2, 0, 3, 1], [4], [0, 0]]
LABELS = [1.0, 0.0, 0.0, 1.0]
UNTRAINED = NGrams(3)


def padded(reviews, time=None):
    """Lists of token ids -> (batch, time) int64, padded with 0."""
    return torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(review + [0] * ((time or 0) - len(review))) for review in reviews], batch_first=True)


def as_reviews(token_ids, labels):
    lengths = torch.tensor([len(review) for review in token_ids])
    return build_reviews(torch.tensor(sum(token_ids, []), dtype=torch.int32).numpy(), lengths.numpy(), labels,
                         [""] * len(labels), "cpu")


def ngrams_of(review, longest):
    """The distinct n-grams of a review without an unknown word, a set of tuples."""
    return {gram for n in range(1, longest + 1) for k in range(len(review) - n + 1)
            if 0 not in (gram := tuple(review[k:k + n]))}


def bucket_of(gram):
    """Where an n-gram stands in the table."""
    return UNTRAINED.distinct(torch.tensor([gram]))[0, -1, len(gram) - 1].item()


@pytest.fixture
def ngrams():
    """N-grams of up to three words with random ratios and weights, as after training."""
    torch.manual_seed(0)
    module = NGrams(3)
    torch.nn.init.normal_(module.ratio)
    torch.nn.init.normal_(module.weight)
    return module


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_each_ngram_of_known_words_counts_once_in_a_review(longest):
    for review, buckets in zip(REVIEWS, NGrams(longest).distinct(padded(REVIEWS)), strict=True):
        counted = buckets[buckets > 0].tolist()
        assert sorted(counted) == sorted(bucket_of(gram) for gram in ngrams_of(review, longest))


def test_an_ngram_stands_at_its_last_word():
    buckets = NGrams(2).distinct(torch.tensor([[5, 6, 5, 6]]))[0]
    assert buckets.tolist() == [
        [bucket_of((5,)), 0], [bucket_of((6,)), bucket_of((5, 6))], [0, bucket_of((6, 5))], [0, 0]]


def test_words_in_another_order_or_number_fall_into_other_buckets():
    grams = [(a,) for a in range(1, 20)] + [(a, b) for a in range(1, 20) for b in range(1, 20)]
    grams += [(a, b, c) for a in range(1, 6) for b in range(1, 6) for c in range(1, 6)]
    assert len({bucket_of(gram) for gram in grams}) == len(grams)


def test_a_ratio_compares_the_shares_of_positive_and_negative_reviews():
    module = NGrams(2)
    module.weigh(as_reviews(REVIEWS, LABELS))
    counts = {label: [gram for review, own in zip(REVIEWS, LABELS) if own == label for gram in ngrams_of(review, 2)]
              for label in (0.0, 1.0)}

    def share(gram, label):
        return (counts[label].count(gram) + SMOOTHING) / (len(counts[label]) + SMOOTHING * len(module.ratio))

    for gram in {*counts[0.0], *counts[1.0]}:
        expected = SCALE * math.log(share(gram, 1.0) / share(gram, 0.0))
        assert module.ratio[bucket_of(gram)].item() == pytest.approx(expected, abs=1e-5)
    assert module.ratio.count_nonzero() == len({*counts[0.0], *counts[1.0]})


def test_the_ratios_come_from_sums_that_no_order_of_adding_changes():
    module = NGrams(1)
    module.weigh(as_reviews([[1], [2], [1]], [1.0, 0.0, 0.0]))
    rest = SMOOTHING * len(module.ratio)        # more than float32 can count to
    shares = [(1 + SMOOTHING) / (counted + rest) for counted in (1, 2)]
    assert module.ratio[bucket_of((1,))] == np.float32(SCALE * math.log(shares[0] / shares[1]))


def test_the_logit_is_the_sum_over_the_reviews_ngrams(ngrams):
    expected = [sum((ngrams.ratio * ngrams.weight)[bucket_of(gram)].item() for gram in ngrams_of(review, 3))
                for review in REVIEWS]
    assert ngrams(padded(REVIEWS)).tolist() == pytest.approx(expected, abs=1e-5)


def test_gradients_are_the_same_each_time_with_several_threads(ngrams):
    token_ids = torch.randint(0, 1000, (200, 100))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        gradients = [torch.autograd.grad(ngrams(token_ids).sum(), ngrams.weight)[0] for _ in range(10)]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


def test_padding_and_the_other_reviews_of_a_batch_do_not_count(ngrams):
    alone = [ngrams(torch.tensor([review])).item() for review in REVIEWS]
    assert ngrams(padded(REVIEWS, time=9)).tolist() == pytest.approx(alone, abs=1e-5)


def test_network_and_ngrams_each_learn_from_a_loss_of_their_own(ngrams):
    t, x = torch.tensor(LABELS), padded(REVIEWS)
    logit = torch.tensor([0.5, -1.0, 2.0, 0.0], requires_grad=True)
    loss, _ = ngrams.train().join(F.binary_cross_entropy_with_logits(logit, t), logit, t, x)
    loss.backward()
    expected = (logit.detach().sigmoid() - t) / len(t) / 2
    assert torch.allclose(logit.grad, expected)
    own = ngrams(x)
    [gradient] = torch.autograd.grad(F.binary_cross_entropy_with_logits(own, t) / 2, ngrams.weight)
    assert torch.allclose(ngrams.weight.grad, gradient)


def test_the_verdict_is_between_both_logits_and_tested_by_its_own_loss(ngrams):
    t, x, logit = torch.tensor(LABELS), padded(REVIEWS), torch.tensor([0.5, -1.0, 2.0, 0.0])
    loss, verdict = ngrams.eval().join(torch.tensor(9.0), logit, t, x)
    assert torch.allclose(verdict, (1 - SHARE) * logit + SHARE * ngrams(x))
    assert loss.item() == pytest.approx(F.binary_cross_entropy_with_logits(verdict, t).item())


def test_ngrams_learn_what_only_the_order_of_the_words_tells():
    """"not good" and "good not" are the same bag of words."""
    torch.manual_seed(0)
    model = load_script("1a", "BOW_model.py").BOW_model(3, 4, dropout=0.0, ngrams=2)
    reviews = as_reviews([[1, 2], [2, 1]] * 8, [1.0, 0.0] * 8)
    model.ngrams.weigh(reviews)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    x, t = reviews.bags(torch.arange(16)), reviews.labels
    for _ in range(10):
        optimizer.zero_grad()
        model(x, t, reviews.whole(torch.arange(16))[0])[0].backward()
        optimizer.step()
    _, logit = model.eval()(x, t, reviews.whole(torch.arange(16))[0])
    assert torch.equal(logit > 0, t > 0.5)
