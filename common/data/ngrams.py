"""The n-grams of reviews: a table of those that are known, and their ids in batches and in whole reviews."""

import functools
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

LEAST = 2           # occurrences in the training reviews: an n-gram seen once tells a review, not a sentiment
WORDS = 1 << 24     # above all token ids
SLICES = 64         # of all n-grams, each sorted by itself
FIBONACCI = -7046029254386353131        # 2 ** 64 over the golden ratio, as an int64: spreads consecutive numbers


class NGramIds(NamedTuple):
    """Distinct n-grams of some reviews: ids (n,) int, 0 where there is none, and rows (n,), the review of each."""

    ids: torch.Tensor
    rows: torch.Tensor


class NGramTable(nn.Module):
    """The n-grams that occur at least LEAST times in the training reviews, each with an id of its own.

    An n-gram is known by its first n - 1 words, which are a known n-gram too, and its last word. So the table holds the
    numbers `id of the first words * WORDS + last word`, and an id is the place among them:

        film            5                           ->   id 5, the token id
        film was        5 * WORDS + was             ->   id 30,007
        film was great  30,007 * WORDS + great      ->   id 812,345

    Args:
        keys: (entries,) int64. Single words come first, each at its token id, with -1, which matches nothing, for a
            word that is not known; so id 0 is no n-gram. Longer n-grams follow, sorted. Those with the unknown token in
            them are not known.
        longest: words of the longest n-grams.
    """

    keys: torch.Tensor

    def __init__(self, keys, longest):
        super().__init__()
        self.longest = longest
        self.register_buffer("keys", keys)

    @classmethod
    def of(cls, reviews, longest):
        """The table of the n-grams of up to `longest` words in Reviews."""
        counts = reviews.counts()
        counts[:1] = 0          # of the unknown token
        table = cls(torch.arange(len(counts), device=counts.device).masked_fill_(counts < LEAST, -1), 1)
        for _ in range(longest - 1):
            table = table.with_longer(reviews)
        return table

    def with_longer(self, reviews):
        """This table with the n-grams of one word more in Reviews."""
        def keys_of(indices):
            tokens = with_gaps(reviews, indices)
            prefix = F.pad(self.ids(tokens)[:-1, -1], (1, 0))
            return (prefix * WORDS + tokens).masked_select((prefix > 0) & (tokens > 0)).sort().values

        _ = self.places         # made before several threads ask for it
        chunks = reviews.by_chunks(keys_of)
        # The numbers of all chunks from one bound to the next are few enough to be sorted in a processor's cache.
        bounds = chunks[0][::len(chunks[0]) // SLICES + 1][1:].unique_consecutive()
        slices = [chunk.tensor_split(torch.searchsorted(chunk, bounds).cpu()) for chunk in chunks]

        def frequent(some):
            distinct, counts = torch.cat(some).sort().values.unique_consecutive(return_counts=True)
            return distinct[counts >= LEAST]

        return NGramTable(torch.cat([self.keys, *reviews.in_threads(frequent, zip(*slices))]), self.longest + 1)

    @functools.cached_property
    def places(self):
        """Gives numbers of longer n-grams their places among the keys, which may not change any more; 0 to others."""
        # Hashing takes two steps where a binary search takes twenty, but would wait for a GPU at each of them.
        return functools.partial(search, self.keys) if self.keys.is_cuda else Places(self.keys)

    def ids(self, token_ids):
        """The ids of the n-grams that end at each token.

        Args:
            token_ids: (..., time) int64; the unknown token 0 stands between reviews that share a row.

        Returns:
            (..., time, longest) int64, at n - 1 those of n words; 0 where there is no such n-gram.
        """
        place = token_ids.clamp(max=len(self.keys) - 1)
        found = [place * (self.keys[place] == token_ids)]
        while len(found) < self.longest:
            prefix = F.pad(found[-1][..., :-1], (1, 0))
            found.append(self.places(prefix * WORDS + token_ids) * (prefix > 0))
        return torch.stack(found, dim=-1)

    def of_batch(self, token_ids):
        """NGramIds of token_ids (batch, time), each n-gram of a review once; as many for every batch of a shape."""
        ids = self.ids(token_ids).flatten(1)                                    # batch, time * longest
        rows = torch.arange(len(ids), device=ids.device).repeat_interleave(ids.shape[1], output_size=ids.numel())
        return NGramIds((ids * first_occurrences(ids)).flatten(), rows)

    def index(self, reviews):
        """The distinct n-grams of each of Reviews, as Reviews whose token ids are n-gram ids."""
        def keys_of(indices):
            ids = self.ids(with_gaps(reviews, indices))                         # tokens, longest
            review = torch.repeat_interleave(reviews.lengths[reviews.on_device(indices)] + 1)
            return ((review << 32)[:, None] + ids).masked_select(ids > 0)       # on a CPU faster than an index
        _ = self.places         # made before several threads ask for it
        return reviews.distinct_ids(keys_of)[0]


def with_gaps(reviews, indices):
    """The tokens of the reviews at indices in a row with a 0 behind each review: (tokens,) int64."""
    token_ids, _, _, rows = reviews.row(indices)
    tokens = torch.zeros(len(token_ids) + len(indices), dtype=torch.long, device=rows.device)
    tokens[torch.arange(len(token_ids), device=rows.device) + rows] = token_ids.long()
    return tokens


class Places:
    """Where numbers stand among the keys of an NGramTable, by hashing with linear probing (Knuth 1998, section 6.4).

    Args:
        keys: (keys,) int64; those of single words, below WORDS, are not found.
    """

    def __init__(self, keys):
        self.keys = keys
        waiting = (keys >= WORDS).nonzero()[:, 0]       # places that have no slot yet
        bits = (4 * len(waiting)).bit_length()          # so that most slots stay free
        self.shift, self.last = 64 - bits, (1 << bits) - 1
        self.slots = torch.zeros(1 << bits, dtype=torch.int32)                  # of a place each, 0 where it is free
        slot = self.first_slots(keys[waiting])
        while len(waiting):
            free = self.slots[slot] == 0
            self.slots[slot[free]] = waiting[free].int()
            lost = self.slots[slot] != waiting          # those whose slot another one has
            waiting, slot = waiting[lost], (slot[lost] + 1) & self.last

    def first_slots(self, numbers):
        return (numbers * FIBONACCI >> self.shift) & self.last

    def held_by_others(self, places, numbers):
        """Indices of the numbers whose slot holds the place of another key."""
        return ((places > 0) & (self.keys.index_select(0, places) != numbers)).nonzero()[:, 0]

    def __call__(self, wanted):
        """The places of the numbers wanted, 0 where they are no keys: the shape of wanted, int64."""
        numbers = wanted.flatten()
        slot = self.first_slots(numbers)
        places = self.slots.index_select(0, slot)
        left = more = self.held_by_others(places, numbers)
        while len(left):
            slot, numbers = (slot[more] + 1) & self.last, numbers[more]
            found = self.slots.index_select(0, slot)
            places.index_copy_(0, left, found)
            more = self.held_by_others(found, numbers)
            left = left[more]
        return places.long().view_as(wanted)


def search(keys, wanted):
    """What Places finds by a binary search; numbers below WORDS may be found too."""
    places = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
    return places * (keys[places] == wanted)


def first_occurrences(ids):
    """Where a row of ids (batch, n-grams) has one above 0 for the first time: the same shape, bool."""
    ordered, order = ids.sort(dim=1, stable=True)
    new = ordered.diff(dim=1, prepend=torch.zeros_like(ordered[:, :1])) > 0
    return torch.empty_like(new).scatter(1, order, new)
