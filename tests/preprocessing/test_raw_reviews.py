"""Reading the dataset from small archives and folders made here."""

import gzip
import tarfile

import pytest
from raw_dataset import write_archive, write_folder

from common.errors import UserError
from common.preprocessing.raw_reviews import read_reviews

FILES = {
    "train/pos/0_9.txt": b"good",
    "train/pos/10_8.txt": b"ten",
    "train/pos/2_7.txt": b"two",
    "train/neg/0_1.txt": b"bad",
    "train/unsup/0_0.txt": b"unlabelled",
    "train/urls_pos.txt": b"".join(b"http://www.imdb.com/title/tt%07d/usercomments\n" % k for k in range(11)),
    "test/pos/0_10.txt": b"fine",
    "test/neg/0_2.txt": b"poor",
}


def names(reviews):
    return [f"{review.split}/{review.label}/{review.name}" for review in reviews]


def test_reviews_come_by_split_label_and_numeric_id_whatever_the_archive_order(tmp_path):
    expected = ["train/pos/0_9.txt", "train/pos/2_7.txt", "train/pos/10_8.txt", "train/neg/0_1.txt",
                "train/unsup/0_0.txt", "test/pos/0_10.txt", "test/neg/0_2.txt"]
    backwards = dict(reversed(FILES.items()))
    assert names(read_reviews(write_archive(tmp_path / "a.tar.gz", FILES))) == expected
    assert names(read_reviews(write_archive(tmp_path / "b.tar.gz", backwards, "./aclImdb/"))) == expected


def test_a_folder_reads_as_its_archive_does(tmp_path):
    archive = read_reviews(write_archive(tmp_path / "a.tar.gz", FILES))
    assert read_reviews(write_folder(tmp_path / "aclImdb", FILES)) == archive


def test_a_review_has_its_rating_text_and_the_film_on_the_line_of_its_id(tmp_path):
    by_name = dict(zip(names(reviews := read_reviews(write_archive(tmp_path / "a.tar.gz", FILES))), reviews))
    ten = by_name["train/pos/10_8.txt"]
    assert (ten.rating, ten.text, ten.film) == (8, "ten", "tt0000010")
    assert by_name["train/neg/0_1.txt"].film == ""  # no urls_neg.txt here


def test_other_members_are_skipped(tmp_path):
    extra = {"README": b"x", "imdb.vocab": b"x", "train/labeledBow.feat": b"x", "train/pos/._0_9.txt": b"x",
             "train/pos/.0_9.txt.swp": b"x", "train/pos/notes.txt": b"x", "train/pos/0_9.txt~": b"x"}
    archive = write_archive(tmp_path / "a.tar.gz", extra | FILES)
    assert len(read_reviews(archive)) == 7


def test_unlabelled_reviews_may_be_missing(tmp_path):
    files = {name: content for name, content in FILES.items() if "unsup" not in name}
    assert len(read_reviews(write_archive(tmp_path / "a.tar.gz", files))) == 6


@pytest.mark.parametrize("content, text", [
    ("caf\u00e9".encode(), "caf\u00e9"),
    (b"caf\xe9 \x93so\x94", "caf\u00e9 \u201cso\u201d"),
    (b"\x81\xff", "\ufffd\u00ff"),
    (b"\xef\xbb\xbfmarked", "marked"),
])
def test_bytes_are_utf8_or_else_windows_1252(tmp_path, content, text):
    archive = write_archive(tmp_path / "a.tar.gz", FILES | {"train/pos/0_9.txt": content})
    assert read_reviews(archive)[0].text == text


def test_an_archive_cut_off_anywhere_is_refused(tmp_path):
    whole = write_archive(tmp_path / "a.tar.gz", FILES).read_bytes()
    cut = tmp_path / "cut.tar.gz"
    for length in range(0, len(whole), 40):
        cut.write_bytes(whole[:length])
        with pytest.raises(UserError, match="cut.tar.gz"):
            read_reviews(cut)


@pytest.mark.parametrize("content", [
    b"<html>404</html>", gzip.compress(b"no tar archive" * 100, mtime=0), b"\x1f\x8b" + b"\0" * 600])
def test_other_files_are_refused_as_archives(tmp_path, content):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a whole gzipped tar archive"):
        read_reviews(path)


def test_a_missing_file_is_refused_with_the_way_to_fetch_it(tmp_path):
    with pytest.raises(UserError, match="none.tar.gz: no such file.*--download"):
        read_reviews(tmp_path / "none.tar.gz")


@pytest.mark.parametrize("folder", ["train/pos", "train/neg", "test/pos", "test/neg"])
def test_a_split_without_positive_or_negative_reviews_is_refused(tmp_path, folder):
    files = {name: content for name, content in FILES.items() if not name.startswith(folder)}
    with pytest.raises(UserError, match=f"no reviews such as {folder}/"):
        read_reviews(write_archive(tmp_path / "a.tar.gz", files))


def test_a_link_among_the_reviews_is_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("aclImdb/train/pos/3_9.txt")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(UserError, match="3_9.txt is not a plain file"):
        read_reviews(path)


def test_a_path_that_leaves_the_archive_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a plain file inside"):
        read_reviews(write_archive(tmp_path / "a.tar.gz", FILES, prefix="aclImdb/../../"))
