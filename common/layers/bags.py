"""The hidden layers that judge a bag of words by one vector."""

from torch import nn
from torch.nn import functional as F

from common.layers.ensemble import NGrams


class BagClassifier(nn.Module):
    """Hidden layers on a vector a review, and one output: what 1a and 1b have in common.

    Args:
        names: what tells the hidden layers apart in the weights' names: 1 makes fc_hidden1.
        ngrams: words of the longest n-grams that count beside the network (NGrams); 0 has none.
    """

    def __init__(self, in_size, no_of_hidden_units, names, dropout, ngrams):
        super().__init__()
        self.names = names
        for k in names:
            self.add_module(f"fc_hidden{k}", nn.Linear(in_size, no_of_hidden_units))
            self.add_module(f"bn_hidden{k}", nn.BatchNorm1d(no_of_hidden_units))
            self.add_module(f"dropout{k}", nn.Dropout(dropout))
            in_size = no_of_hidden_units
        self.fc_output = nn.Linear(no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()
        self.ngrams = NGrams(ngrams) if ngrams else None

    def classify(self, h, t, token_ids=None):
        """Sentiment of reviews by their vectors, and by their n-grams if the model has any.

        Args:
            h: (batch, in_size) float; t: (batch,) float, 1 for positive and 0 for negative reviews.
            token_ids: (batch, time) int64, which n-grams need.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        logit = self.logit(h)                                                   # batch
        loss = self.loss(logit, t)
        return self.ngrams.join(loss, logit, t, token_ids) if self.ngrams else (loss, logit)

    def logit(self, h):
        """h (batch, in_size) -> the network's (batch,) logits."""
        for k in self.names:
            h = self.get_submodule(f"fc_hidden{k}")(h)                          # batch, hidden units
            h = self.get_submodule(f"dropout{k}")(F.relu(self.get_submodule(f"bn_hidden{k}")(h)))
        return self.fc_output(h)[:, 0].float()
