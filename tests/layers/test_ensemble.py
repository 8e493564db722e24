"""The n-gram classifier, and its ensemble with a network: what counts, how much, and what each of the two learns."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from parts import TRAINING_SCRIPTS, load_script
from torch import nn
from torch.nn import functional as F

from common.data.batches import BagsOfWords, Batch
from common.data.reviews import build_reviews
from common.layers.ensemble import (SCALE, SMOOTHING, Ensemble, NGrams, build_trained, ensemble_with_ngrams,
                                    member_contributions, member_logits)

REVIEWS = [[3, 1, 3, 1, 2], [2, 0, 3, 1], [4], [0, 0]]
LABELS = [1.0, 0.0, 0.0, 1.0]
UNTRAINED = NGrams(3)


def padded(reviews, time=0):
    """Lists of token ids -> (batch, time) int64, padded with 0."""
    return torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(review + [0] * (time - len(review))) for review in reviews], batch_first=True)


def make_reviews(token_ids=REVIEWS, labels=LABELS):
    return build_reviews(np.array(sum(token_ids, []), np.int32), np.array([len(review) for review in token_ids]),
                         labels, [""] * len(labels), "cpu")


def as_crops(token_ids, labels=LABELS):
    return Batch(padded(token_ids), torch.tensor(labels))


def as_bags(token_ids, labels=LABELS):
    return BagsOfWords(make_reviews(token_ids, labels)).batch(torch.arange(len(token_ids)))


KINDS = pytest.mark.parametrize("batch_of", [as_crops, as_bags])


def ngrams_of(review, longest):
    """The distinct n-grams of a review without an unknown word, a set of tuples."""
    return {gram for n in range(1, longest + 1) for k in range(len(review) - n + 1)
            if 0 not in (gram := tuple(review[k:k + n]))}


def bucket_of(gram):
    """Where an n-gram stands in the table."""
    return UNTRAINED.buckets(torch.tensor(gram))[len(gram) - 1, -1].item()


def randomise(ngrams):
    """Random ratios and weights, as after training."""
    generator = torch.Generator().manual_seed(0)
    for tensor in ngrams.ratio, ngrams.weight.data:
        tensor.normal_(generator=generator)
    return ngrams


# The n-gram classifier


@pytest.fixture
def ngrams():
    return randomise(NGrams(3))


def added_by(ngrams, gram):
    """What an n-gram adds to the logit."""
    return (ngrams.ratio * ngrams.weight)[bucket_of(gram)].item()


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize("longest", [1, 2, 3])
def test_each_ngram_of_known_words_stands_once_in_a_whole_review(longest, chunk):
    found = NGrams(longest).of_whole(make_reviews(), chunk)
    assert [sorted(row) for row in found.rows()] == [
        sorted(bucket_of(gram) for gram in ngrams_of(review, longest)) for review in REVIEWS]


def test_words_in_another_order_or_number_fall_into_other_buckets():
    grams = [(a,) for a in range(1, 20)] + [(a, b) for a in range(1, 20) for b in range(1, 20)]
    grams += [(a, b, c) for a in range(1, 6) for b in range(1, 6) for c in range(1, 6)]
    assert len({bucket_of(gram) for gram in grams}) == len(grams)


def test_a_ratio_compares_the_shares_of_positive_and_negative_reviews():
    ngrams = NGrams(2)
    ngrams.count(make_reviews())
    counts = {label: [gram for review, own in zip(REVIEWS, LABELS) if own == label for gram in ngrams_of(review, 2)]
              for label in (0.0, 1.0)}

    def share(gram, label):
        return (counts[label].count(gram) + SMOOTHING) / (len(counts[label]) + SMOOTHING * len(ngrams.ratio))

    for gram in {*counts[0.0], *counts[1.0]}:
        expected = SCALE * math.log(share(gram, 1.0) / share(gram, 0.0))
        assert ngrams.ratio[bucket_of(gram)].item() == pytest.approx(expected, abs=1e-5)
    assert ngrams.ratio.count_nonzero() == len({*counts[0.0], *counts[1.0]})


def test_the_ratios_come_from_sums_that_no_order_of_adding_changes():
    ngrams = NGrams(1)
    ngrams.count(make_reviews([[1], [2], [1]], [1.0, 0.0, 0.0]))
    rest = SMOOTHING * len(ngrams.ratio)        # more than float32 can count to
    shares = [(1 + SMOOTHING) / (counted + rest) for counted in (1, 2)]
    assert ngrams.ratio[bucket_of((1,))] == np.float32(SCALE * math.log(shares[0] / shares[1]))


@KINDS
def test_the_logit_is_the_sum_over_the_distinct_ngrams_of_a_review(batch_of, ngrams):
    expected = [sum(added_by(ngrams, gram) for gram in ngrams_of(review, 3)) for review in REVIEWS]
    assert ngrams(batch_of(REVIEWS)).tolist() == pytest.approx(expected, abs=1e-5)


@KINDS
def test_each_ngram_of_a_review_learns(batch_of, ngrams):
    ngrams(batch_of(REVIEWS[:1], LABELS[:1])).sum().backward()
    buckets = [bucket_of(gram) for gram in ngrams_of(REVIEWS[0], 3)]
    assert sorted(ngrams.weight.grad.nonzero()[:, 0].tolist()) == sorted(buckets)
    assert torch.equal(ngrams.weight.grad[buckets], ngrams.ratio[buckets])


def test_what_an_ngram_adds_stands_where_its_last_word_first_stands(ngrams):
    added = [[(5,)], [(6,), (5, 6)], [(6, 5), (5, 6, 5)], [(6, 5, 6)]]         # each n-gram for the first time
    expected = [sum(added_by(ngrams, gram) for gram in grams) for grams in added]
    assert ngrams.contributions(torch.tensor([[5, 6, 5, 6]]))[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_padding_does_not_count(ngrams):
    torch.testing.assert_close(ngrams(Batch(padded(REVIEWS, time=9), None)), ngrams(as_crops(REVIEWS)))


@KINDS
def test_gradients_are_the_same_each_time_with_several_threads(batch_of, ngrams):
    batch = batch_of(torch.randint(0, 1000, (200, 100)).tolist(), [1.0] * 200)
    weight = torch.linspace(-1, 1, 200)         # the order of adding equal numbers would not show
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        gradients = [torch.autograd.grad((ngrams(batch) * weight).sum(), ngrams.weight)[0] for _ in range(10)]
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


# The ensemble


BATCH = as_crops(REVIEWS)


class Network(nn.Module):
    """One number a word; the logit is their mean over time."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 1)

    def forward(self, x, t):
        logit = self.embedding(x)[..., 0].mean(dim=1)                           # batch
        return F.binary_cross_entropy_with_logits(logit, t), logit


