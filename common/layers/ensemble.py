"""An n-gram classifier ensembled with a part's network (Wang and Manning 2012)."""

import dataclasses
import weakref

import torch
from torch import nn
from torch.nn import functional as F

from common.arguments import number
from common.data.batches import Batch
from common.data.reviews import sort
from common.options import Option

BITS = 22
SMOOTHING = 10     # what the counts of n-grams begin at, so that rare ones weigh little
SCALE = 3          # of the ratios, so that a network's learning rates suit the n-grams too
# An odd number without pattern (2 ** 64 divided by the golden ratio): products with it scatter over all 64 bits.
SCATTER = 0x9E3779B97F4A7C15 - (1 << 64)

# The options of the training scripts.
ENSEMBLE = {
    "ngrams": Option("model", 0, type=number(int, 0, 5), metavar="N",
                     help="ensemble the network with a classifier of n-grams of up to N words; 0 for none"),
    "ngram_weight": Option("model", 0.75, type=number(float, 0, 1), metavar="W",
                           help="weight of the n-grams in the ensemble logit"),
}


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
        self.found = weakref.WeakKeyDictionary()        # the n-grams of Reviews that are read whole

    def forward(self, batch):
        """A Batch or BagBatch of reviews -> (batch,) logits."""
        if isinstance(batch, Batch):
            return self.contributions(batch.tokens).sum(dim=1)
        if batch.reviews not in self.found:
            self.found[batch.reviews] = self.of_whole(batch.reviews)
        ngrams = self.found[batch.reviews]
        buckets, _, _ = ngrams.row(batch.indices)                               # n-grams of all reviews
        added = self.products(buckets)
        lengths = ngrams.lengths[ngrams.on_device(batch.indices)]
        review = torch.arange(len(lengths), device=buckets.device).repeat_interleave(lengths, output_size=len(buckets))
        return torch.zeros(len(lengths), device=buckets.device).index_add_(0, review, added)

    def products(self, buckets):
        """ratio * weight of buckets (n-grams,), the same shape."""
        # Unlike those of an index, gradients of index_select add up in the same order whatever the number of threads.
        return self.ratio.index_select(0, buckets) * self.weight.index_select(0, buckets)

    def contributions(self, token_ids):
        """What the n-grams that end at each token add to the logit: token_ids (batch, time) -> (batch, time)."""
        buckets = self.buckets(token_ids)                                       # longest, batch, time
        first = first_occurrences(buckets.movedim(0, 2).flatten(1))             # batch, time * longest
        added = self.products(buckets.flatten()).view(buckets.shape)
        return (added * (buckets > 0) * first.view(*token_ids.shape, -1).movedim(2, 0)).sum(dim=0)

    def buckets(self, token_ids):
        """The buckets of the n-grams that end at each token.

        Args:
            token_ids: (..., time) int64; the unknown token 0 stands between reviews that share a row.

        Returns:
            (longest, ..., time) int64, at n - 1 those of n words; 0 where there is no such n-gram.
        """
        hashed, known = torch.zeros_like(token_ids), torch.ones_like(token_ids, dtype=torch.bool)
        buckets = []
        for n in range(self.longest):
            if n > 0:       # the n words that end one token before, and this one
                hashed, known = F.pad(hashed[..., :-1], (1, 0)), F.pad(known[..., :-1], (1, 0))
            hashed, known = (hashed + token_ids) * SCATTER, known & (token_ids > 0)
            buckets.append((hashed >> (64 - BITS)) % (1 << BITS) * known)
        return torch.stack(buckets)

    def of_whole(self, reviews, chunk=1000):
        """The distinct n-grams of Reviews, as Reviews whose token ids are buckets."""
        found, lengths = [], []
        for indices in torch.arange(len(reviews)).split(chunk):
            token_ids, _, _ = reviews.row(indices)
            review = torch.arange(len(indices), device=token_ids.device).repeat_interleave(
                reviews.lengths[reviews.on_device(indices)])                    # tokens
            # An unknown token behind each review, so that no n-gram reaches into the next.
            apart = torch.arange(len(token_ids), device=token_ids.device) + review
            separated = torch.zeros(len(token_ids) + len(indices), dtype=torch.long, device=token_ids.device)
            buckets = self.buckets(separated.index_copy(0, apart, token_ids.long()))[:, apart]     # longest, tokens
            keys = sort(((review << BITS) + buckets)[buckets > 0]).unique_consecutive()
            found.append((keys % (1 << BITS)).int())
            lengths.append((keys >> BITS).bincount(minlength=len(indices)))
        lengths = torch.cat(lengths)
        return dataclasses.replace(reviews, token_ids=torch.cat(found), lengths=lengths,
                                   starts=lengths.cumsum(0) - lengths)

    @torch.no_grad()
    def count(self, reviews):
        """Set the ratios: logarithms of each n-gram's share of the positive over that of the negative reviews.

        Args:
            reviews: labelled Reviews to learn from.
        """
        ngrams = self.found[reviews] = self.of_whole(reviews)
        # Whole numbers, and then float64, where no sum is rounded: the ratios are the same on every device.
        positive = reviews.labels.long().repeat_interleave(ngrams.lengths)
        counts = torch.bincount((positive << BITS) + ngrams.token_ids, minlength=2 << BITS).view(2, -1).double()
        seen = counts.sum(dim=0) > 0
        shares = (counts + SMOOTHING) / (counts + SMOOTHING).sum(dim=1, keepdim=True)
        self.ratio.copy_((shares[1] / shares[0]).log() * seen * SCALE)


