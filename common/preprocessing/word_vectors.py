"""Word vectors from a file: the text formats of GloVe, word2vec and fastText, as they are or in a .zip or .gz."""

import codecs
import collections
import contextlib
import gzip
import itertools
import re
import sys
import zipfile
import zlib

import numpy as np
from tqdm import tqdm

from common.data.token_files import MAX_TOKEN_CHARACTERS
from common.errors import UserError

HEAD_ROWS = 100
MAX_ROW_BYTES = 1 << 20     # a file without line ends would fill the memory

_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


def read_word_vectors(path, max_words):
    """Read the first words of a file of word vectors.

    The file is read as a stream, and only as far as needed: the published ones have up to 5.6 GB.
    A word is all that stands before the last `width` fields of its row, since GloVe 840B has
    words that contain spaces or are odd white space. The width is that of a word2vec-style header
    line ("2196017 300"), else the commonest one among the first rows.

    Args:
        path: text, a gzipped text, or a zip archive with a .txt or .vec inside (the largest).
        max_words: distinct words to keep, in file order, which is falling frequency. Of a
            repeated word the first row counts; a word that is too long for the dictionary is left out,
            and so is, with a note, one that is not UTF-8: fastText cuts words between bytes.

    Returns:
        words: list of str; vectors: float32 (words, width).

    Raises:
        UserError: the file or archive cannot be read, has no rows, has a row that is shorter or longer
            than the others or not made of finite numbers, or most words are not UTF-8.
    """
    vectors, cut, number = {}, [], 0
    with _open_text(path) as file:
        lines = iter(lambda: file.readline(MAX_ROW_BYTES), b"")
        head = list(itertools.islice(lines, HEAD_ROWS))
        head[:1] = [line.removeprefix(codecs.BOM_UTF8) for line in head[:1]]
        promised, width = _layout(path, head)
        rows = ((number, line) for number, line in enumerate(itertools.chain(head, lines), 1) if not line.isspace())
        if promised is not None:
            next(rows)
        with tqdm(total=max_words, desc="reading word vectors", unit=" words", disable=None) as progress:
            while len(vectors) < max_words and (row := next(rows, None)):
                number, line = row
                word, vector = _parse_row(f"{path}:{number}", line, width)
                if word is None:
                    cut.append(number)
                elif word not in vectors and len(word) <= MAX_TOKEN_CHARACTERS:
                    vectors[word] = vector
                    progress.update()
    if len(cut) > len(vectors):
        raise UserError(f"{path}:{cut[0]}: the word is not UTF-8, like most in the file; save it as UTF-8")
    if cut:
        print(f"{path}: left out {len(cut):,} words that are not UTF-8, such as that in line {cut[0]}", file=sys.stderr)
    if not vectors:
        raise UserError(f"{path}: holds no word vectors; download it again")
    if promised is not None and number - 1 < min(promised, max_words):
        print(f"{path}: its header promises {promised:,} words, but it ends after {number - 1:,}", file=sys.stderr)
    return list(vectors), np.stack(list(vectors.values()))  # words, width


@contextlib.contextmanager
def _open_text(path):
    """Open the text as bytes, whose lines end at b"\\n" alone (not at U+0085)."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
            magic = file.peek(4)
            if magic.startswith(b"PK"):
                archive = stack.enter_context(zipfile.ZipFile(file))
                texts = [entry for entry in archive.infolist() if entry.filename.endswith((".txt", ".vec"))]
                if not texts:
                    raise UserError(f"{path}: holds no .txt or .vec; give an archive such as glove.840B.300d.zip")
                file = stack.enter_context(archive.open(max(texts, key=lambda entry: entry.file_size)))
            elif magic.startswith(b"\x1f\x8b"):
                file = stack.enter_context(gzip.open(file))
            yield file
        except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise UserError(f"{path}: not a whole archive ({error}); download it again") from error
        except RuntimeError as error:                                           # Deflate64, or a password
            raise UserError(f"{path}: Python cannot unpack it ({error}); unpack it and give the text") from error
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}); "
                            "give word vectors as .txt, .vec, .zip or .gz, or --glove train") from error


def _layout(path, head):
    """Return the header's number of words, or None without one, and the width of the vectors."""
    start = b"".join(head)[:1 << 16]
    if len(start.decode(errors="ignore").replace("\0", "").encode()) < len(start) * 0.8:
        whose = ("fastText's binary file" if start.startswith(b"\xba\x16\x4f\x2f") else
                 "word2vec's binary file" if re.match(rb"[0-9]+ [0-9]+\n", start) else
                 "not text in UTF-8 but a binary file, or text in UTF-16")
        raise UserError(f"{path}: {whose}; give the vectors as text in UTF-8, such as the .vec or .txt beside it")
    if any(b"\r" in line.rstrip() for line in head):
        raise UserError(f"{path}: its lines end in carriage returns alone; save it with newlines")
    fields = [line.split() for line in head if not line.isspace()]
    if fields and len(fields[0]) == 2 and all(re.fullmatch(rb"[0-9]{1,18}", field) for field in fields[0]):
        promised, width = map(int, fields[0])
        widths = {len(row) - 1 for row in fields[1:]}
        if not widths or width in widths:
            return promised, width
        if widths != {1}:
            raise UserError(_refusal(f"{path}:1", b"".join(head), f"the header says that a word has {width} numbers, "
                                     f"but the next row has {len(fields[1]) - 1}"))
    widths = collections.Counter(len(row) - 1 for row in fields)
    return None, max(widths, key=lambda width: (widths[width], width), default=0)


def _parse_row(place, line, width):
    """Split a row into its word, None if it is not UTF-8, and its vector of `width` float32 numbers."""
    text = line.rstrip(b" \t\r\n")
    word, *numbers = text.rsplit(b" ", width)
    if len(numbers) < width or b"" in numbers:      # not one space each; only tried now, since a word may be a tab
        word, *numbers = text.rsplit(None, width) or [b""]
    word = word.strip(b" ")
    *start, end = word.split() or [b""]
    if not word or not numbers or len(numbers) < width:
        raise UserError(_refusal(place, line, f"not a word and {width} numbers with spaces or tabs between them"))
    # A word may be "2 0" but not "film 1" or "film 0.5": that is a row of a longer vector.
    if start and _NUMBER.fullmatch(end) and (b"." in end or not _NUMBER.fullmatch(start[0])):
        raise UserError(_refusal(place, line, f"more than {width} numbers, unlike other rows"))
    try:
        with np.errstate(over="ignore"):
            vector = np.array(numbers, np.float32)
    except ValueError as error:
        raise UserError(_refusal(place, line, str(error))) from error
    try:
        word = word.decode()
    except UnicodeDecodeError:
        word = None
    if not np.isfinite(vector).all():
        raise UserError(_refusal(place, line, f"the vector of {word!r} is not finite"))
    return word, vector


def _refusal(place, line, what):
    if len(line) == MAX_ROW_BYTES:
        what = f"a row of more than {MAX_ROW_BYTES:,} bytes"
    return f"{place}: {what}; download the file again"
