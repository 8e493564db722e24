"""Two trainings that take a blink: a linear model on points, and dropout on random crops of reviews."""

import os
import signal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common.checkpoints import checksum
from common.data.batches import Batch, Crops, ReviewData
from common.data.reviews import Reviews
from common.devices import set_up
from common.options import TRAINING_DEFAULTS, parse_options
from common.training.loop import Training, sentiment_score
from common.training.schedules import build_optimizer

DEFAULTS = TRAINING_DEFAULTS | dict(epochs=4, batch_size=10, learning_rate=0.1, step_epochs=2, test_every=1,
                                    clip_norm=0.0)
WORDS = ["the", "film"]


def parse(output, *argv, **defaults):
    argv = ["--device", "cpu", "--precision", "float32", "--output", output, *argv]
    options = parse_options("", __file__, list(map(str, argv)), **DEFAULTS | defaults)
    set_up(options)
    return options


class Points(ReviewData):
    """Points (count, features) with labels (count,), which stand for reviews and the data of them."""

    def __init__(self, x, labels):
        super().__init__(self)
        self.x, self.labels = x, labels
        self.token_ids, self.films = x, np.array([""] * len(x))     # what their record says of them

    def __len__(self):
        return len(self.x)

    def checksum(self):
        return checksum(self.x)

    def batch(self, indices):
        return Batch(self.x[indices], self.labels[indices])


def separable(count, seed):
    """Points in three dimensions, and whether they lie on the one side of a plane."""
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return Points(x, (x @ torch.tensor([1.0, -2.0, 0.5]) > 0).float())


POINTS = {"train": separable(205, 1), "validation": separable(50, 2), "test": separable(60, 3)}


class Linear(nn.Linear):
    """A classifier of points, called as the parts' networks are."""

    below = staticmethod(lambda x: x)       # layers before it

    def forward(self, x, t):
        logit = super().forward(self.below(x))[:, 0]
        return F.binary_cross_entropy_with_logits(logit, t), logit


def points_training(output, *argv, model=None, data=POINTS, glove=None, logger=None):
    """A linear model, or the one given, on points."""
    options = parse(output, *argv)
    model = model or Linear(3, 1)
    optimizer = build_optimizer(model, options)
    return Training("1a", model, {"in_features": 3, "out_features": 1}, optimizer, sentiment_score, data, WORDS,
                    options, glove, logger)


def make_reviews(count, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 30, (count,), generator=generator)
    token_ids = torch.randint(0, 3, (int(lengths.sum()),), generator=generator, dtype=torch.int32)
    return Reviews(token_ids, lengths.cumsum(0) - lengths, lengths, (torch.arange(count) % 2).float(),
                   np.array(["tt1"] * count))


REVIEWS = {"train": make_reviews(105, 1), "validation": make_reviews(20, 2), "test": make_reviews(30, 3)}
OTHER_REVIEWS = REVIEWS | {"train": make_reviews(105, 4)}


class CropModel(nn.Module):
    """Random crops and dropout, so that a run depends on every draw."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(3, 4)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(4, 1)

    def forward(self, x, t):
        logit = self.output(self.dropout(self.embedding(x).mean(dim=1)))[:, 0]
        return F.binary_cross_entropy_with_logits(logit, t), logit


def crops_training(output, *argv, stop_after=None, reviews=REVIEWS):
    """A CropModel's training; after `stop_after` batches of any split it gets SIGTERM.

    An epoch is eleven training batches and one of validation, every second one has one of test reviews.
    """
    options = parse(output, *argv, schedule="step", step_epochs=3, clip_norm=1.0, validation=0.1, test_every=2)
    model = CropModel()
    left = [stop_after]

    def score(model, batch):
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        return sentiment_score(model, batch)

    data = {split: Crops(some, 5) for split, some in reviews.items()}
    return Training("2a", model, {}, build_optimizer(model, options), score, data, WORDS,
                    options)


def outcome(folder):
    """The bytes of the model and of data.npy."""
    return (folder / "rnn.model").read_bytes(), (folder / "data.npy").read_bytes()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


FINISHED = [".lock", "data.npy", "record.json", "rnn.model"]
