"""Part 2a: LSTM on trained word embeddings."""

from torch import nn

from common.layers.batch_norm import TimestepBatchNorm
from common.layers.locked_dropout import LockedDropout
from common.layers.output import Logit, Pooling
from common.layers.stateful_lstm import LSTMLayers, StatefulLSTM, distinct_words


class RNN_model(LSTMLayers):
    """Embedding, LSTM layers, pooling over time, one logit (assignment, part 2a).

    The assignment loops over the timesteps, and each passes all layers. Here each layer reads the whole sequence in
    one call and gives the same numbers: the recurrence, the loop over the timesteps, is in StatefulLSTM, and an LSTM
    never sees the batch normalisation and dropout that follow it. tests/reference.py has the assignment's loop.

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every LSTM layer.
        lstm_layers: number of LSTM layers, each with batch normalisation and locked dropout.
        dropout: for each LSTM layer the probability that a hidden unit is dropped in training; the last one given
            is that of all further layers.
        pooling: over the timesteps: "max", "mean", or "concat", the last timestep, mean and maximum side by side.
    """

    def __init__(self, vocab_size, no_of_hidden_units, lstm_layers=1, dropout=(0.5, 0.3), pooling="max"):
        super().__init__()
        self.lstm_layers = lstm_layers
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        for k in range(1, lstm_layers + 1):     # lstm1, bn_lstm1, dropout1; then lstm2, ...
            setattr(self, f"lstm{k}", StatefulLSTM(no_of_hidden_units, no_of_hidden_units))
            setattr(self, f"bn_lstm{k}", TimestepBatchNorm(no_of_hidden_units))
            setattr(self, f"dropout{k}", LockedDropout(dropout[min(k, len(dropout)) - 1]))
        self.pooling = Pooling(pooling)
        self.fc_output = Logit(len(self.pooling.kinds) * no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x, t, train=None, lengths=None):
        """Sentiment of a batch of reviews.

        Args:
            x: (batch, time) int64, token ids.
            t: (batch,) float, 1 for positive and 0 for negative reviews.
            train: whether dropout is applied; None follows train() and eval(), as batch normalisation does.
            lengths: (batch,) int or None; timesteps from a review's length on are left out of the pooling.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        train = self.training if train is None else train
        self.reset_state()
        words, positions = distinct_words(x)    # on a CPU, so that the first layer multiplies each word once
        h = self.embedding(words)                                               # words, hidden units
        for lstm, batch_norm, dropout in self.layers:
            h = dropout(batch_norm(lstm(h, positions)), train=train)            # batch, time, hidden units
            positions = None
        h = self.pooling(h, lengths)                                            # batch, kinds * hidden units
        logit = self.fc_output(h)[:, 0]                                         # batch
        return self.loss(logit, t), logit
