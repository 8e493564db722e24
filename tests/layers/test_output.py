"""Pooling over time, and the output layer."""

import pytest
import torch
from sequences import BATCH, OUT_SIZE, TIME, assert_close, sequence

from common.layers.output import Logit, Pooling

KINDS = pytest.mark.parametrize("kind, of_one", [
    ("max", lambda h: h.max(dim=0).values), ("mean", lambda h: h.mean(dim=0)), ("last", lambda h: h[-1])],
    ids=["max", "mean", "last"])


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


@pytest.mark.parametrize("lengths", [None, torch.arange(1, BATCH + 1)], ids=["without lengths", "with lengths"])
def test_concat_has_last_mean_and_maximum_side_by_side(lengths):
    h = sequence(OUT_SIZE)
    expected = [Pooling(kind)(h, lengths) for kind in ("last", "mean", "max")]
    assert_close(Pooling("concat")(h, lengths), torch.cat(expected, dim=1))


def test_a_length_beyond_the_timesteps_counts_as_all_of_them():
    h = sequence(OUT_SIZE)
    assert_close(Pooling("concat")(h, torch.full((BATCH,), TIME + 3)), Pooling("concat")(h))


def test_the_output_layer_computes_in_float32_under_autocast():
    layer, h = Logit(OUT_SIZE, 1), sequence(OUT_SIZE)[:, 0]
    expected = torch.nn.functional.linear(h, layer.weight, layer.bias)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(h), expected)
