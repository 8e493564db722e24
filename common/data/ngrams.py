"""The n-grams of reviews: a table of those that are known, and their ids in batches and in whole reviews."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common.data.reviews import sort

LEAST = 2           # occurrences in the training reviews: an n-gram seen once tells a review, not a sentiment
WORDS = 1 << 24     # above all token ids
CHUNK = 1 << 17     # numbers that are looked up in order at a time, and stay in a CPU's cache


class NGramIds(NamedTuple):
    """Distinct n-grams of some reviews: ids (n,) int, 0 where there is none, and rows (n,), the review of each."""

    ids: torch.Tensor
    rows: torch.Tensor


class NGramTable(nn.Module):
    """The n-grams that occur at least LEAST times in the training reviews, each with an id of its own.

    An n-gram is known by its first n - 1 words, which are a known n-gram too, and its last word. So the table of each
    length holds the numbers `id of the first words * WORDS + last word`, sorted, and an id is the place among them:

        1 word      film            5
        2 words     film was        5 * WORDS + was          ->   place 7
        3 words     film was great  7 * WORDS + great

    Args:
        sizes: number of entries for each length, from one word on. The first entry of each, -1, matches nothing; so
            id 0 is no n-gram. N-grams with the unknown token in them are not known.
    """

    keys: torch.Tensor

    def __init__(self, sizes):
        super().__init__()
        self.sizes = list(sizes)
        self.register_buffer("keys", torch.full((sum(self.sizes),), -1))

    @classmethod
    def of(cls, reviews, longest):
        """The table of the n-grams of up to `longest` words in Reviews."""
        tokens = with_gaps(reviews, torch.arange(len(reviews)))                 # tokens, one 0 behind each review
        known, keys, levels = tokens > 0, tokens, []
        for _ in range(longest):
            distinct, counts = sort(keys[known]).unique_consecutive(return_counts=True)
            levels.append(F.pad(distinct[counts >= LEAST], (1, 0), value=-1))
            if len(levels) < longest:
                prefix = F.pad(places(levels[-1], keys)[:-1], (1, 0))
                keys, known = prefix * WORDS + tokens, (prefix > 0) & (tokens > 0)
        table = cls(map(len, levels)).to(tokens.device)
        table.keys.copy_(torch.cat(levels))
        return table

    def ids(self, token_ids):
        """The ids of the n-grams that end at each token.

        Args:
            token_ids: (..., time) int64; the unknown token 0 stands between reviews that share a row.

        Returns:
            (..., time, longest) int64, at n - 1 those of n words; 0 where there is no such n-gram.
        """
        prefix, offset, found = torch.zeros_like(token_ids), 0, []
        for keys in self.keys.split(self.sizes):
            place = places(keys, prefix * WORDS + token_ids)
            found.append(place + offset * (place > 0))
            prefix, offset = F.pad(place[..., :-1], (1, 0)), offset + len(keys)
        return torch.stack(found, dim=-1)

    def of_batch(self, token_ids):
        """NGramIds of token_ids (batch, time), each n-gram of a review once; as many for every batch of a shape."""
        ids = self.ids(token_ids).flatten(1)                                    # batch, time * longest
        rows = torch.arange(len(ids), device=ids.device).repeat_interleave(ids.shape[1], output_size=ids.numel())
        return NGramIds((ids * first_occurrences(ids)).flatten(), rows)

    def index(self, reviews, chunk=1000):
        """The distinct n-grams of each of Reviews, as Reviews whose token ids are n-gram ids."""
        found, lengths = [], []
        for indices in torch.arange(len(reviews)).split(chunk):
            tokens = with_gaps(reviews, indices)
            ids = self.ids(tokens)                                              # tokens, longest
            review = torch.arange(len(indices), device=ids.device).repeat_interleave(
                reviews.lengths[reviews.on_device(indices)] + 1)
            keys = sort(((review << 32)[:, None] + ids)[ids > 0]).unique_consecutive()
            found.append((keys & 0xFFFFFFFF).int())
            lengths.append((keys >> 32).bincount(minlength=len(indices)))
        lengths = torch.cat(lengths)
        return dataclasses.replace(reviews, token_ids=torch.cat(found), lengths=lengths,
                                   starts=lengths.cumsum(0) - lengths)


def with_gaps(reviews, indices):
    """The tokens of the reviews at indices in a row with a 0 behind each review: (tokens,) int64."""
    token_ids, _, _ = reviews.row(indices)
    lengths = reviews.lengths[reviews.on_device(indices)]
    review = torch.arange(len(indices), device=lengths.device).repeat_interleave(lengths)
    tokens = torch.zeros(len(token_ids) + len(indices), dtype=torch.long, device=lengths.device)
    tokens[torch.arange(len(token_ids), device=lengths.device) + review] = token_ids.long()
    return tokens


def places(keys, wanted):
    """Where each of the numbers wanted stands among the sorted keys, 0 where it does not: the shape of wanted."""
    if not keys.is_cuda:
        return places_in_order(keys.numpy(), wanted)
    place = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
    return place * (keys[place] == wanted)


def places_in_order(keys, wanted):
    """places() on a CPU, which finds sorted numbers several times as fast: the next lies near the last in memory."""
    flat = wanted.flatten().numpy()
    place = np.empty_like(flat)

    def look_up(start):
        order = flat[start:start + CHUNK].argsort()
        some = flat[start + order]
        found = keys.searchsorted(some).clip(max=len(keys) - 1)
        place[start + order] = found * (keys[found] == some)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:       # NumPy leaves Python's lock to others meanwhile
        list(pool.map(look_up, range(0, len(flat), CHUNK)))
    return torch.from_numpy(place).view(wanted.shape)


def first_occurrences(ids):
    """Where a row of ids (batch, n-grams) has one above 0 for the first time: the same shape, bool."""
    ordered, order = ids.sort(dim=1, stable=True)
    new = ordered.diff(dim=1, prepend=torch.zeros_like(ordered[:, :1])) > 0
    return torch.empty_like(new).scatter(1, order, new)
