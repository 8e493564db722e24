"""Batch normalisation of every timestep on its own."""

import torch
from torch import nn
from torch.nn import functional as F

from common.processes import processes


class TimestepBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of every timestep on its own (assignment, part 2a).

    A sequence (batch, time, features) gives what nn.BatchNorm1d gives when it is called for one timestep after the
    other: statistics over the batch at that timestep, running statistics updated once a timestep. With the assignment's
    momentum of 0.1 the latter are in effect those of a batch's last 40 timesteps; see measure_statistics().

    Raises:
        ValueError: a training batch of one review, which has no variance.
    """

    fixed = False       # whether training normalises with the running statistics too, and leaves them as they are
    measured: list | None = None        # inside measure_statistics(): the moments of each batch
    lengths = None      # there too: (batch,) tokens of each review, where the padding does not count

    def train(self, mode=True):
        return super().train(mode and (not self.fixed or self.measured is not None))

    def forward(self, x):
        if x.dim() == 2:
            return self(x[:, None])[:, 0]
        if not self.training:
            rows = x.transpose(0, 1)            # as an LSTM layer leaves them in memory: time, batch, features
            return super().forward(rows.flatten(0, 1)).view(rows.shape).transpose(0, 1)
        time = x.shape[1]
        # (timestep, feature) pairs are the channels of one batch normalisation.
        channels = x.flatten(1), self.weight.repeat(time), self.bias.repeat(time)
        output, mean, variance = (normalize if processes.size == 1 else normalize_together)(*channels, self.eps)
        output = output.view(x.shape)
        if self.measured is not None:
            self.measured.append(moments(x.detach().float(), self.lengths))
            return output
        # `time` updates r <- (1 - m) r + m s, in closed form, in place of a few small kernels a timestep.
        age = torch.arange(time - 1, -1, -1, device=x.device)
        weights = self.momentum * (1 - self.momentum) ** age[:, None]           # time, 1
        with torch.no_grad():
            for running, statistic in (self.running_mean, mean), (self.running_var, variance):
                running.mul_((1 - self.momentum) ** time).add_((weights * statistic.view(time, -1)).sum(dim=0))
            self.num_batches_tracked += time
        return output


def measure_statistics(model, batches, score):
    """Let the batches that a model reads set the statistics that its TimestepBatchNorms evaluate with.

    They are those of all timesteps of all batches together (Wu and Johnson 2021), since an evaluation normalises all
    alike. Meanwhile layers normalise by the batch: those below are being measured too. Dropout is off.

    Args:
        batches: iterable of Batches; score: reads one, as score(model, batch).
    """
    layers = [layer for layer in model.modules() if isinstance(layer, TimestepBatchNorm)]
    model.eval()
    for layer in layers:
        layer.measured = []
        layer.train()
    try:
        for batch in batches:
            for layer in layers:
                layer.lengths = batch.lengths
            score(model, batch)
        for layer in layers:
            count, total, squares = processes.total(torch.stack(layer.measured).sum(dim=0))     # each features
            mean = total / count
            layer.running_mean.copy_(mean)
            layer.running_var.copy_((squares - count * mean.square()) / (count - 1))
    finally:
        for layer in layers:
            layer.measured = layer.lengths = None


def fix_statistics(model):
    """Let a model's TimestepBatchNorms train with the statistics that they evaluate with."""
    for layer in model.modules():
        if isinstance(layer, TimestepBatchNorm):
            layer.fixed = True


def moments(x, lengths=None):
    """Of x (batch, time, features) before lengths (batch,): (3, features) float64, count, sum and sum of squares."""
    inside = torch.ones_like(x[..., :1])                                        # batch, time, 1
    if lengths is not None:
        inside = (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None].to(x)
    # float64, since the variance is a small difference of what these add up to over 60 batches.
    sums = [some.sum(dim=(0, 1)).double() for some in (inside, x * inside, x.square() * inside)]
    return torch.stack([sums[0].expand(x.shape[-1]), *sums[1:]])


def normalize(x, weight, bias, eps):
    """Batch normalisation of x (batch, channels) -> (output, mean (channels,), unbiased variance (channels,))."""
    # With momentum 1 the running statistics are the statistics of the batch itself.
    mean = torch.zeros_like(weight)
    variance = torch.ones_like(weight)
    output = F.batch_norm(x, mean, variance, weight, bias, training=True, momentum=1.0, eps=eps)
    return output, mean, variance


def normalize_together(x, weight, bias, eps):
    """normalize() over the batch of all processes, of which x holds this one's rows."""
    rows = x.float()
    sums = processes.total(torch.cat([rows.sum(dim=0), rows.new_full((1,), len(rows))]))
    count = sums[-1].detach()                                                   # reviews of all processes
    mean = sums[:-1] / count                                                    # channels
    centred = rows - mean               # a second exchange, since a difference of sums would lose the digits
    variance = processes.total(centred.square().sum(dim=0)) / count             # channels
    output = centred * (variance + eps).rsqrt() * weight + bias
    return output.to(x.dtype), mean.detach(), variance.detach() * count / (count - 1)
