"""The layers give one answer for a timestep and for a whole sequence: that of the plain loop."""

import pytest
import reference
import torch
from torch import nn

from common.layers.lstm import LockedDropout, StatefulLSTM, TimestepBatchNorm, pool

BATCH, TIME, IN_SIZE, OUT_SIZE = 5, 7, 4, 6


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=2e-6)


def sequence(features=IN_SIZE, seed=0, device="cpu"):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(BATCH, TIME, features, generator=generator)
    return x.to(device).requires_grad_()


def stateful_lstm(layer=StatefulLSTM, device="cpu"):
    torch.manual_seed(0)
    return layer(IN_SIZE, OUT_SIZE).to(device)


def by_timestep(layer, x, **options):
    return torch.stack([layer(x[:, t], **options) for t in range(x.shape[1])], dim=1)


def gradients(output, layer, x):
    """Gradients of an uneven sum of the output, by the input and each parameter."""
    weight = torch.linspace(-1, 1, output.numel(), device=output.device).view_as(output)
    wanted = [x, *layer.parameters()]
    return torch.autograd.grad((output * weight).sum(), wanted)


# StatefulLSTM


def test_lstm_over_a_sequence_equals_the_loop(device):
    ours, plain = stateful_lstm(device=device), stateful_lstm(reference.StatefulLSTM, device)
    x = sequence(device=device)
    output, expected = ours(x), by_timestep(plain, x)
    assert output.shape == (BATCH, TIME, OUT_SIZE)
    assert_close(output, expected)
    assert_close(ours.h, plain.h)
    assert_close(ours.c, plain.c)
    assert_close(gradients(output, ours, x), gradients(expected, plain, x))


