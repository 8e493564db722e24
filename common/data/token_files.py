"""Preprocessed files, written and read: token ids as text, arrays, and the table of what each line is."""

import contextlib
import functools
import json
import zipfile
from pathlib import Path

import numpy as np

from common.errors import UserError
from common.files import file_checksum, replace_file

CHECKSUMS = "checksums.json"
LABELS = {"pos": 1.0, "neg": 0.0, "unsup": float("nan")}
IMDB = 0x0661b83d              # "test_texts" in statistics.json of the assignment's dataset (Maas et al. 2011)
LABEL_NAMES = ["negative", "positive"]
MAX_TOKEN_CHARACTERS = 255      # a NumPy string array is as wide as its longest entry, for all of its entries


def token_ids(tokens, dictionary):
    """Ids of tokens, int32 (tokens,): that of entry k - 1 of the dictionary is k, and 0 where it has no such entry."""
    ids = {word: position for position, word in enumerate(dictionary, start=1)}
    return np.array([ids.get(token, 0) for token in tokens], dtype=np.int32)


def write_token_ids(path, token_ids, offsets):
    """Write one review a line, ids separated by spaces; a review without tokens becomes the id 0.

    Args:
        path: file to write.
        token_ids: int32 (total tokens,), one review after the other.
        offsets: int64 (reviews + 1,), where in `token_ids` each review starts and ends.
    """
    with replace_file(path) as file:
        for start, end in zip(offsets[:-1], offsets[1:]):
            file.write((" ".join(map(str, token_ids[start:end].tolist())) or "0") + "\n")


def write_reviews(path, reviews):
    """Write one RawReview a line: file name, label, rating and film, separated by tabs."""
    with replace_file(path) as file:
        for review in reviews:
            file.write(f"{review.name}\t{review.label}\t{review.rating}\t{review.film}\n")


def write_array(path, array):
    """Write an array in NumPy's .npy format."""
    with replace_file(path, "wb") as file:
        np.save(file, array, allow_pickle=False)


def write_checksums(folder, names, made_from=None):
    """Write down which files belong together, the checksums of those of the names that are there, and their origin."""
    checksums = {name: file_checksum(folder / name) for name in names if (folder / name).exists()}
    write_json(folder / CHECKSUMS, {**checksums, "made from": made_from})


@contextlib.contextmanager
def reading(path):
    """Check that a file is the one that preprocess_data.py wrote with those beside it, and yield its checksum.

    Without checksums.json, as in folders of other origin, all files are taken for what they are named.

    Raises:
        UserError: another file; or a missing or broken one, as found here or by what reads it.
    """
    try:
        checksum, known = file_checksum(path), read_json(path.with_name(CHECKSUMS))
        if known and known.get(path.name) != checksum:
            raise UserError(f"{path}: not the file that preprocess_data.py wrote with the others in this folder; "
                            f"run it again, or remove {CHECKSUMS} if you have changed the file yourself")
        yield checksum
    except FileNotFoundError:
        option = " with --glove" if "glove" in path.name else ""
        raise UserError(f"{path}: no such file; make it with preprocess_data.py{option}, or name its folder with "
                        "--data") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read ({error}); run preprocess_data.py again") from error


def read_token_ids(path, largest_id):
    """Read a token-id file: one review a line, ids separated by spaces.

    The numbers are kept in a .cache.npz file beside it, which is read instead as long as the text stays the same.

    Returns:
        (token_ids, lengths): (tokens,) int32 and (reviews,) int64.

    Raises:
        UserError: missing file, empty line, or anything that is no id from 0 to largest_id.
    """
    with reading(path) as checksum:
        return read_cache(path, checksum, largest_id) or parse_token_ids(path, checksum, largest_id)


def cache_path(path):
    return path.with_suffix(".cache.npz")


def read_cache(path, checksum, largest_id):
    """(token_ids, lengths) of the cache beside a token-id file, or None if the text is to be parsed."""
    try:
        with np.load(cache_path(path), allow_pickle=False) as cache:
            token_ids, lengths = cache["token_ids"], cache["lengths"]
            return (token_ids, lengths) if cache["checksum"] == checksum and token_ids.max() <= largest_id else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def parse_token_ids(path, checksum, largest_id):
    """Parse a token-id file and write its cache -> (token_ids, lengths)."""
    reviews = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip(b" \r\n")
            is_plain = not line.translate(None, b"0123456789 ")
            ids = np.fromstring(line if is_plain else b"", dtype=np.int64, sep=" ")
            if not len(ids) or ids.max() > largest_id:
                raise UserError(f"{path}:{number}: not token ids from 0 to {largest_id} with spaces between them; "
                                "run preprocess_data.py again")
            reviews.append(ids.astype(np.int32))
    if not reviews:
        raise UserError(f"{path}: no reviews in it; run preprocess_data.py again")
    token_ids, lengths = np.concatenate(reviews), np.array([len(ids) for ids in reviews])
    with contextlib.suppress(UserError):                # a read-only folder only means no cache
        with replace_file(cache_path(path), "wb", durable=False) as file:
            np.savez(file, checksum=checksum, token_ids=token_ids, lengths=lengths)
    return token_ids, lengths


def read_review_rows(path):
    """Read imdb_train_reviews.tsv or imdb_test_reviews.tsv: a list of (file name, label, rating, film), text."""
    rows = []
    with reading(path), open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) != 4 or fields[1] not in LABELS:
                raise UserError(f"{path}:{number}: not 'file name, label, rating, film' between tabs; "
                                "run preprocess_data.py again")
            rows.append(tuple(fields))
    return rows


def write_json(path, values):
    """Write a dict as JSON."""
    with replace_file(path) as file:
        json.dump(values, file, indent=2, ensure_ascii=False)
        file.write("\n")


def read_json(path):
    """A JSON file as a dict; empty where there is none to read."""
    try:
        values = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def read_label_names(folder):
    """What the labels 0 and 1 are called in a dataset of one's own, a list of two str; by default LABEL_NAMES."""
    return read_json(Path(folder) / "statistics.json").get("labels", LABEL_NAMES)


def read_dictionary(folder, words):
    """Words of the imdb or glove dictionary, a list of str; word k - 1 has id k."""
    path = Path(folder) / f"{words}_dictionary.npy"
    with reading(path) as checksum:
        return list(parse_dictionary(path, checksum))


@functools.lru_cache(maxsize=2)
def parse_dictionary(path, checksum):
    """The words of a dictionary with this checksum, a list of str; the last two are remembered."""
    return load_array(path, "U").tolist()


def load_array(path, kind):
    """An array of the given dtype kind that preprocess_data.py wrote; pickled objects are never loaded.

    Raises:
        UserError: a missing or broken file, or an array of another kind.
    """
    with reading(path):
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind != kind:
            raise ValueError("something else than preprocess_data.py writes")
        return array
