"""Reviews to tokens: NLTK's word_tokenize in lower case, on all cores."""

import collections
import contextlib
import dataclasses
import io
import itertools
import multiprocessing
import signal
import sys
import warnings
import zipfile

import nltk
import numpy as np
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTokenizer, PunktTrainer
from tqdm import tqdm

from common.cores import usable_cores  # noqa: F401  how many workers a caller may ask for
from common.errors import UserError
from common.preprocessing.text_encoding import clean

CHUNK_REVIEWS = 100

KNOWN_WORDS = 1 << 17       # about 40 MB in each process

# What may stand behind a sentence's last full stop: NLTK's rule for it looks past words of nothing but these.
CLOSERS = frozenset("])}>\"'")


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


class Tokenizer:
    """Cuts a text into the lower-case tokens of nltk.word_tokenize, with Punkt parameters of one's own.

    NLTK's rules look no further than the spaces around a word, but at a quote that begins a sentence and at the
    full stop or quote that ends it. So each distinct word is cut once, all new ones of many texts in one call.

    Args:
        punkt: a sentence tokenizer, as from `load_punkt` or `learn_punkt`.
    """

    def __init__(self, punkt):
        self.punkt = punkt
        self.cut = NLTKWordTokenizer().tokenize
        self.known = {}

    def __call__(self, text):
        """The tokens of a text, a list of str."""
        return next(self.many([text]))

    def many(self, texts):
        """Yield the tokens of each of many texts, which is quicker than one by one."""
        words = [[word for sentence in self.punkt.tokenize(clean(text)) for word in _mark_ends(sentence.split(" "))]
                 for text in texts]
        if len(self.known) > KNOWN_WORDS:
            self.known.clear()
        self._learn({*itertools.chain.from_iterable(words)}.difference(self.known))
        for some in words:
            yield [*itertools.chain.from_iterable(map(self.known.__getitem__, some))]

    def _learn(self, words):
        """Keep the tokens of new words."""
        inner = [word for word in words if "\0" not in word]
        tokens = " ".join(self.cut(" \0 ".join(["x", *inner, "x"]))).lower().split(" \0 ")
        self.known.update((word, found.split(" ")) for word, found in zip(inner, tokens[1:-1]))
        for word in words.difference(inner):
            before, after = "" if word[0] == "\0" else "x ", "" if word[-1] == "\0" else " x"
            tokens = self.cut(before + word.strip("\0") + after)
            self.known[word] = [token.lower() for token in tokens[bool(before):len(tokens) - bool(after)]]


def _mark_ends(words):
    """Mark with a NUL the words of a sentence that NLTK cuts otherwise at its beginning or at its end."""
    if words[0][:1] in ("'", '"'):
        words[0] = "\0" + words[0]
    end = len(words) - 1
    while end and CLOSERS.issuperset(words[end]):
        end -= 1
    last = " ".join(words[end:])
    if last.endswith(".") and last[:-1].isalnum():                              # most of them, cut here to save time
        words[end:] = last[:-1], "."
    elif "." in last or last.endswith("'"):
        words[end:] = [last + "\0"]
    return words


def load_punkt(fetch=True):
    """Return NLTK's English sentence tokenizer, fetching its `punkt_tab` if it is not installed.

    Args:
        fetch: False only looks at what is installed.

    Raises:
        UserError: `punkt_tab` is not there and cannot be fetched, or NLTK refuses to read it.
    """
    printed, failures = io.StringIO(), []
    with warnings.catch_warnings(record=True) as caught:        # NLTK warns of files that other accounts can write to
        warnings.simplefilter("always")
        for attempt in range(1 + fetch):
            try:
                if attempt:
                    nltk.download("punkt_tab", quiet=True, print_error_to=printed)
                return PunktTokenizer("english")
            except LookupError:
                pass
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                failures.append(str(error))
    failures += [str(warning.message) for warning in caught] + [printed.getvalue().replace("[nltk_data]", "")]
    reasons = " ".join(" ".join(dict.fromkeys(failures)).split()) or "it is not installed"
    raise UserError(
        f"punkt_tab: NLTK's sentence tokenizer cannot be read{' or fetched' * fetch} ({reasons}); run "
        "`python -m nltk.downloader punkt_tab` where there is a network, or point NLTK_DATA at a folder of your own "
        "with tokenizers/punkt_tab (a copy by `cp -rL`, after `chmod -R go-w`, where NLTK refuses to read it); "
        f"NLTK looked in {', '.join(nltk.data.path)}")


