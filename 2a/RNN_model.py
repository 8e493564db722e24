"""Part 2a: LSTM on trained word embeddings."""

from torch import nn

from common.layers.batch_norm import TimestepBatchNorm
from common.layers.locked_dropout import LockedDropout
from common.layers.pooling import Pooling
from common.layers.stateful_lstm import StatefulLSTM
from common.layers.word_vectors import WordEmbedding


class RNN_model(nn.Module):
    """Embedding, LSTM layers, pooling over time, one logit (assignment, part 2a).

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every LSTM layer.
        lstm_layers: number of LSTM layers, each with batch normalisation and locked dropout.
        dropout: probability that a hidden unit is dropped in training.
        pooling: over the timesteps: "max", "mean", or "concat", the last timestep, mean and maximum side by side.
    """

    def __init__(self, vocab_size, no_of_hidden_units, lstm_layers=1, dropout=0.5, pooling="max"):
        super().__init__()
        self.lstm_layers, self.dropout = lstm_layers, dropout
        for k in range(1, lstm_layers + 1):     # lstm1, bn_lstm1, dropout1; then lstm2, ...
            self.add_module(f"lstm{k}", StatefulLSTM(no_of_hidden_units, no_of_hidden_units))
            self.add_module(f"bn_lstm{k}", TimestepBatchNorm(no_of_hidden_units))
            self.add_module(f"dropout{k}", LockedDropout())
        self.pooling = Pooling(pooling)
        self.fc_output = nn.Linear(len(self.pooling.kinds) * no_of_hidden_units, 1)
        # Made last, so that a seed draws the weights that it drew for the results in benchmarks/results.
        self.embedding = WordEmbedding(vocab_size, no_of_hidden_units)
        self.loss = nn.BCEWithLogitsLoss()

    def reset_state(self):
        """Forget the LSTM state and the dropout masks: the next call starts new reviews."""
        for k in range(1, self.lstm_layers + 1):
            self.get_submodule(f"lstm{k}").reset_state()
            self.get_submodule(f"dropout{k}").reset_state()

    def forward(self, x, t, train=True, lengths=None):
        """Sentiment of a batch of reviews.

        Args:
            x: (batch, time) int64, token ids.
            t: (batch,) float, 1 for positive and 0 for negative reviews.
            train: whether dropout is applied; batch normalisation follows train() and eval().
            lengths: (batch,) int or None; timesteps from a review's length on are left out of the pooling.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        self.reset_state()
        h = self.embedding(x)                                                   # batch, time, hidden units
        for k in range(1, self.lstm_layers + 1):
            h = self.get_submodule(f"lstm{k}")(h)
            h = self.get_submodule(f"bn_lstm{k}")(h)
            h = self.get_submodule(f"dropout{k}")(h, dropout=self.dropout, train=train)
        h = self.pooling(h, lengths)                                            # batch, kinds * hidden units
        logit = self.fc_output(h)[:, 0].float()                                 # batch
        return self.loss(logit, t), logit
