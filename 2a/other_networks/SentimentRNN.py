"""Another network of the course for part 2a: an LSTM whose state the caller keeps, read after the last token."""

import torch
from torch import nn
from torch.nn import functional as F


class SentimentRNN(nn.Module):
    """Embedding, LSTM layers with dropout between them, dropout, and a sigmoid output after each token.

    Dropout follows train() and eval().

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of every LSTM layer.
        lstm_layers: number of LSTM layers.
        dropout: probability that a hidden unit is dropped between two LSTM layers.
        embedding_dim: width of the embedding.
        output_dropout: probability that a hidden unit is dropped before the output.
    """

    def __init__(self, vocab_size, no_of_hidden_units=256, lstm_layers=2, dropout=0.5, embedding_dim=400,
                 output_dropout=0.3):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        # Layers of their own: the dropout in an nn.LSTM of several layers has a random state on a GPU that a pass
        # over the validation reviews would change.
        self.lstm = nn.ModuleList([nn.LSTM(embedding_dim if k == 0 else no_of_hidden_units, no_of_hidden_units,
                                           batch_first=True) for k in range(lstm_layers)])
        self.between = nn.Dropout(dropout)
        self.dropout = nn.Dropout(output_dropout)
        self.fc_output = nn.Linear(no_of_hidden_units, 1)

    def init_hidden(self, batch_size):
        """The state before the first token: for each layer (h, c), each (1, batch, hidden units) of zeros."""
        zeros = self.fc_output.weight.new_zeros(1, batch_size, self.fc_output.in_features)
        return [(zeros, zeros) for _ in self.lstm]

    def step(self, x, hidden):
        """Read on: x (batch, time) token ids -> (probability after each token (batch, time), hidden after the last)."""
        logits, hidden = self.read(x, hidden)
        return logits.sigmoid(), hidden

    def read(self, x, hidden):
        """step() that returns logits (batch, time) in place of probabilities."""
        h, after = self.embedding(x), []                                        # batch, time, embedding_dim
        # In float32 at any --precision: under autocast CUDA would run nn.LSTM in float16.
        with torch.autocast(x.device.type, enabled=False):
            for k, (lstm, state) in enumerate(zip(self.lstm, hidden)):
                h, state = lstm(self.between(h) if k else h, state)             # batch, time, hidden units
                after.append(state)
            return self.fc_output(self.dropout(h))[:, :, 0], after

    def forward(self, x, t, lengths=None):
        """Sentiment of a batch of reviews, read after their last tokens.

        Args:
            x: (batch, time) token ids; t: (batch,) float, 1 for positive and 0 for negative reviews.
            lengths: (batch,) int or None; timesteps from a review's length on are not read.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        logits, _ = self.read(x, self.init_hidden(len(x)))                      # batch, time
        if lengths is None:
            logit = logits[:, -1]                                               # batch
        else:
            logit = logits.gather(1, lengths.clamp(1, x.shape[1])[:, None] - 1)[:, 0]
        return F.binary_cross_entropy_with_logits(logit, t), logit
