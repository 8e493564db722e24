"""Layers that take one timestep or a whole sequence and give the same answer.

The recurrence of an LSTM never sees the batch normalisation or the dropout that follow it.
So each layer here runs over the whole sequence in one call, and the numbers are those of the
assignment's loop over timesteps.
"""

import torch
from torch import nn
from torch.nn import functional as F

from common.layers.ensemble import NGrams
from common.processes import processes


class StatefulLSTM(nn.Module):
    """An LSTM layer that keeps its state from call to call (assignment, part 2a).

    The parameters live in an nn.LSTMCell under the name `lstm`, as in the assignment.
    The state `h`, `c` (batch, out_size) is None after reset_state().
    """

    def __init__(self, in_size, out_size):
        super().__init__()
        self.lstm = nn.LSTMCell(in_size, out_size)
        self.out_size = out_size
        self.reset_state()

    def reset_state(self):
        self.h = None
        self.c = None

    def forward(self, x):
        """x (batch, in_size) -> (batch, out_size); x (batch, time, in_size) -> (batch, time, out_size)."""
        sequence = x if x.dim() == 3 else x.unsqueeze(1)                        # batch, time, in_size
        dtype = compute_dtype(x)
        if self.h is None:
            self.h = self.c = torch.zeros(len(x), self.out_size, dtype=dtype, device=x.device)
        # Under autocast CUDA would run the LSTM in float16 whatever was asked for.
        with torch.autocast(x.device.type, enabled=False):
            if sequence.shape[1] == 1:
                weights = [weight.to(dtype) for weight in self.lstm.parameters()]
                self.h, self.c = torch.lstm_cell(sequence[:, 0].to(dtype), (self.h, self.c), *weights)
                return self.h.view(*x.shape[:-1], -1)
            output, h, c = torch.lstm(
                sequence.to(dtype), (self.h.unsqueeze(0), self.c.unsqueeze(0)), self.adjacent_weights(dtype),
                has_biases=True, num_layers=1, dropout=0.0, train=torch.is_grad_enabled(),
                bidirectional=False, batch_first=True)                          # batch, time, out_size
        self.h, self.c = h[0], c[0]
        return output

    def adjacent_weights(self, dtype):
        """The weights one after the other in memory, where cuDNN would otherwise copy them to, with a warning."""
        weights = list(self.lstm.parameters())
        adjacent = torch.cat([weight.flatten() for weight in weights]).to(dtype)
        return [part.view_as(weight) for part, weight in zip(adjacent.split([w.numel() for w in weights]), weights)]

    def forward_words(self, vectors, token_ids):
        """forward() of the words' vectors (words, in_size) at token_ids (batch, time) -> (batch, time, out_size)."""
        if not self.looks_up(vectors):
            return self(F.embedding(token_ids, vectors))
        distinct, positions = token_ids.unique(return_inverse=True)             # words; batch, time
        vectors = vectors[distinct].to(compute_dtype(vectors))
        weight_ih, weight_hh, bias_ih, bias_hh = [weight.to(vectors.dtype) for weight in self.lstm.parameters()]
        projected = F.linear(vectors, weight_ih, bias_ih + bias_hh)             # words, 4 * out_size
        batch_size, time = token_ids.shape
        if self.h is None:
            self.h = self.c = vectors.new_zeros(batch_size, self.out_size)
        output = vectors.new_empty(time, batch_size, self.out_size)
        for step, words in zip(output, positions.t()):
            i, f, g, o = projected[words].addmm_(self.h, weight_hh.t()).chunk(4, dim=1)
            self.c = f.sigmoid() * self.c + i.sigmoid() * g.tanh()              # batch, out_size
            self.h = torch.mul(o.sigmoid(), self.c.tanh(), out=step)            # batch, out_size
        return output.transpose(0, 1)

    def looks_up(self, vectors):
        """Whether to multiply each word's vector with the input weights once, and not wherever the word stands.

        That is half of the arithmetic of an evaluation. The loop over timesteps that it takes is no slower
        than torch's on a CPU, but much slower than cuDNN's.
        """
        return vectors.device.type == "cpu" and not torch.is_grad_enabled()


