"""What the layers' tests share: a sequence, and a layer called for one timestep after the other."""

import torch
from parts import TOLERANCE

BATCH, TIME, IN_SIZE, OUT_SIZE = 5, 7, 4, 6


def sequence(features=IN_SIZE, seed=0, device="cpu"):
    """(BATCH, TIME, features) float that gradients flow to."""
    x = torch.randn(BATCH, TIME, features, generator=torch.Generator().manual_seed(seed))
    return x.to(device).requires_grad_()


def by_timestep(layer, x):
    return torch.stack([layer(x[:, t]) for t in range(x.shape[1])], dim=1)


def gradients(output, layer, x):
    """Gradients of an uneven sum of the output, by the input and each parameter."""
    weight = torch.linspace(-1, 1, output.numel(), device=output.device).view_as(output)
    return torch.autograd.grad((output * weight).sum(), [x, *layer.parameters()])


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=TOLERANCE, atol=TOLERANCE / 5)
