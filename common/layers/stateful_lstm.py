"""An LSTM layer that takes one timestep or a whole sequence and gives the same answer."""

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

MULTIPLE = 8        # a GPU's tensor cores load 16 bytes at a time, eight numbers in bfloat16


def pad(x, dims=1, value=0.0):
    """On a GPU x with its last `dims` dimensions padded by the value to multiples of 8; on a CPU x unchanged."""
    missing = [count for size in reversed(x.shape[-dims:]) for count in (0, -size % MULTIPLE)]
    return F.pad(x, missing, value=value) if x.device.type == "cuda" and any(missing) else x


class StatefulLSTM(nn.Module):
    """An LSTM layer that keeps its state from call to call (assignment, part 2a).

    The parameters live in an nn.LSTMCell under the name `lstm`, as in the assignment.
    The state `h`, `c` (batch, out_size) is None after reset_state().
    """

    def __init__(self, in_size, out_size):
        super().__init__()
        self.lstm = nn.LSTMCell(in_size, out_size)
        self.out_size = out_size
        self.h = self.c = self.cast = None

    def reset_state(self):
        self.h = self.c = self.cast = None

    def forward(self, x, positions=None):
        """Read on from the state of the last call.

        Args:
            x: (batch, in_size), one timestep; or (batch, time, in_size), a sequence; or, with positions,
                (words, in_size), the vectors of words, each of which is multiplied with the weights once.
            positions: (batch, time) int64, the word at each place, as distinct_words() gives them.

        Returns:
            (batch, out_size); or (batch, time, out_size).
        """
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        # Under autocast CUDA would run the LSTM in float16 whatever was asked for.
        with torch.autocast(device, enabled=False):
            if positions is not None:
                return self.read_words(x.to(dtype), positions)
            sequence = (x if x.dim() == 3 else x.unsqueeze(1)).to(dtype)            # batch, time, in_size
            if sequence.shape[1] == 1 and not torch.is_grad_enabled():      # launches less than torch.lstm
                places = torch.arange(len(x), device=x.device).unsqueeze(1)
                output = self.read_words(sequence[:, 0], places)
            else:
                output = self.read_sequence(sequence)
            return output.reshape(*x.shape[:-1], -1)

    def read_sequence(self, x):
        """forward() of x (batch, time, in_size) by torch's kernel."""
        # Padded units have zero weights: they stay 0 and reach no other unit. The kernel takes the state in x's type; a
        # call that begins a review has zeros, which are not rounded.
        state = [pad(part.to(x.dtype)).unsqueeze(0) for part in self.state(len(x), x)]
        output, h, c = torch.lstm(
            pad(x), state, self.adjacent_weights(x.dtype), has_biases=True, num_layers=1, dropout=0.0,
            train=torch.is_grad_enabled(), bidirectional=False, batch_first=True)   # batch, time, out_size, padded
        self.h, self.c = (part[0, :, :self.out_size] for part in (h, c))
        return output[..., :self.out_size]

    def read_words(self, x, positions):
        """forward() of x (words, in_size) at positions (batch, time)."""
        weight_ih, weight_hh, bias = self.weights(x.dtype)
        h, c = self.state(len(positions), x)
        output, self.h, self.c = Recurrence.apply(
            F.linear(x, weight_ih, bias), positions, weight_hh, h.to(x.dtype), c.float(), torch.is_grad_enabled())
        return output

    def state(self, batch, x):
        """h and c (batch, out_size), zeros on x's device at first."""
        return (self.h, self.c) if self.h is not None else [torch.zeros(batch, self.out_size, device=x.device)] * 2

    def adjacent_weights(self, dtype):
        """The padded weights one after the other in memory, where cuDNN otherwise copies them to, with a warning."""
        weights = [pad(weight.view(4, self.out_size, *weight.shape[1:]), weight.dim()).flatten(0, 1)
                   for weight in self.lstm.parameters()]
        adjacent = torch.cat([weight.flatten() for weight in weights]).to(dtype)
        return [part.view_as(weight) for part, weight in zip(adjacent.split([w.numel() for w in weights]), weights)]

    def weights(self, dtype):
        """weight_ih, weight_hh and the sum of both biases, without gradients cast once until reset_state()."""
        if self.cast and not torch.is_grad_enabled():
            return self.cast
        weight_ih, weight_hh, bias_ih, bias_hh = self.lstm.parameters()
        weights = [weight.to(dtype) for weight in (weight_ih, weight_hh, bias_ih + bias_hh)]
        self.cast = None if torch.is_grad_enabled() else weights
        return weights


