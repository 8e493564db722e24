"""Another network of the course for part 2a: an LSTM written from its gates, average and max pooling."""

import torch
from torch import nn
from torch.nn import functional as F

from common.layers.output import Logit, Pooling


class GateLSTM(nn.Module):
    """An LSTM layer written from its gates (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    Each gate is a linear map of [h, x], the output of the timestep before and the input:

        f = sigmoid(W_f [h, x] + b_f)       how much of the cell is kept
        i = sigmoid(W_i [h, x] + b_i)       how much of g enters the cell
        g = tanh(W_g [h, x] + b_g)          what may enter it
        o = sigmoid(W_o [h, x] + b_o)       how much of the cell is shown
        c = f c + i g
        h = o tanh(c)

    Args:
        in_size, out_size: features of the input and of the output.
        cell: "lstm", or "course" for the course's variant: g is a sigmoid too, and a linear layer
            with ReLU follows h on its way out (not into the next timestep).
    """

    def __init__(self, in_size, out_size, cell="lstm"):
        super().__init__()
        self.out_size = out_size
        self.forget_gate = nn.Linear(out_size + in_size, out_size)
        self.input_gate = nn.Linear(out_size + in_size, out_size)
        self.cell_gate = nn.Linear(out_size + in_size, out_size)
        self.output_gate = nn.Linear(out_size + in_size, out_size)
        self.activation = torch.sigmoid if cell == "course" else torch.tanh
        self.projection = nn.Sequential(nn.Linear(out_size, out_size), nn.ReLU()) if cell == "course" else nn.Identity()

    def forward(self, x):
        """x (batch, time, in_size) -> (batch, time, out_size)."""
        gates = self.forget_gate, self.input_gate, self.cell_gate, self.output_gate
        # One matrix multiplication a timestep in place of four.
        weight = torch.cat([gate.weight for gate in gates])                     # 4 * out_size, out_size + in_size
        bias = torch.cat([gate.bias for gate in gates])                         # 4 * out_size
        h = c = x.new_zeros(len(x), self.out_size)
        output = []
        for x_now in x.unbind(dim=1):
            hx = torch.cat([h, x_now], dim=1)                                   # batch, out_size + in_size
            f, i, g, o = F.linear(hx, weight, bias).chunk(4, dim=1)             # each batch, out_size
            c = f.sigmoid() * c + i.sigmoid() * self.activation(g)
            h = o.sigmoid() * c.tanh()
            output.append(h)
        return self.projection(torch.stack(output, dim=1))


class SentimentClassifier(nn.Module):
    """Embedding, one LSTM written from its gates, average and max pooling side by side, one logit.

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of the embedding and of the LSTM.
        cell: of GateLSTM.
    """

    def __init__(self, vocab_size, no_of_hidden_units=100, cell="lstm"):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        self.lstm = GateLSTM(no_of_hidden_units, no_of_hidden_units, cell)
        self.pooling = Pooling("mean", "max")
        self.fc_output = Logit(2 * no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x, t, lengths=None):
        """Sentiment of a batch of reviews.

        Args:
            x: (batch, time) token ids; t: (batch,) float, 1 for positive and 0 for negative reviews.
            lengths: (batch,) int or None; timesteps from a review's length on are left out of the pooling.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        h = self.lstm(self.embedding(x))                                        # batch, time, hidden units
        h = self.pooling(h, lengths)                                            # batch, 2 * hidden units
        logit = self.fc_output(h)[:, 0]                                         # batch
        return self.loss(logit, t), logit
