"""Preprocessed reviews in memory."""

import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from common.checkpoints import checksum
from common.data.token_files import LABELS, load_array, read_dictionary, read_review_rows, read_token_ids
from common.errors import UserError

CHUNK = 500     # reviews that are read at a time


@dataclasses.dataclass(eq=False)
class Reviews:
    """Token ids of many reviews in a row, on one device.

    token_ids: (tokens,) int32, all reviews one after the other.
    starts, lengths: (reviews,) int64, where each review lies in token_ids.
    labels: (reviews,) float32, 1 positive, 0 negative, NaN unlabelled.
    films: (reviews,) array of str, the film that each review is about.
    texts: (reviews,) int64, equal where two reviews have the same words, rare ones included, and other numbers in
        each process; None where read_reviews was not asked for it.
    backwards: whether each review stands from its last word to its first.

    A selection of reviews shares token_ids with the whole. Methods take indices (batch,) int64 on the CPU, where
    the sizes of a batch are known without waiting for a GPU; window() takes them on the device too.
    """

    token_ids: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor
    labels: torch.Tensor
    films: np.ndarray
    texts: np.ndarray | None = None
    backwards: bool = False

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
                                   labels=self.labels[indices], films=self.films[mask],
                                   texts=None if self.texts is None else self.texts[mask])

    def reversed(self):
        """The same reviews, each from its last word to its first."""
        return dataclasses.replace(self, token_ids=self.token_ids.flip(0), backwards=not self.backwards,
                                   starts=len(self.token_ids) - self.starts - self.lengths)

    def checksum(self):
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
        joined: dict = {name: torch.cat([getattr(self, name), getattr(others, name)])
                        for name in ("starts", "lengths", "labels")}
        texts = None if self.texts is None else np.concatenate([self.texts, others.texts])
        return dataclasses.replace(self, films=np.concatenate([self.films, others.films]), texts=texts, **joined)

    def window(self, indices, shift, time):
        """Tokens from shift (batch,) on, with the unknown token 0 behind short reviews -> (batch, time) int64."""
        indices = self.on_device(indices)
        steps = torch.arange(time, device=indices.device)
        positions = ((self.starts[indices] + shift)[:, None] + steps).clamp(max=len(self.token_ids) - 1)
        return self.token_ids[positions].long() * (steps < self.lengths[indices][:, None])     # batch, time

    def row(self, indices):
        """Whole reviews in a row.

        Returns:
            (token_ids, offsets, positions, rows): (tokens,) int32; (batch,) int64, where each review starts among them;
            (tokens,) int64, where each token lies in self.token_ids; and (tokens,) int64, which review it is of.
        """
        count = int(self.host_lengths[indices].sum())
        indices = self.on_device(indices)
        lengths = self.lengths[indices]
        offsets = lengths.cumsum(0) - lengths                                   # batch
        rows = torch.repeat_interleave(lengths, output_size=count)              # tokens
        # On a CPU index_select is faster than an index.
        positions = (self.starts[indices] - offsets).index_select(0, rows).add_(
            torch.arange(count, device=rows.device))
        return self.token_ids.index_select(0, positions), offsets, positions, rows

    def distinct(self):
        """Each word of a review once -> (Reviews, (tokens,) float32: which share of its review each word is)."""
        def keys_of(indices):
            token_ids, _, _, rows = self.row(indices)
            return (rows << 32) + token_ids
        distinct, counts = self.distinct_ids(keys_of)
        return distinct, torch.cat(counts) / self.lengths.repeat_interleave(distinct.lengths)

    def distinct_ids(self, keys_of):
        """Each id of a review once.

        Args:
            keys_of: function of indices (batch,) that returns (n,) int64, k << 32 | id for each id in the k-th review.

        Returns:
            (Reviews whose token ids are these ids, how often each stands in its review: an int32 tensor a chunk).
        """
        def distinct(indices):
            keys, counts = keys_of(indices).sort().values.unique_consecutive(return_counts=True)
            return (keys & 0xFFFFFFFF).int(), (keys >> 32).bincount(minlength=len(indices)), counts.int()

        *found, counts = zip(*self.by_chunks(distinct))
        ids, lengths = map(torch.cat, found)
        return dataclasses.replace(self, token_ids=ids, starts=lengths.cumsum(0) - lengths, lengths=lengths), counts

    def counts(self, size=1):
        """How often each token id stands in the reviews: (largest id + 1,) int64, or (size,) where that is more."""
        return torch.cat(self.by_chunks(lambda indices: self.row(indices)[0])).bincount(minlength=size)

    def by_chunks(self, function):
        """The results of function(indices) for the first CHUNK reviews, the next ones, and so on."""
        return self.in_threads(function, torch.arange(len(self)).split(CHUNK))

    def in_threads(self, function, items):
        """The results of function(item) for each item, on a CPU by as many threads as torch has."""
        threads = torch.get_num_threads()
        if self.labels.is_cuda:
            return list(map(function, items))
        try:        # torch releases Python's lock; each thread computes without threads of its own
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return list(pool.map(function, items))
        finally:
            torch.set_num_threads(threads)