def test_lstm_a_timestep_at_a_time_equals_the_whole_sequence(device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    whole = ours(x)
    ours.reset_state()
    steps = by_timestep(ours, x)
    assert_close(steps, whole)
    assert_close(gradients(steps, ours, x), gradients(whole, ours, x))


@pytest.mark.parametrize("lengths", [[3, 4], [1, 5, 1], [6, 1]])
def test_lstm_carries_its_state_from_chunk_to_chunk(lengths, device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    whole = ours(x)
    final_state = ours.h, ours.c
    ours.reset_state()
    chunks = torch.cat([ours(chunk) for chunk in x.split(lengths, dim=1)], dim=1)
    assert_close(chunks, whole)
    assert_close((ours.h, ours.c), final_state)
    assert_close(gradients(chunks, ours, x), gradients(whole, ours, x))


def test_lstm_goes_from_timesteps_to_a_sequence_and_back(device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    whole = ours(x)
    ours.reset_state()
    parts = [ours(x[:, 0])[:, None], ours(x[:, 1:-1]), ours(x[:, -1])[:, None]]
    assert_close(torch.cat(parts, dim=1), whole)


def test_lstm_gives_the_same_without_gradients(device):
    ours, x = stateful_lstm(device=device), sequence(device=device)
    expected = ours(x)
    ours.reset_state()
    ours.eval()
    with torch.no_grad():
        assert_close(ours(x), expected.detach())


@pytest.mark.parametrize("gradients_kept", [True, False])
def test_lstm_over_words_equals_the_loop_over_their_vectors(gradients_kept, device):
    ours, plain = stateful_lstm(device=device), stateful_lstm(reference.StatefulLSTM, device)
    vectors = torch.randn(9, IN_SIZE, device=device, requires_grad=True)
    token_ids = torch.randint(9, (BATCH, TIME), device=device)
    with torch.set_grad_enabled(gradients_kept):
        output, expected = ours.forward_words(vectors, token_ids), by_timestep(plain, vectors[token_ids])
        assert_close(output, expected)
        assert_close((ours.h, ours.c), (plain.h, plain.c))
    if gradients_kept:
        assert_close(gradients(output, ours, vectors), gradients(expected, plain, vectors))


@torch.no_grad()
def test_lstm_over_words_computes_in_the_precision_of_autocast():
    ours, vectors = stateful_lstm(), torch.randn(9, IN_SIZE)
    token_ids = torch.randint(9, (BATCH, TIME))
    expected = ours(vectors[token_ids])
    ours.reset_state()
    with torch.autocast("cpu", torch.bfloat16):
        output = ours.forward_words(vectors, token_ids)
    assert output.dtype == ours.h.dtype == ours.c.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.02)


@torch.no_grad()
def test_lstm_over_words_goes_on_from_its_state(device):
    ours, vectors = stateful_lstm(device=device), torch.randn(9, IN_SIZE, device=device)
    token_ids = torch.randint(9, (BATCH, TIME), device=device)
    whole = ours.forward_words(vectors, token_ids)
    ours.reset_state()
    parts = [ours.forward_words(vectors, part) for part in token_ids.split([3, 1, TIME - 4], dim=1)]
    assert_close(torch.cat(parts, dim=1), whole)


def test_lstm_state_is_none_until_the_first_call_and_after_reset():
    ours = stateful_lstm()
    assert ours.h is None and ours.c is None
    ours(sequence())
    assert ours.h.shape == ours.c.shape == (BATCH, OUT_SIZE)
    ours.reset_state()
    assert ours.h is None and ours.c is None


def test_lstm_forgets_the_sequence_before_a_reset():
    ours, x = stateful_lstm(), sequence()
    first = ours(x)
    carried = ours(x)
    ours.reset_state()
    assert_close(ours(x), first)
    assert (carried - first).abs().max() > 1e-2


def test_lstm_takes_another_batch_size_after_reset():
    ours, x = stateful_lstm(), sequence()
    whole = ours(x)
    ours.reset_state()
    assert_close(ours(x[:2]), whole[:2])


def test_lstm_holds_the_parameters_of_one_cell():
    ours, cell = stateful_lstm(), nn.LSTMCell(IN_SIZE, OUT_SIZE)
    assert isinstance(ours.lstm, nn.LSTMCell)
    assert set(ours.state_dict()) == {f"lstm.{name}" for name in cell.state_dict()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lstm_weights_fill_one_piece_of_memory_in_the_order_of_cudnn(dtype):
    ours = stateful_lstm()
    weights = ours.adjacent_weights(dtype)
    whole = weights[0].flatten().as_strided([sum(weight.numel() for weight in weights)], [1])
    cell = ours.lstm
    expected = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    assert whole.equal(torch.cat([weight.flatten().to(dtype) for weight in expected]))
    assert [weight.shape for weight in weights] == [weight.shape for weight in expected]


# LockedDropout


def test_dropout_mask_is_one_for_all_timesteps_and_calls_until_reset(device):
    dropout, ones = LockedDropout(), torch.ones(BATCH, TIME, OUT_SIZE, device=device)
    mask = dropout(ones[:, 0])
    assert torch.equal(dropout(ones), mask[:, None].expand_as(ones))
    assert torch.equal(dropout(ones), mask[:, None].expand_as(ones))
    assert torch.equal(dropout(ones[:, 0]), mask)
    dropout.reset_state()
    assert not torch.equal(dropout(ones[:, 0]), mask)


def test_dropout_mask_drawn_by_a_sequence_is_kept_for_a_timestep():
    dropout, ones = LockedDropout(), torch.ones(BATCH, TIME, OUT_SIZE)
    masks = dropout(ones)
    assert torch.equal(masks, masks[:, :1].expand_as(ones))
    assert torch.equal(dropout(ones[:, 0]), masks[:, 0])


def test_dropout_masks_of_two_layers_are_their_own():
    ones = torch.ones(BATCH, OUT_SIZE)
    assert not torch.equal(LockedDropout()(ones), LockedDropout()(ones))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5])
def test_dropout_keeps_a_share_of_units_and_scales_them_to_mean_one(p):
    torch.manual_seed(0)
    mask = LockedDropout()(torch.ones(200, 500), dropout=p)
    kept = mask != 0
    assert_close(mask[kept], torch.full_like(mask[kept], 1 / (1 - p)))
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.01)
    assert mask.mean().item() == pytest.approx(1, abs=0.02)


def test_dropout_masks_reviews_and_features_independently():
    torch.manual_seed(0)
    kept = LockedDropout()(torch.ones(200, 500)) != 0
    # Every row and column has about half its units; shared masks would have all or none.
    for dim in (0, 1):
        shares = kept.float().mean(dim=dim)
        assert 0.25 < shares.min() and shares.max() < 0.75


