"""Part 1b: bag of words on GloVe features."""

from common.layers.bags import BagClassifier


class BOW_model(BagClassifier):
    """Hidden layers on a review's mean GloVe vector, one logit (assignment, part 1b).

    Args:
        no_of_hidden_units: width of every hidden layer.
        hidden_layers: number of hidden layers; the assignment has one.
        dropout: probability that a hidden unit is dropped in training.
        in_size: dimensions of the GloVe vectors.
        ngrams: words of the longest n-grams that count beside the network (NGrams); 0 has none.
    """

    def __init__(self, no_of_hidden_units, hidden_layers=1, dropout=0.5, in_size=300, ngrams=0):
        super().__init__(in_size, no_of_hidden_units, range(1, hidden_layers + 1), dropout, ngrams)

    def forward(self, x, t, token_ids=None):
        """Sentiment of a batch of reviews.

        Args:
            x: (batch, in_size) float, mean GloVe vector of each review's known tokens.
            t: (batch,) float, 1 for positive and 0 for negative reviews.
            token_ids: (batch, time) int64, the reviews' words, of which n-grams are made.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        return self.classify(x, t, token_ids)
