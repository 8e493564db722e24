"""Part 2b: LSTM on GloVe features."""

from torch import nn
from torch.nn import functional as F

from common.layers.batch_norm import TimestepBatchNorm
from common.layers.locked_dropout import LockedDropout
from common.layers.output import Logit, Pooling
from common.layers.stateful_lstm import LSTMLayers, StatefulLSTM, distinct_words


class RNN_model(LSTMLayers):
    """LSTM layers on frozen GloVe vectors, pooling over time, one logit (assignment, part 2b).

    As in 2a each layer reads the whole sequence in one call, and the loop over the timesteps is in StatefulLSTM.

    Args:
        no_of_hidden_units: width of every LSTM layer.
        lstm_layers: number of LSTM layers, each with batch normalisation and locked dropout.
        dropout: for each LSTM layer the probability that a hidden unit is dropped in training; the last one given
            is that of all further layers.
        pooling: over the timesteps: "max", "mean", or "concat", the last timestep, mean and maximum side by side.
        in_size: dimensions of the GloVe vectors.

    Attributes:
        table: (words, in_size) float, the vectors by token id, or None; not saved with the model.
    """

    def __init__(self, no_of_hidden_units, lstm_layers=1, dropout=(0.5, 0.3), pooling="max", in_size=300):
        super().__init__()
        self.lstm_layers = lstm_layers
        self.register_buffer("table", None, persistent=False)
        for k in range(1, lstm_layers + 1):     # lstm1, bn_lstm1, dropout1; then lstm2, ...
            setattr(self, f"lstm{k}", StatefulLSTM(in_size if k == 1 else no_of_hidden_units, no_of_hidden_units))
            setattr(self, f"bn_lstm{k}", TimestepBatchNorm(no_of_hidden_units))
            setattr(self, f"dropout{k}", LockedDropout(dropout[min(k, len(dropout)) - 1]))
        self.pooling = Pooling(pooling)
        self.fc_output = Logit(len(self.pooling.kinds) * no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x, t, train=None, lengths=None):
        """Sentiment of a batch of reviews.

        Args:
            x: (batch, time, in_size) float, GloVe vectors; or (batch, time) int64, token ids to look up in `table`.
            t: (batch,) float, 1 for positive and 0 for negative reviews.
            train: whether dropout is applied; None follows train() and eval(), as batch normalisation does.
            lengths: (batch,) int or None; timesteps from a review's length on are left out of the pooling.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        train = self.training if train is None else train
        self.reset_state()
        h, positions = x, None                                                  # batch, time, in_size
        if not x.is_floating_point():
            words, positions = distinct_words(x)    # on a CPU, so that the first layer multiplies each word once
            h = F.embedding(words, self.table)                      # words, in_size
        for lstm, batch_norm, dropout in self.layers:
            h = dropout(batch_norm(lstm(h, positions)), train=train)            # batch, time, hidden units
            positions = None
        h = self.pooling(h, lengths)                                            # batch, kinds * hidden units
        logit = self.fc_output(h)[:, 0]                                         # batch
        return self.loss(logit, t), logit
