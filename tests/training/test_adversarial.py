"""Adversarial training moves the word vectors of a review where its own logit turns."""

import dataclasses

import numpy as np
import pytest
import torch
from parts import load_script
from torch.nn import functional as F

from common.data.batches import Batch
from common.data.ngrams import NGramTable
from common.data.reviews import build_reviews
from common.layers.batch_norm import fix_statistics
from common.layers.ngram_ensemble import Ensemble, NGrams
from common.training.adversarial import AdversarialScore, move
from common.training.loop import sentiment_score

BATCH, TIME, WORDS, HIDDEN, SIZE = 6, 9, 30, 12, 0.05
PARTS = pytest.mark.parametrize("part", ["2a", "2b", "3c"])


def network(part, dropout=0.0):
    """A random network with statistics that are not the initial ones, sure of some reviews and not of others."""
    torch.manual_seed(1)
    arguments = dict(no_of_hidden_units=HIDDEN, lstm_layers=2, dropout=[dropout], pooling="concat")
    arguments |= {"in_size": 8} if part == "2b" else {"vocab_size": WORDS}
    model = load_script(part, "RNN_model.py").RNN_model(**arguments)
    if part == "2b":
        model.table = torch.randn(WORDS, 8)
    for _, batch_norm, _ in model.layers:
        batch_norm.running_mean.uniform_(-0.2, 0.2)
        batch_norm.running_var.uniform_(0.01, 0.1)
    fix_statistics(model)
    return model.train()


def reviews():
    generator = torch.Generator().manual_seed(2)
    lengths = torch.tensor([9, 4, 7, 9, 2, 5])
    x = torch.randint(1, WORDS, (BATCH, TIME), generator=generator) * (torch.arange(TIME) < lengths[:, None])
    return Batch(x, torch.tensor([1.0, 0, 1, 0, 1, 0]), lengths)


def losses(model, words, batch, moved):
    """The loss of each review with its word vectors moved: (batch,)."""
    words.moved = moved
    _, logit = model(batch.x, batch.labels, **batch.arguments())
    words.moved = None
    return F.binary_cross_entropy_with_logits(logit, batch.labels, reduction="none").detach()


class Watched(AdversarialScore):
    """Keeps what was read, and what it was moved by."""

    def __init__(self, *args):
        self.moves = []
        super().__init__(*args)

    def pass_on(self, lstm, arguments):
        self.moves.append(self.moved)
        return super().pass_on(lstm, arguments)


@PARTS
def test_the_move_raises_the_loss_of_every_review_far_more_than_noise_of_its_size(part):
    model, batch = network(part), reviews()
    words = Watched(model, SIZE, sentiment_score)
    words(model, batch)
    first, moved = words.moves
    assert first is None
    still = losses(model, words, batch, None)
    noise = torch.stack([losses(model, words, batch, move(words.read.detach(), torch.randn_like(moved), SIZE)) - still
                         for _ in range(20)])                                   # tries, batch
    assert (losses(model, words, batch, moved) - still > 2 * noise.abs().mean(dim=0)).all()


@PARTS
def test_the_move_is_along_the_gradient_of_the_reviews_own_logit(part):
    model, batch = network(part), reviews()
    words = Watched(model, SIZE, sentiment_score)
    words(model, batch)
    moved = words.moves[1]
    for k in range(BATCH):
        alone = Batch(batch.x[k:k + 1], batch.labels[k:k + 1], batch.lengths[k:k + 1])
        _, logit = model(alone.x, alone.labels, **alone.arguments())
        [gradient] = torch.autograd.grad(logit.sum(), words.read)
        sign = 1 - 2 * batch.labels[k]
        torch.testing.assert_close(F.cosine_similarity(moved[k].flatten(), sign * gradient.flatten(), dim=0),
                                   torch.tensor(1.0))


def test_in_an_ensemble_the_words_move_as_in_the_network_alone():
    model, batch = network("3c"), reviews()
    words = Watched(model, SIZE, sentiment_score)
    words(model, batch)
    pairs = build_reviews(batch.x.int().repeat(2, 1).flatten().numpy(), np.full(2 * BATCH, TIME), [1.0] * 2 * BATCH,
                          [""] * 2 * BATCH, "cpu")
    table = NGramTable.of(pairs, 2)
    ensemble = Ensemble(model, NGrams(table), 0.5)
    with torch.no_grad():
        ensemble.ngrams.weight.normal_()
        ensemble.ngrams.ratio.normal_()
    words(ensemble, dataclasses.replace(batch, ngrams=table.of_batch(batch.x)))
    torch.testing.assert_close(words.moves[3], words.moves[1])


def test_each_review_moves_by_its_share_of_the_length_of_its_word_vectors_and_not_on_padding():
    model, batch = network("3c"), reviews()
    words = Watched(model, SIZE, sentiment_score)
    words(model, batch)
    inside = torch.arange(TIME) < batch.lengths[:, None]
    moved = words.moves[1]
    assert not moved[~inside].any()
    torch.testing.assert_close(moved.flatten(1).norm(dim=1), SIZE * words.read.detach().flatten(1).norm(dim=1))


def test_the_gradients_are_those_of_both_losses():
    model, batch = network("3c"), reviews()
    words = Watched(model, SIZE, sentiment_score)
    loss, correct, count = words(model, batch)
    (loss / count).backward()                                                   # as the loop does
    expected = 0
    for moved in words.moves[:2]:
        words.moved = moved
        expected = expected + BATCH * model(batch.x, batch.labels, **batch.arguments())[0]
    torch.testing.assert_close(loss, expected)
    assert count == BATCH and 0 <= correct <= BATCH
    for weight, wanted in zip(model.parameters(), torch.autograd.grad(expected / BATCH, list(model.parameters()))):
        torch.testing.assert_close(weight.grad, wanted, atol=1e-5, rtol=1e-4)


def test_reviews_that_the_network_is_sure_of_move_too():
    model, batch = network("3c"), reviews()
    with torch.no_grad():
        model.fc_output.bias.fill_(15)
    words = Watched(model, SIZE, sentiment_score)
    words(model, batch)
    torch.testing.assert_close(words.moves[1].flatten(1).norm(dim=1), SIZE * words.read.detach().flatten(1).norm(dim=1))


def test_both_reads_have_the_same_dropout_and_the_next_batch_another():
    model, batch = network("3c", dropout=0.5), reviews()
    score, masks = AdversarialScore(model, 1e-30, sentiment_score), []          # a move that is none
    model.layers[-1][2].register_forward_hook(lambda layer, _, h: masks.append(h.detach()))
    score(model, batch)
    score(model, batch)
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[1], masks[2])


def test_an_evaluation_reads_once_and_nothing_is_moved():
    model, batch = network("3c").eval(), reviews()
    expected = sentiment_score(model, batch)
    words = Watched(model, SIZE, sentiment_score)
    assert words(model, batch) == expected
    assert words.moves == [None]


def test_a_review_whose_logit_does_not_change_stays_where_it_is():
    x = torch.randn(2, TIME, 3)
    direction = torch.stack([torch.zeros(TIME, 3), torch.ones(TIME, 3)])
    moved = move(x, direction, SIZE)
    assert not moved[0].any() and moved[1].any()
