"""Reading the dataset from small archives and folders made here."""

import bz2
import gzip
import os
import re
import sys
import tarfile
import zipfile

import pytest
from raw_dataset import write_archive, write_folder

from common.errors import UserError
from common.preprocessing.raw_reviews import read_reviews, text_checksum

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


@pytest.mark.parametrize("mark", [":Zone.Identifier", "\uf03aZone.Identifier", ":com.dropbox.attrs"])
def test_marks_that_windows_keeps_beside_a_file_are_skipped(tmp_path, mark):
    files = FILES | {f"train/pos/0_9.txt{mark}": b"[ZoneTransfer]", f"train/urls_pos.txt{mark}": b"x"}
    for path in write_folder(tmp_path / "a", files), write_archive(tmp_path / "a.tar.gz", files):
        assert len(read_reviews(path)) == 7


@pytest.mark.parametrize("name, content", [
    ("train/pos/.0_9.txt.icloud", b"bplist00"), ("train/pos/0_9.txt", b"version https://git-lfs.github.com/spec/v1\noid")])
def test_files_that_are_kept_elsewhere_are_refused(tmp_path, name, content):
    files = {other: text for other, text in FILES.items() if other != "train/pos/0_9.txt"} | {name: content}
    for path in write_folder(tmp_path / "a", files), write_archive(tmp_path / "a.tar.gz", files):
        with pytest.raises(UserError, match=f"{name} is not here but in iCloud or Git LFS"):
            read_reviews(path)


def test_hard_links_in_an_archive_are_read(tmp_path):
    folder = write_folder(tmp_path / "aclImdb", FILES)
    (folder / "train/pos/11_9.txt").hardlink_to(folder / "train/pos/0_9.txt")
    for prefix in "aclImdb", "./aclImdb":
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            for path in sorted(folder.rglob("*.txt"), key=lambda path: path.name == "11_9.txt"):    # the link last
                archive.add(path, f"{prefix}/{path.relative_to(folder)}")
        assert any(member.islnk() for member in tarfile.open(tmp_path / "a.tar"))
        assert read_reviews(tmp_path / "a.tar") == read_reviews(folder)


def test_a_checksum_of_texts_is_the_same_in_whatever_order_and_layout(tmp_path):
    reviews = read_reviews(write_folder(tmp_path / "a", FILES))
    checksum = text_checksum(reviews, "train")
    assert text_checksum(reviews[::-1], "train") == checksum != text_checksum(reviews, "test")
    other = FILES | {"train/pos/0_9.txt": b"bad", "train/neg/0_1.txt": b"good"}
    assert text_checksum(read_reviews(write_folder(tmp_path / "b", other)), "train") != checksum
    spaced = FILES | {"train/pos/0_9.txt": b"good\r\n"}
    assert text_checksum(read_reviews(write_folder(tmp_path / "c", spaced)), "train") == checksum


def test_unlabelled_reviews_may_be_missing(tmp_path):
    files = {name: content for name, content in FILES.items() if "unsup" not in name}
    assert len(read_reviews(write_archive(tmp_path / "a.tar.gz", files))) == 6


@pytest.mark.parametrize("content, text", [
    ("caf\u00e9".encode(), "caf\u00e9"),
    (b"caf\xe9 \x93so\x94", "caf\u00e9 \u201cso\u201d"),
    (b"\x81\xff", "\ufffd\u00ff"),
    (b"\xef\xbb\xbfmarked", "marked"),
    ("caf\u00e9".encode("utf-16"), "caf\u00e9"),
    ("\ufeffcaf\u00e9".encode("utf-16-be"), "caf\u00e9"),
    ("caf\u00e9".encode("utf-32"), "caf\u00e9"),
    ("A film\u2026".encode("utf-16-le"), "A film\u2026"),
    ("A film\u2026".encode("utf-16-be"), "A film\u2026"),
    ("A film\u2026".encode("utf-32-le"), "A film\u2026"),
    ("A film\u2026".encode("utf-32-be"), "A film\u2026"),
    (b"A film\0with a NUL", "A film\0with a NUL"),
    (b"", ""),
])
def test_bytes_are_unicode_or_else_windows_1252(tmp_path, content, text):
    archive = write_archive(tmp_path / "a.tar.gz", FILES | {"train/pos/0_9.txt": content})
    assert read_reviews(archive)[0].text == text