def learn_punkt(texts):
    """Return a sentence tokenizer whose parameters are learned from the texts themselves.

    Source: Kiss and Strunk 2006, "Unsupervised Multilingual Sentence Boundary Detection".
    """
    return PunktSentenceTokenizer(PunktTrainer("\n".join(map(clean, texts))).get_params())


def learn_sample_punkt(seed):
    """Return the sentence tokenizer of the embedded sample, learned from its training reviews."""
    from common.preprocessing.sample_corpus import sample_reviews
    return learn_punkt([review.text for review in sample_reviews(seed) if review.split == "train"])


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
    with tqdm(total=len(texts), unit=" reviews", desc="tokenising", disable=None) as bar:
        for chunk_tokens, chunk_indices, chunk_lengths in _tokenize_chunks(chunks, sentence_tokenizer, workers):
            position = [index_of.setdefault(token, len(index_of)) for token in chunk_tokens]
            indices.append(np.array(position, dtype=np.int32)[chunk_indices])
            lengths += chunk_lengths
            bar.update(len(chunk_lengths))
    return TokenizedReviews(list(index_of), np.concatenate(indices), np.cumsum([0, *lengths]))


def _tokenize_chunks(chunks, sentence_tokenizer, workers):
    """Yield _tokenize_chunk of each chunk, in their order, from several processes where the machine lets them start.

    Pipes alone: the standard library's pools need semaphores and threads, and hang where a process
    or thread limit ends them half-way.
    """
    processes = _start_workers(sentence_tokenizer, min(workers, len(chunks)))
    if not processes:
        tokenize = Tokenizer(sentence_tokenizer)
        yield from (_tokenize_chunk(chunk, tokenize) for chunk in chunks)
        return
    connections = [*processes]
    try:
        for connection, chunk in zip(connections, chunks):
            connection.send(chunk)
        for number in range(len(chunks)):               # every so many chunks are one process's
            connection = connections[number % len(connections)]
            result = connection.recv()
            if number + len(connections) < len(chunks):
                connection.send(chunks[number + len(connections)])
            yield result
    except (EOFError, ConnectionError) as error:
        raise UserError("--workers: a tokenising process was killed (out of memory?); "
                        "ask for fewer, or for more memory") from error
    finally:
        for connection, process in processes.items():
            connection.close()
            process.terminate()
            process.join()


def _start_workers(sentence_tokenizer, workers):
    """Start tokenising processes, as many as the machine allows -> dict of connection to process; none for one."""
    processes = {}
    if workers > 1:
        try:
            for _ in range(workers):
                ours, theirs = multiprocessing.Pipe()
                process = multiprocessing.Process(target=_work, args=(theirs, sentence_tokenizer), daemon=True)
                process.start()
                theirs.close()
                processes[ours] = process
        except (OSError, ImportError, EOFError) as error:
            print(f"--workers {workers}: only {max(1, len(processes))} could be started "
                  f"({getattr(error, 'strerror', None) or error})", file=sys.stderr)
    return processes


def _work(connection, sentence_tokenizer):
    """Tokenise the chunks that come through the connection until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends the workers
    tokenize = Tokenizer(sentence_tokenizer)
    with contextlib.suppress(EOFError, ConnectionError, MemoryError):
        while True:
            connection.send(_tokenize_chunk(connection.recv(), tokenize))


def _tokenize_chunk(texts, tokenize):
    """Return a chunk's distinct tokens, its tokens as positions among them, and reviews' lengths.

    Numbers are what makes the way back to the parent cheap: it looks up each distinct token of
    a chunk once and never sees the others as strings.
    """
    index_of = collections.defaultdict(itertools.count().__next__)
    indices, lengths = [], []
    for tokens in tokenize.many(texts):
        indices += map(index_of.__getitem__, tokens)
        lengths.append(len(tokens))
    return list(index_of), np.array(indices, dtype=np.int32), lengths
