"""Loss and accuracy over many reviews."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.data.batches import Batch, ReviewData
from common.layers.batch_norm import TimestepBatchNorm
from common.training.evaluation import evaluate, measure_batch_norm
from common.training.loop import sentiment_score

OPTIONS = SimpleNamespace(device=torch.device("cpu"), precision="float32")


class Linear(nn.Linear):
    """A classifier of points, called as the parts' networks are."""

    def forward(self, x, t):
        logit = super().forward(x)[:, 0]
        return F.binary_cross_entropy_with_logits(logit, t), logit


def draw_batches(batch_size, count=60):
    """Random reviews in batches: x (batch, 3), labels (batch,)."""
    torch.manual_seed(0)
    x, labels = torch.randn(count, 3), torch.randint(2, (count,)).float()
    return [Batch(x[indices], labels[indices]) for indices in torch.arange(count).split(batch_size)]


@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_metrics_are_plain_means_over_reviews_whatever_the_batches(batch_size):
    model, [everything] = Linear(3, 1), draw_batches(60)
    found = evaluate(model, sentiment_score, draw_batches(batch_size), OPTIONS)
    loss, logit = model(everything.x, everything.labels)
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    assert found.accuracy == pytest.approx(((logit >= 0) == (everything.labels > 0)).float().mean().item())


def test_more_predictions_than_float32_can_count_are_counted():
    batches = [torch.tensor([0, 0, 2 ** 24]), torch.tensor([0, 1, 1])]          # loss, correct, predictions
    found = evaluate(nn.Linear(1, 1), lambda model, batch: batch.unbind(), batches, OPTIONS)
    assert found.accuracy == 1 / (2 ** 24 + 1)


def test_a_logit_of_zero_counts_as_positive():
    batch = Batch(None, torch.tensor([1.0, 1.0, 0.0, 1.0]))
    loss, correct, count = sentiment_score(lambda x, t: (torch.tensor(0.5), torch.tensor([0.0, 0.0, 0.0, -3.0])), batch)
    assert (loss, correct, count) == (2.0, 2, 4)


def test_a_model_is_evaluated_in_evaluation_mode_and_without_gradients():
    def score(model, batch):
        assert not model.training and not torch.is_grad_enabled()
        return sentiment_score(model, batch)
    evaluate(Linear(3, 1).train(), score, draw_batches(7), OPTIONS)


class Sequences(ReviewData):
    """Vectors (reviews, time, features) which stand for reviews; `drawn` are the indices of its batches."""

    def __init__(self, reviews):
        super().__init__(reviews)
        self.drawn = []

    def batch(self, indices):
        self.drawn.append(indices)
        return Batch(self.reviews[indices], None)


def training_of(model, data, **options):
    """What measure_batch_norm asks of a Training."""
    return SimpleNamespace(model=model, score=lambda model, batch: model(batch.x), data={"train": data},
                           signals=SimpleNamespace(watch=iter),
                           options=SimpleNamespace(**vars(OPTIONS), seed=0, **options))


def test_measured_batch_norm_statistics_are_those_of_training_batches_and_leave_the_random_state():
    reviews = 3 + torch.randn(6, 4, 2)                                          # reviews, time, features
    model = nn.Sequential(TimestepBatchNorm(2))
    state = torch.get_rng_state()
    measure_batch_norm(training_of(model, Sequences(reviews), batch_size=3))
    torch.testing.assert_close(model[0].running_mean, reviews.mean(dim=(0, 1)))
    assert torch.equal(torch.get_rng_state(), state)


def test_batch_norm_statistics_are_measured_on_60_random_batches():
    data = Sequences(torch.randn(200, 1, 2))
    measure_batch_norm(training_of(nn.Sequential(TimestepBatchNorm(2)), data, batch_size=2))
    assert len(data.drawn) == 60 and torch.cat(data.drawn).max() >= 120