def test_reviews_that_are_no_unicode_are_counted(tmp_path, capsys):
    read_reviews(write_archive(tmp_path / "a.tar.gz", FILES | {"train/pos/0_9.txt": b"caf\xe9"}))
    assert "1 files, such as aclImdb/train/pos/0_9.txt, are not in UTF-8" in capsys.readouterr().err


def test_empty_reviews_are_counted(tmp_path, capsys):
    read_reviews(write_archive(tmp_path / "a.tar.gz", FILES | {"train/pos/0_9.txt": b"", "train/neg/0_1.txt": b" \n"}))
    assert "2 files, such as aclImdb/train/pos/0_9.txt, are empty" in capsys.readouterr().err


@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
def test_films_stand_on_lines_of_any_kind(tmp_path, end):
    files = FILES | {"train/urls_pos.txt": FILES["train/urls_pos.txt"].replace(b"\n", end)}
    assert {review.name: review.film for review in read_reviews(write_archive(tmp_path / "a.tar.gz", files))}[
        "10_8.txt"] == "tt0000010"


def tar(tmp_path, files=FILES):
    return gzip.decompress(write_archive(tmp_path / "whole.tar.gz", files).read_bytes())


@pytest.mark.parametrize("name, pack", [
    ("a.tar", lambda tmp_path: tar(tmp_path)),
    ("a.tar.gz", lambda tmp_path: tar(tmp_path)),
    ("a.tar", lambda tmp_path: gzip.compress(tar(tmp_path))),
    ("members.tar.gz", lambda tmp_path: gzip.compress(tar(tmp_path)[:700]) + gzip.compress(tar(tmp_path)[700:])),
], ids=["plain tar", "tar named .tar.gz", "gzip named .tar", "gzip in pieces"])
def test_an_archive_is_read_whatever_its_name_and_however_it_is_put_together(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(tmp_path))
    assert read_reviews(tmp_path / name) == read_reviews(write_folder(tmp_path / "aclImdb", FILES))


