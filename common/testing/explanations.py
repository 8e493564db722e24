"""Why a model predicts what it predicts: what each word adds to the logit, and which words pull most in all reviews."""

import math

import numpy as np
import torch

from common.data.batches import Bag
from common.layers.ngram_ensemble import Ensemble
from common.results.explained import is_punctuation

# A longer review is explained in stretches of so many words: the time grows with the square of their length.
STRETCH = 500
# Of the most frequent words, whose median is what a word says that says nothing.
COMMON = 100
# Of telling_words.
CANDIDATES, OCCURRENCES, TOLD = 30, 8, 15


@torch.no_grad()
def bag_contributions(model, token_ids, vectors=None):
    """What each word of a review adds to the logit of a bag of words.

    With ReLUs the logit is a linear function of the words' weights in the mean near the review's own, so weight times
    gradient is what a word adds: these and a rest that is no word's sum to the logit. What an n-gram of an ensemble
    adds stands at its last word.

    Args:
        model: a network that reads a Bag, or with vectors the mean of word vectors; or an Ensemble with it.
        token_ids: (time,) int64; vectors: (words + 1, features) float, of which row 0, the unknown word's, is left out.

    Returns:
        (time,) float tensor.
    """
    network = model.network if isinstance(model, Ensemble) else model
    counted = torch.ones_like(token_ids) if vectors is None else token_ids > 0
    weights = (counted / counted.sum().clamp(min=1)).requires_grad_()           # time
    with torch.enable_grad():
        x = Bag(token_ids, token_ids.new_zeros(1), weights) if vectors is None else weights[None] @ vectors[token_ids]
        _, logit = network(x, weights.new_zeros(1))
        [gradient] = torch.autograd.grad(logit.sum(), weights)
    added = weights * gradient
    return model.mean(added, model.ngrams.contributions(token_ids[None])[0]) if network is not model else added


def word_contributions(logits_of, reviews, places, vocab_size):
    """What words of reviews add to the logit of any model, the mean of two differences:

        logit(word) - logit(a common word)          what it says alone: among ten words of praise, none is missed
        logit(review) - logit(review without it)    what the review loses with it, which knows the order of the words

    These are the first and the last of the terms whose mean is a Shapley value (Lundberg and Lee 2017).
    benchmarks/results/explanations_cpu_202611 compares them with other ways.

    Args:
        logits_of: a function from a list of reviews, each a sequence of token ids, to a (reviews,) float array.
        reviews: list of lists of token ids; places: for each a list of which of its words are asked for.
        vocab_size: known words; ids are by frequency.

    Returns:
        list of (places,) float arrays.
    """
    variants, terms = {}, []

    def number(*token_ids):                             # nothing is one unknown word
        return variants.setdefault(token_ids or (0,), len(variants))

    common = [number(k) for k in range(1, min(COMMON, vocab_size) + 1)]
    for token_ids, some in zip(reviews, places):
        for place in some:
            start = place // STRETCH * STRETCH
            before, after = token_ids[start:place], token_ids[place + 1:start + STRETCH]
            terms.append([number(token_ids[place]), number(*before, token_ids[place], *after),
                          number(*before, *after)])
    logits = logits_of(list(variants))
    alone, whole, without = logits[np.array(terms).T]
    added = (alone - np.median(logits[common]) + whole - without) / 2           # words asked for
    return np.split(added, np.cumsum([len(some) for some in places])[:-1])


def explain(run, words, rows, with_contributions=True):
    """What a model says of reviews, and why.

    Args:
        run: a PartTest; words: list of lists of the reviews' words; rows: list of arrays of their token ids.

    Returns:
        list of dicts: logit; probability of the positive label; prediction, a label's name; words; known, whether
        the model knows each word; contributions, what each adds to the logit.
    """
    if not rows:
        return []
    logits = run.logits(rows).astype(float)
    places = [range(len(row)) for row in rows]
    added = run.contributions(rows, places) if with_contributions else [np.zeros(0)] * len(rows)
    return [{"logit": logit, "probability": 1 / (1 + math.exp(-max(logit, -700))), "prediction": run.labels[logit >= 0],
             "words": some, "known": (row > 0).tolist(), "contributions": each.tolist()}
            for logit, some, row, each in zip(logits.tolist(), words, rows, added)]


def telling_words(run, reviews, words_of):
    """The words that pull most in either direction, of those in at least 1 of 200 reviews.

    Candidates are the words that say most alone; how they pull is the mean of what they add in a few reviews.

    Args:
        run: a PartTest; reviews: Reviews as it reads them; words_of: index of a review -> list of its words.

    Returns:
        list of dicts, the most positive word first, the most negative one last: word; pull, the mean contribution;
        reviews, in how many it stands; examples, two excerpts.
    """
    rows = reviews.rows()
    counts = reviews.distinct()[0].counts().cpu().numpy()                       # reviews that have each word
    common = [k for k in np.flatnonzero(counts >= max(3, len(rows) / 200)).tolist()
              if k > 0 and not is_punctuation(run.vocabulary[k - 1])]
    if not common:
        return []
    alone = run.logits([(k,) for k in common]).argsort()
    candidates = {common[index] for index in [*alone[:CANDIDATES], *alone[-CANDIDATES:]]}

    occurrences = {k: [] for k in candidates}           # of each word, (index of a review, place in it)
    for index in np.random.default_rng(0).permutation(len(rows)).tolist():
        row = rows[index].tolist()
        for k in candidates.intersection(row):
            if len(occurrences[k]) < OCCURRENCES:
                occurrences[k].append((index, row.index(k)))
    asked = [occurrence for some in occurrences.values() for occurrence in some]
    added = iter(run.contributions([rows[index] for index, _ in asked], [[place] for _, place in asked]))
    pulls = {k: np.mean([next(added) for _ in some]) for k, some in occurrences.items()}
    told = sorted(pulls, key=pulls.get, reverse=True)
    told = [k for k in told[:TOLD] if pulls[k] > 0] + [k for k in told[-TOLD:] if pulls[k] < 0]
    return [{"word": run.vocabulary[k - 1], "pull": float(pulls[k]), "reviews": int(counts[k]),
             "examples": [excerpt(words_of(index), place) for index, place in occurrences[k][:2]]} for k in told]


def excerpt(words, place, around=5):
    """A word of a review with those around it."""
    start, end = max(place - around, 0), place + around + 1
    return " ".join(["..."] * (start > 0) + words[start:end] + ["..."] * (end < len(words)))
