"""An n-gram classifier ensembled with a part's network (Wang and Manning 2012)."""

import torch
from torch import nn
from torch.nn import functional as F

from common.data.ngrams import NGramTable, first_occurrences

SMOOTHING = 10     # what the counts of n-grams begin at, so that rare ones weigh little
SCALE = 3          # of the ratios, so that the default learning rates suit the n-grams too


class NGrams(nn.Module):
    """Naive Bayes and logistic regression on the n-grams of a review (NBSVM, Wang and Manning 2012).

    The logit is the sum of ratio[g] * weight[g] over the distinct n-grams g of the review: the logarithm of how much
    more often g stands in positive than in negative training reviews, scaled, times a weight that is learned (with
    other constants than the paper's).

    Args:
        table: NGramTable of the known n-grams.
    """

    table: NGramTable
    ratio: torch.Tensor

    def __init__(self, table):
        super().__init__()
        self.table = table
        self.register_buffer("ratio", torch.zeros(len(table.keys)))
        self.weight = nn.Parameter(torch.zeros(len(table.keys)))

    def forward(self, ngrams, batch_size):
        """NGramIds of a batch -> (batch,) logits."""
        return torch.zeros(batch_size, device=self.weight.device).index_add_(0, ngrams.rows, self.products(ngrams.ids))

    def products(self, ids):
        """ratio * weight of n-gram ids (n-grams,), the same shape."""
        # Unlike those of an index, gradients of index_select add up in the same order whatever the number of threads.
        return self.ratio.index_select(0, ids) * self.weight.index_select(0, ids)

    def contributions(self, token_ids):
        """What the n-grams that end at each token add to the logit: token_ids (batch, time) -> (batch, time)."""
        ids = self.table.ids(token_ids)                                         # batch, time, longest
        first = first_occurrences(ids.flatten(1)).view(ids.shape)
        return (self.products(ids.flatten()).view(ids.shape) * first).sum(dim=2)

    @torch.no_grad()
    def count(self, index, labels):
        """Set the ratios: logarithms of each n-gram's share of the positive over that of the negative reviews.

        Args:
            index: the n-grams of the training reviews, from NGramTable.index; labels: (reviews,) float, 0 or 1.
        """
        # Whole numbers, and then float64, where no sum is rounded: the ratios are the same on every device.
        counts = torch.stack([index.select((labels == label).cpu().numpy()).counts(len(self.ratio))
                              for label in (0, 1)]).double()
        shares = (counts + SMOOTHING) / (counts + SMOOTHING).sum(dim=1, keepdim=True)
        self.ratio.copy_((shares[1] / shares[0]).log() * (counts.sum(dim=0) > 0) * SCALE)


class Ensemble(nn.Module):
    """A network and an n-gram classifier: the ensemble logit is the weighted mean of both logits.

    Each learns from a loss of its own: the n-grams overfit within two epochs, and a network that only had
    to add to them would learn nothing more.

    Args:
        network: a part's model.
        ngrams: NGrams.
        weight: of the n-grams in the mean, 0 to 1, chosen on validation reviews.
    """

    ngrams: NGrams

    def __init__(self, network, ngrams, weight):
        super().__init__()
        self.network, self.ngrams, self.weight = network, ngrams, weight

    def forward(self, x, t, ngrams, **arguments):
        """Sentiment of a batch of reviews.

        Args:
            x, t, arguments: of the network; ngrams: NGramIds of the batch.

        Returns:
            (loss, logit): in training the mean of both losses, in evaluation that of the ensemble logit, in
            nats; (batch,) ensemble logits.
        """
        loss, network = self.network(x, t, **arguments)
        words = self.ngrams(ngrams, len(t))
        logit = self.mean(network, words)
        if self.training:       # the mean, not the sum: as large as one loss in the curves
            return (loss + F.binary_cross_entropy_with_logits(words, t)) / 2, logit
        return F.binary_cross_entropy_with_logits(logit, t), logit

    def mean(self, network, ngrams):
        """The weighted mean of what network and n-grams say, such as their logits."""
        return (1 - self.weight) * network + self.weight * ngrams

    def arguments(self):
        """What it takes to build the ensemble around its network again, in plain values; see rebuild()."""
        return {"size": len(self.ngrams.weight), "longest": self.ngrams.table.longest, "weight": self.weight}


def ensemble_with_ngrams(network, data, options):
    """The network, or where --ngrams asks for it, an Ensemble with an n-gram classifier of the training reviews.

    Args:
        network: a part's model; options: of parse_options.
        data: dict of ReviewData by split, whose batches carry the n-grams from then on.
    """
    if not options.ngrams:
        return network
    train = data["train"]
    table = NGramTable.of(train.reviews, options.ngrams)
    for some in data.values():
        some.table = table
    ensemble = Ensemble(network, NGrams(table), options.ngram_weight).to(options.device)
    ensemble.ngrams.count(train.index, train.reviews.labels)
    return ensemble


def rebuild(network, checkpoint):
    """The trained model of a checkpoint in evaluation mode: a network of its arguments, or an Ensemble around it."""
    if ensemble := checkpoint["ensemble"]:
        table = NGramTable(torch.full((ensemble["size"],), -1), ensemble["longest"])
        network = Ensemble(network, NGrams(table), ensemble["weight"])
    network.load_state_dict(checkpoint["model"])
    return network.eval()


def member_logits(model, batch):
    """Logits (batch,) by name: those of the "model", and of an ensemble's members."""
    arguments = batch.arguments()
    if not isinstance(model, Ensemble):
        return {"model": model(batch.x, batch.labels, **arguments)[1]}
    words = model.ngrams(arguments.pop("ngrams"), len(batch.labels))
    _, network = model.network(batch.x, batch.labels, **arguments)
    return {"model": model.mean(network, words), "network": network, "n-grams": words}
