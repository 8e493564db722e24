"""Loss and accuracy over many reviews."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.training.evaluation import evaluate, sentiment_score

OPTIONS = SimpleNamespace(device=torch.device("cpu"), precision="float32")


def predict(model, batch):
    logit = model(batch.x)[:, 0]
    return F.binary_cross_entropy_with_logits(logit, batch.labels), logit


def draw_batches(batch_size, count=60):
    """Random reviews in batches: x (batch, 3), labels (batch,)."""
    torch.manual_seed(0)
    x, labels = torch.randn(count, 3), torch.randint(2, (count,)).float()
    return [SimpleNamespace(x=x[indices], labels=labels[indices]) for indices in torch.arange(count).split(batch_size)]


@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_metrics_are_plain_means_over_reviews_whatever_the_batches(batch_size):
    model, [everything] = nn.Linear(3, 1), draw_batches(60)
    found = evaluate(model, sentiment_score(predict), draw_batches(batch_size), OPTIONS)
    loss, logit = predict(model, everything)
    assert found.loss == pytest.approx(loss.item(), rel=1e-5)
    assert found.accuracy == pytest.approx(((logit >= 0) == (everything.labels > 0)).float().mean().item())


def test_a_logit_of_zero_counts_as_positive():
    batch = SimpleNamespace(labels=torch.tensor([1.0, 1.0, 0.0, 1.0]))
    score = sentiment_score(lambda model, batch: (torch.tensor(0.5), torch.tensor([0.0, 0.0, 0.0, -3.0])))
    loss, correct, count = score(None, batch)
    assert (loss, correct, count) == (2.0, 2, 4)


def test_a_model_is_evaluated_in_evaluation_mode_and_without_gradients():
    def score(model, batch):
        assert not model.training and not torch.is_grad_enabled()
        return sentiment_score(predict)(model, batch)
    evaluate(nn.Linear(3, 1).train(), score, draw_batches(7), OPTIONS)
