"""Decoders score the next word as the cross entropy of all logits does, without keeping them."""

from types import SimpleNamespace

import pytest
import torch
from parts import GPU
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import common.layers.decoders
from common.layers.decoders import AdaptiveDecoder, LinearDecoder
from common.layers.stateful_lstm import pad

TARGETS, FEATURES, VOCAB = 13, 6, 20
CUTOFFS = [5, 12]


@pytest.fixture(params=[4, 13, 1000], ids=["chunks", "exactly one chunk", "less than a chunk"])
def chunk_rows(request, monkeypatch):
    monkeypatch.setattr(common.layers.decoders, "CHUNK_ROWS", dict.fromkeys(["cpu", "cuda"], request.param))


def linear_cross_entropy(h, weight, bias, targets, counts=None):
    return LinearDecoder.score(SimpleNamespace(weight=weight, bias=bias), h, targets, counts)


def draw_inputs(device):
    torch.manual_seed(0)
    shapes = (TARGETS, FEATURES), (VOCAB, FEATURES), (VOCAB,)
    tensors = [torch.randn(shape).to(device).requires_grad_() for shape in shapes]
    return tensors, torch.randint(VOCAB, (TARGETS,)).to(device)


def plain(h, weight, bias, targets):
    logits = F.linear(h, weight, bias)
    return F.cross_entropy(logits, targets, reduction="sum"), (logits.argmax(dim=1) == targets).sum()


def test_loss_correct_words_and_gradients_equal_the_plain_ones(device, chunk_rows):
    tensors, targets = draw_inputs(device)
    results = []
    for function in linear_cross_entropy, plain:
        loss, correct = function(*tensors, targets)
        results.append([loss, correct, *torch.autograd.grad(3 * loss, tensors)])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("scored", [[0, 1, 4, 12], [], range(TARGETS)], ids=["some", "none", "all"])
def test_a_mask_equals_leaving_the_other_targets_out(scored, device, chunk_rows):
    tensors, targets = draw_inputs(device)
    counts = torch.zeros(TARGETS, dtype=torch.bool, device=device)
    counts[list(scored)] = True
    loss, correct = linear_cross_entropy(*tensors, targets, counts)
    expected_loss, expected_correct = plain(tensors[0][counts], *tensors[1:], targets[counts])
    torch.testing.assert_close(
        [loss, correct, *torch.autograd.grad(loss, tensors)],
        [expected_loss, expected_correct, *torch.autograd.grad(expected_loss, tensors)])


def test_without_gradients_the_loss_is_the_same(device, chunk_rows):
    tensors, targets = draw_inputs(device)
    with torch.inference_mode():
        torch.testing.assert_close(linear_cross_entropy(*tensors, targets), plain(*tensors, targets))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_only_the_logits_are_computed(mode, device, chunk_rows):
    (h, weight, bias), targets = draw_inputs(device)
    with mode(), FlopCounterMode(display=False) as counter:
        linear_cross_entropy(h, weight, bias, targets)
    assert counter.get_total_flops() == 2 * len(h) * pad(weight, dims=2).numel()


def test_only_what_learns_gets_a_gradient(device, chunk_rows):
    (h, weight, bias), targets = draw_inputs(device)
    loss, _ = linear_cross_entropy(h.detach(), weight, bias, targets)
    expected, _ = plain(h.detach(), weight, bias, targets)
    torch.testing.assert_close(torch.autograd.grad(loss, [weight, bias]), torch.autograd.grad(expected, [weight, bias]))


def test_in_bfloat16_loss_and_gradients_are_those_of_its_logits(device):
    tensors, targets = draw_inputs(device)
    results = []
    for function in linear_cross_entropy, plain:
        with torch.autocast(device, torch.bfloat16):
            loss, _ = function(*tensors, targets)
        results.append([loss, *torch.autograd.grad(loss, tensors)])
    (loss, *gradients), (expected_loss, *expected) = results
    # The softmax is in float32; a GPU may round the logits of a chunk to other numbers in bfloat16 than those of all.
    rounding = {"rtol": 2 ** -8, "atol": 0} if GPU else {}
    torch.testing.assert_close(loss, expected_loss, **rounding)
    for ours, theirs in zip(gradients, expected):
        assert ours.dtype == theirs.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-2)


