"""An LSTM layer that takes one timestep or a whole sequence and gives the same answer.

The recurrence of an LSTM never sees the batch normalisation or the dropout that follow it. So the layer runs
over the whole sequence in one call, and the numbers are those of the assignment's loop over timesteps.
"""

import torch
from torch import nn
from torch.nn import functional as F

from common.devices import compute_dtype
from common.layers.padding import pad
from common.layers.word_vectors import WordVectors


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
        self.cast = None

    def forward(self, x):
        """Read on from the state of the last call.

        Args:
            x: (batch, in_size), one timestep; or (batch, time, in_size) or WordVectors, a sequence.

        Returns:
            (batch, out_size); or (batch, time, out_size).
        """
        if isinstance(x, WordVectors):
            if x.multiply_once():
                return self.read_words(x)
            x = x.look_up()                                                     # batch, time, in_size
        sequence = x if x.dim() == 3 else x.unsqueeze(1)                        # batch, time, in_size
        dtype = compute_dtype(x)
        # Under autocast CUDA would run the LSTM in float16 whatever was asked for.
        with torch.autocast(x.device.type, enabled=False):
            if sequence.shape[1] == 1 and not torch.is_grad_enabled():
                weight_ih, weight_hh, bias = self.weights(dtype)
                gates = F.linear(sequence[:, 0].to(dtype), weight_ih, bias)     # batch, 4 * out_size
                return self.timestep(gates, weight_hh).view(*x.shape[:-1], -1)
            if self.h is None:
                self.h = self.c = torch.zeros(len(x), self.out_size, device=x.device)
            # Padded units have zero weights: they stay 0 and reach no other unit.
            state = [pad(part.to(dtype)).unsqueeze(0) for part in (self.h, self.c)]
            output, h, c = torch.lstm(
                pad(sequence.to(dtype)), state, self.adjacent_weights(dtype),
                has_biases=True, num_layers=1, dropout=0.0, train=torch.is_grad_enabled(),
                bidirectional=False, batch_first=True)                          # batch, time, out_size, padded
        self.h, self.c = (part[0, :, :self.out_size] for part in (h, c))
        return output[..., :self.out_size].reshape(*x.shape[:-1], -1)

    def adjacent_weights(self, dtype):
        """The padded weights one after the other in memory, where cuDNN otherwise copies them to, with a warning."""
        weights = [pad(weight.view(4, self.out_size, *weight.shape[1:]), weight.dim()).flatten(0, 1)
                   for weight in self.lstm.parameters()]
        adjacent = torch.cat([weight.flatten() for weight in weights]).to(dtype)
        return [part.view_as(weight) for part, weight in zip(adjacent.split([w.numel() for w in weights]), weights)]

    def weights(self, dtype):
        """weight_ih, weight_hh and the sum of both biases, cast once until reset_state()."""
        if self.cast is None:
            weight_ih, weight_hh, bias_ih, bias_hh = self.lstm.parameters()
            self.cast = [weight.to(dtype) for weight in (weight_ih, weight_hh, bias_ih + bias_hh)]
        return self.cast

    def read_words(self, x):
        """forward() of WordVectors, whose distinct words are multiplied once: (batch, time, out_size)."""
        dtype = compute_dtype(x.table)
        weight_ih, weight_hh, bias = self.weights(dtype)
        distinct, positions = x.token_ids.unique(return_inverse=True)           # words; batch, time
        projected = F.linear(x.table[distinct].to(dtype), weight_ih, bias)      # words, 4 * out_size
        output = projected.new_empty(*reversed(x.token_ids.shape), self.out_size)   # time, batch, out_size
        for step, words in zip(output, positions.t()):
            self.timestep(projected[words], weight_hh, out=step)
        return output.transpose(0, 1)

    def timestep(self, gates, weight_hh, out=None):
        """Go on by a timestep, given the input's part of its gates (batch, 4 * out_size), which is overwritten.

        Returns:
            (batch, out_size), in `out` if given.
        """
        if self.h is not None:
            gates.addmm_(self.h, weight_hh.t())
        i, f, g, o = gates.chunk(4, dim=1)
        # In float32: what bfloat16 rounds off a cell state at each timestep adds up.
        c = (i.sigmoid() * g.tanh()).float()                                    # batch, out_size
        self.c = c if self.c is None else c.addcmul_(f.sigmoid(), self.c)
        self.h = torch.mul(o.sigmoid(), self.c.tanh().to(o.dtype), out=out)     # batch, out_size
        return self.h