def predict(network, batch):
    return network(batch.tokens, batch.labels)


def make_ensemble(weight=0.3):
    torch.manual_seed(0)
    ensemble = Ensemble(Network(), predict, longest=2, weight=weight)
    randomise(ensemble.ngrams)
    return ensemble


def options(**values):
    return SimpleNamespace(**{"ngrams": 2, "ngram_weight": 0.3, "device": torch.device("cpu")} | values)


def test_in_training_the_loss_is_the_mean_of_both_losses():
    ensemble = make_ensemble().train()
    loss, _ = ensemble(BATCH)
    own = F.binary_cross_entropy_with_logits(ensemble.ngrams(BATCH), BATCH.labels)
    torch.testing.assert_close(loss, (predict(ensemble.network, BATCH)[0] + own) / 2)


def test_network_and_ngrams_each_learn_from_their_own_loss():
    ensemble = make_ensemble().train()
    ensemble(BATCH)[0].backward()
    losses = [predict(ensemble.network, BATCH)[0],
              F.binary_cross_entropy_with_logits(ensemble.ngrams(BATCH), BATCH.labels)]
    for loss, weight in zip(losses, [ensemble.network.embedding.weight, ensemble.ngrams.weight]):
        torch.testing.assert_close(weight.grad, torch.autograd.grad(loss / 2, weight)[0])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("weight", [0, 0.25, 1])
def test_the_ensemble_logit_is_the_weighted_mean_of_both_logits(weight, training):
    ensemble = make_ensemble(weight).train(training)
    _, logit = predict(ensemble.network, BATCH)
    torch.testing.assert_close(ensemble(BATCH)[1], (1 - weight) * logit + weight * ensemble.ngrams(BATCH))


def test_in_evaluation_the_loss_is_that_of_the_ensemble_logit():
    loss, logit = make_ensemble().eval()(BATCH)
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logit, BATCH.labels))


def test_the_option_ngrams_wraps_a_network_in_an_ensemble_that_has_counted_the_training_reviews():
    network, reviews = Network(), make_reviews()
    ensemble, predict_ensemble = ensemble_with_ngrams(network, predict, reviews, options(ngrams=1, ngram_weight=0.6))
    counted = NGrams(1)
    counted.count(reviews)
    assert ensemble.network is network and ensemble.weight == 0.6
    assert ensemble.ngrams.longest == 1 and torch.equal(ensemble.ngrams.ratio, counted.ratio)
    assert torch.equal(predict_ensemble(ensemble, BATCH)[1], ensemble(BATCH)[1])


def test_without_ngrams_the_network_is_given_back():
    network = Network()
    assert ensemble_with_ngrams(network, predict, make_reviews(), options(ngrams=0)) == (
        network, predict)


def checkpoint_of(model):
    return {"model": model.state_dict(), "ensemble": model.arguments if isinstance(model, Ensemble) else None}