class Recurrence(torch.autograd.Function):
    """The timesteps of an LSTM, given the input's part of the gates of each word.

    A word stands at many places of a batch: torch.lstm would compute its part, and the gradient by it, at each.
    """

    @staticmethod
    def forward(ctx, projected, positions, weight_hh, h, c, with_gradients):
        """Go on from the state h, c.

        Args:
            projected: (words, 4 * out_size), the input's part of the gates, with the biases.
            positions: (batch, time) int64, the word at each place.
            weight_hh: (4 * out_size, out_size).
            h, c: (batch, out_size), the state before.
            with_gradients: whether to keep what backward() needs.

        Returns:
            (batch, time, out_size), and the state after. Cell states are float32: what bfloat16 rounds off at
            each timestep would add up.
        """
        (batch, time), size = positions.shape, weight_hh.shape[1]
        hidden = projected.new_empty(time + 1, batch, size)             # before the first timestep, and after each
        hidden[0] = h
        # Without gradients all timesteps share one buffer.
        kept = time if with_gradients else 0
        cells = c.new_empty(kept + 1, batch, size).expand(time + 1, -1, -1)
        cells[0] = c
        gates = projected.new_empty(max(kept, 1), batch, 4 * size).expand(time, -1, -1)
        tanh_cells = c.new_empty(max(kept, 1), batch, size).expand(time, -1, -1)
        for t, words in enumerate(positions.t().contiguous()):
            step = torch.index_select(projected, 0, words, out=gates[t]).addmm_(hidden[t], weight_hh.t())
            i, f, g, o = step.chunk(4, dim=1)                                       # batch, out_size
            step[:, :2 * size].sigmoid_()                                           # i and f
            g.tanh_()
            o.sigmoid_()
            torch.mul(f, cells[t], out=cells[t + 1]).addcmul_(i, g)
            torch.mul(o, torch.tanh(cells[t + 1], out=tanh_cells[t]), out=hidden[t + 1])
        if with_gradients:
            ctx.words = len(projected)
            ctx.save_for_backward(positions, weight_hh, gates, cells, tanh_cells, hidden)
        return hidden[1:].transpose(0, 1), hidden[-1].clone(), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output, grad_h, grad_c):
        positions, weight_hh, gates, cells, tanh_cells, hidden = ctx.saved_tensors
        size, dtype, aten = weight_hh.shape[1], gates.dtype, torch.ops.aten
        grad_gates = torch.empty_like(gates)                                        # time, batch, 4 * out_size
        # In float32: a frequent word stands at thousands of places.
        grad_projected = cells.new_zeros(ctx.words, 4 * size)
        for t in reversed(range(len(gates))):
            step, grad = gates[t], grad_gates[t]                                    # batch, 4 * out_size
            i, f, g, o = step.chunk(4, dim=1)                                       # batch, out_size
            grad_i, grad_f, grad_g, grad_o = grad.chunk(4, dim=1)
            grad_h = grad_h + grad_output[:, t]
            grad_c = aten.tanh_backward(grad_h * o, tanh_cells[t]).add_(grad_c)
            rounded = grad_c.to(dtype)
            torch.mul(rounded, g, out=grad_i)
            torch.mul(rounded, cells[t], out=grad_f)
            torch.mul(rounded, i, out=grad_g)
            torch.mul(grad_h, tanh_cells[t], out=grad_o)
            for part in slice(2 * size), slice(3 * size, None):                     # i and f; o
                aten.sigmoid_backward.grad_input(grad[:, part], step[:, part], grad_input=grad[:, part])
            aten.tanh_backward.grad_input(grad_g, g, grad_input=grad_g)
            grad_projected.index_add_(0, positions[:, t], grad.float())
            grad_h, grad_c = grad @ weight_hh, grad_c * f
        grad_weight = grad_gates.flatten(0, 1).t() @ hidden[:-1].flatten(0, 1)
        return grad_projected.to(dtype), None, grad_weight, grad_h, grad_c, None


class LSTMLayers(nn.Module):
    """What models with `lstm_layers` layers have in common, which they make as lstm1, bn_lstm1, dropout1, lstm2, ..."""

    lstm_layers: int

    @property
    def layers(self):
        """(LSTM, batch normalisation, dropout) of each layer, from the first to the last."""
        return [(getattr(self, f"lstm{k}"), getattr(self, f"bn_lstm{k}"), getattr(self, f"dropout{k}"))
                for k in range(1, self.lstm_layers + 1)]

    def reset_state(self):
        """Forget the LSTM state and the dropout masks: the next call starts new reviews."""
        for lstm, _, dropout in self.layers:
            lstm.reset_state()
            dropout.reset_state()


def distinct_words(token_ids):
    """The distinct words of token_ids (batch, time), and where they stand: (words,) and (batch, time) int64.

    On a GPU, which would have to wait, the token ids themselves and None.
    """
    return token_ids.unique(return_inverse=True) if token_ids.device.type == "cpu" else (token_ids, None)
