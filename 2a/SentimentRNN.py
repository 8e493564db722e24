"""Another network of the course for part 2a: an LSTM whose state the caller keeps, read after the last token."""

import torch
from torch import nn


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

    counts_padding = False

    def __init__(self, vocab_size, no_of_hidden_units=256, lstm_layers=2, dropout=0.5, embedding_dim=400,
                 output_dropout=0.3):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, no_of_hidden_units, lstm_layers, batch_first=True,
                            dropout=dropout if lstm_layers > 1 else 0)
        self.dropout = nn.Dropout(output_dropout)
        self.fc_output = nn.Linear(no_of_hidden_units, 1)

    def init_hidden(self, batch_size):
        """The state before the first token: (h, c), each (lstm_layers, batch, hidden units) of zeros."""
        zeros = self.fc_output.weight.new_zeros(self.lstm.num_layers, batch_size, self.lstm.hidden_size)
        return zeros, zeros

    def step(self, x, hidden):
        """Read on: x (batch, time) token ids -> (probability after each token (batch, time), hidden after the last)."""
        logits, hidden = self.read(self.embedding(x), hidden)
        return logits.sigmoid(), hidden

    def read(self, features, hidden):
        """step() of word vectors (batch, time, embedding_dim) -> (logits (batch, time), hidden)."""
        # In float32 at any --precision: under autocast CUDA would run nn.LSTM in float16.
        with torch.autocast(features.device.type, enabled=False):
            h, hidden = self.lstm(features, hidden)                             # batch, time, hidden units
            return self.fc_output(self.dropout(h))[:, :, 0], hidden

    def forward(self, x, t, train=True, lengths=None):
        """Sentiment of a batch of reviews, read after their last tokens.

        Args:
            x: (batch, time) token ids; t: (batch,) float, 1 for positive and 0 for negative reviews.
            train: as all networks of 2a take it; here train() and eval() say whether dropout is applied.
            lengths: (batch,) int or None; timesteps from a review's length on are not read.

        Returns:
            (loss, logit): mean binary cross entropy of the probabilities in nats, (batch,) logits.
        """
        logits, _ = self.read(self.embedding(x), self.init_hidden(len(x)))      # batch, time
        last = -1 if lengths is None else lengths.clamp(1, x.shape[1]) - 1      # batch
        logit = logits[torch.arange(len(x), device=x.device), last]             # batch
        # A probability that rounds to 0 or 1 has no logarithm; F.binary_cross_entropy takes no unlabelled reviews.
        probability = logit.sigmoid().clamp(1e-7, 1 - 1e-7)                     # batch
        loss = -(t * probability.log() + (1 - t) * (1 - probability).log()).mean()
        return loss, logit

    def contributions(self, features, lengths):
        """What each token adds to the logits of whole reviews: the logit after it, less that before it.

        The logit before the first token is the output's bias; with it these sum to the logit.

        Args:
            features: (batch, time, embedding_dim) float, word vectors; lengths: (batch,) int.

        Returns:
            (batch, time) float, 0 from a review's length on.
        """
        logits, _ = self.read(features, self.init_hidden(len(features)))        # batch, time
        added = logits.diff(prepend=self.fc_output.bias.expand(len(logits), 1))
        return added * (torch.arange(added.shape[1], device=added.device) < lengths[:, None])