def compute_dtype(x):
    """The type that products of x are computed in: autocast's, where it is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class LockedDropout(nn.Module):
    """Dropout with one mask for all timesteps (Gal and Ghahramani 2016; assignment, part 2a).

    The mask `m` (batch, features) is drawn at the first call and kept until reset_state().
    """

    def __init__(self):
        super().__init__()
        self.reset_state()

    def reset_state(self):
        self.m = None

    def forward(self, x, dropout=0.5, train=True):
        """x (batch, features) or (batch, time, features) -> the same shape."""
        if not train or dropout == 0:
            return x
        if self.m is None:
            batch_size = len(x) if processes.size == 1 else processes.batch_size
            mask = torch.empty(batch_size, x.shape[-1], dtype=x.dtype, device=x.device)
            self.m = processes.share(mask.bernoulli_(1 - dropout).div_(1 - dropout))    # batch, features
        return x * (self.m if x.dim() == 2 else self.m.unsqueeze(1))


class TimestepBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of every timestep on its own (assignment, part 2a).

    A sequence (batch, time, features) gives what nn.BatchNorm1d gives when it is called for one
    timestep after the other: statistics over the batch at that timestep, running statistics
    updated once a timestep.

    Raises:
        ValueError: a training batch of one review, which has no variance.
    """

    def forward(self, x):
        if x.dim() == 2:
            return super().forward(x)
        if not self.training:
            rows = x.transpose(0, 1)            # as an LSTM layer leaves them in memory: time, batch, features
            return super().forward(rows.flatten(0, 1)).view(rows.shape).transpose(0, 1)
        time = x.shape[1]
        # (timestep, feature) pairs are the channels of one batch normalisation.
        channels = x.flatten(1), self.weight.repeat(time), self.bias.repeat(time)
        output, mean, variance = (normalize if processes.size == 1 else normalize_together)(*channels, self.eps)
        output = output.view(x.shape)
        # `time` updates r <- (1 - m) r + m s, in closed form.
        age = torch.arange(time - 1, -1, -1, device=x.device)
        share = self.momentum * (1 - self.momentum) ** age[:, None]             # time, 1
        with torch.no_grad():
            for running, statistic in (self.running_mean, mean), (self.running_var, variance):
                running.mul_((1 - self.momentum) ** time).add_((share * statistic.view(time, -1)).sum(dim=0))
            self.num_batches_tracked += time
        return output


def normalize(x, weight, bias, eps):
    """Batch normalisation of x (batch, channels) -> (output, mean (channels,), unbiased variance (channels,))."""
    # With momentum 1 the running statistics are the statistics of the batch itself.
    mean = torch.zeros_like(weight)
    variance = torch.ones_like(weight)
    output = F.batch_norm(x, mean, variance, weight, bias, training=True, momentum=1.0, eps=eps)
    return output, mean, variance


def normalize_together(x, weight, bias, eps):
    """normalize() over the batch of all processes, of which x holds this one's rows."""
    count = processes.batch_size
    mean = processes.total(x.float().sum(dim=0)) / count                        # channels
    centred = x.float() - mean
    variance = processes.total(centred.square().sum(dim=0)) / count             # channels
    output = centred * (variance + eps).rsqrt() * weight + bias
    return output.to(x.dtype), mean.detach(), variance.detach() * count / (count - 1)


def pool(h, pooling, lengths=None):
    """Pooling over time: h (batch, time, features) -> (batch, features).

    Args:
        pooling: "max" or "mean" over the timesteps.
        lengths: (batch,) int or None; timesteps from a review's length on are left out.
    """
    if lengths is not None:
        lengths = lengths.clamp(1, h.shape[1])
        h = mask_padding(h, pooling, lengths)
    if pooling == "max":
        # Where the maximum stands takes time to find, and only gradients need it.
        return h.max(dim=1).values if h.requires_grad else h.amax(dim=1)
    return h.sum(dim=1) / (h.shape[1] if lengths is None else lengths[:, None])


def pool_contributions(h, weight, pooling, lengths):
    """What each timestep adds to the pooled features, weighted and summed: pool(h, pooling, lengths) @ weight.

    Max pooling takes a feature from the one timestep where it is largest, mean pooling takes an equal
    share of it from all.

    Args:
        h: (batch, time, features) float; weight: (features,); lengths: (batch,) int.

    Returns:
        (batch, time) float, 0 from a review's length on.
    """
    h = mask_padding(h, pooling, lengths).float()
    if pooling == "mean":
        return (h * weight).sum(dim=2) / lengths[:, None]
    largest, timesteps = h.max(dim=1)                                           # batch, features
    return torch.zeros_like(h[:, :, 0]).scatter_add(1, timesteps, largest * weight)


