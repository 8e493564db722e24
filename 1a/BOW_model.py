"""Part 1a: bag of words with trained word embeddings."""

import torch
from torch import nn
from torch.nn import functional as F

from common.layers.bags import BagClassifier
from common.layers.lstm import compute_dtype


class BOW_model(BagClassifier):
    """Mean word embedding, hidden layers, one logit (assignment, part 1a).

    Args:
        vocab_size: number of embeddings, the unknown token's included.
        no_of_hidden_units: width of the embedding and of every hidden layer.
        hidden_layers: number of hidden layers; the assignment has one.
        dropout: probability that a hidden unit is dropped in training.
        ngrams: words of the longest n-grams that count beside the network (NGrams); 0 has none.
    """

    def __init__(self, vocab_size, no_of_hidden_units, hidden_layers=1, dropout=0.5, ngrams=0):
        names = [""] + [str(k) for k in range(2, hidden_layers + 1)]
        super().__init__(no_of_hidden_units, no_of_hidden_units, names, dropout, ngrams)
        self.embedding = nn.Embedding(vocab_size, no_of_hidden_units)

    def forward(self, x, t, token_ids=None):
        """Sentiment of a batch of reviews.

        Args:
            x: a list of arrays of token ids, one a review; or all reviews in a row as from Reviews.bags:
                (token_ids, offsets, shares), (tokens,) ids, (batch,) where each review starts, and
                (tokens,) how much of its review each token is.
            t: (batch,) float, 1 for positive and 0 for negative reviews.
            token_ids: (batch, time) int64, the reviews in the order of their words, which n-grams need.

        Returns:
            (loss, logit): mean binary cross entropy in nats, (batch,) logits.
        """
        bag, offsets, shares = self.flatten(x) if isinstance(x, list) else x
        vectors = self.embedding.weight                                         # words, hidden units
        # Reading the vectors is most of an evaluation, and bfloat16 has half of the bytes; gradients need float32.
        if not torch.is_grad_enabled():
            vectors = vectors.to(compute_dtype(vectors))
        h = F.embedding_bag(bag, vectors, offsets, mode="sum",
                            per_sample_weights=shares.to(vectors.dtype))        # batch, hidden units
        return self.classify(h, t, token_ids)

    def flatten(self, reviews):
        """Reviews as a list -> (token_ids, offsets, shares) on the model's device."""
        device = self.embedding.weight.device
        reviews = [torch.as_tensor(review, dtype=torch.long, device=device) for review in reviews]
        lengths = torch.tensor([len(review) for review in reviews], device=device)
        return torch.cat(reviews), lengths.cumsum(0) - lengths, (1 / lengths).repeat_interleave(lengths)