def test_large_logits_stay_finite(device):
    (h, weight, bias), targets = draw_inputs(device)
    loss, _ = linear_cross_entropy(1000 * h, weight, bias, targets)
    torch.testing.assert_close(loss, plain(1000 * h, weight, bias, targets)[0])


def adaptive_decoder(device="cpu"):
    """(decoder, hidden units (targets, features), targets (targets,), some in each cluster and some the likeliest)."""
    torch.manual_seed(0)
    decoder = AdaptiveDecoder(FEATURES, VOCAB, CUTOFFS).to(device)
    h = (3 * torch.randn(TARGETS, FEATURES)).to(device).requires_grad_()
    targets = (torch.arange(TARGETS) * 7 % VOCAB).to(device)
    likeliest = decoder(h.detach()[None])[0].argmax(dim=1)
    assert likeliest[0] < CUTOFFS[0] <= likeliest[3]
    targets[[0, 3]] = likeliest[[0, 3]]
    return decoder, h, targets


def test_an_adaptive_softmax_gives_probabilities_that_sum_to_1(device):
    decoder, h, _ = adaptive_decoder(device)
    log_probabilities = decoder(h.view(1, TARGETS, FEATURES))
    assert log_probabilities.shape == (1, TARGETS, VOCAB)
    torch.testing.assert_close(log_probabilities.exp().sum(dim=2), torch.ones(1, TARGETS, device=device))


def test_each_cluster_of_rarer_words_reads_half_as_many_features():
    decoder, _, _ = adaptive_decoder()
    assert [[layer.weight.shape for layer in cluster] for cluster in decoder.tail] == [
        [(FEATURES // 2, FEATURES), (12 - 5, FEATURES // 2)], [(FEATURES // 4, FEATURES), (VOCAB - 12, FEATURES // 4)]]


@pytest.mark.parametrize("scored", [[0, 1, 4, 12], [], range(TARGETS)], ids=["some", "none", "all"])
def test_an_adaptive_softmax_is_scored_as_the_cross_entropy_of_its_probabilities(scored, device):
    decoder, h, targets = adaptive_decoder(device)
    counts = torch.zeros(TARGETS, dtype=torch.bool, device=device)
    counts[list(scored)] = True
    loss, correct = decoder.score(h, targets, counts)
    logits = decoder(h[None])[0][counts]
    expected = F.nll_loss(logits, targets[counts], reduction="sum")
    torch.testing.assert_close([loss, correct], [expected, (logits.argmax(dim=1) == targets[counts]).sum()])
    learn = [h, *decoder.parameters()]
    torch.testing.assert_close(torch.autograd.grad(loss, learn), torch.autograd.grad(expected, learn))


def test_in_bfloat16_an_adaptive_softmax_rounds_the_logits_of_frequent_words_and_no_probability(device):
    decoder, h, targets = adaptive_decoder(device)
    rounded = h.bfloat16()
    head = F.linear(rounded, decoder.head.weight.bfloat16(), decoder.head.bias.bfloat16()).float().log_softmax(dim=1)
    exact = decoder(rounded.float()[None])[0, :, CUTOFFS[0]:]
    with torch.autocast(device, torch.bfloat16):
        loss, _ = decoder.score(rounded, targets)
        found = decoder(rounded[None])[0]                                       # targets, vocab
    torch.testing.assert_close(found[:, :CUTOFFS[0]], head[:, :CUTOFFS[0]])
    torch.testing.assert_close(found[:, CUTOFFS[0]:], exact, atol=0.05, rtol=0.02)
    torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(TARGETS, device=device))
    torch.testing.assert_close(loss, F.nll_loss(found, targets, reduction="sum"))


def test_a_cluster_without_a_target_has_gradients_of_zero(device):
    decoder, h, targets = adaptive_decoder(device)
    loss, _ = decoder.score(h, targets % CUTOFFS[0])
    assert not any(gradient.any() for gradient in torch.autograd.grad(loss, list(decoder.tail.parameters())))