def mask_padding(h, pooling, lengths):
    """h (batch, time, features) with what pooling never takes in the timesteps from lengths (batch,) on."""
    beyond = torch.arange(h.shape[1], device=h.device) >= lengths[:, None]
    return h.masked_fill(beyond[:, :, None], -torch.inf if pooling == "max" else 0)


class LSTMStack(nn.Module):
    """LSTM layers, each followed by batch normalisation and locked dropout.

    Adds `lstm1`, `bn_lstm1`, `dropout1`, `lstm2`, ... to the model, the assignment's names.

    Args:
        in_size: features of the input.
        no_of_hidden_units: features of every layer's output.
        lstm_layers: number of layers.
        dropout: probability that a hidden unit is dropped in training.
    """

    def __init__(self, in_size, no_of_hidden_units, lstm_layers, dropout):
        super().__init__()
        self.lstm_layers = lstm_layers
        self.dropout = dropout
        for k in range(1, lstm_layers + 1):
            self.add_module(f"lstm{k}", StatefulLSTM(in_size if k == 1 else no_of_hidden_units, no_of_hidden_units))
            self.add_module(f"bn_lstm{k}", TimestepBatchNorm(no_of_hidden_units))
            self.add_module(f"dropout{k}", LockedDropout())

    def reset_state(self):
        """Forget the LSTM state and the dropout masks: the next call starts new reviews."""
        for k in range(1, self.lstm_layers + 1):
            self.get_submodule(f"lstm{k}").reset_state()
            self.get_submodule(f"dropout{k}").reset_state()

    def run_layers(self, h, train, token_ids=None):
        """h (batch, in_size) or (batch, time, in_size) -> the same with no_of_hidden_units features.

        With token_ids (batch, time), h (words, in_size) holds the vectors of all words.
        """
        for k in range(1, self.lstm_layers + 1):
            lstm = self.get_submodule(f"lstm{k}")
            h = lstm(h) if token_ids is None or k > 1 else lstm.forward_words(h, token_ids)
            h = self.get_submodule(f"bn_lstm{k}")(h)
            h = self.get_submodule(f"dropout{k}")(h, dropout=self.dropout, train=train)
        return h


class LSTMClassifier(LSTMStack):
    """LSTM layers, pooling over time and one output: what 2a, 2b and 3c have in common.

    Args:
        pooling: "max" or "mean" over the timesteps.
        ngrams: words of the longest n-grams that count beside the network (NGrams); 0 has none.
    """

    counts_padding = True       # in crops, as the assignment does; whole reviews come with their lengths

    def __init__(self, in_size, no_of_hidden_units, lstm_layers, dropout, pooling, ngrams):
        super().__init__(in_size, no_of_hidden_units, lstm_layers, dropout)
        self.pooling = pooling
        self.fc_output = nn.Linear(no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()
        self.ngrams = NGrams(ngrams) if ngrams else None

    def classify(self, features, t, train, lengths=None, token_ids=None):
        """Sentiment of a batch of reviews.

        Args:
            features: (batch, time, in_size) float, the tokens' vectors; or (words, in_size), those of all words, to
                be looked up at token_ids.
            t: (batch,) float, 1 for positive and 0 for negative reviews.
            train: whether dropout is applied; batch normalisation follows train() and eval().
            lengths: (batch,) int or None; timesteps from a review's length on are left out of the pooling.
            token_ids: (batch, time) int64; n-grams need them too.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        self.reset_state()
        h = self.run_layers(features, train, token_ids if features.dim() == 2 else None)  # batch, time, hidden units
        logit = self.fc_output(pool(h, self.pooling, lengths))[:, 0].float()    # batch
        loss = self.loss(logit, t)
        return self.ngrams.join(loss, logit, t, token_ids) if self.ngrams else (loss, logit)

    def contributions(self, features, lengths):
        """What each timestep adds to the logits of whole reviews, by way of the pooling (pool_contributions).

        With the output's bias these sum to the logit.

        Args:
            features: (batch, time, in_size) float, word vectors; lengths: (batch,) int.

        Returns:
            (batch, time) float, 0 from a review's length on.
        """
        self.reset_state()
        h = self.run_layers(features, train=False)                              # batch, time, hidden units
        return pool_contributions(h, self.fc_output.weight[0], self.pooling, lengths)
