"""Reviews as the dataset ships them: one text file each, in folders by split and label."""

import collections
import dataclasses
import re
import sys
import zlib
from pathlib import Path

from common.data.token_files import IMDB
from common.errors import UserError
from common.preprocessing.review_files import dataset_files
from common.preprocessing.text_cleaning import decode_any

SPLITS = {"train": ("pos", "neg", "unsup"), "test": ("pos", "neg")}

# The published reviews: their counts, and text_checksum of those for testing.
PUBLISHED = ({"train": {"pos": 12_500, "neg": 12_500, "unsup": 50_000}, "test": {"pos": 12_500, "neg": 12_500}}, IMDB)

_FOLDERS = [f"{split}/{label}" for split, labels in SPLITS.items() for label in labels]
_REVIEW = re.compile(rf"(.*/)?({'|'.join(_FOLDERS)})/([0-9]{{1,18}}_[0-9]{{1,2}}\.txt)")
_URLS = re.compile(r"(.*/)?(train|test)/urls_(pos|neg|unsup)\.txt")
# All but the copies of editors and Windows' marks beside a file (0_9.txt:Zone.Identifier; WSL may change the ":").
_NEARLY_REVIEW = re.compile(rf"(.*/)?({'|'.join(_FOLDERS)})/[0-9][^/~:\uf03a]*")
_REVIEW_ELSEWHERE = re.compile(r"(.*/)?[0-9]+_[0-9]+\.txt")

# What people take for the dataset, by the end of a name in it.
_OTHERS = {
    ".csv": "a table such as Kaggle's, which says neither which reviews are for testing nor what films they are about, "
            "and has no unlabelled ones",
    ".npy": "Keras' imdb.npz or its like, which holds the numbers of words in another dictionary and no text",
    ".parquet": "one file of Hugging Face's copy, which is read as the folder of its parquet files"}


def text_checksum(reviews, split):
    """A CRC-32 of the labels and texts of a split, in whatever order and layout they came."""
    return sum(zlib.crc32(f"{review.label} {' '.join(review.text.split())}".encode(errors="replace"))
               for review in reviews if review.split == split) % 2 ** 32


@dataclasses.dataclass(frozen=True)
class RawReview:
    """One review before tokenising.

    split: "train" or "test"; label: "pos", "neg" or "unsup" (unsup only in train);
    name: file name such as "127_10.txt" (numeric id, rating); rating: 1 to 10, 0 where unlabelled;
    film: IMDB id of the film such as "tt0064354", "" where unknown; text: the review as written.
    """

    split: str
    label: str
    name: str
    rating: int
    film: str
    text: str


def sort_reviews(reviews):
    """Return the reviews in the order of the preprocessed files.

    Train before test; within a split pos, neg, unsup; within a label by numeric id.
    """
    return sorted(reviews, key=lambda review: (
        _FOLDERS.index(f"{review.split}/{review.label}"), int(review.name.split("_")[0]), review.name))


def read_reviews(path):
    """Read the Large Movie Review Dataset (Maas et al. 2011, https://ai.stanford.edu/~amaas/data/sentiment/).

    Args:
        path: an archive, a folder or the one above it, or a folder of parquet files (docs/data.md). Other files
            (bags of words, editors' leftovers) are skipped, reviews in other folders with a note.

    Returns:
        list of RawReview, sorted as by `sort_reviews`.

    Raises:
        UserError: missing, unreadable or cut off; a file that is nearly named like a review; the reviews
            of two datasets; no positive or no negative reviews in a split.
    """
    path = Path(path)
    tables = sorted(path.rglob("*.parquet"))
    roots = {table.parent.parent if table.parent.name in ("train", "test", "unsupervised") else table.parent
             for table in tables}
    if len(roots) > 1 or tables and list(path.glob("**/train/pos")):
        raise UserError(f"{path}: holds parquet files of several datasets, or beside texts; give the folder of one")
    reviews, what = (_table_reviews(tables), "") if tables else _text_reviews(path)
    found = {f"{review.split}/{review.label}" for review in reviews}
    for folder in _FOLDERS:
        if folder not in found and not folder.endswith("unsup"):
            raise UserError(f"{path}: holds no reviews such as {folder}/0_9.txt{what}; "
                            "give the official aclImdb_v1.tar.gz, the aclImdb folder from it, or reviews of your own "
                            "in such folders (docs/data.md)")
    return sort_reviews(reviews)


