"""The n-gram classifier, and its ensemble with a network: what counts, how much, and what each of the two learns."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from parts import build_training, load_script
from torch import nn
from torch.nn import functional as F

from common.data.batches import BagsOfWords, Batch, Crops
from common.data.ngrams import NGramTable
from common.data.reviews import build_reviews
from common.layers.ngram_ensemble import (SCALE, SMOOTHING, Ensemble, NGrams, ensemble_with_ngrams, member_logits,
                                          rebuild)

REVIEWS = [[3, 1, 3, 1, 2], [2, 0, 3, 1], [4, 2], [0, 0]]
LABELS = [1.0, 0.0, 0.0, 1.0]


def make_reviews(token_ids=REVIEWS, labels=LABELS):
    return build_reviews(np.array(sum(token_ids, []), np.int32), np.array([len(review) for review in token_ids]),
                         labels, [""] * len(labels), "cpu")


# All n-grams of REVIEWS are known: here each review stands twice.
TABLE = NGramTable.of(make_reviews(REVIEWS * 2, LABELS * 2), 3)


def ngrams_of(review, longest=3):
    """The distinct n-grams of a review without an unknown word, a set of tuples."""
    return {gram for n in range(1, longest + 1) for k in range(len(review) - n + 1)
            if 0 not in (gram := tuple(review[k:k + n]))}


def id_of(gram):
    return TABLE.ids(torch.tensor(gram))[-1, len(gram) - 1].item()


def as_crops(token_ids, labels=LABELS):
    return Crops(make_reviews(token_ids, labels), max(map(len, token_ids)), table=TABLE).batch(
        torch.arange(len(token_ids)))


def as_bags(token_ids, labels=LABELS):
    return BagsOfWords(make_reviews(token_ids, labels), TABLE).batch(torch.arange(len(token_ids)))


KINDS = pytest.mark.parametrize("batch_of", [as_crops, as_bags])


def randomise(ngrams):
    """Random ratios and weights, as after training; id 0, which is no n-gram, keeps a ratio of 0."""
    generator = torch.Generator().manual_seed(0)
    for tensor in ngrams.ratio, ngrams.weight.data:
        tensor.normal_(generator=generator)
    ngrams.ratio[0] = 0
    return ngrams


# The n-gram classifier


@pytest.fixture
def ngrams():
    return randomise(NGrams(TABLE))


def added_by(ngrams, gram):
    """What an n-gram adds to the logit."""
    return (ngrams.ratio * ngrams.weight)[id_of(gram)].item()


def test_a_ratio_compares_the_shares_of_positive_and_negative_reviews():
    ngrams = NGrams(TABLE)
    ngrams.count(TABLE.index(make_reviews()), torch.tensor(LABELS))
    counts = {label: [gram for review, own in zip(REVIEWS, LABELS) if own == label for gram in ngrams_of(review)]
              for label in (0.0, 1.0)}

    def share(gram, label):
        return (counts[label].count(gram) + SMOOTHING) / (len(counts[label]) + SMOOTHING * len(ngrams.ratio))

    for gram in {*counts[0.0], *counts[1.0]}:
        expected = SCALE * math.log(share(gram, 1.0) / share(gram, 0.0))
        assert ngrams.ratio[id_of(gram)].item() == pytest.approx(expected, abs=1e-5)
    assert ngrams.ratio.count_nonzero() == len({*counts[0.0], *counts[1.0]})


@KINDS
def test_the_logit_is_the_sum_over_the_distinct_ngrams_of_a_review(batch_of, ngrams):
    expected = [sum(added_by(ngrams, gram) for gram in ngrams_of(review)) for review in REVIEWS]
    assert ngrams(batch_of(REVIEWS).ngrams, 4).tolist() == pytest.approx(expected, abs=1e-5)


@KINDS
def test_each_ngram_of_a_review_learns(batch_of, ngrams):
    ngrams(batch_of(REVIEWS[:1], LABELS[:1]).ngrams, 1).sum().backward()
    ids = [id_of(gram) for gram in ngrams_of(REVIEWS[0])]
    assert sorted(ngrams.weight.grad.nonzero()[:, 0].tolist()) == sorted(ids)
    assert torch.equal(ngrams.weight.grad[ids], ngrams.ratio[ids])


def test_what_an_ngram_adds_stands_where_its_last_word_first_stands(ngrams):
    added = [[(3,)], [(1,), (3, 1)], [(1, 3), (3, 1, 3)], [(1, 3, 1)]]          # each n-gram for the first time
    expected = [sum(added_by(ngrams, gram) for gram in grams) for grams in added]
    assert ngrams.contributions(torch.tensor([[3, 1, 3, 1]]))[0].tolist() == pytest.approx(expected, abs=1e-5)


@KINDS
def test_gradients_are_the_same_each_time_with_several_threads(batch_of):
    token_ids = torch.randint(0, 50, (200, 100)).tolist()
    reviews = make_reviews(token_ids, [1.0] * 200)
    data = Crops(reviews, 100, table=NGramTable.of(reviews, 2))
    ngrams = randomise(NGrams(data.table))
    batch = data.batch(torch.arange(200)).ngrams if batch_of is as_crops else data.ngrams_of_whole(torch.arange(200))
    weight = torch.linspace(-1, 1, 200)         # the order of adding equal numbers would not show
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        gradients = [torch.autograd.grad((ngrams(batch, 200) * weight).sum(), ngrams.weight)[0] for _ in range(10)]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


# The ensemble


BATCH = as_crops(REVIEWS)
INPUTS = BATCH.x, BATCH.labels


class Network(nn.Module):
    """One number a word; the logit is their mean over time."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 1)

    def forward(self, x, t):
        logit = self.embedding(x)[..., 0].mean(dim=1)                           # batch
        return F.binary_cross_entropy_with_logits(logit, t), logit


