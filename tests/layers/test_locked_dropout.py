"""LockedDropout has one mask for all timesteps, from the first call to the reset."""

import pytest
import torch
from sequences import BATCH, IN_SIZE, OUT_SIZE, TIME, assert_close, sequence

from common.layers.locked_dropout import LockedDropout


def test_the_mask_is_one_for_all_timesteps_and_calls_until_the_reset(device):
    dropout, ones = LockedDropout(), torch.ones(BATCH, TIME, OUT_SIZE, device=device)
    mask = dropout(ones[:, 0])
    assert torch.equal(dropout(ones), mask[:, None].expand_as(ones))
    assert torch.equal(dropout(ones[:, 0]), mask)
    dropout.reset_state()
    assert not torch.equal(dropout(ones[:, 0]), mask)


def test_the_mask_that_a_sequence_drew_is_kept_for_a_timestep():
    dropout, ones = LockedDropout(), torch.ones(BATCH, TIME, OUT_SIZE)
    masks = dropout(ones)
    assert torch.equal(masks, masks[:, :1].expand_as(ones))
    assert torch.equal(dropout(ones[:, 0]), masks[:, 0])


def test_two_layers_draw_masks_of_their_own():
    ones = torch.ones(BATCH, OUT_SIZE)
    assert not torch.equal(LockedDropout()(ones), LockedDropout()(ones))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5])
def test_units_are_kept_with_probability_one_minus_p_and_scaled_to_mean_one(p):
    torch.manual_seed(0)
    mask = LockedDropout()(torch.ones(200, 500), dropout=p)
    kept = mask != 0
    assert_close(mask[kept], torch.full_like(mask[kept], 1 / (1 - p)))
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.01)
    assert mask.mean().item() == pytest.approx(1, abs=0.02)


def test_reviews_and_features_are_masked_independently():
    torch.manual_seed(0)
    kept = LockedDropout()(torch.ones(200, 500)) != 0
    # Every row and column keeps about half of its units; one mask for several would keep all or none.
    for dim in (0, 1):
        shares = kept.float().mean(dim=dim)
        assert 0.25 < shares.min() and shares.max() < 0.75


def test_the_gradient_is_the_mask():
    dropout, x = LockedDropout(), sequence()
    dropout(x).sum().backward()
    assert torch.equal(x.grad, dropout(torch.ones_like(x)))


def test_the_input_is_returned_when_not_training():
    dropout, x = LockedDropout(), sequence()
    dropout(x)
    assert dropout(x, train=False) is x


def test_what_is_kept_in_bfloat16_is_rounded_once():
    x = sequence(seed=1).detach().bfloat16()
    dropout = LockedDropout()
    output, mask = dropout(x, dropout=0.3), dropout(torch.ones(BATCH, IN_SIZE), dropout=0.3)
    assert output.dtype == torch.bfloat16
    assert torch.equal(output, (x.float() * mask[:, None]).bfloat16())


def test_after_a_reset_the_batch_may_have_another_size():
    dropout, x = LockedDropout(), sequence()
    dropout(x)
    dropout.reset_state()
    assert dropout(x[:2]).shape == (2, TIME, IN_SIZE)
