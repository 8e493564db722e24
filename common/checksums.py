"""Checksums of tensors, which tell whether two runs read the same numbers."""

import zlib

import torch


def checksum(*tensors):
    """CRC-32 of the tensors' numbers; None counts as no numbers."""
    crc = 0
    for tensor in tensors:
        if tensor is not None:
            crc = zlib.crc32(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy(), crc)
    return crc
