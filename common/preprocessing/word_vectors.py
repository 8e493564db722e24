"""Word vectors from a file: the text formats of GloVe, word2vec and fastText, as they are or in a .zip or .gz."""

import codecs
import contextlib
import gzip
import re
import sys
import zipfile
import zlib

import numpy as np
from tqdm import tqdm

from common.data.token_files import MAX_TOKEN_CHARACTERS
from common.errors import UserError


def read_word_vectors(path, max_words):
    """Read the first words of a file of word vectors.

    The file is read as a stream, and only as far as needed: the published ones have up to 5.6 GB.
    A word is all that stands before the last `width` fields of its row, since GloVe 840B has
    words that contain spaces or are odd white space. The width is that of a word2vec-style header
    line ("2196017 300"), else of the first row.

    Args:
        path: text, a gzipped text, or a zip archive with a .txt or .vec inside (the largest).
        max_words: distinct words to keep, in file order, which is falling frequency. Of a
            repeated word the first row counts; a word that is too long for the dictionary is left out,
            and so is, with a note, one that is not UTF-8: fastText cuts words between bytes.

    Returns:
        words: list of str; vectors: float32 (words, width).

    Raises:
        UserError: the file or archive cannot be read, has no rows, or has one that is no word and
            `width` finite numbers.
    """
    vectors, cut, width = {}, [], None
    with _open_text(path) as file:
        lines = tqdm(file, total=max_words, desc="reading word vectors", unit=" words", disable=None)
        for number, line in enumerate(lines, 1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            row = re.sub(rb"[ \t]+", b" ", line.strip(b" \t\r\n"))     # other white space may be a word
            if number == 1 and re.fullmatch(rb"[0-9]{1,9} [0-9]{1,9}", row):
                width = int(row.split()[1])
            elif row:
                width = width or row.count(b" ")
                word, *numbers = row.rsplit(b" ", width)
                if re.search(rb" -?[0-9]*\.[0-9]+$", word):
                    raise UserError(f"{path}:{number}: more numbers than {width}, as before it; download it again")
                vector = _vector(numbers, width, f"{path}:{number}")
                try:
                    word = word.decode()
                except UnicodeDecodeError:
                    cut.append(number)
                    continue
                if word not in vectors and len(word) <= MAX_TOKEN_CHARACTERS:
                    vectors[word] = vector
                    if len(vectors) == max_words:
                        break
    if cut:
        print(f"{path}: left out {len(cut):,} words that are not UTF-8, such as that in line {cut[0]}", file=sys.stderr)
    if not vectors:
        raise UserError(f"{path}: holds no word vectors; download it again")
    return list(vectors), np.stack(list(vectors.values()))  # words, width


def _vector(numbers, width, place):
    try:
        with np.errstate(over="ignore"):
            vector = np.array(numbers, np.float32)
    except ValueError:
        vector = np.array([])
    if not len(vector) or len(vector) < width or not np.isfinite(vector).all():
        raise UserError(f"{place}: not a word and {width or 'its'} finite numbers as text with spaces or tabs between "
                        "them; give GloVe's .txt, or the .vec of word2vec or fastText")
    return vector


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
        except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError) as error:
            # RuntimeError: a password, or Windows' Deflate64
            raise UserError(f"{path}: not a whole archive that Python can unpack ({error}); download it again, "
                            "or unpack it and give the text") from error
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}); "
                            "give word vectors as .txt, .vec, .zip or .gz, or --glove train") from error
