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
from common.preprocessing.text_encoding import decode_any

SPLITS = {"train": ("pos", "neg", "unsup"), "test": ("pos", "neg")}

# The published reviews: their counts, and text_checksum of those for testing.
PUBLISHED = ({"train": {"pos": 12_500, "neg": 12_500, "unsup": 50_000}, "test": {"pos": 12_500, "neg": 12_500}}, IMDB)

_FOLDERS = [f"{split}/{label}" for split, labels in SPLITS.items() for label in labels]
_REVIEW = re.compile(rf"(.*/)?({'|'.join(_FOLDERS)})/(([0-9]{{1,18}})_([0-9]{{1,2}})\.txt)")
_URLS = re.compile(r"(.*/)?(train|test)/urls_(pos|neg|unsup)\.txt")
# Hidden files, those of editors, and Windows' marks beside a file (0_9.txt:Zone.Identifier; WSL may change the ":").
_HIDDEN = re.compile(r"(.*/)?(\.|__MACOSX/).*|.*~|.*[:\uf03a][^/]*")
_AWAY = re.compile(rf"(.*/)?({'|'.join(_FOLDERS)})/\.[^/]*\.icloud")

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

    @property
    def number(self):
        """The numeric id at the start of the file name."""
        return int(self.name.split("_")[0])


def sort_reviews(reviews):
    """Return the reviews in the order of the preprocessed files.

    Train before test; within a split pos, neg, unsup; within a label by numeric id.
    """
    folders = [(split, label) for split, labels in SPLITS.items() for label in labels]
    return sorted(reviews, key=lambda review: (
        folders.index((review.split, review.label)), review.number, review.name))


def read_reviews(path):
    """Read the Large Movie Review Dataset (Maas et al. 2011, https://ai.stanford.edu/~amaas/data/sentiment/).

    Args:
        path: `aclImdb_v1.tar.gz`, the .tar in it or a .zip of the folder, which are never unpacked; an
            unpacked `aclImdb/` folder or the one above it; or Hugging Face's copy, a folder of parquet
            files. Other files (bags of words, editors' leftovers) are skipped, other folders of reviews
            with a note.

    Returns:
        list of RawReview, sorted as by `sort_reviews`.

    Raises:
        UserError: missing, unreadable or cut off; a file that is nearly named like a review; the reviews
            of two datasets; no positive or no negative reviews in a split.
    """
    path = Path(path)
    tables = sorted(table for folders in ("", "*/", "*/*/") for table in path.glob(f"{folders}*.parquet"))
    if tables and [*path.glob("train/pos"), *path.glob("*/train/pos")]:
        raise UserError(f"{path}: holds several datasets (text files and parquet files); give one of them")
    reviews, others, notes = (_table_reviews(tables), [], []) if tables else _text_reviews(path)
    found = {f"{review.split}/{review.label}" for review in reviews}
    for folder in _FOLDERS:
        if folder not in found and not folder.endswith("unsup"):
            known = [what for end, what in _OTHERS.items() for name in others if name.endswith(end)]
            texts = [name for name in others if name.endswith(".txt")]
            what = (f": it is {known[0]}" if known and not found else
                    f", but other files, such as {texts[0]}" if texts else "")
            raise UserError(f"{path}: holds no reviews such as {folder}/0_9.txt{what}; "
                            "give the official aclImdb_v1.tar.gz, the aclImdb folder from it, or reviews of your own "
                            "in such folders (docs/data.md)")
    for note in notes:
        print(f"{path}: {note}", file=sys.stderr)
    return sort_reviews(reviews)


