"""Part 1a: bag of words with trained word embeddings."""

import torch
from torch import nn
from torch.nn import functional as F


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
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        self.layer_names = [""] + [str(k) for k in range(2, hidden_layers + 1)]
        for k in self.layer_names:
            self.add_module(f"fc_hidden{k}", nn.Linear(no_of_hidden_units, no_of_hidden_units))
            self.add_module(f"bn_hidden{k}", nn.BatchNorm1d(no_of_hidden_units))
        self.dropout = nn.Dropout(dropout)
        self.fc_output = nn.Linear(no_of_hidden_units, 1)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x, t):
        """Sentiment of a batch of reviews.

        Args:
            x: a list of arrays of token ids, one a review; or all reviews in a row as from Reviews.bags:
                (token_ids, offsets, shares), (tokens,) ids, (batch,) where each review starts, and
                (tokens,) how much of its review each token is.
            t: (batch,) float, 1 for positive and 0 for negative reviews.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        token_ids, offsets, shares = self.flatten(x) if isinstance(x, list) else x
        h = F.embedding_bag(token_ids, self.embedding.weight, offsets, mode="sum",
                            per_sample_weights=shares)                                  # batch, hidden units
        return self.classify(h, t)

    def classify(self, h, t):
        """h (batch, hidden units) mean embeddings, t (batch,) labels -> (loss, logit)."""
        for k in self.layer_names:
            h = self.get_submodule(f"fc_hidden{k}")(h)
            h = self.dropout(F.relu(self.get_submodule(f"bn_hidden{k}")(h)))
        logit = self.fc_output(h)[:, 0].float()                                         # batch
        return self.loss(logit, t), logit

    def flatten(self, reviews):
        """Reviews as a list -> (token_ids, offsets, shares) on the model's device."""
        device = self.embedding.weight.device
        reviews = [torch.as_tensor(review, dtype=torch.long, device=device) for review in reviews]
        lengths = torch.tensor([len(review) for review in reviews], device=device)
        return torch.cat(reviews), lengths.cumsum(0) - lengths, (1 / lengths).repeat_interleave(lengths)
