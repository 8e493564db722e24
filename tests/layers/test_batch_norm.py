"""TimestepBatchNorm gives what torch's batch normalisation gives at one timestep after the other."""

import pytest
import torch
from sequences import BATCH, OUT_SIZE, TIME, assert_close, by_timestep, gradients, sequence
from torch import nn

from common.data.batches import Batch
from common.layers.batch_norm import TimestepBatchNorm, measure_statistics

MODES = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])


def batch_norms(device="cpu"):
    """Ours and torch's, with equal weights and running statistics that are not the initial ones."""
    torch.manual_seed(0)
    plain = nn.BatchNorm1d(OUT_SIZE)
    for value in plain.weight.data, plain.bias.data, plain.running_mean, plain.running_var:
        value.uniform_(0.5, 1.5)
    ours = TimestepBatchNorm(OUT_SIZE)
    ours.load_state_dict(plain.state_dict())
    return ours.to(device), plain.to(device)


@MODES
def test_a_sequence_gives_what_torchs_gives_at_each_timestep(training, device):
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


@MODES
def test_one_timestep_gives_what_torchs_gives(training, device):
    ours, plain = (layer.train(training) for layer in batch_norms(device))
    x = sequence(OUT_SIZE, device=device)[:, 0]
    output, expected = ours(x), plain(x)
    assert_close(output, expected)
    assert_close(gradients(output, ours, x), gradients(expected, plain, x))
    assert_close(ours.state_dict(), plain.state_dict())


def test_a_large_mean_leaves_the_output_exact():
    ours, plain = batch_norms()
    x = sequence(OUT_SIZE).detach() + 300
    torch.testing.assert_close(ours(x), by_timestep(plain, x), rtol=0, atol=1e-3)


def test_running_statistics_stay_in_float32_under_autocast(device):
    ours, plain = batch_norms(device)
    x = sequence(OUT_SIZE, device=device).detach()
    with torch.autocast(device, torch.bfloat16):
        ours(x)
    by_timestep(plain, x)
    assert_close(ours.state_dict(), plain.state_dict())


def test_a_training_batch_of_one_review_is_refused():
    ours, _ = batch_norms()
    with pytest.raises(ValueError):
        ours(sequence(OUT_SIZE)[:1])


def measure(model, *sequences, lengths=None, read=lambda model, batch: model(batch.x)):
    with torch.no_grad():
        measure_statistics(model, [Batch(x, None, lengths) for x in sequences], read)


def test_measured_statistics_are_the_means_over_batches_and_timesteps(device):
    layer = TimestepBatchNorm(OUT_SIZE).to(device)
    batches = [3 + 2 * torch.randn(BATCH, TIME, OUT_SIZE, device=device) for _ in range(4)]
    measure(nn.Sequential(layer), *batches)
    x = torch.cat(batches).flatten(0, 1)                                        # reviews and timesteps, features
    assert_close(layer.running_mean, x.mean(dim=0))
    assert_close(layer.running_var, x.var(dim=0))


def test_measured_statistics_leave_out_the_padding_where_it_does_not_count(device):
    layer = TimestepBatchNorm(OUT_SIZE).to(device)
    x, lengths = torch.randn(BATCH, TIME, OUT_SIZE, device=device), torch.arange(2, BATCH + 2, device=device)
    padded = x.clone()
    for row, length in zip(padded, lengths.tolist()):
        row[length:] = 100
    measure(layer, padded, lengths=lengths)
    read = torch.cat([row[:length] for row, length in zip(x, lengths.tolist())])
    assert_close(layer.running_mean, read.mean(dim=0))
    assert_close(layer.running_var, read.var(dim=0))
    assert layer.lengths is None


def test_measured_statistics_are_those_of_a_loop_over_timesteps_too():
    whole, single = TimestepBatchNorm(OUT_SIZE), TimestepBatchNorm(OUT_SIZE)
    x = 3 + torch.randn(BATCH, TIME, OUT_SIZE)
    measure(whole, x)
    measure(single, x, read=lambda model, batch: by_timestep(model, batch.x))
    assert_close(single.running_mean, whole.running_mean)
    assert_close(single.running_var, whole.running_var)


def test_while_statistics_are_measured_batches_are_normalised_as_in_training_and_dropout_is_off():
    layer = TimestepBatchNorm(OUT_SIZE)
    model = nn.Sequential(nn.Dropout(0.5), layer)
    x = torch.randn(BATCH, TIME, OUT_SIZE)
    expected = layer(x)
    measure(model, x, read=lambda model, batch: assert_close(model(batch.x), expected))


def test_statistics_stay_as_they_are_where_measuring_is_stopped():
    layer = TimestepBatchNorm(OUT_SIZE)
    before = layer.running_mean.clone()

    def stop(model, batch):
        model(batch.x)
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        measure(layer, torch.randn(BATCH, TIME, OUT_SIZE), read=stop)
    assert torch.equal(layer.running_mean, before)
    layer.train()(torch.randn(BATCH, TIME, OUT_SIZE))
    assert not torch.equal(layer.running_mean, before)