def _text_reviews(path):
    """Read a dataset of text files -> (list of RawReview, names of what is none, notes for the user)."""
    texts, films, others, prefixes, foreign, away = {}, {}, [], {}, [], []
    for name, content in dataset_files(path, lambda name: _REVIEW.fullmatch(name) or _URLS.fullmatch(name)):
        if _AWAY.fullmatch(name) or content and content[:40].startswith(b"version https://git-lfs"):
            away.append(name)
        elif content is not None:
            text, is_unicode = decode_any(content)
            if match := _REVIEW.fullmatch(name):
                prefixes.setdefault(match[1] or "", name)
                texts[match[2], match[3]] = text
                if not is_unicode:
                    foreign.append(name)
            else:
                films["/".join(_URLS.fullmatch(name).groups()[1:])] = _films(text)
        elif not _HIDDEN.fullmatch(name):
            others.append(name)
    _refuse(path, prefixes, away)
    notes = []
    for prefix in prefixes:
        notes += _judge_others(path, [name.removeprefix(prefix) for name in others if name.startswith(prefix)])
    reviews = []
    for (folder, name), text in texts.items():
        number, rating = map(int, name.removesuffix(".txt").split("_"))
        film = films.get(folder, [])[number:number + 1]
        split, label = folder.split("/")
        reviews.append(RawReview(split, label, name, rating, "".join(film), text))
    return reviews, others, notes + _note_odd_texts(foreign, texts)


def _refuse(path, prefixes, away):
    """Refuse texts that are kept elsewhere, and reviews whose folders stand at several places."""
    if away:
        raise UserError(f"{path}: {len(away):,} files, such as {away[0]}, are not here but in iCloud or Git LFS; "
                        "download them")
    if len(prefixes) > 1:
        first, second, *_ = prefixes.values()
        raise UserError(f"{path}: holds several datasets ({first} and {second}); give one of them")


def _films(urls):
    """The film of each line of a urls_pos.txt, a list of str."""
    return ["".join(re.findall(r"tt[0-9]+", line)[:1]) for line in re.split("\r\n|\r|\n", urls)]


def _note_odd_texts(foreign, texts):
    notes = []
    if foreign:
        notes.append(f"{len(foreign):,} reviews, such as {foreign[0]}, are not in UTF-8 and are read as Windows-1252")
    empty = ["/".join(place) for place, text in texts.items() if not text.strip()]
    if empty:
        notes.append(f"{len(empty):,} reviews, such as {empty[0]}, are empty files; were they copied whole?")
    return notes


def _judge_others(path, names):
    """Refuse a file that is nearly named like a review -> notes on the folders that are left out."""
    left_out = collections.Counter()
    for name in names:
        *folders, file = name.split("/")
        folder = "/".join(folders)
        if folder in _FOLDERS and file[0].isdigit():
            raise UserError(f"{path}: {name} is not named id_rating.txt as a review is (0_9.txt); "
                            "rename it, or remove it")
        if len(folders) > 1:
            left_out[folder] += 1
    return [f"left out {count:,} files in {folder}; reviews are files named id_rating.txt in {', '.join(_FOLDERS)}"
            for folder, count in left_out.items()]


def _table_reviews(tables):
    """Read Hugging Face's copy of the dataset, whose reviews have neither ratings nor films nor file names."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"{tables[0]}: parquet files are read with pyarrow, which is not installed; install it with "
                        "`python -m pip install pyarrow`, or give the official aclImdb_v1.tar.gz") from error
    reviews, counts, roots = [], collections.Counter(), {}
    for table in tables:
        names = table.name.split("-")[0], table.parent.name                     # train-00000-of-00001, or train/0000
        split = next((name for name in names if name in ("train", "test", "unsupervised")), None)
        if split is None:
            raise UserError(f"{table}: is of none of the splits train, test and unsupervised; "
                            "rename it, or remove it")
        roots.setdefault(table.parent.parent if table.parent.name == split else table.parent, table)
        if len(roots) > 1:
            first, second = roots.values()
            raise UserError(f"{first} and {second}: belong to two copies of the dataset; give the folder of one")
        label_names = {-1: "unsup"} if split == "unsupervised" else {0: "neg", 1: "pos"}
        try:
            columns = pyarrow.parquet.read_table(table, columns=["text", "label"]).to_pydict()
            rows = [(label_names[label], text + "") for text, label in zip(columns["text"], columns["label"])]
        except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
            raise UserError(f"{table}: not a whole parquet file of texts and labels ({error}); "
                            "fetch it again") from error
        for label, text in rows:
            number = counts[split, label]
            counts[split, label] += 1
            reviews.append(RawReview("test" if split == "test" else "train", label, f"{number}_0.txt", 0, "", text))
    return reviews
