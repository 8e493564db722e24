"""Preprocessed files: what is read is what was written, and what is broken is refused by name and line."""

import numpy as np
import pytest

import common.data.token_files
from common.data.token_files import load_array, read_dictionary, read_review_rows, read_token_ids, write_checksums
from common.errors import UserError


def parse(text, tmp_path, largest_id=999_999_999):
    path = tmp_path / "imdb_train.txt"
    path.write_bytes(text)
    token_ids, lengths = read_token_ids(path, largest_id)
    return [part.tolist() for part in np.split(token_ids, lengths.cumsum()[:-1])]


@pytest.mark.parametrize("text", [
    b"1 20 300\n0\n45678 9\n", b"1 20 300\r\n0\r\n45678 9\r\n", b"1 20 300\n0\n45678 9", b" 1  20 300 \n0\n45678 9 \n"],
    ids=["newlines", "carriage returns", "no last newline", "more spaces"])
def test_a_line_is_a_review(text, tmp_path):
    assert parse(text, tmp_path) == [[1, 20, 300], [0], [45678, 9]]


def test_ids_of_every_width_are_read(tmp_path):
    ids = [int("987654321"[:width]) for width in range(1, 10)] + [10 ** place for place in range(9)]
    assert parse(" ".join(map(str, ids)).encode(), tmp_path) == [ids]


def test_many_reviews_are_those_that_were_written(tmp_path):
    random = np.random.default_rng(0)
    reviews = [random.integers(0, 200_000, random.integers(1, 60)).tolist() for _ in range(500)]
    text = "\n".join(" ".join(map(str, review)) for review in reviews).encode()
    assert parse(text, tmp_path) == reviews


@pytest.mark.parametrize("text, line", [
    (b"1 2\n3 x 4\n5\n", 2), (b"1 2\n3\n-4\n", 3), (b"1 2\n3 4.5\n", 2), (b"1 2\n3 11\n", 2),
    (b"1\n2\n4294967297\n", 3),            # 1 in 32 bits
    (b"1\n2\n18446744073709551617\n", 3),  # and in 64
    (b"1 2\n\n3\n", 2), (b"1 2\n3\n \r\n", 3), (b"\n1\n", 1),
], ids=["letter", "minus", "point", "too large", "too long", "far too long", "empty", "spaces only", "first"])
def test_what_is_no_token_id_is_refused_with_its_line(text, line, tmp_path):
    with pytest.raises(UserError, match=rf"train\.txt:{line}: not token ids from 0 to 10 .*; run preprocess"):
        parse(text, tmp_path, largest_id=10)


def read(path):
    token_ids, lengths = read_token_ids(path, 10)
    return token_ids.tolist(), lengths.tolist()


def test_a_token_file_is_parsed_once(tmp_path, monkeypatch):
    path = tmp_path / "imdb_train.txt"
    path.write_text("1 2\n3\n")
    first = read(path)
    monkeypatch.setattr(common.data.token_files, "parse_token_ids", None)
    assert read(path) == first == ([1, 2, 3], [2, 1])


def test_a_changed_token_file_is_parsed_anew(tmp_path):
    path = tmp_path / "imdb_train.txt"
    for text, expected in ("1 2\n3\n", ([1, 2, 3], [2, 1])), ("1 2\n3 4\n", ([1, 2, 3, 4], [2, 2])):
        path.write_text(text)
        assert read(path) == expected


@pytest.mark.parametrize("share", [0, 0.5])
def test_half_a_cache_is_not_read(share, tmp_path):
    path = tmp_path / "imdb_train.txt"
    path.write_text("1 2\n3\n")
    first = read(path)
    [cache] = tmp_path.glob("*.npz")
    cache.write_bytes(cache.read_bytes()[:int(share * cache.stat().st_size)])
    assert read(path) == first


def test_where_no_cache_can_be_written_the_token_file_is_parsed_each_time(tmp_path):
    path = tmp_path / "imdb_train.txt"
    path.write_text("1 2\n3\n")
    path.with_suffix(".cache.npz").mkdir()
    assert read(path) == read(path) == ([1, 2, 3], [2, 1])


def test_a_file_without_reviews_is_refused(tmp_path):
    with pytest.raises(UserError, match="imdb_train.txt: no reviews"):
        parse(b"", tmp_path)


def test_a_missing_token_file_is_refused_with_the_way_to_make_it(tmp_path):
    with pytest.raises(UserError, match="imdb_train.txt: no such file; make it with preprocess_data.py, or .*--data"):
        read_token_ids(tmp_path / "imdb_train.txt", 10)
    with pytest.raises(UserError, match="imdb_train_glove.txt: no such file; .*preprocess_data.py with --glove"):
        read_token_ids(tmp_path / "imdb_train_glove.txt", 10)