def test_an_ensemble_is_built_again_from_its_checkpoint():
    ensemble = make_ensemble(weight=0.9).eval()
    found, predict_found = build_trained(Network(), predict, checkpoint_of(ensemble), "cpu")
    assert not found.training
    torch.testing.assert_close(predict_found(found, BATCH), ensemble(BATCH), rtol=0, atol=0)


def test_a_network_without_ngrams_is_built_again_from_its_checkpoint():
    network, other = Network(), Network()
    found, predict_found = build_trained(other, predict, checkpoint_of(network), "cpu")
    assert found is other and not found.training
    torch.testing.assert_close(predict_found(found, BATCH), predict(network, BATCH), rtol=0, atol=0)


def test_an_ensemble_tells_the_logits_of_network_ngrams_and_both():
    ensemble = make_ensemble().eval()
    expected = {"model": ensemble(BATCH)[1], "network": predict(ensemble.network, BATCH)[1],
                "n-grams": ensemble.ngrams(BATCH)}
    torch.testing.assert_close(member_logits(ensemble, None, BATCH), expected)


def test_a_network_without_ngrams_tells_its_own_logits_alone():
    network = Network()
    torch.testing.assert_close(member_logits(network, predict, BATCH), {"model": predict(network, BATCH)[1]})


def test_what_the_tokens_add_to_both_logits_sums_to_the_ensemble_logit():
    ensemble = make_ensemble().eval()
    of_network = ensemble.network.embedding(BATCH.tokens)[..., 0] / BATCH.tokens.shape[1]       # batch, time
    found = member_contributions(ensemble, of_network, BATCH)
    torch.testing.assert_close(found.sum(dim=1), ensemble(BATCH)[1])


def test_what_the_tokens_add_to_a_network_without_ngrams_stays_as_it_is():
    added = torch.randn(4, 5)
    assert member_contributions(Network(), added, BATCH) is added


def test_an_ensemble_learns_what_only_the_order_of_the_words_tells():
    """"not good" and "good not" are the same bag of words."""
    torch.manual_seed(0)
    network = load_script("1a", "BOW_model.py").BOW_model(3, 4, dropout=0.0)
    reviews = make_reviews([[1, 2], [2, 1]] * 8, [1.0, 0.0] * 8)
    ensemble, predict_ensemble = ensemble_with_ngrams(
        network, lambda network, batch: network(batch.bag, batch.labels), reviews, options())
    batch = BagsOfWords(reviews).batch(torch.arange(16))
    optimizer = torch.optim.Adam(ensemble.parameters(), lr=0.1)
    for _ in range(10):
        optimizer.zero_grad()
        predict_ensemble(ensemble, batch)[0].backward()
        optimizer.step()
    _, logit = predict_ensemble(ensemble.eval(), batch)
    assert torch.equal(logit > 0, batch.labels > 0.5)


# The parts' networks

SMALL = ["--device", "cpu", "--precision", "float32"]
RECURRENT = ["--hidden-units", "4", "--sequence-length", "6"]
OPTIONS = {"1a": ["--hidden-units", "4"], "1b": ["--hidden-units", "4"], "2a": RECURRENT, "2b": RECURRENT,
           "3c": ["--sequence-length", "6"]}


def build_training(part, *argv):
    """The training as the part's script builds it."""
    script = TRAINING_SCRIPTS[part].removeprefix(f"{part}/")
    return load_script(part, script).build_training([*map(str, argv), *SMALL])


@pytest.fixture(scope="module")
def language_model(data, tmp_path_factory):
    """A language model to start 3c from, untrained."""
    training = build_training("3a", "--data", data, "--output", tmp_path_factory.mktemp("3a"), *RECURRENT)
    training.folder.save_model(training.checkpoint(), training.curves, finished=True)
    return training.folder.model_path


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("part", OPTIONS)
def test_wrapping_a_parts_network_changes_neither_its_loss_nor_its_logits(part, training, data, language_model):
    argv = ["--data", data, *OPTIONS[part]]
    argv += ["--language-model", language_model] if part == "3c" else []
    plain, wrapped = (build_training(part, *argv, "--ngrams", longest) for longest in (0, 2))
    plain.model.train(training)
    ensemble = wrapped.model.train(training)
    batch = plain.data["train"].batch(torch.arange(10))
    script_predict = ensemble.predict

    torch.manual_seed(0)
    expected = script_predict(plain.model, batch)
    torch.manual_seed(0)
    loss, logit, ngrams = ensemble.logits(batch)
    torch.testing.assert_close((loss, logit), expected, rtol=0, atol=0)
    torch.manual_seed(0)
    torch.testing.assert_close(ensemble(batch)[1], ensemble.mean(logit, ngrams), rtol=0, atol=0)
