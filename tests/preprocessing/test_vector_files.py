"""Word vectors: every shape of file that they come in."""

import gzip
import struct
import zipfile

import numpy as np
import pytest

from common.data.token_files import MAX_TOKEN_CHARACTERS
from common.errors import UserError
from common.preprocessing.word_vectors import read_word_vectors


def write(path, *rows, end="\n"):
    path.write_bytes(end.join(rows).encode())
    return path


def refused(path, *parts, max_words=10):
    with pytest.raises(UserError) as error:
        read_word_vectors(path, max_words)
    for part in (path, *parts):
        assert str(part) in str(error.value)


def test_words_and_vectors_come_in_file_order(tmp_path):
    words, vectors = read_word_vectors(write(tmp_path / "g.txt", "the 1 -2.5", "a 3e-1 4", ""), 10)
    assert words == ["the", "a"]
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.float32([[1, -2.5], [0.3, 4]]))


def test_reading_stops_after_max_words(tmp_path):
    path = write(tmp_path / "g.txt", "the 1 2", "a 3 4", "broken row here")
    assert read_word_vectors(path, 2)[0] == ["the", "a"]


def test_words_may_contain_spaces(tmp_path):
    path = write(tmp_path / "g.txt", "a 5 6", ". . . 1 2", "at name@domain.com 3 4")
    words, vectors = read_word_vectors(path, 10)
    assert words == ["a", ". . .", "at name@domain.com"]
    assert vectors.tolist() == [[5, 6], [1, 2], [3, 4]]