def test_an_archive_may_come_through_a_pipe(tmp_path):
    content = write_archive(tmp_path / "a.tar.gz", FILES).read_bytes()
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    assert len(read_reviews(f"/dev/fd/{reader}")) == 7
    os.close(reader)


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_a_zip_of_the_folder_is_read(tmp_path, separator):
    with zipfile.ZipFile(tmp_path / "aclImdb.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"aclImdb/{name}".replace("/", separator), content)
        archive.writestr("__MACOSX/aclImdb/train/pos/._0_9.txt", "x")
    assert read_reviews(tmp_path / "aclImdb.zip") == read_reviews(write_folder(tmp_path / "aclImdb", FILES))


def test_a_damaged_or_locked_zip_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    good = path.read_bytes()
    path.write_bytes(good.replace(b"unlabelled", b"UNLABELLED", 1))
    with pytest.raises(UserError, match="a.zip: is not a whole .tar.gz, .tar or .zip archive"):
        read_reviews(path)
    content = bytearray(good)
    for place in 6, content.index(b"PK\1\2") + 8:
        content[place] |= 1                                                     # encrypted
    path.write_bytes(content)
    with pytest.raises(UserError, match="a.zip: .*password.*unpack it and give the folder"):
        read_reviews(path)


def test_the_folder_above_is_read(tmp_path):
    write_folder(tmp_path / "above" / "aclImdb", FILES)
    (tmp_path / "above" / "more").mkdir()
    assert read_reviews(tmp_path / "above") == read_reviews(tmp_path / "above" / "aclImdb")


def test_two_datasets_are_refused(tmp_path):
    for name in "first", "second":
        write_folder(tmp_path / "above" / name, FILES)
    with pytest.raises(UserError, match="above: holds several datasets .*; give one of them"):
        read_reviews(tmp_path / "above")
    both = {f"{name}/{file}": content for name in ("first", "second") for file, content in FILES.items()}
    with pytest.raises(UserError, match="holds several datasets .*first/.*second/.*; give one of them"):
        read_reviews(write_archive(tmp_path / "a.tar.gz", both))


@pytest.mark.parametrize("folder", ["val/pos", "train/neutral", "test/unsup", "train/pos/more"])
def test_other_folders_of_reviews_are_left_out_with_a_note(tmp_path, capsys, folder):
    files = FILES | {f"{folder}/{number}_9.txt": b"good" for number in range(3)}
    expected = read_reviews(write_folder(tmp_path / "aclImdb", FILES))
    for path in write_folder(tmp_path / "more", files), write_archive(tmp_path / "more.tar.gz", files):
        assert capsys.readouterr().err == ""
        assert read_reviews(path) == expected
        said = capsys.readouterr().err
        assert re.search(f"3 files, such as .*{folder}/[012]_9.txt, are left out", said)


@pytest.mark.parametrize("name", ["7.txt", "7_10.TXT", "7_10 (1).txt", "7-10.txt", "7_10.txt.gz", "7_100.txt", "7_10"])
def test_a_file_that_is_nearly_named_like_a_review_is_refused(tmp_path, name):
    for path in (write_folder(tmp_path / "a", FILES | {f"train/pos/{name}": b"good"}),
                 write_archive(tmp_path / "a.tar.gz", FILES | {f"train/pos/{name}": b"good"})):
        with pytest.raises(UserError) as error:
            read_reviews(path)
        assert f"train/pos/{name} is not named id_rating.txt" in str(error.value)


@pytest.mark.parametrize("name", ["train/pos", "train/pos/0_9.txt", "train/urls_pos.txt"])
def test_what_cannot_be_read_is_refused_and_not_skipped(tmp_path, monkeypatch, name):
    folder = write_folder(tmp_path / "aclImdb", FILES)

    def deny(function):
        def denying(path, *arguments, **options):
            if str(path) == str(folder / name):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments, **options)
        return denying
    monkeypatch.setattr(os, "scandir", deny(os.scandir))
    monkeypatch.setattr("pathlib.Path.read_bytes", deny(type(folder).read_bytes))
    with pytest.raises(UserError, match=f"{name}: cannot be read .Permission denied.; make it readable"):
        read_reviews(folder)


def test_a_link_to_nothing_in_a_folder_is_refused(tmp_path):
    folder = write_folder(tmp_path / "aclImdb", FILES)
    (folder / "train/pos/3_9.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="3_9.txt: cannot be read .No such file"):
        read_reviews(folder)


@pytest.mark.parametrize("name, content, reason", [
    ("IMDB Dataset.csv", b"review,sentiment\ngood,positive\n", "Kaggle"),
    ("train-00000-of-00001.parquet", b"PAR1", "the folder of its parquet files")])
def test_other_copies_are_refused_with_the_reason(tmp_path, name, content, reason):
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason):
        read_reviews(path)


@pytest.mark.parametrize("archive, name, reason", [
    ("archive.zip", "IMDB Dataset.csv", "Kaggle"), ("imdb.npz", "x_train.npy", "Keras")])
def test_other_copies_in_an_archive_are_refused_with_the_reason(tmp_path, archive, name, reason):
    with zipfile.ZipFile(tmp_path / archive, "w") as file:
        file.writestr(name, b"x")
    with pytest.raises(UserError, match=f"{archive}: holds no reviews .*{reason}"):
        read_reviews(tmp_path / archive)


