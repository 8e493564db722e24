"""Preprocessed reviews in memory, and their splits."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import torch

from common.checksums import checksum
from common.data.stop_words import STOP_WORDS
from common.data.token_files import load_array, read_dictionary, read_review_table, read_token_ids
from common.errors import UserError


@dataclasses.dataclass(eq=False)
class Reviews:
    """Token ids of many reviews in a row, on one device.

    token_ids: (tokens,) int32, all reviews one after the other.
    starts, lengths: (reviews,) int64, where each review lies in token_ids.
    labels: (reviews,) float32, 1 positive, 0 negative, NaN unlabelled.
    films: (reviews,) array of str, the film that each review is about.

    A selection of reviews shares token_ids with the whole. Methods take indices (batch,) int64 on the CPU, where
    the sizes of a batch are known without waiting for a GPU.
    """

    token_ids: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor
    labels: torch.Tensor
    films: np.ndarray

    def __len__(self):
        return len(self.starts)

    @functools.cached_property
    def host_lengths(self):
        return self.lengths.cpu()

    def on_device(self, indices):
        """Indices (batch,) where the reviews are; a blocking copy would wait for a GPU."""
        return indices.to(self.labels.device, non_blocking=True)

    def select(self, mask):
        """Reviews at which the (reviews,) boolean array is true."""
        indices = torch.as_tensor(np.flatnonzero(mask), device=self.starts.device)
        return dataclasses.replace(self, starts=self.starts[indices], lengths=self.lengths[indices],
                                   labels=self.labels[indices], films=self.films[mask])

    def checksum(self):
        """A number that changes with the reviews."""
        return checksum(self.token_ids, self.starts, self.lengths, self.labels)

    def rows(self):
        """The token ids of each review, a list of (length,) arrays."""
        token_ids = self.token_ids.cpu().numpy()
        return [token_ids[start:start + length] for start, length in zip(self.starts.tolist(), self.lengths.tolist())]

    def without(self, others):
        """The reviews that do not stand word for word among the others."""
        known = {row.tobytes() for row in others.rows()}
        return self.select(np.array([row.tobytes() not in known for row in self.rows()], dtype=bool))

    def labelled(self):
        return self.select(~np.isnan(self.labels.cpu().numpy()))

    def join(self, others):
        """These reviews and the others, another selection of the same whole."""
        joined = {name: torch.cat([getattr(self, name), getattr(others, name)])
                  for name in ("starts", "lengths", "labels")}
        return dataclasses.replace(self, films=np.concatenate([self.films, others.films]), **joined)

    def window(self, indices, shift, time):
        """Tokens from shift (batch,) on, with the unknown token 0 behind short reviews -> (batch, time) int64."""
        indices = self.on_device(indices)
        steps = torch.arange(time, device=indices.device)
        positions = ((self.starts[indices] + shift)[:, None] + steps).clamp(max=len(self.token_ids) - 1)
        return self.token_ids[positions].long() * (steps < self.lengths[indices][:, None])     # batch, time

    def padded(self, indices):
        """Whole reviews, with the unknown token 0 behind short ones -> (batch, longest) int64."""
        return self.window(indices, 0, int(self.host_lengths[indices].max()))

    def row(self, indices):
        """Whole reviews in a row.

        Returns:
            (token_ids, offsets, positions): (tokens,) int32, (batch,) int64 where each review starts among them,
            and (tokens,) int64, where each token lies in self.token_ids.
        """
        count = int(self.host_lengths[indices].sum())
        indices = self.on_device(indices)
        lengths = self.lengths[indices]
        offsets = lengths.cumsum(0) - lengths                                   # batch
        shift = (self.starts[indices] - offsets).repeat_interleave(lengths, output_size=count)
        positions = torch.arange(count, device=shift.device).add_(shift)        # tokens
        # On a CPU index_select is faster than an index.
        return self.token_ids.index_select(0, positions), offsets, positions

    def distinct(self):
        """Each word of a review once -> (Reviews, (tokens,) float32: which share of its review each word is)."""
        words = int(self.token_ids.max()) + 1
        token_ids, _, _ = self.row(torch.arange(len(self)))
        review = torch.arange(len(self), device=self.starts.device).repeat_interleave(self.lengths)
        keys, counts = (review * words + token_ids).unique(return_counts=True)
        review = keys // words                                                  # distinct words of all reviews
        lengths = review.bincount(minlength=len(self))
        distinct = dataclasses.replace(self, token_ids=(keys % words).int(), starts=lengths.cumsum(0) - lengths,
                                       lengths=lengths)
        return distinct, counts / self.lengths[review]


def read_reviews(folder, split, words="imdb", vocab_size=None, drop_stop_words=False, device="cpu"):
    """Reviews of one split as preprocess_data.py wrote them.

    Args:
        folder: the preprocessed files.
        split: "train" or "test".
        words: "imdb" for ids in the IMDB dictionary, "glove" for ids in the GloVe dictionary.
        vocab_size: ids above it become the unknown token 0; None keeps all.
        drop_stop_words: whether stop words are left out of the reviews.
        device: where the tensors lie.

    Returns:
        (reviews, vocabulary): Reviews, and the list of words whose ids are 1, 2, ...

    Raises:
        UserError: a file is missing or broken, or two files do not belong together.
    """
    folder = Path(folder)
    vocabulary = read_dictionary(folder, words)
    suffix = {"imdb": "", "glove": "_glove"}[words]
    path = folder / f"imdb_{split}{suffix}.txt"
    token_ids, lengths = read_token_ids(path, len(vocabulary))
    labels, films = read_review_table(folder / f"imdb_{split}_reviews.tsv")
    if len(labels) != len(lengths):
        raise UserError(f"{path}: {len(lengths)} reviews, but imdb_{split}_reviews.tsv beside it has {len(labels)}; "
                        "run preprocess_data.py again")
    if vocab_size is not None:
        vocabulary = vocabulary[:vocab_size]
        token_ids[token_ids > vocab_size] = 0
    if drop_stop_words:
        token_ids, lengths = without_stop_words(token_ids, lengths, vocabulary)
    return build_reviews(token_ids, lengths, labels, films, device), vocabulary


def build_reviews(token_ids, lengths, labels, films, device):
    """Reviews on a device, from arrays of token ids in a row and of lengths, and lists of labels and films."""
    lengths = torch.from_numpy(lengths).to(device)
    return Reviews(torch.from_numpy(token_ids).to(device), lengths.cumsum(0) - lengths, lengths,
                   torch.tensor(labels, dtype=torch.float32, device=device), np.array(films))


def read_glove_embeddings(folder, vocab_size, device="cpu"):
    """GloVe vectors -> (words + 1, dimensions) float32, row 0 zeros for the unknown token."""
    path = Path(folder) / "glove_embeddings.npy"
    embeddings = load_array(path, "f")
    if embeddings.ndim != 2 or embeddings.dtype != np.float32 or len(embeddings) <= vocab_size:
        raise UserError(f"{path}: {embeddings.dtype} {embeddings.shape} is not a float32 vector for each of "
                        f"{vocab_size} words; run preprocess_data.py again")
    return torch.from_numpy(embeddings[:vocab_size + 1]).to(device)


def without_stop_words(token_ids, lengths, vocabulary):
    """Token ids and lengths of reviews without their stop words; nothing left becomes one unknown token."""
    stop_ids = [k for k, word in enumerate(vocabulary, 1) if word in STOP_WORDS]
    keep = ~np.isin(token_ids, stop_ids)
    ends = lengths.cumsum()
    starts = ends - lengths
    kept_before = np.concatenate(([0], keep.cumsum()))
    emptied = kept_before[ends] == kept_before[starts]
    keep[starts[emptied]] = True
    token_ids = token_ids.copy()
    token_ids[starts[emptied]] = 0
    return token_ids[keep], np.add.reduceat(keep, starts, dtype=np.int64)


def split_by_film(reviews, fraction, seed):
    """Hold out about `fraction` of the reviews for validation -> (train, validation).

    Reviews of one film resemble each other, and the test films are others than the training
    films; so no film has reviews on both sides. Reviews of no known film count as one film each.
    """
    names = np.where(reviews.films == "", [f"review {k}" for k in range(len(reviews))], reviews.films)
    films, film_of_review, counts = np.unique(names, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(films))
    reviews_before = counts[order].cumsum() - counts[order]
    held_out = np.zeros(len(films), bool)
    held_out[order[reviews_before < fraction * len(reviews)]] = True
    mask = held_out[film_of_review]
    if mask.all():
        raise UserError(f"--validation {fraction}: leaves no training reviews, since they are of "
                        f"{len(films)} films; hold out less")
    return reviews.select(~mask), reviews.select(mask)


def read_splits(options, words="imdb", unlabelled=False):
    """Training, validation and test reviews as the options ask for them.

    Returns:
        (reviews, vocabulary): dict of "train", "test" and, with --validation, "validation" Reviews,
        and the list of words whose ids are 1, 2, ...
    """
    def read(split):
        return read_reviews(options.data, split, words, options.vocab_size,
                            getattr(options, "drop_stop_words", False), options.device)

    def keep(some):
        return some.without(test) if options.drop_duplicates else some

    train, vocabulary = read("train")
    test, _ = read("test")
    reviews = {"train": keep(train) if unlabelled else keep(train).labelled(), "test": test.labelled()}
    if options.validation:
        reviews["train"], reviews["validation"] = split_by_film(reviews["train"], options.validation, options.seed)
    if getattr(options, "pseudo_labels", None):
        others = keep(with_pseudo_labels(train, options.pseudo_labels))
        # Some unlabelled reviews read the same as a labelled one.
        others = others.without(reviews["validation"]) if options.validation else others
        reviews["train"] = reviews["train"].join(others)
    for split, some in reviews.items():
        check_count(some, split, options.data)
    return reviews, vocabulary


def with_pseudo_labels(train, path):
    """The unlabelled reviews with the labels that a model gives them (self-training, Scudder 1965; Lee 2013).

    Args:
        train: all training Reviews, in the order of their file.
        path: probabilities as a test script wrote them with --unlabelled; half and more is positive.

    Raises:
        UserError: the file is missing or broken, or is about other reviews.
    """
    maker = "1a's teacher, as README.md shows"
    probabilities = torch.from_numpy(load_array(path, "f", maker).astype(np.float32)).to(train.labels)
    unlabelled = train.labels.isnan()
    if not torch.equal(probabilities.isnan(), ~unlabelled) or (probabilities < 0).any() or (probabilities > 1).any():
        raise UserError(f"{path}: holds no probabilities of these reviews; make it anew with {maker}")
    labels = (probabilities >= 0.5).to(train.labels)
    return dataclasses.replace(train, labels=labels).select(unlabelled.cpu().numpy())


def check_count(reviews, split, folder):
    if len(reviews) < 2:
        raise UserError(f"{folder}: {len(reviews)} {split} reviews; at least two are needed")
