"""The assignment's models as it describes them: a Python loop over timesteps, or over reviews.

Equivalence tests hold the project's models against these. A state_dict loads either way.
Where two parts share a model it stands once: RNN_model of 3c is EmbeddingRNN with three layers.
"""

import torch
import torch.nn.functional as F
from torch import nn


class StatefulLSTM(nn.Module):
    """An LSTM cell that keeps its state from call to call: (batch, in_size) -> (batch, out_size)."""

    def __init__(self, in_size, out_size):
        super().__init__()
        self.lstm = nn.LSTMCell(in_size, out_size)
        self.reset_state()

    def reset_state(self):
        self.h = self.c = None

    def forward(self, x):
        state = None if self.h is None else (self.h, self.c)
        self.h, self.c = self.lstm(x, state)
        return self.h


class LockedDropout(nn.Module):
    """Dropout with one mask for all calls until reset_state(): (batch, features) -> the same."""

    def __init__(self):
        super().__init__()
        self.reset_state()

    def reset_state(self):
        self.mask = None

    def forward(self, x, dropout=0.5, train=True):
        if not train:
            return x
        if self.mask is None:
            self.mask = torch.empty_like(x, requires_grad=False).bernoulli_(1 - dropout)
        return x * self.mask / (1 - dropout)


class HiddenLayers(nn.Module):
    """Linear, batch norm, ReLU, dropout for each of the names' endings; then one output unit."""

    def __init__(self, in_size, no_of_hidden_units, endings, dropout):
        super().__init__()
        self.endings = endings
        for ending in endings:
            self.add_module(f"fc_hidden{ending}", nn.Linear(in_size, no_of_hidden_units))
            self.add_module(f"bn_hidden{ending}", nn.BatchNorm1d(no_of_hidden_units))
            self.add_module(f"dropout{ending}", nn.Dropout(dropout))
            in_size = no_of_hidden_units
        self.fc_output = nn.Linear(no_of_hidden_units, 1)

    def classify(self, h, t):
        for ending in self.endings:
            linear, batch_norm, dropout = (
                self.get_submodule(name + ending) for name in ("fc_hidden", "bn_hidden", "dropout")
            )
            h = dropout(F.relu(batch_norm(linear(h))))
        logit = self.fc_output(h)[:, 0]  # batch
        return F.binary_cross_entropy_with_logits(logit, t), logit


class EmbeddingBOW(HiddenLayers):
    """1a: the mean of a review's embeddings, review by review; x is a list of id arrays."""

    def __init__(self, vocab_size, no_of_hidden_units, hidden_layers=1, dropout=0.5):
        endings = ["", *range(2, hidden_layers + 1)]
        super().__init__(no_of_hidden_units, no_of_hidden_units, [str(e) for e in endings], dropout)
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)

    def forward(self, x, t):
        device = self.embedding.weight.device
        means = [self.embedding(torch.as_tensor(ids, device=device)).mean(dim=0) for ids in x]
        return self.classify(torch.stack(means), t)


class GloveBOW(HiddenLayers):
    """1b: x is a review's mean word vector, (batch, in_size)."""

    def __init__(self, no_of_hidden_units, hidden_layers=1, dropout=0.5, in_size=300):
        endings = [str(layer) for layer in range(1, hidden_layers + 1)]
        super().__init__(in_size, no_of_hidden_units, endings, dropout)

    def forward(self, x, t):
        return self.classify(x, t)


class LSTMLayers(nn.Module):
    """LSTM, batch norm and locked dropout for each layer; a timestep passes all of them before the next."""

    def __init__(self, in_size, no_of_hidden_units, lstm_layers, dropout):
        super().__init__()
        self.lstm_layers = lstm_layers
        self.dropout = dropout  # of each layer; the last is that of all further ones
        for layer in range(1, lstm_layers + 1):
            self.add_module(f"lstm{layer}", StatefulLSTM(in_size, no_of_hidden_units))
            self.add_module(f"bn_lstm{layer}", nn.BatchNorm1d(no_of_hidden_units))
            self.add_module(f"dropout{layer}", LockedDropout())
            in_size = no_of_hidden_units

    def reset_state(self):
        for module in self.children():
            if isinstance(module, (StatefulLSTM, LockedDropout)):
                module.reset_state()

    def step(self, h, train):
        """One timestep: (batch, in_size) -> (batch, no_of_hidden_units)."""
        for layer in range(1, self.lstm_layers + 1):
            lstm, batch_norm, dropout = (
                self.get_submodule(f"{name}{layer}") for name in ("lstm", "bn_lstm", "dropout")
            )
            h = dropout(batch_norm(lstm(h)), self.dropout[min(layer, len(self.dropout)) - 1], train)
        return h


class GloveRNN(LSTMLayers):
    """2b: x is word vectors, (batch, time, in_size); the pool over time goes to one output unit."""

    def __init__(self, no_of_hidden_units, lstm_layers=1, dropout=(0.5, 0.3), pooling="max", in_size=300):
        super().__init__(in_size, no_of_hidden_units, lstm_layers, dropout)
        self.pools = [
            {"last": lambda h: h[:, :, -1], "max": lambda h: h.amax(dim=2), "mean": lambda h: h.mean(dim=2)}[kind]
            for kind in (["last", "mean", "max"] if pooling == "concat" else [pooling])
        ]
        self.fc_output = nn.Linear(len(self.pools) * no_of_hidden_units, 1)

    def forward(self, x, t, train=True):
        self.reset_state()
        outputs = [self.step(x[:, i], train) for i in range(x.shape[1])]
        outputs = torch.stack(outputs, dim=2)  # batch, features, time
        pooled = torch.cat([pool(outputs) for pool in self.pools], dim=1)  # batch, features of all pools
        logit = self.fc_output(pooled)[:, 0]  # batch
        return F.binary_cross_entropy_with_logits(logit, t), logit


class EmbeddingRNN(GloveRNN):
    """2a and 3c: x is token ids, (batch, time)."""

    def __init__(self, vocab_size, no_of_hidden_units, lstm_layers=1, dropout=(0.5, 0.3), pooling="max"):
        super().__init__(no_of_hidden_units, lstm_layers, dropout, pooling, in_size=no_of_hidden_units)
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)

    def forward(self, x, t, train=True):
        return super().forward(self.embedding(x), t, train)


class LanguageModel(LSTMLayers):
    """3a: each token of x, (batch, time), predicts the next; the last predicts none."""

    def __init__(self, vocab_size, no_of_hidden_units, dropout=0.3, lstm_layers=3):
        super().__init__(no_of_hidden_units, no_of_hidden_units, lstm_layers, (dropout,))
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        self.decoder = nn.Linear(no_of_hidden_units, vocab_size)

    def forward(self, x, train=True):
        self.reset_state()
        embedded = self.embedding(x)  # batch, time, features
        logits = [self.decoder(self.step(embedded[:, i], train)) for i in range(x.shape[1] - 1)]
        logits = torch.stack(logits, dim=2)  # batch, vocab, time - 1
        return (F.cross_entropy(logits, x[:, 1:]), logits) if train else logits
