"""Part 1a: bag of words with trained word embeddings."""

import torch
from torch import nn
from torch.nn import functional as F

from common.devices import compute_dtype


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
        for k in self.names:                    # fc_hidden, bn_hidden, dropout; then fc_hidden2, ...
            self.add_module(f"fc_hidden{k}", nn.Linear(no_of_hidden_units, no_of_hidden_units))
            self.add_module(f"bn_hidden{k}", nn.BatchNorm1d(no_of_hidden_units))
            self.add_module(f"dropout{k}", nn.Dropout(dropout))
        self.fc_output = nn.Linear(no_of_hidden_units, 1)
        # Made last, so that a seed draws the weights that it drew for the results in benchmarks/results.
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x, t):
        """Sentiment of a batch of reviews.

        Args:
            x: a list of arrays of token ids, one a review; or all of them in a row, a Bag.
            t: (batch,) float, 1 for positive and 0 for negative reviews.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        token_ids, offsets, weights = self.in_a_row(x) if isinstance(x, list) else x
        vectors = self.embedding.weight                                         # words, hidden units
        # Reading the vectors is most of an evaluation, and bfloat16 has half of the bytes; gradients need float32.
        if not torch.is_grad_enabled():
            vectors = vectors.to(compute_dtype(vectors))
        h = F.embedding_bag(token_ids, vectors, offsets, mode="sum",
                            per_sample_weights=weights.to(vectors.dtype))       # batch, hidden units
        for k in self.names:
            h = self.get_submodule(f"fc_hidden{k}")(h)                          # batch, hidden units
            h = F.relu(self.get_submodule(f"bn_hidden{k}")(h))
            h = self.get_submodule(f"dropout{k}")(h)
        logit = self.fc_output(h)[:, 0].float()                                 # batch
        return self.loss(logit, t), logit

    def in_a_row(self, reviews):
        """A list of reviews -> (token_ids, offsets, weights) as in a Bag, on the model's device."""
        device = self.embedding.weight.device
        reviews = [torch.as_tensor(review, dtype=torch.long, device=device) for review in reviews]
        lengths = torch.tensor([len(review) for review in reviews], device=device)
        return torch.cat(reviews), lengths.cumsum(0) - lengths, (1 / lengths).repeat_interleave(lengths)
