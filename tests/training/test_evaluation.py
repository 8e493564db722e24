"""Loss and accuracy over many reviews, and the batches that they are taken in."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.training.evaluation import by_length, evaluate, in_order, nearly_equal, sentiment_score


@pytest.mark.parametrize("batch_size", [1, 7, 50, 60, 1000])
def test_evaluation_is_the_plain_mean_over_reviews_whatever_the_batches(batch_size):
    torch.manual_seed(0)
    model, x, t = nn.Linear(3, 1), torch.randn(60, 3), torch.randint(2, (60,)).float()

    def score(indices):
        logit = model(x[indices])[:, 0]
        return sentiment_score((F.binary_cross_entropy_with_logits(logit, t[indices]), logit), t[indices])

    options = SimpleNamespace(device=torch.device("cpu"), precision="float32")
    found = evaluate(model, score, torch.arange(60).split(batch_size), options)
    logit = model(x)[:, 0].detach()
    assert found.loss == pytest.approx(F.binary_cross_entropy_with_logits(logit, t).item(), rel=1e-5)
    assert found.accuracy == pytest.approx(((logit >= 0) == (t > 0)).float().mean().item())


def test_a_logit_of_zero_counts_as_positive():
    logit = torch.tensor([0.0, 0.0, 3.0, -3.0])
    loss, correct, count = sentiment_score((torch.tensor(0.5), logit), torch.tensor([1.0, 0.0, 1.0, 1.0]))
    assert (loss, correct, count) == (2.0, 2, 4)


def test_batches_in_order_hold_each_review_once():
    for count, batch_size in itertools.product([1, 2, 9, 10, 11, 100], [1, 2, 3, 10, 1000]):
        batches = in_order(count, batch_size, "cpu")
        assert torch.cat(batches).tolist() == list(range(count))
        assert max(map(len, batches)) <= batch_size
        assert max(map(len, batches)) - min(map(len, batches)) <= 1
        assert len(batches) == -(-count // batch_size)


def test_training_batches_hold_each_review_once_and_never_one_alone():
    for count, batch_size in itertools.product([2, 3, 9, 10, 11, 101], [2, 3, 10, 1000]):
        batches = nearly_equal(torch.arange(count), batch_size)
        assert torch.cat(batches).tolist() == list(range(count))
        assert min(map(len, batches)) >= 2
        # An odd number of reviews in twos ends with a three.
        assert max(map(len, batches)) <= max(batch_size, 3)


def test_batches_by_length_stay_within_their_tokens():
    lengths = torch.randint(1, 300, (200,), generator=torch.Generator().manual_seed(0))
    batches = by_length(lengths, 1000)
    assert sorted(torch.cat(batches).tolist()) == list(range(200))
    assert all(len(batch) * lengths[batch].max() <= 1000 for batch in batches)
    ordered = lengths[torch.cat(batches)]
    assert (ordered.diff() <= 0).all()
    # None could take the first review of the next.
    assert all((len(batch) + 1) * lengths[batch].max() > 1000 for batch in batches[:-1])


def test_a_review_longer_than_a_batch_is_one_of_its_own():
    batches = by_length(torch.tensor([5, 2000, 3000, 7]), 1000)
    assert [batch.tolist() for batch in batches] == [[2], [1], [3, 0]]
