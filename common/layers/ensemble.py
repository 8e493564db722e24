"""Runs of words as features of their own, beside a network (Wang and Manning 2012)."""

import torch
from torch import nn
from torch.nn import functional as F

from common.training.evaluation import by_length

BITS = 22
SMOOTHING = 10     # what the counts of n-grams begin at, so that rare ones weigh little
SCALE = 3          # of the ratios, so that a network's learning rates suit the n-grams too
SHARE = 0.75       # of the n-grams in the verdict: on 2a's validation reviews 0.7 had the least loss, 0.8 most right
# An odd number without pattern (2 ** 64 divided by the golden ratio): products with it scatter over all 64 bits.
SCATTER = 0x9E3779B97F4A7C15 - (1 << 64)


class NGrams(nn.Module):
    """Naive Bayes and logistic regression on the n-grams of a review (NBSVM, Wang and Manning 2012).

    The logit is the sum of ratio[g] * weight[g] over the distinct n-grams g of the review: how much
    more often g stands in positive than in negative training reviews, times a weight that is learned
    (with other constants than the paper's).
    N-grams are hashed into 2 ** 22 buckets; those with an unknown word in them do not count.

    Args:
        longest: words of the longest n-grams; all shorter ones count too.
    """

    def __init__(self, longest):
        super().__init__()
        self.longest = longest
        self.register_buffer("ratio", torch.zeros(1 << BITS))
        self.weight = nn.Parameter(torch.zeros(1 << BITS))

    def forward(self, token_ids):
        """token_ids (batch, time) int64 -> (batch,) logits."""
        return self.contributions(token_ids).sum(dim=1)

    def contributions(self, token_ids):
        """What the n-grams that end at each token add to the logit: token_ids (batch, time) -> (batch, time)."""
        buckets = self.distinct(token_ids)                                      # batch, time, longest
        # Unlike an index, this adds up gradients in the same order whatever the number of threads.
        weights = F.embedding(buckets, self.weight[:, None])[..., 0]            # batch, time, longest
        return (self.ratio[buckets] * weights * (buckets > 0)).sum(dim=2)

    def distinct(self, token_ids):
        """The buckets of the n-grams that end at each token.

        Args:
            token_ids: (batch, time) int64.

        Returns:
            (batch, time, longest) int64, at n - 1 that of n words; 0 where there is no such n-gram or
            where the review has had it before.
        """
        hashed, known = torch.zeros_like(token_ids), torch.ones_like(token_ids, dtype=torch.bool)
        buckets = []
        for n in range(self.longest):
            if n > 0:       # the n words that end one token before, and this one
                hashed, known = F.pad(hashed[:, :-1], (1, 0)), F.pad(known[:, :-1], (1, 0))
            hashed, known = (hashed + token_ids) * SCATTER, known & (token_ids > 0)
            buckets.append((hashed >> (64 - BITS)) % (1 << BITS) * known)
        buckets = torch.stack(buckets, dim=2)                                   # batch, time, longest
        ordered, order = buckets.flatten(1).sort(dim=1, stable=True)
        new = ordered.diff(dim=1, prepend=torch.zeros_like(ordered[:, :1])) > 0
        first = torch.empty_like(new).scatter(1, order, new)
        return buckets * first.view_as(buckets)

    @torch.no_grad()
    def weigh(self, reviews, batch_tokens=200_000):
        """Set the ratios: logarithms of each n-gram's share of the positive over that of the negative reviews.

        Args:
            reviews: labelled Reviews to learn from.
        """
        # In float64, where no sum is rounded, the ratios are the same on every device.
        counts = torch.zeros(2, 1 << BITS, dtype=torch.float64, device=self.ratio.device)   # negative, positive
        for indices in by_length(reviews.lengths, batch_tokens):
            buckets = self.distinct(reviews.whole(indices)[0])                  # batch, time, longest
            labels = reviews.labels[indices].long()[:, None, None].expand_as(buckets)
            counts.index_put_((labels, buckets), torch.ones_like(counts[0, 0]), accumulate=True)
        counts[:, 0] = 0
        seen = counts.sum(dim=0) > 0
        shares = (counts + SMOOTHING) / (counts + SMOOTHING).sum(dim=1, keepdim=True)
        self.ratio.copy_((shares[1] / shares[0]).log() * seen * SCALE)

    def join(self, loss, logit, t, token_ids):
        """The n-grams' verdict beside a network's.

        Each learns from a loss of its own: the n-grams know the training reviews by heart after two
        epochs, and a network that only had to add to them would learn nothing more.

        Args:
            loss, logit: the network's, () and (batch,); t: (batch,) labels; token_ids: (batch, time).

        Returns:
            (loss, verdict): in training the mean of both losses, else that of the verdict; the (batch,) weighted mean
            of both logits.
        """
        own = self(token_ids)                                                   # batch
        verdict = (1 - SHARE) * logit + SHARE * own                             # batch
        if self.training:
            return (loss + F.binary_cross_entropy_with_logits(own, t)) / 2, verdict
        return F.binary_cross_entropy_with_logits(verdict, t), verdict
