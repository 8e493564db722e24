"""Reviews as the dataset ships them: one text file each, in folders by split and label."""

import dataclasses
import gzip
import re
import tarfile
import zlib
from pathlib import Path

from common.errors import UserError

SPLITS = {"train": ("pos", "neg", "unsup"), "test": ("pos", "neg")}

_REVIEW = re.compile(r"(?:^|/)(train|test)/(pos|neg|unsup)/([0-9]{1,9}_([0-9]{1,2})\.txt)$")
_URLS = re.compile(r"(?:^|/)(train|test)/urls_(pos|neg|unsup)\.txt$")


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
        path: `aclImdb_v1.tar.gz`, read as a stream and never unpacked, or an unpacked `aclImdb/`
            folder. Other files in it (bags of words, editors' leftovers) are skipped.

    Returns:
        list of RawReview, sorted as by `sort_reviews`.

    Raises:
        UserError: missing, cut off or not gzip; a link or a `..` path among the reviews;
            no positive or no negative reviews in a split.
    """
    path = Path(path)
    texts, films = {}, {}
    for name, content in _folder_files(path) if path.is_dir() else _archive_files(path):
        if match := _REVIEW.search(name):
            texts[match.groups()] = _decode(content)
        else:
            films[_URLS.search(name).groups()] = [
                "".join(re.findall(r"tt[0-9]+", line)[:1])
                for line in _decode(content).split("\n")]

    reviews = []
    for (split, label, name, rating), text in texts.items():
        film_of_line = films.get((split, label), [])
        number = int(name.split("_")[0])
        film = film_of_line[number] if number < len(film_of_line) else ""
        reviews.append(RawReview(split, label, name, int(rating), film, text))

    found = {(review.split, review.label) for review in reviews}
    for split in SPLITS:
        for label in ("pos", "neg"):
            if (split, label) not in found:
                raise UserError(f"{path}: holds no reviews such as {split}/{label}/0_9.txt; "
                                "give the official aclImdb_v1.tar.gz or the aclImdb folder from it")
    return sort_reviews(reviews)


def _archive_files(path):
    """Yield name and bytes of each wanted member of a gzipped tar archive, in archive order."""
    try:
        # tarfile's own "r|gz" takes an archive that was cut off between two members for a
        # whole one; gzip notices, as long as its stream is read to the end.
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if not (_REVIEW.search(member.name) or _URLS.search(member.name)):
                    continue
                if not member.isreg() or ".." in member.name.split("/"):
                    raise UserError(f"{path}: member {member.name} is not a plain file inside the "
                                    "archive; fetch the official aclImdb_v1.tar.gz")
                yield member.name, archive.extractfile(member).read()
            while stream.read(1 << 20):
                pass
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; fetch the reviews with --download") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise UserError(f"{path}: is not a whole gzipped tar archive ({error}); fetch it again") from error


def _folder_files(path):
    """Yield name and bytes of each wanted file of an unpacked archive."""
    for pattern in ("*/*.txt", "*/*/*.txt"):
        for file in path.glob(pattern):
            name = file.relative_to(path).as_posix()
            if _REVIEW.search(name) or _URLS.search(name):
                try:
                    yield name, file.read_bytes()
                except OSError as error:
                    raise UserError(f"{file}: cannot be read ({error.strerror}); "
                                    "unpack the archive again") from error


def _decode(content):
    """Decode UTF-8 with or without a byte order mark, else Windows-1252."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
