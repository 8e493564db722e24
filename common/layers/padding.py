"""Widths at which a GPU's tensor cores multiply at full speed."""

from torch.nn import functional as F

MULTIPLE = 8        # they load 16 bytes at a time, eight numbers in bfloat16


def pad(x, dims=1, value=0.0):
    """x with its last `dims` dimensions padded by the value to multiples of 8 on a GPU, as it is on a CPU."""
    missing = [count for size in reversed(x.shape[-dims:]) for count in (0, -size % MULTIPLE)]
    return F.pad(x, missing, value=value) if x.device.type == "cuda" and any(missing) else x
