"""bfloat16 changes the rounding of a model's matrix products and nothing else."""

import pytest
import torch
from parts import load_script

BATCH, TIME, VOCAB, HIDDEN = 8, 12, 30, 16


def step(part, precision):
    """Loss and gradients of one training step without dropout, from the same weights and reviews."""
    torch.manual_seed(0)
    ids = torch.randint(VOCAB, (BATCH, TIME))
    t = (torch.arange(BATCH) % 2).float()
    if part == "1a":
        model = load_script("1a", "BOW_model.py").BOW_model(VOCAB, HIDDEN, dropout=0.0)
        inputs = list(ids), t
    elif part == "2b":
        model = load_script("2b", "RNN_model.py").RNN_model(HIDDEN, dropout=[0.0], in_size=5)
        inputs = torch.randn(BATCH, TIME, 5), t
    elif part == "3a":
        model = load_script("3a", "RNN_language_model.py").RNN_language_model(VOCAB, HIDDEN, dropout=0.0)
        inputs = ids,
    else:
        model = load_script(part, "RNN_model.py").RNN_model(VOCAB, HIDDEN, dropout=[0.0])
        inputs = ids, t
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        loss = model(*inputs)[0]
    loss.backward()
    return loss, [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("part", ["1a", "2a", "2b", "3a", "3c"])
def test_bfloat16_gives_the_loss_of_float32_but_for_rounding(part):
    (exact, _), (loss, gradients) = step(part, "float32"), step(part, "bfloat16")
    assert loss != exact    # it did compute in bfloat16
    assert loss.item() == pytest.approx(exact.item(), abs=0.03)
    for gradient in gradients:
        assert gradient.dtype == torch.float32 and gradient.isfinite().all()
