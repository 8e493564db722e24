"""Labels that a trained model gives the unlabelled reviews (self-training, Scudder 1965; Lee 2013)."""

import dataclasses
import zipfile
import zlib

import numpy as np
import torch

from common.data.token_files import read_review_rows
from common.errors import UserError
from common.files import file_checksum, replace_file
from common.options import HOLDOUT, SHAPES_NOTHING

REVIEWS = "imdb_train_reviews.tsv"
MAKER = ("`1a/BOW_sentiment_analysis.py --recipe teacher --output DIR` and then `1a/BOW_test.py --unlabelled --output "
         "DIR`, DIR being results/teacher")


def write_pseudo_labels(path, found, folder, part, options):
    """Write the probability that each training review without a label is positive, and what its teacher has seen.

    Args:
        found: (unlabelled,) float tensor, the probabilities.
        folder: of the preprocessed files; part: of the teacher; options: dict of those that it was trained with.
    """
    unlabelled = [label == "unsup" for _, label, _, _ in read_review_rows(folder / REVIEWS)]
    probabilities = np.full(len(unlabelled), np.nan, np.float32)
    probabilities[unlabelled] = found.cpu().numpy()
    settings = sorted((name, value) for name, value in options.items() if name not in SHAPES_NOTHING)
    with replace_file(path, "wb") as file:
        np.savez(file, probabilities=probabilities, reviews=file_checksum(folder / REVIEWS),
                 teacher=zlib.crc32(f"{part} {settings}".encode()), **{name: options[name] for name in HOLDOUT})


def read_pseudo_labels(train, options):
    """The unlabelled reviews with the labels in the file options.pseudo_labels; from one half on they are positive.

    Args:
        train: all training Reviews, in the order of their file.

    Returns:
        (reviews, trained_with): Reviews, and those options of their teacher that decide which reviews it has not seen.

    Raises:
        UserError: the file is missing or broken, or is about other reviews.
    """
    path = options.pseudo_labels
    try:
        with np.load(path, allow_pickle=False) as file:
            probabilities = file["probabilities"].astype(np.float32)
            found = {name: file[name].item() for name in ("reviews", "teacher", *HOLDOUT)}
        if ((probabilities < 0) | (probabilities > 1)).any():
            raise ValueError("probabilities are from 0 to 1")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it with {MAKER}") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: holds no labels ({error}); make it again with {MAKER}") from error
    unlabelled = train.labels.isnan()
    probabilities = torch.from_numpy(probabilities).to(train.labels)
    if found["reviews"] != file_checksum(options.data / REVIEWS) or not torch.equal(probabilities.isnan(), ~unlabelled):
        raise UserError(f"{path}: holds the labels of other reviews than those in --data; make it again with {MAKER}")
    labels = (probabilities >= 0.5).to(train.labels)
    return dataclasses.replace(train, labels=labels).select(unlabelled.cpu().numpy()), found


def teacher_of(path):
    """A checksum of the part and settings of the teacher that wrote the labels; its seed does not count."""
    with np.load(path, allow_pickle=False) as file:
        return file["teacher"].item()