def make_ensemble(weight=0.3):
    torch.manual_seed(0)
    return Ensemble(Network(), randomise(NGrams(TABLE)), weight)


def of_ngrams(ensemble):
    """The n-grams' logits of BATCH."""
    return ensemble.ngrams(BATCH.ngrams, len(BATCH.labels))


def options(**values):
    return SimpleNamespace(**{"ngrams": 2, "ngram_weight": 0.3, "device": torch.device("cpu")} | values)


def test_in_training_the_loss_is_the_mean_of_both_losses():
    ensemble = make_ensemble().train()
    loss, _ = ensemble(*INPUTS, BATCH.ngrams)
    own = F.binary_cross_entropy_with_logits(of_ngrams(ensemble), BATCH.labels)
    torch.testing.assert_close(loss, (ensemble.network(*INPUTS)[0] + own) / 2)


def test_network_and_ngrams_each_learn_from_their_own_loss():
    ensemble = make_ensemble().train()
    ensemble(*INPUTS, BATCH.ngrams)[0].backward()
    losses = [ensemble.network(*INPUTS)[0], F.binary_cross_entropy_with_logits(of_ngrams(ensemble), BATCH.labels)]
    for loss, weight in zip(losses, [ensemble.network.embedding.weight, ensemble.ngrams.weight]):
        torch.testing.assert_close(weight.grad, torch.autograd.grad(loss / 2, weight)[0])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("weight", [0, 0.25, 1])
def test_the_ensemble_logit_is_the_weighted_mean_of_both_logits(weight, training):
    ensemble = make_ensemble(weight).train(training)
    _, logit = ensemble.network(*INPUTS)
    torch.testing.assert_close(ensemble(*INPUTS, BATCH.ngrams)[1], (1 - weight) * logit + weight * of_ngrams(ensemble))


def test_in_evaluation_the_loss_is_that_of_the_ensemble_logit():
    loss, logit = make_ensemble().eval()(*INPUTS, BATCH.ngrams)
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logit, BATCH.labels))


def test_a_batch_holds_what_an_ensemble_is_called_with():
    ensemble = make_ensemble().eval()
    torch.testing.assert_close(ensemble(BATCH.x, BATCH.labels, **BATCH.arguments()), ensemble(*INPUTS, BATCH.ngrams))


def test_the_option_ngrams_wraps_a_network_in_an_ensemble_that_has_counted_the_training_reviews():
    network, reviews = Network(), make_reviews()
    data, test = Crops(reviews, 9), Crops(reviews, 9)
    ensemble = ensemble_with_ngrams(network, {"train": data, "test": test}, options(ngrams=1, ngram_weight=0.6))
    counted = NGrams(data.table)
    counted.count(data.index, reviews.labels)
    assert ensemble.network is network and ensemble.weight == 0.6
    assert ensemble.ngrams.table.longest == 1 and torch.equal(ensemble.ngrams.ratio, counted.ratio)
    assert counted.ratio.any() and test.table is data.table is ensemble.ngrams.table


def test_without_ngrams_the_network_is_given_back():
    network, data = Network(), {"train": Crops(make_reviews(), 9)}
    assert ensemble_with_ngrams(network, data, options(ngrams=0)) is network and data["train"].table is None


