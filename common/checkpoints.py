"""Trained models on disk: tensors and plain values only, written whole or not at all."""

import inspect
import io
import os
import pickle
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import torch

from common.errors import UserError
from common.files import file_checksum, replace_file
from common.parts import ROOT

FORMAT = 4


def checksum(*tensors):
    """CRC-32 of the tensors' numbers, which tells whether two runs read the same; None counts as no numbers."""
    crc = 0
    for tensor in tensors:
        if tensor is not None:
            crc = zlib.crc32(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy(), crc)
    return crc


def weights_checksum(state_dict):
    """What tells a model's weights from others: text that no spreadsheet takes for a number."""
    return f"crc-{checksum(*state_dict.values()):08x}"


def describe_network(network):
    """Where a network's class stands: "file", from the project's folder on, "class", and "source", the file's CRC."""
    try:
        path = Path(inspect.getfile(type(network)))
        source = file_checksum(path)
    except (OSError, TypeError):                        # a class that was written in a notebook's cell
        return {"file": "", "class": type(network).__name__, "source": 0}
    return {"file": os.path.relpath(path, ROOT).replace(os.sep, "/"), "class": type(network).__name__, "source": source}


def write_checkpoint(path, part, content):
    """Write a dict of tensors and plain values that load_checkpoint reads."""
    bytes_of_file = io.BytesIO()        # torch.save itself hides that a disk is full behind an error of its own
    torch.save({"format": FORMAT, "part": part} | content, bytes_of_file)
    with replace_file(path, "wb") as file:
        file.write(bytes_of_file.getbuffer())


def load_checkpoint(path, part, device="cpu"):
    """Read what write_checkpoint wrote for this part; nothing in the file is executed.

    Raises:
        UserError: no such file, not a checkpoint, a damaged one, or one of another part.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip():                                               # torch reads over wrong checksums
                raise ValueError("damaged")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                                     # about foreign pickles
            checkpoint = torch.load(path, map_location=device, weights_only=True)
        if not isinstance(checkpoint, dict):
            raise ValueError("no dict")
        found = checkpoint["part"] if checkpoint["format"] == FORMAT else "another version"
    except FileNotFoundError:
        place = "the model with --language-model" if part == "3a" else "its folder with --output"
        raise UserError(f"{path}: no such file; train part {part} first, or name {place}") from None
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError,
            zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a whole checkpoint of part {part} that this suite wrote; "
                        "train it again with --restart") from error
    if found != part:
        raise UserError(f"{path}: a checkpoint of {found}, not of part {part}; name the right file, or train it again "
                        "with --restart")
    if not checkpoint.get("finished", True):
        print(f"{path}: of a run that is not finished, after epoch {len(checkpoint['curves']['train_loss'])} of "
              f"{checkpoint['options'].get('epochs')}", file=sys.stderr)
    return checkpoint


def check_words(checkpoint, path, vocabulary, glove=None):
    """Refuse data whose token ids mean other words, or whose word vectors are not those that the model has read."""
    if checkpoint["vocabulary"] != vocabulary or (
            glove is not None and checkpoint["inputs"]["word vectors"] != checksum(glove)):
        raise UserError(f"{path}: trained with another dictionary or other word vectors than those in --data; "
                        "train again, or name the data that it was trained on")
