"""Reviews to tokens: NLTK's word_tokenize in lower case, on all cores."""

import contextlib
import io
import math
import multiprocessing
import os
import signal
import sys
import zipfile
from pathlib import Path

import nltk
import numpy as np
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTokenizer, PunktTrainer
from tqdm import tqdm

from common.errors import UserError
from common.preprocessing.sample_corpus import sample_reviews
from common.preprocessing.text_cleaning import clean

CHUNK_REVIEWS = 100
QUOTA = Path("/sys/fs/cgroup/cpu.max")      # "150000 100000": microseconds of the cores' time in so many; or "max ..."

_words = NLTKWordTokenizer().tokenize


def tokenize(text, punkt):
    """The lower-case tokens of nltk.word_tokenize, a list of str; punkt: of `load_punkt` or `learn_punkt`."""
    return [token.lower() for sentence in punkt.tokenize(clean(text)) for token in _words(sentence)]


def load_punkt(fetch=True):
    """Return NLTK's English sentence tokenizer, fetching its `punkt_tab` if it is not installed.

    Args:
        fetch: False only looks at what is installed.

    Raises:
        UserError: `punkt_tab` is not there and cannot be fetched, or NLTK refuses to read it.
    """
    printed = io.StringIO()
    try:
        try:
            return PunktTokenizer("english")
        except LookupError:
            if not fetch:
                raise
            nltk.download("punkt_tab", quiet=True, print_error_to=printed)
            return PunktTokenizer("english")
    except (LookupError, OSError, ValueError, zipfile.BadZipFile) as error:
        failure = printed.getvalue().replace("[nltk_data]", "") or isinstance(error, LookupError) or str(error)
        reason = "it is not installed" if failure is True else " ".join(failure.split())
        raise UserError(
            f"punkt_tab: NLTK's sentence tokenizer cannot be read{' or fetched' * fetch} ({reason}); run "
            "`python -m nltk.downloader punkt_tab` where there is a network, or point NLTK_DATA at a folder of your "
            "own with tokenizers/punkt_tab (a copy by `cp -rL`, after `chmod -R go-w`, where NLTK refuses to read it); "
            f"NLTK looked in {', '.join(nltk.data.path)}") from error


def learn_punkt(texts):
    """Return a sentence tokenizer whose parameters are learned from the texts themselves.

    Source: Kiss and Strunk 2006, "Unsupervised Multilingual Sentence Boundary Detection".
    """
    return PunktSentenceTokenizer(PunktTrainer("\n".join(map(clean, texts))).get_params())


def learn_sample_punkt(seed):
    """Return the sentence tokenizer of the embedded sample, learned from its training reviews."""
    return learn_punkt([review.text for review in sample_reviews(seed) if review.split == "train"])


def usable_cores():
    """Cores that this process may run on: its affinity, as batch jobs set it, and a container's own quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):      # no control groups, or no quota
        quota, period = map(int, QUOTA.read_text().split())
        cores = min(cores, math.ceil(quota / period))
    return cores


def tokenize_reviews(texts, punkt, workers):
    """Tokenise reviews in parallel.

    Args:
        texts: list of str, reviews as written.
        punkt: as of `tokenize`.
        workers: int, processes.

    Returns:
        tokens: list of str, distinct, in order of first appearance;
        indices: int32 (total tokens,), positions in `tokens`, one review after the other;
        offsets: int64 (reviews + 1,), review r is `indices[offsets[r]:offsets[r + 1]]`.

    Raises:
        UserError: a worker died (out of memory).
    """
    index_of, indices, lengths = {}, [], []
    reviews = _tokenize_all(texts, punkt, workers)
    for tokens in tqdm(reviews, total=len(texts), unit=" reviews", desc="tokenising", disable=None):
        indices.append(np.array([index_of.setdefault(token, len(index_of)) for token in tokens], dtype=np.int32))
        lengths.append(len(tokens))
    return list(index_of), np.concatenate(indices), np.cumsum([0, *lengths])


def _tokenize_all(texts, punkt, workers):
    """Yield the tokens of each text, in their order; of n workers, this process among them, each cuts every nth chunk.

    Pipes alone: the standard library's pools need semaphores and threads, and hang where a process limit ends them
    half-way or a worker is killed. What a process would have cut that cannot be started is cut here.
    """
    chunks = [texts[start:start + CHUNK_REVIEWS] for start in range(0, len(texts), CHUNK_REVIEWS)]
    workers = min(workers, len(chunks))
    receivers = []
    try:
        for number in range(workers - 1):
            receiver, sender = multiprocessing.Pipe(duplex=False)
            receivers.append(receiver)
            multiprocessing.Process(target=_work, args=(sender, receivers, chunks[number::workers], punkt),
                                    daemon=True).start()
            sender.close()
    except OSError as error:
        receivers = receivers[:number]
        print(f"--workers {workers}: only {len(receivers) + 1} could be started ({error.strerror})", file=sys.stderr)
    for number, chunk in enumerate(chunks):
        if number % workers < len(receivers):
            try:
                yield from receivers[number % workers].recv()
            except (EOFError, ConnectionError) as error:
                raise UserError("--workers: a tokenising process was killed (out of memory?); "
                                "ask for fewer, or for more memory") from error
        else:
            yield from (tokenize(text, punkt) for text in chunk)


def _work(sender, receivers, chunks, punkt):
    """Send the tokens of each text, a list a chunk."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)        # Ctrl-C ends the parent, and that ends the workers
    for receiver in receivers:                          # else they would wait for themselves when the parent is killed
        receiver.close()
    with contextlib.suppress(BrokenPipeError):
        for chunk in chunks:
            sender.send([tokenize(text, punkt) for text in chunk])
