"""Part 1b: bag of words on GloVe features."""

from torch import nn
from torch.nn import functional as F

from common.layers.output import Logit


class BOW_model(nn.Module):
    """Hidden layers on a review's mean GloVe vector, one logit (assignment, part 1b).

    Args:
        no_of_hidden_units: width of every hidden layer.
        hidden_layers: number of hidden layers; the assignment has one.
        dropout: probability that a hidden unit is dropped in training.
        in_size: dimensions of the GloVe vectors.
    """

    def __init__(self, no_of_hidden_units, hidden_layers=1, dropout=0.5, in_size=300):
        super().__init__()
        self.hidden_layers = hidden_layers
        for k in range(1, hidden_layers + 1):   # fc_hidden1, bn_hidden1, dropout1; then fc_hidden2, ...
            setattr(self, f"fc_hidden{k}", nn.Linear(in_size if k == 1 else no_of_hidden_units, no_of_hidden_units))
            setattr(self, f"bn_hidden{k}", nn.BatchNorm1d(no_of_hidden_units))
            setattr(self, f"dropout{k}", nn.Dropout(dropout))
        self.fc_output = Logit(no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()

    @property
    def layers(self):
        """(linear layer, batch normalisation, dropout) of each hidden layer, from the first to the last."""
        return [(getattr(self, f"fc_hidden{k}"), getattr(self, f"bn_hidden{k}"), getattr(self, f"dropout{k}"))
                for k in range(1, self.hidden_layers + 1)]

    def forward(self, x, t):
        """Sentiment of a batch of reviews.

        Args:
            x: (batch, in_size) float, mean GloVe vector of each review's known tokens.
            t: (batch,) float, 1 for positive and 0 for negative reviews.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        h = x
        for linear, batch_norm, dropout in self.layers:
            h = dropout(F.relu(batch_norm(linear(h))))                          # batch, hidden units
        logit = self.fc_output(h)[:, 0]                                         # batch
        return self.loss(logit, t), logit