@pytest.mark.parametrize("line", ["0_9.txt\tpos\t9", "0_9.txt\tgood\t9\ttt01", "", "0_9.txt pos 9 tt01"],
                         ids=["three fields", "another label", "empty", "spaces"])
def test_a_broken_review_table_is_refused_with_its_line(line, tmp_path):
    path = tmp_path / "imdb_train_reviews.tsv"
    path.write_text(f"0_1.txt\tneg\t1\ttt02\n{line}\n")
    with pytest.raises(UserError, match=r"imdb_train_reviews\.tsv:2: .*; run preprocess_data.py again"):
        read_review_rows(path)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff\n")],
                         ids=["folder", "no UTF-8"])
def test_a_review_table_that_cannot_be_read_is_refused_with_its_name(make, tmp_path):
    make(tmp_path / "imdb_train_reviews.tsv")
    with pytest.raises(UserError, match="imdb_train_reviews.tsv: cannot be read"):
        read_review_rows(tmp_path / "imdb_train_reviews.tsv")


def test_a_folder_in_place_of_a_token_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path.name}: cannot be read .*Is a directory"):
        read_token_ids(tmp_path, 10)


def test_a_film_may_be_unknown(tmp_path):
    path = tmp_path / "imdb_train_reviews.tsv"
    path.write_bytes(b"0_1.txt\tneg\t1\t\r\n")
    assert read_review_rows(path) == [("0_1.txt", "neg", "1", "")]


def test_an_array_with_a_pickle_in_it_is_refused(tmp_path):
    path = tmp_path / "imdb_dictionary.npy"
    np.save(path, np.array(["a", None], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"imdb_dictionary.npy: cannot be read"):
        read_dictionary(tmp_path, "imdb")


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"], ids=["empty", "text", "cut off"])
def test_a_file_that_is_no_array_is_refused(content, tmp_path):
    path = tmp_path / "imdb_dictionary.npy"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"imdb_dictionary.npy: cannot be read"):
        load_array(path, "U")


def test_an_archive_of_arrays_is_refused(tmp_path):
    with open(tmp_path / "imdb_dictionary.npy", "wb") as file:
        np.savez(file, np.array(["the", "film"]))
    with pytest.raises(UserError, match="imdb_dictionary.npy: "):
        read_dictionary(tmp_path, "imdb")


def test_an_array_of_another_kind_is_refused(tmp_path):
    np.save(tmp_path / "imdb_dictionary.npy", np.arange(3))
    with pytest.raises(UserError, match="imdb_dictionary.npy: cannot be read .something else"):
        read_dictionary(tmp_path, "imdb")


def test_a_changed_dictionary_is_read_anew(tmp_path):
    for words in ["the", "film"], ["a", "film"]:
        np.save(tmp_path / "imdb_dictionary.npy", np.array(words))
        read_dictionary(tmp_path, "imdb").clear()       # nor does who has read it change it for the next
        assert read_dictionary(tmp_path, "imdb") == words


NAMES = "imdb_train.txt", "imdb_train_reviews.tsv", "imdb_dictionary.npy", "glove_embeddings.npy"


def write_files(folder, number):
    """Files of equal size, whatever the number."""
    folder.mkdir()
    (folder / NAMES[0]).write_text(f"1 {number}\n")
    (folder / NAMES[1]).write_text(f"0_{number}.txt\tpos\t9\ttt1\n")
    np.save(folder / NAMES[2], np.array([f"the {number}"]))
    np.save(folder / NAMES[3], np.float32([[number]]))
    write_checksums(folder, NAMES)
    return folder


def read_files(folder):
    """What goes wrong in reading each file, by its name."""
    def wrong(read, *arguments):
        try:
            read(folder / arguments[0], *arguments[1:])
        except UserError as error:
            return str(error)
    readers = (read_token_ids, NAMES[0], 9), (read_review_rows, NAMES[1]), (load_array, NAMES[2], "U"), (
        load_array, NAMES[3], "f")
    return {name: said for read, name, *more in readers if (said := wrong(read, name, *more))}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cached", [False, True])
def test_a_file_of_another_corpus_of_equal_size_is_refused(name, cached, tmp_path):
    ours, theirs = write_files(tmp_path / "ours", 1), write_files(tmp_path / "theirs", 2)
    if cached:
        assert read_files(ours) == read_files(theirs) == {}
    (theirs / name).replace(ours / name)
    for _ in range(2):
        [(where, said)] = read_files(ours).items()
        assert where == name and f"{name}: not the file that preprocess_data.py wrote with the others" in said
    (ours / "checksums.json").unlink()
    assert read_files(ours) == {}
