"""Part 1a: bag of words with trained word embeddings."""

import torch
from torch import nn
from torch.nn import functional as F

from common.layers.output import Logit


class BOW_model(nn.Module):
    """Mean word embedding, hidden layers, one logit (assignment, part 1a).

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every hidden layer.
        hidden_layers: number of hidden layers; the assignment has one.
        dropout: probability that a hidden unit is dropped in training.
    """

    def __init__(self, vocab_size, no_of_hidden_units, hidden_layers=1, dropout=0.5):
        super().__init__()
        self.names = ["", *range(2, hidden_layers + 1)]
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        for k in self.names:                    # fc_hidden, bn_hidden, dropout; then fc_hidden2, ...
            setattr(self, f"fc_hidden{k}", nn.Linear(no_of_hidden_units, no_of_hidden_units))
            setattr(self, f"bn_hidden{k}", nn.BatchNorm1d(no_of_hidden_units))
            setattr(self, f"dropout{k}", nn.Dropout(dropout))
        self.fc_output = Logit(no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()

    @property
    def layers(self):
        """(linear layer, batch normalisation, dropout) of each hidden layer, from the first to the last."""
        return [(getattr(self, f"fc_hidden{k}"), getattr(self, f"bn_hidden{k}"), getattr(self, f"dropout{k}"))
                for k in self.names]

    def forward(self, x, t):
        """Sentiment of a batch of reviews.

        Args:
            x: a list of arrays of token ids, one a review; or all of them in a row, a Bag.
            t: (batch,) float, 1 for positive and 0 for negative reviews.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        token_ids, offsets, weights = self.in_a_row(x) if isinstance(x, list) else x
        h = F.embedding_bag(token_ids, self.embedding.weight, offsets, mode="sum", per_sample_weights=weights)
        for linear, batch_norm, dropout in self.layers:
            h = dropout(F.relu(batch_norm(linear(h))))                          # batch, hidden units
        logit = self.fc_output(h)[:, 0]                                         # batch
        return self.loss(logit, t), logit

    def in_a_row(self, reviews):
        """A list of reviews -> (token_ids, offsets, weights) as in a Bag, on the model's device."""
        device = self.embedding.weight.device
        reviews = [torch.as_tensor(review, dtype=torch.long, device=device) for review in reviews]
        lengths = torch.tensor([len(review) for review in reviews], device=device)
        return torch.cat(reviews), lengths.cumsum(0) - lengths, (1 / lengths).repeat_interleave(lengths)