def test_words_may_be_numbers(tmp_path):
    words, vectors = read_word_vectors(write(tmp_path / "g.txt", "1 2 3", "2 0 4 5", "a 6 7"), 10)
    assert words == ["1", "2 0", "a"]
    assert vectors.tolist() == [[2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("word", ["\xa0", "\x85", "a\u2028b", "\x1c", "\x0c", "\ufeff"])
def test_odd_white_space_is_a_word(tmp_path, word):
    words, vectors = read_word_vectors(write(tmp_path / "g.txt", "a 1 2", f"{word} 3 4", "b 5 6"), 10)
    assert words == ["a", word, "b"]
    assert vectors[1].tolist() == [3, 4]


def test_the_first_row_of_a_repeated_word_counts(tmp_path):
    words, vectors = read_word_vectors(write(tmp_path / "g.txt", "a 1 2", "a 3 4", "b 5 6"), 2)
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize("width", [50, 300])
def test_the_width_is_that_of_the_file(tmp_path, width):
    numbers = " ".join(["0.5"] * width)
    assert read_word_vectors(write(tmp_path / "g.txt", f"a {numbers}"), 10)[1].shape == (1, width)


def test_a_header_line_is_skipped(tmp_path):
    words, vectors = read_word_vectors(write(tmp_path / "g.txt", "2 3", "a b 1 2 3", "c 4 5 6"), 10)
    assert words == ["a b", "c"]
    assert vectors.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("end", ["\r\n", " \n"])
def test_other_line_ends_are_read(tmp_path, end):
    words, vectors = read_word_vectors(write(tmp_path / "g.txt", "2 2", "a 1 2", "b 3 4", "", end=end), 10)
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


def test_a_zip_is_read_like_its_text(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("readme.md", "vectors")
        archive.writestr("glove.1d.txt", "a 1\n")
        archive.writestr("glove.3d.txt", "a 1 2 3\nb 4 5 6\n")
    words, vectors = read_word_vectors(tmp_path / "g.zip", 10)
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("row", ["b 3", "b 3 x", "b 3 nan", "b inf 3", "b 3 1e99", " 3 4"])
@pytest.mark.filterwarnings("error")
def test_a_bad_row_is_refused_with_its_line(tmp_path, row):
    refused(write(tmp_path / "g.txt", "a 1 2", "c 1 2", row, ""), ":3:")


def test_line_numbers_count_the_header(tmp_path):
    refused(write(tmp_path / "g.txt", "2 2", "a 1 2", "b 3"), ":3:")


def test_words_that_are_not_utf8_are_left_out_with_a_note(tmp_path, capsys):
    path = tmp_path / "g.txt"
    path.write_bytes(b"4 2\na 1 2\ncaf\xc3 3 4\n\xff 3 4\nb 5 6\nc 7 8\n")
    words, vectors = read_word_vectors(path, 3)
    assert words == ["a", "b", "c"] and vectors.tolist() == [[1, 2], [5, 6], [7, 8]]
    assert capsys.readouterr().err == f"{path}: left out 2 words that are not UTF-8, such as that in line 3\n"


@pytest.mark.parametrize("text", ["", "5 300\n"])
def test_a_file_without_rows_is_refused(tmp_path, text):
    refused(write(tmp_path / "g.txt", text), "no word vectors")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "g.txt", "No such file")
    refused(tmp_path, "cannot be read")


def test_a_zip_without_text_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("readme.md", "vectors")
    refused(tmp_path / "g.zip", "no .txt or .vec")


def test_a_cut_off_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("g.txt", "a 1 2\n")
    data = (tmp_path / "g.zip").read_bytes()
    (tmp_path / "g.zip").write_bytes(data[:-10])
    refused(tmp_path / "g.zip", "not a whole archive")


def test_a_damaged_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("g.txt", "a 1 2\n")
    data = (tmp_path / "g.zip").read_bytes()
    (tmp_path / "g.zip").write_bytes(data.replace(b"a 1 2", b"a 1 3", 1))
    refused(tmp_path / "g.zip", "not a whole archive")


@pytest.mark.parametrize("row", ["{}\t1 2 3", "{}\t1\t2\t3", "{}  1  2  3", "  {} 1 2 3", "{} 1 2 3\t"],
                         ids=["tab after the word", "tabs", "two spaces", "space before", "tab at the end"])
def test_numbers_may_be_separated_otherwise(tmp_path, row):
    path = write(tmp_path / "g.txt", *(row.format(word) for word in ("the", "film", "good")), "")
    words, vectors = read_word_vectors(path, 10)
    assert words == ["the", "film", "good"]
    assert vectors.tolist() == [[1, 2, 3]] * 3


def test_separators_may_differ_from_row_to_row(tmp_path):
    words, vectors = read_word_vectors(write(tmp_path / "g.txt", "the 1 2 3", "film\t1 2 3", "good 1  2 3"), 10)
    assert words == ["the", "film", "good"]
    assert vectors.tolist() == [[1, 2, 3]] * 3


def test_a_header_that_disagrees_with_the_rows_is_refused(tmp_path):
    refused(write(tmp_path / "g.txt", "2 300", "a 1 2", "b 3 4"), ":2:", "not a word and 300 finite numbers")


@pytest.mark.parametrize("content", [
    "the 1 2\na 3 4\n".encode("utf-16"),
    "the 1 2\na 3 4\n".encode("utf-16-be"),
    b"2 3\nthe " + struct.pack("<3f", 0.5, 1, 2) + b"\na " + struct.pack("<3f", 3, 4, 0.25),
    b"2 3\nthe " + struct.pack("<3f", 1.1, 1.2, 1.3) * 50 + b"\ra",
    b"\xba\x16\x4f\x2f" + bytes(range(1, 256)),
    b"the 1 2\ra 3 4\rfilm 5 6\r",
    b"the,0.1,0.2\na,0.3,0.4\n",
    b"the 0,1 0,2\na 0,3 0,4\n",
    b"<html><body>Not found</body></html>\n",
], ids=["utf-16", "utf-16-be", "word2vec binary", "without NULs", "fastText binary", "carriage returns", "commas",
        "decimal commas", "web page"])
def test_other_files_are_refused_with_what_is_read(tmp_path, content):
    (tmp_path / "g.txt").write_bytes(content)
    refused(tmp_path / "g.txt", "finite numbers as text", "give GloVe's .txt, or the .vec of word2vec or fastText")


def test_an_endless_word_is_left_out(tmp_path):
    longest = "o" * MAX_TOKEN_CHARACTERS
    path = write(tmp_path / "g.txt", f"{longest}o 1 2", f"{longest} 1 2", "a 3 4")
    assert read_word_vectors(path, 10)[0] == [longest, "a"]


def test_blank_lines_are_skipped(tmp_path):
    path = write(tmp_path / "g.txt", "2 2", "the 1 2", "", "a 3 4", " ", "")
    assert read_word_vectors(path, 10)[0] == ["the", "a"]


@pytest.mark.parametrize("name", ["cc.en.300.vec.gz", "glove.txt.gz", "glove.txt"])
def test_a_gzipped_text_is_read_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(b"2 2\nthe 1 2 \na 3 4 \n"))
    assert read_word_vectors(tmp_path / name, 10)[0] == ["the", "a"]


def test_a_cut_off_gzip_is_refused(tmp_path):
    (tmp_path / "g.vec.gz").write_bytes(gzip.compress(b"the 1 2\n")[:-4])
    refused(tmp_path / "g.vec.gz", "not a whole archive")


def test_a_zip_may_hold_a_vec(tmp_path):
    with zipfile.ZipFile(tmp_path / "wiki.vec.zip", "w") as archive:
        archive.writestr("wiki.vec", "1 2\nthe 1 2 \n")
    assert read_word_vectors(tmp_path / "wiki.vec.zip", 10)[0] == ["the"]


def test_a_zip_that_python_cannot_unpack_is_refused_with_the_way_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("g.txt", "the 1 2\n")
    content = bytearray((tmp_path / "g.zip").read_bytes())
    for place in 8, content.index(b"PK\1\2") + 10:
        content[place:place + 2] = struct.pack("<H", 9)                         # Deflate64, as Windows has it
    (tmp_path / "g.zip").write_bytes(content)
    refused(tmp_path / "g.zip", "that Python can unpack", "unpack it and give the text")
