"""Preprocessed reviews in memory, and the batches that are drawn from them."""

import dataclasses
import hashlib
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from common.checkpoints import checksum
from common.errors import UserError
from common.processes import processes
from common.data.stop_words import STOP_WORDS
from common.data.token_files import load_array, read_dictionary, read_review_table, read_token_ids


@dataclasses.dataclass
class Reviews:
    """Token ids of many reviews in a row, on one device.

    token_ids: (tokens,) int32, all reviews one after the other.
    starts, lengths: (reviews,) int64, where each review lies in token_ids.
    labels: (reviews,) float32, 1 positive, 0 negative, NaN unlabelled.
    films: (reviews,) array of str, the film that each review is about.
    shares: (tokens,) float32, how much of its review each token is, or None where each is one of `lengths`.
    texts: (reviews,) uint64, equal where two reviews have the same words, rare ones and stop words included;
        None where read_reviews was not asked for it.

    A selection of reviews shares token_ids with the whole.
    """

    token_ids: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor
    labels: torch.Tensor
    films: np.ndarray
    shares: torch.Tensor | None = None
    texts: np.ndarray | None = None

    def __len__(self):
        return len(self.starts)

    def select(self, mask):
        """Reviews at which the (reviews,) boolean array is true."""
        indices = torch.as_tensor(np.flatnonzero(mask), device=self.starts.device)
        return dataclasses.replace(self, starts=self.starts[indices], lengths=self.lengths[indices],
                                   labels=self.labels[indices], films=self.films[mask],
                                   texts=None if self.texts is None else self.texts[mask])

    def checksum(self):
        """A number that changes with the reviews."""
        return checksum(self.token_ids, self.starts, self.lengths, self.labels)

    def rows(self):
        """The token ids of each review, a list of (length,) arrays."""
        token_ids = self.token_ids.cpu().numpy()
        return [token_ids[start:start + length] for start, length in zip(self.starts.tolist(), self.lengths.tolist())]

    def without(self, others):
        """The reviews that do not stand word for word among the others."""
        return self.select(~np.isin(self.texts, others.texts))

    def labelled(self):
        return self.select(~np.isnan(self.labels.cpu().numpy()))

    def join(self, others):
        """These reviews and the others, another selection of the same whole."""
        joined = {name: torch.cat([getattr(self, name), getattr(others, name)])
                  for name in ("starts", "lengths", "labels")}
        texts = None if self.texts is None else np.concatenate([self.texts, others.texts])
        return dataclasses.replace(self, films=np.concatenate([self.films, others.films]), texts=texts, **joined)

    def crops(self, indices, sequence_length, last=False):
        """A random stretch of sequence_length tokens of each review, or its last ones -> (batch, time) int64.

        Of several processes each gets its share of the rows. A shorter review stands at the start,
        with the unknown token 0 behind it:

            long review     [ . . . x x x x x x . . ]   ->   x x x x x x
            short review    [ x x x x ]                 ->   x x x x 0 0
        """
        lengths = self.lengths[indices]
        slack = (lengths - sequence_length).clamp(min=0)
        shift = slack if last else (torch.rand(len(slack), device=slack.device) * (slack + 1)).long().minimum(slack)
        starts = self.starts[indices] + shift
        return self._window(processes.share(starts), processes.share(lengths), sequence_length)

    def whole(self, indices):
        """Whole reviews -> ((batch, longest) int64 padded with 0 at the end, (batch,) lengths)."""
        lengths = self.lengths[indices]
        return self._window(self.starts[indices], lengths, int(lengths.max())), lengths

    def bags(self, indices):
        """Whole reviews in a row.

        Returns:
            (token_ids, offsets, shares): (tokens,) int32, (batch,) int32 where each review starts, and
            (tokens,) float32 that sum to 1 in each review.
        """
        lengths = self.lengths[indices]
        offsets = lengths.cumsum(0) - lengths                                   # batch
        shift = (self.starts[indices] - offsets).repeat_interleave(lengths)     # tokens
        positions = torch.arange(len(shift), device=shift.device).add_(shift)   # tokens
        # On a CPU index_select is faster than an index.
        shares = ((1 / lengths).repeat_interleave(lengths) if self.shares is None
                  else self.shares.index_select(0, positions))
        return self.token_ids.index_select(0, positions), offsets.int(), shares

    def distinct(self):
        """The same bags of words with each word of a review once, which are half as large."""
        words = int(self.token_ids.max()) + 1
        token_ids, _, _ = self.bags(torch.arange(len(self), device=self.starts.device))
        keys = torch.arange(len(self), device=self.starts.device).repeat_interleave(self.lengths) * words + token_ids
        keys, counts = keys.unique(return_counts=True)
        review = keys // words                                                  # distinct words of all reviews
        lengths = review.bincount(minlength=len(self))
        return dataclasses.replace(self, token_ids=(keys % words).int(), starts=lengths.cumsum(0) - lengths,
                                   lengths=lengths, shares=counts / self.lengths[review])

    def _window(self, starts, lengths, time):
        steps = torch.arange(time, device=starts.device)
        positions = (starts[:, None] + steps).clamp(max=len(self.token_ids) - 1)
        return self.token_ids[positions].long() * (steps < lengths[:, None])    # batch, time


