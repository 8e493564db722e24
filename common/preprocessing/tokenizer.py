"""Reviews to tokens: NLTK's word_tokenize in lower case, on all cores."""

import dataclasses
import io
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import nltk
import numpy as np
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTokenizer, PunktTrainer
from tqdm import tqdm

from common.errors import UserError

CHUNK_REVIEWS = 100

# What phones and word processors type, as the reviews have it.
TYPOGRAPHY = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u02bc": "'",             # single quotes, apostrophe
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"',                          # double quotes
    "\u2013": "-", "\u2014": "--", "\u2011": "-", "\u2026": "...",                       # dashes, hyphen, ellipsis
    "\u00ad": "", "\u200b": "", "\u2060": "", "\ufeff": ""})                             # what nobody sees

_word_tokenizer = NLTKWordTokenizer()


def _tokenizer_without_quotes():
    """Return a word tokenizer for sentences without ' and ", which leaves out the rules that look for them.

    Those are its slowest rules, and two sentences in three need none of them.
    """
    tokenizer = NLTKWordTokenizer()
    tokenizer.STARTING_QUOTES = [rule for rule in tokenizer.STARTING_QUOTES if not _has_quotes(rule[0].pattern)]
    tokenizer.ENDING_QUOTES = [rule for rule in tokenizer.ENDING_QUOTES if not _has_quotes(rule[0].pattern)]
    tokenizer.CONTRACTIONS2 = [rule for rule in tokenizer.CONTRACTIONS2 if not _has_quotes(rule.pattern)]
    return tokenizer


def _has_quotes(text):
    return "'" in text or '"' in text


_plain_word_tokenizer = _tokenizer_without_quotes()


@dataclasses.dataclass(frozen=True)
class TokenizedReviews:
    """Reviews as numbers, each distinct token kept once.

    tokens: list of str, distinct, in order of first appearance;
    indices: int32 (total tokens,), positions in `tokens`, one review after the other;
    offsets: int64 (reviews + 1,), review r is `indices[offsets[r]:offsets[r + 1]]`.
    """

    tokens: list
    indices: np.ndarray
    offsets: np.ndarray


def clean(text):
    """Replace HTML line breaks and the control characters U+0096 and NUL by spaces."""
    return text.replace("<br />", " ").replace("\x96", " ").replace("\0", " ")


def as_in_reviews(text):
    """Write typographic quotes, dashes and dots, which the reviews hardly have, as the reviews do."""
    return text.translate(TYPOGRAPHY)


def tokenize(text, sentence_tokenizer):
    """Return the lower-case tokens of a review, as nltk.word_tokenize gives them.

    word_tokenize itself cannot take other Punkt parameters than the installed ones.
    """
    return [token.lower()
            for sentence in sentence_tokenizer.tokenize(clean(text))
            for token in (_word_tokenizer if _has_quotes(sentence) else _plain_word_tokenizer).tokenize(sentence)]


def load_punkt(fetch=True):
    """Return NLTK's English sentence tokenizer, fetching its `punkt_tab` if it is not installed.

    Args:
        fetch: False only looks at what is installed.

    Raises:
        UserError: `punkt_tab` is not there and cannot be fetched.
    """
    try:
        return PunktTokenizer("english")
    except LookupError:
        pass
    try:
        if fetch:
            nltk.download("punkt_tab", quiet=True, print_error_to=io.StringIO())
        return PunktTokenizer("english")
    except (LookupError, OSError) as error:
        raise UserError(
            "punkt_tab: NLTK's sentence tokenizer is not installed and cannot be fetched; run "
            "`python -m nltk.downloader punkt_tab` where there is a network, or point NLTK_DATA at "
            f"a folder with tokenizers/punkt_tab; NLTK looked in {', '.join(nltk.data.path)}"
        ) from error


def learn_punkt(texts):
    """Return a sentence tokenizer whose parameters are learned from the texts themselves.

    Source: Kiss and Strunk 2006, "Unsupervised Multilingual Sentence Boundary Detection".
    """
    return PunktSentenceTokenizer(PunktTrainer("\n".join(map(clean, texts))).get_params())


def learn_sample_punkt(seed):
    """Return the sentence tokenizer of the embedded sample, learned from its training reviews."""
    from common.preprocessing.sample_corpus import sample_reviews
    return learn_punkt([review.text for review in sample_reviews(seed) if review.split == "train"])


def usable_cores():
    """Return the number of cores that this process may run on (a batch job may have few of many)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def tokenize_reviews(texts, sentence_tokenizer, workers):
    """Tokenise reviews in parallel.

    Args:
        texts: list of str, reviews as written.
        sentence_tokenizer: as from `load_punkt` or `learn_punkt`.
        workers: int, processes.

    Returns:
        TokenizedReviews, in the order of `texts`.

    Raises:
        UserError: a worker died (out of memory).
    """
    chunks = [texts[start:start + CHUNK_REVIEWS] for start in range(0, len(texts), CHUNK_REVIEWS)]
    index_of = {}
    indices, lengths = [], []
    pool = ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(sentence_tokenizer,))
    try:
        results = pool.map(_tokenize_chunk, chunks)
        with tqdm(total=len(texts), unit=" reviews", desc="tokenising", disable=None) as bar:
            for chunk_tokens, chunk_indices, chunk_lengths in results:
                position = [index_of.setdefault(token, len(index_of)) for token in chunk_tokens]
                indices.append(np.array(position, dtype=np.int32)[chunk_indices])
                lengths += chunk_lengths
                bar.update(len(chunk_lengths))
    except BrokenProcessPool as error:
        raise UserError("--workers: a tokenising process was killed (out of memory?); "
                        "ask for fewer, or for more memory") from error
    finally:
        pool.shutdown(cancel_futures=True)
    return TokenizedReviews(list(index_of), np.concatenate(indices), np.cumsum([0, *lengths]))


def _start_worker(sentence_tokenizer):
    global _sentence_tokenizer
    _sentence_tokenizer = sentence_tokenizer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends the pool


def _tokenize_chunk(texts):
    """Return a chunk's distinct tokens, its tokens as positions among them, and reviews' lengths.

    Numbers are what makes the way back to the parent cheap: it looks up each distinct token of
    a chunk once and never sees the others as strings.
    """
    index_of = {}
    indices, lengths = [], []
    for text in texts:
        tokens = tokenize(text, _sentence_tokenizer)
        indices += [index_of.setdefault(token, len(index_of)) for token in tokens]
        lengths.append(len(tokens))
    return list(index_of), np.array(indices, dtype=np.int32), lengths
