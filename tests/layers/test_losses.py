"""linear_cross_entropy gives what cross entropy of all logits gives, without keeping them."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import common.layers.losses
from common.layers.losses import linear_cross_entropy

TARGETS, FEATURES, VOCAB = 13, 6, 20


@pytest.fixture(params=[4, 13, 1000], ids=["chunks", "exactly one chunk", "less than a chunk"])
def chunk_rows(request, monkeypatch):
    monkeypatch.setattr(common.layers.losses, "CHUNK_ROWS", request.param)


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
    assert counter.get_total_flops() == 2 * len(h) * weight.numel()


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
    for ours, expected in zip(*results):
        assert ours.dtype == expected.dtype == torch.float32
        torch.testing.assert_close(ours, expected, rtol=2e-2, atol=2e-2)


def test_large_logits_stay_finite(device):
    (h, weight, bias), targets = draw_inputs(device)
    loss, _ = linear_cross_entropy(1000 * h, weight, bias, targets)
    torch.testing.assert_close(loss, plain(1000 * h, weight, bias, targets)[0])