def read_reviews(folder, split, words="imdb", vocab_size=None, device="cpu", texts=False):
    """Reviews of one split as preprocess_data.py wrote them.

    Args:
        folder: the preprocessed files.
        split: "train" or "test".
        words: "imdb" for ids in the IMDB dictionary, "glove" for ids in the GloVe dictionary.
        vocab_size: ids above it become the unknown token 0; None keeps all.
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
    rows = read_review_rows(folder / f"imdb_{split}_reviews.tsv")
    if len(rows) != len(lengths):
        raise UserError(f"{path}: {len(lengths)} reviews, but imdb_{split}_reviews.tsv beside it has {len(rows)}; "
                        "run preprocess_data.py again")
    numbers = None
    if texts:       # in the ids of the IMDB dictionary, which has every word, and before the options leave any out
        ids, counts = (token_ids, lengths) if words == "imdb" else read_token_ids(
            folder / f"imdb_{split}.txt", len(read_dictionary(folder, "imdb")))
        ends = counts.cumsum().tolist()
        numbers = np.array([hash(ids[start:end].tobytes()) for start, end in zip([0, *ends], ends)])
    if vocab_size is not None:
        vocabulary = vocabulary[:vocab_size]
        token_ids[token_ids > vocab_size] = 0
    labels, films = [LABELS[label] for _, label, _, _ in rows], [film for *_, film in rows]
    reviews = build_reviews(token_ids, lengths, labels, films, device)
    return dataclasses.replace(reviews, texts=numbers), vocabulary


def build_reviews(token_ids, lengths, labels, films, device):
    """Reviews on a device, from arrays of token ids in a row and of lengths, and lists of labels and films."""
    lengths = torch.from_numpy(lengths).to(device)
    return Reviews(torch.from_numpy(token_ids).to(device), lengths.cumsum(0) - lengths, lengths,
                   torch.tensor(labels, dtype=torch.float32, device=device), np.array(films))


def read_glove_embeddings(folder, vocab_size, device="cpu"):
    """GloVe vectors -> (words + 1, dimensions) float32, row 0 zeros for the unknown token.

    Raises:
        UserError: the file is missing or broken, or has fewer vectors than the vocabulary has words.
    """
    path = Path(folder) / "glove_embeddings.npy"
    embeddings = load_array(path, "f")
    if embeddings.ndim != 2 or embeddings.dtype != np.float32 or len(embeddings) <= vocab_size:
        raise UserError(f"{path}: {embeddings.dtype} {embeddings.shape} is not a float32 vector for each of "
                        f"{vocab_size} words; run preprocess_data.py again")
    if not np.isfinite(embeddings).all():
        raise UserError(f"{path}: has NaN or infinite numbers; run preprocess_data.py again")
    return torch.from_numpy(embeddings[:vocab_size + 1]).to(device)


def read_vectors_of(folder, vocabulary):
    """GloVe vectors of the words -> (words + 1, dimensions) float32, zeros where there is none."""
    rows = {word: row for row, word in enumerate(read_dictionary(folder, "glove"), 1)}
    embeddings = read_glove_embeddings(folder, len(rows))
    return embeddings[[0, *(rows.get(word, 0) for word in vocabulary)]]


@torch.no_grad()
def start_from(embedding, vectors):
    """Start an nn.Embedding from vectors (words, dimensions), each dimension to mean 0 and standard deviation 1.

    That is how nn.Embedding draws weights. Words whose vector is zeros, and dimensions beyond the vectors', keep
    those that were drawn.
    """
    known = vectors.any(dim=1)                                                  # words
    deviation, mean = torch.std_mean(vectors[known], dim=0, correction=0)
    standardised = (vectors[known] - mean) / deviation.clamp(min=1e-12)
    width = min(vectors.shape[1], embedding.embedding_dim)
    embedding.weight[known, :width] = standardised[:, :width]
