"""Part 2a: LSTM on trained word embeddings."""

from torch import nn

from common.layers.lstm import LSTMClassifier


class RNN_model(LSTMClassifier):
    """Embedding, LSTM layers, pooling over time, one logit (assignment, part 2a).

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every LSTM layer.
        lstm_layers: number of LSTM layers, each with batch normalisation and locked dropout.
        dropout: probability that a hidden unit is dropped in training.
        pooling: "max" or "mean" over the timesteps.
        ngrams: words of the longest n-grams that count beside the network (NGrams); 0 has none.
    """

    def __init__(self, vocab_size, no_of_hidden_units, lstm_layers=1, dropout=0.5, pooling="max", ngrams=0):
        super().__init__(no_of_hidden_units, no_of_hidden_units, lstm_layers, dropout, pooling, ngrams)
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)

    def forward(self, x, t, train=True, lengths=None):
        """x (batch, time) token ids, t (batch,) labels -> (loss, logit); see LSTMClassifier.classify."""
        return self.classify(self.embedding.weight, t, train, lengths, token_ids=x)
