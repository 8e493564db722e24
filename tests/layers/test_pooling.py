"""Pooling over time."""

import pytest
import torch
from sequences import BATCH, OUT_SIZE, assert_close, sequence

from common.layers.pooling import Pooling

KINDS = pytest.mark.parametrize("kind, of_one", [
    ("max", lambda h: h.max(dim=0).values), ("mean", lambda h: h.mean(dim=0))], ids=["max", "mean"])


@KINDS
@pytest.mark.parametrize("learns", [True, False])
def test_each_feature_is_pooled_over_all_timesteps(kind, of_one, learns, device):
    h = sequence(OUT_SIZE, device=device).detach().requires_grad_(learns)
    assert_close(Pooling(kind)(h), torch.stack([of_one(review) for review in h]))


@KINDS
@pytest.mark.parametrize("learns", [True, False])
def test_timesteps_from_a_reviews_length_on_are_left_out(kind, of_one, learns, device):
    h = sequence(OUT_SIZE, device=device).detach().requires_grad_(learns)
    lengths = torch.arange(1, BATCH + 1, device=device)
    assert_close(Pooling(kind)(h, lengths), torch.stack([of_one(h[k, :k + 1]) for k in range(BATCH)]))