def _text_reviews(path):
    """Read a dataset of text files -> (list of RawReview, what it is instead if it holds none)."""
    found, films, roots, what = {}, {}, {}, ""
    odd = collections.defaultdict(list)                 # what is odd about files -> their names
    files = [(path.name, None)] if path.suffix.lower() in (".csv", ".parquet") else dataset_files(
        path, lambda name: _REVIEW.fullmatch(name) or _URLS.fullmatch(name))
    for name, content in files:
        if name.endswith(".icloud") or (content or b"").startswith(b"version https://git-lfs"):
            raise UserError(f"{path}: {name} is not here but in iCloud or Git LFS; download it and others like it")
        if content is None:
            what = _judge(path, name, odd) or what
            continue
        text, is_unicode = decode_any(content)
        if match := _URLS.fullmatch(name):
            films[f"{match[2]}/{match[3]}"] = [re.search("tt[0-9]+|$", line)[0] for line in text.splitlines()]
            continue
        root, folder, file = _REVIEW.fullmatch(name).groups()
        roots.setdefault(root, name)
        found[folder, file] = text                      # of one that stands twice in an archive, the last
        if not is_unicode:
            odd["are not in UTF-8 and are read as Windows-1252"].append(name)
        if not text.strip():
            odd["are empty; were they copied whole?"].append(name)
    if len(roots) > 1:
        raise UserError(f"{path}: holds several datasets ({' and '.join(roots.values())}); give one of them")
    for oddity, names in odd.items():
        print(f"{path}: {len(names):,} files, such as {names[0]}, {oddity}", file=sys.stderr)
    reviews = []
    for (folder, file), text in found.items():
        split, label = folder.split("/")
        number, rating = map(int, file.removesuffix(".txt").split("_"))
        film = films.get(folder, [])[number:number + 1]
        reviews.append(RawReview(split, label, file, rating, "".join(film), text))
    return reviews, "" if reviews else what


def _judge(path, name, odd):
    """Refuse a file that is nearly named like a review, and note one elsewhere -> which other dataset it shows."""
    if _NEARLY_REVIEW.fullmatch(name):
        raise UserError(f"{path}: {name} is not named id_rating.txt as a review is (0_9.txt); rename it, or remove it")
    if _REVIEW_ELSEWHERE.fullmatch(name):
        odd[f"are left out; reviews are read from {', '.join(_FOLDERS)}"].append(name)
    return next((f": it is {other}" for end, other in _OTHERS.items() if name.endswith(end)), "")


def _table_reviews(tables):
    """Read Hugging Face's copy of the dataset, whose reviews have neither ratings nor films nor file names."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"{tables[0]}: parquet files are read with pyarrow, which is not installed; install it with "
                        "`python -m pip install pyarrow`, or give the official aclImdb_v1.tar.gz") from error
    reviews, counts = [], collections.Counter()
    for table in tables:                                # train-00000-of-00001.parquet, or train/0000.parquet
        splits = re.findall("train|test|unsupervised", f"{table.parent.name}/{table.name}")
        if not splits:
            raise UserError(f"{table}: is of none of the splits train, test and unsupervised; "
                            "rename it, or remove it")
        split, label_names = {"train": ("train", {0: "neg", 1: "pos"}), "test": ("test", {0: "neg", 1: "pos"}),
                              "unsupervised": ("train", {-1: "unsup"})}[splits[-1]]
        try:
            rows = [(label_names[row["label"]], row["text"] + "")
                    for row in pyarrow.parquet.read_table(table, columns=["text", "label"]).to_pylist()]
        except (OSError, ValueError, LookupError, TypeError, pyarrow.ArrowException) as error:
            raise UserError(f"{table}: not a whole parquet file of texts and labels ({error}); "
                            "fetch it again") from error
        for label, text in rows:
            reviews.append(RawReview(split, label, f"{counts[split, label]}_0.txt", 0, "", text))
            counts[split, label] += 1
    return reviews