def checkpoint_of(model):
    return {"model": model.state_dict(), "ensemble": model.arguments() if isinstance(model, Ensemble) else None}


def test_an_ensemble_is_rebuilt_from_its_checkpoint():
    ensemble = make_ensemble(weight=0.9).eval()
    found = rebuild(Network(), checkpoint_of(ensemble))
    assert not found.training
    torch.testing.assert_close(found(*INPUTS, BATCH.ngrams), ensemble(*INPUTS, BATCH.ngrams), rtol=0, atol=0)
    assert torch.equal(found.ngrams.table.ids(BATCH.x), TABLE.ids(BATCH.x))


def test_a_network_without_ngrams_is_rebuilt_from_its_checkpoint():
    network, other = Network(), Network()
    found = rebuild(other, checkpoint_of(network))
    assert found is other and not found.training
    torch.testing.assert_close(found(*INPUTS), network(*INPUTS), rtol=0, atol=0)


def test_an_ensemble_tells_the_logits_of_network_ngrams_and_both():
    ensemble = make_ensemble().eval()
    expected = {"model": ensemble(*INPUTS, BATCH.ngrams)[1], "network": ensemble.network(*INPUTS)[1],
                "n-grams": of_ngrams(ensemble)}
    torch.testing.assert_close(member_logits(ensemble, BATCH), expected)


def test_a_network_without_ngrams_tells_its_own_logits_alone():
    network = Network()
    torch.testing.assert_close(member_logits(network, Batch(*INPUTS)), {"model": network(*INPUTS)[1]})


def test_an_ensemble_learns_what_only_the_order_of_the_words_tells():
    """"not good" and "good not" are the same bag of words."""
    torch.manual_seed(0)
    network = load_script("1a", "BOW_model.py").BOW_model(3, 4, dropout=0.0)
    reviews = make_reviews([[1, 2], [2, 1]] * 8, [1.0, 0.0] * 8)
    data = BagsOfWords(reviews)
    ensemble, batch = ensemble_with_ngrams(network, {"train": data}, options()), data.batch(torch.arange(16))
    optimizer = torch.optim.Adam(ensemble.parameters(), lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        ensemble(batch.x, batch.labels, batch.ngrams)[0].backward()
        optimizer.step()
    _, logit = ensemble.eval()(batch.x, batch.labels, batch.ngrams)
    assert torch.equal(logit > 0, batch.labels > 0.5)


# The parts' networks

SMALL = ["--device", "cpu", "--precision", "float32"]
RECURRENT = ["--hidden-units", "4", "--sequence-length", "6"]
OPTIONS = {"1a": ["--hidden-units", "4"], "1b": ["--hidden-units", "4"], "2a": RECURRENT, "2b": RECURRENT,
           "3c": ["--sequence-length", "6"]}


@pytest.fixture(scope="module")
def language_model(data, tmp_path_factory):
    """A language model to start 3c from, untrained."""
    training = build_training("3a", "--data", data, "--output", tmp_path_factory.mktemp("3a"), *RECURRENT,
                              *SMALL)
    training.folder.save_model(training.checkpoint(), training.curves, finished=True)
    return training.folder.model_path


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("part", OPTIONS)
def test_wrapping_a_parts_network_changes_neither_its_loss_nor_its_logits(part, training, data, language_model):
    argv = ["--data", data, *OPTIONS[part], *SMALL]
    argv += ["--language-model", language_model] if part == "3c" else []
    plain, wrapped = (build_training(part, *argv, "--ngrams", longest) for longest in (0, 2))
    plain.model.train(training)
    ensemble = wrapped.model.train(training)
    torch.manual_seed(0)
    crop = plain.data["train"].batch(torch.arange(10))
    torch.manual_seed(0)
    batch = wrapped.data["train"].batch(torch.arange(10))

    torch.manual_seed(0)
    expected = plain.model(crop.x, crop.labels, **crop.arguments())
    torch.manual_seed(0)
    _, logit = ensemble(batch.x, batch.labels, **batch.arguments())
    of_ngrams = ensemble.ngrams(batch.ngrams, 10)
    torch.testing.assert_close(logit, ensemble.mean(expected[1], of_ngrams), rtol=0, atol=0)
    torch.manual_seed(0)
    torch.testing.assert_close(ensemble.network(crop.x, crop.labels, **crop.arguments()), expected, rtol=0, atol=0)