def test_dropout_gradient_is_the_mask():
    dropout, x = LockedDropout(), sequence()
    dropout(x).sum().backward()
    assert torch.equal(x.grad, dropout(torch.ones_like(x)))


def test_dropout_returns_its_input_when_not_training():
    dropout, x = LockedDropout(), sequence()
    dropout(x)
    assert dropout(x, train=False) is x


def test_dropout_takes_another_batch_size_after_reset():
    dropout, x = LockedDropout(), sequence()
    dropout(x)
    dropout.reset_state()
    assert dropout(x[:2]).shape == (2, TIME, IN_SIZE)


# Pooling


@pytest.mark.parametrize("gradients_kept", [True, False])
@pytest.mark.parametrize("pooling, of_one", [("max", lambda h: h.max(dim=0).values), ("mean", lambda h: h.mean(dim=0))])
def test_pooling_leaves_out_what_lies_beyond_a_review(pooling, of_one, gradients_kept, device):
    h = sequence(OUT_SIZE, device=device).detach().requires_grad_(gradients_kept)
    lengths = torch.arange(1, BATCH + 1, device=device)
    assert_close(pool(h, pooling, lengths), torch.stack([of_one(h[k, :k + 1]) for k in range(BATCH)]))
    assert_close(pool(h, pooling), torch.stack([of_one(review) for review in h]))


# TimestepBatchNorm


def batch_norms(device):
    """Ours and torch's, with equal weights and running statistics that are not the initial ones."""
    torch.manual_seed(0)
    plain = nn.BatchNorm1d(OUT_SIZE)
    for value in (plain.weight.data, plain.bias.data, plain.running_mean, plain.running_var):
        value.uniform_(0.5, 1.5)
    ours = TimestepBatchNorm(OUT_SIZE)
    ours.load_state_dict(plain.state_dict())
    return ours.to(device), plain.to(device)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_batch_norm_over_a_sequence_equals_torchs_at_each_timestep(training, device):
    ours, plain = (layer.train(training) for layer in batch_norms(device))
    for seed in range(3):
        # Timesteps differ in mean and scale, so that statistics over the sequence would show.
        ramp = torch.arange(1, TIME + 1, device=device)[:, None]
        x = (sequence(OUT_SIZE, seed, device) * ramp + ramp).detach().requires_grad_()
        output, expected = ours(x), by_timestep(plain, x)
        assert_close(output, expected)
        assert_close(gradients(output, ours, x), gradients(expected, plain, x))
        assert_close(ours.state_dict(), plain.state_dict())
    assert ours.num_batches_tracked == (3 * TIME if training else 0)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_batch_norm_of_a_timestep_is_torchs(training, device):
    ours, plain = (layer.train(training) for layer in batch_norms(device))
    x = sequence(OUT_SIZE, device=device)[:, 0]
    output, expected = ours(x), plain(x)
    assert_close(output, expected)
    assert_close(gradients(output, ours, x), gradients(expected, plain, x))
    assert_close(ours.state_dict(), plain.state_dict())


def test_batch_norm_a_timestep_at_a_time_equals_the_whole_sequence(device):
    (whole, _), (steps, _) = batch_norms(device), batch_norms(device)
    x = sequence(OUT_SIZE, device=device)
    assert_close(by_timestep(steps, x), whole(x))
    assert_close(steps.state_dict(), whole.state_dict())


def test_batch_norm_is_exact_where_the_mean_is_large():
    ours, plain = batch_norms("cpu")
    x = sequence(OUT_SIZE).detach() + 300
    torch.testing.assert_close(ours(x), by_timestep(plain, x), rtol=0, atol=1e-3)


def test_batch_norm_keeps_its_running_statistics_in_float32_under_autocast(device):
    ours, plain = batch_norms(device)
    x = sequence(OUT_SIZE, device=device).detach()
    with torch.autocast(device, torch.bfloat16):
        ours(x)
    by_timestep(plain, x)
    assert_close(ours.state_dict(), plain.state_dict())


def test_batch_norm_is_a_batch_norm():
    assert issubclass(TimestepBatchNorm, nn.BatchNorm1d)