def write_tables(folder, **splits):
    """Hugging Face's copy: parquet files of texts and labels."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder.mkdir(parents=True)
    for split, rows in splits.items():
        texts, labels = zip(*rows)
        parquet.write_table(pyarrow.table({"text": texts, "label": labels}),
                            folder / f"{split}-00000-of-00001.parquet")
    return folder


TABLES = {"train": [("bad", 0), ("good", 1), ("fine", 1)], "test": [("poor", 0), ("nice", 1)],
          "unsupervised": [("unlabelled", -1)]}


def test_a_folder_of_parquet_files_is_read(tmp_path):
    write_tables(tmp_path / "imdb" / "plain_text", **TABLES)
    reviews = read_reviews(tmp_path / "imdb")
    assert [(name, review.text, review.rating, review.film) for name, review in zip(names(reviews), reviews)] == [
        ("train/pos/0_0.txt", "good", 0, ""), ("train/pos/1_0.txt", "fine", 0, ""), ("train/neg/0_0.txt", "bad", 0, ""),
        ("train/unsup/0_0.txt", "unlabelled", 0, ""), ("test/pos/0_0.txt", "nice", 0, ""),
        ("test/neg/0_0.txt", "poor", 0, "")]


def test_a_broken_or_strange_parquet_file_is_refused(tmp_path):
    folder = write_tables(tmp_path / "imdb", **TABLES)
    (folder / "test-00000-of-00001.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UserError, match="test-00000-of-00001.parquet: not a whole parquet file"):
        read_reviews(folder)
    for number, row in enumerate([("poor", 7), ("poor", -1), (None, 0)]):
        folder = write_tables(tmp_path / f"rows {number}", **TABLES | {"test": [row]})
        with pytest.raises(UserError, match="test-00000-of-00001.parquet: not a whole parquet file of texts and"):
            read_reviews(folder)
    folder = write_tables(tmp_path / "splits", **TABLES | {"dev": [("poor", 0)]})
    with pytest.raises(UserError, match="dev-00000-of-00001.parquet: is of none of the splits"):
        read_reviews(folder)


def test_a_folder_of_a_split_may_hold_its_parquet_files(tmp_path):
    for split, rows in TABLES.items():
        [table] = write_tables(tmp_path / "imdb" / split, **{split: rows}).iterdir()
        table.rename(table.with_name("0000.parquet"))
    assert len(read_reviews(tmp_path / "imdb")) == 6


def test_parquet_files_without_pyarrow_are_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="train-.*parquet: .*pip install pyarrow"):
        read_reviews(tmp_path)


def test_a_plain_archive_cut_off_between_two_files_is_refused(tmp_path):
    whole = tar(tmp_path)
    path = tmp_path / "cut.tar"
    for length in range(512, len(FILES) * 1024, 512):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="cut.tar: is not a whole .tar.gz, .tar or .zip archive"):
            read_reviews(path)


def test_a_broken_header_in_the_middle_is_refused(tmp_path):
    whole = bytearray(tar(tmp_path))
    whole[1024 * 3:1024 * 3 + 100] = b"x" * 100
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(whole))
    with pytest.raises(UserError, match="a.tar.gz: is not a whole .tar.gz, .tar or .zip archive"):
        read_reviews(tmp_path / "a.tar.gz")


def test_an_archive_cut_off_anywhere_is_refused(tmp_path):
    whole = write_archive(tmp_path / "a.tar.gz", FILES).read_bytes()
    cut = tmp_path / "cut.tar.gz"
    for length in range(0, len(whole), 40):
        cut.write_bytes(whole[:length])
        with pytest.raises(UserError, match="cut.tar.gz"):
            read_reviews(cut)


@pytest.mark.parametrize("content", [
    b"<html>404</html>", gzip.compress(b"no tar archive" * 100, mtime=0), bz2.compress(b"x"),
    b"\x1f\x8b" + b"\0" * 600])
def test_other_files_are_refused_as_archives(tmp_path, content):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a whole .tar.gz, .tar or .zip archive.*unpack it and give the folder"):
        read_reviews(path)


def test_a_missing_file_is_refused_with_the_way_to_fetch_it(tmp_path):
    with pytest.raises(UserError, match="none.tar.gz: cannot be read .No such file.*--download"):
        read_reviews(tmp_path / "none.tar.gz")


@pytest.mark.parametrize("folder", ["train/pos", "train/neg", "test/pos", "test/neg"])
def test_a_split_without_positive_or_negative_reviews_is_refused(tmp_path, folder):
    files = {name: content for name, content in FILES.items() if not name.startswith(folder)}
    with pytest.raises(UserError, match=f"no reviews such as {folder}/.*reviews of your own in such folders"):
        read_reviews(write_archive(tmp_path / "a.tar.gz", files))


def test_a_link_to_what_the_archive_does_not_hold_is_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("aclImdb/train/pos/3_9.txt")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(UserError, match="a.tar.gz: .*/etc/passwd"):
        read_reviews(path)