def first_occurrences(buckets):
    """Where a row of buckets (batch, n-grams) has one above 0 for the first time: the same shape, bool."""
    ordered, order = buckets.sort(dim=1, stable=True)
    new = ordered.diff(dim=1, prepend=torch.zeros_like(ordered[:, :1])) > 0
    return torch.empty_like(new).scatter(1, order, new)


class Ensemble(nn.Module):
    """A network and an n-gram classifier: the ensemble logit is the weighted mean of both logits.

    Each learns from a loss of its own: the n-grams overfit within two epochs, and a network that only had
    to add to them would learn nothing more.

    Args:
        network: a part's model.
        predict: calls it: (network, batch) -> (loss, logit).
        longest: of NGrams.
        weight: of the n-grams in the mean, 0 to 1, chosen on validation reviews.
    """

    def __init__(self, network, predict, longest, weight):
        super().__init__()
        self.network, self.predict = network, predict
        self.ngrams = NGrams(longest)
        self.arguments = {"longest": longest, "weight": weight}
        self.weight = weight

    def logits(self, batch):
        """What each of the two says of a Batch: (network's loss, network's logits (batch,), n-grams' logits)."""
        loss, logit = self.predict(self.network, batch)
        return loss, logit, self.ngrams(batch)

    def forward(self, batch):
        """Sentiment of a Batch of reviews.

        Returns:
            (loss, logit): in training the mean of both losses, in evaluation that of the ensemble logit, in
            nats; (batch,) ensemble logits.
        """
        loss, network, ngrams = self.logits(batch)
        logit = self.mean(network, ngrams)
        if self.training:
            return (loss + F.binary_cross_entropy_with_logits(ngrams, batch.labels)) / 2, logit
        return F.binary_cross_entropy_with_logits(logit, batch.labels), logit

    def mean(self, network, ngrams):
        """The weighted mean of what network and n-grams say, such as their logits."""
        return (1 - self.weight) * network + self.weight * ngrams


def ensemble_with_ngrams(network, predict, reviews, options):
    """The network, or where --ngrams asks for it, an Ensemble with an n-gram classifier of the reviews.

    Args:
        network, predict: of Ensemble; reviews: labelled Reviews; options: of parse_options.

    Returns:
        (model, predict): predict calls the model as (model, batch) -> (loss, logit).
    """
    if not options.ngrams:
        return network, predict
    ensemble = Ensemble(network, predict, options.ngrams, options.ngram_weight).to(options.device)
    ensemble.ngrams.count(reviews)
    return ensemble, predict_ensemble


def predict_ensemble(ensemble, batch):
    return ensemble(batch)


def build_trained(network, predict, checkpoint, device):
    """The trained model of a checkpoint in evaluation mode: the network, or the Ensemble that it was trained in.

    Args:
        network, predict: of Ensemble; the network has the checkpoint's arguments, and any weights.

    Returns:
        (model, predict): as from ensemble_with_ngrams.
    """
    model = network
    if checkpoint["ensemble"]:
        model, predict = Ensemble(network, predict, **checkpoint["ensemble"]), predict_ensemble
    model.load_state_dict(checkpoint["model"])
    return model.to(device).eval(), predict


def member_logits(model, predict, batch):
    """Logits (batch,) by name: those of the "model", and of an ensemble's members."""
    if not isinstance(model, Ensemble):
        return {"model": predict(model, batch)[1]}
    _, network, ngrams = model.logits(batch)
    return {"model": model.mean(network, ngrams), "network": network, "n-grams": ngrams}


def member_contributions(model, network, batch):
    """What each token adds to the logit of a model, given what it adds to the network's: (batch, time) float.

    What an n-gram adds stands at its last word.
    """
    return model.mean(network, model.ngrams.contributions(batch.tokens)) if isinstance(model, Ensemble) else network