def read_reviews(folder, split, words="imdb", vocab_size=None, drop_stop_words=False, device="cpu", texts=False):
    """Reviews of one split as preprocess_data.py wrote them.

    Args:
        folder: the preprocessed files.
        split: "train" or "test".
        words: "imdb" for ids in the IMDB dictionary, "glove" for ids in the GloVe dictionary.
        vocab_size: ids above it become the unknown token 0; None keeps all.
        drop_stop_words: whether stop words are left out of the reviews.
        device: where the tensors lie.
        texts: whether it is wanted which reviews read the same.

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
    # In the ids of the IMDB dictionary, which has every word, and before the options leave any out.
    texts = text_numbers(*((token_ids, lengths) if words == "imdb" else read_token_ids(
        folder / f"imdb_{split}.txt", len(read_dictionary(folder, "imdb"))))) if texts else None
    if vocab_size is not None:
        vocabulary = vocabulary[:vocab_size]
        token_ids[token_ids > vocab_size] = 0
    if drop_stop_words:
        token_ids, lengths = without_stop_words(token_ids, lengths, vocabulary)
    reviews = build_reviews(token_ids, lengths, labels, films, device)
    return dataclasses.replace(reviews, texts=texts), vocabulary


def text_numbers(token_ids, lengths):
    """A number for each review, equal for reviews of the same token ids -> (reviews,) uint64."""
    token_ids, ends = memoryview(token_ids), lengths.cumsum().tolist()
    digests = [hashlib.blake2b(token_ids[start:end], digest_size=8).digest() for start, end in zip([0, *ends], ends)]
    return np.frombuffer(b"".join(digests), np.uint64)


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


def mean_vectors(reviews, embeddings, batch_size=1000):
    """Mean vector of each review's known tokens.

    Args:
        embeddings: (words + 1, dimensions) float32; row 0, the unknown token, is left out of the mean.

    Returns:
        (reviews, dimensions) float32; zeros for a review without a known token.
    """
    batches = torch.arange(len(reviews), device=embeddings.device).split(batch_size)
    return torch.cat([bag_means(*reviews.bags(indices)[:2], embeddings) for indices in batches])


def bag_means(token_ids, offsets, embeddings):
    """mean_vectors of the reviews that start at offsets (batch,) of token_ids (tokens,)."""
    return F.embedding_bag(token_ids, embeddings, offsets, mode="mean", padding_idx=0)


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
    unknown = np.count_nonzero(reviews.films == "")
    if unknown:
        print(f"--validation: splits by review, not by film, where the film is not known: {unknown:,} of "
              f"{len(reviews):,} reviews", file=sys.stderr)
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
                            getattr(options, "drop_stop_words", False), options.device,
                            texts=bool(options.drop_copies or options.validation))

    def keep(some):
        return some.without(test) if options.drop_copies else some

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
