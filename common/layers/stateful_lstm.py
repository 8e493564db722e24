"""An LSTM layer that takes one timestep or a whole sequence and gives the same answer.

The recurrence of an LSTM never sees the batch normalisation or the dropout that follow it. So the layer runs
over the whole sequence in one call, and the numbers are those of the assignment's loop over timesteps.
"""

import torch
from torch import nn
from torch.nn import functional as F

from common.devices import compute_dtype
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

    def read_words(self, x):
        """forward() of WordVectors, whose distinct words are multiplied once: (batch, time, out_size)."""
        distinct, positions = x.token_ids.unique(return_inverse=True)           # words; batch, time
        vectors = x.table[distinct].to(compute_dtype(x.table))
        weight_ih, weight_hh, bias_ih, bias_hh = [weight.to(vectors.dtype) for weight in self.lstm.parameters()]
        projected = F.linear(vectors, weight_ih, bias_ih + bias_hh)             # words, 4 * out_size
        batch_size, time = x.token_ids.shape
        if self.h is None:
            self.h = self.c = vectors.new_zeros(batch_size, self.out_size)
        output = vectors.new_empty(time, batch_size, self.out_size)
        for step, words in zip(output, positions.t()):
            i, f, g, o = projected[words].addmm_(self.h, weight_hh.t()).chunk(4, dim=1)
            self.c = f.sigmoid() * self.c + i.sigmoid() * g.tanh()              # batch, out_size
            self.h = torch.mul(o.sigmoid(), self.c.tanh(), out=step)            # batch, out_size
        return output.transpose(0, 1)
