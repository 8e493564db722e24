"""Part 2b: LSTM on GloVe features."""

from common.layers.lstm import LSTMClassifier


class RNN_model(LSTMClassifier):
    """LSTM layers on frozen GloVe vectors, pooling over time, one logit (assignment, part 2b).

    Args:
        no_of_hidden_units: width of every LSTM layer.
        lstm_layers: number of LSTM layers, each with batch normalisation and locked dropout.
        dropout: probability that a hidden unit is dropped in training.
        pooling: "max" or "mean" over the timesteps.
        in_size: dimensions of the GloVe vectors.
        ngrams: words of the longest n-grams that count beside the network (NGrams); 0 has none.
    """

    def __init__(self, no_of_hidden_units, lstm_layers=1, dropout=0.5, pooling="max", in_size=300, ngrams=0):
        super().__init__(in_size, no_of_hidden_units, lstm_layers, dropout, pooling, ngrams)

    def forward(self, x, t, train=True, lengths=None, token_ids=None):
        """x (batch, time, in_size) GloVe vectors, t (batch,) labels -> (loss, logit); see LSTMClassifier.classify."""
        return self.classify(x, t, train, lengths, token_ids)
