"""Whatever bytes come, a reader gives the right arrays or one line that names the file.

More cases: `python -m pytest tests/scripts/test_fuzzing.py --hypothesis-profile=many`.
"""

import gzip
import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.checkpoints import load_checkpoint, write_checkpoint
from common.data.token_files import read_token_ids
from common.errors import UserError
from common.preprocessing.raw_reviews import read_reviews
from common.preprocessing.word_vectors import read_word_vectors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzing")


def read(reader, path, *arguments):
    """What the reader gives, or None where it refuses as it should."""
    try:
        return reader(path, *arguments)
    except UserError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error).strip()
        return None


@st.composite
def damaged(draw, good):
    """The good bytes with some of them changed, inserted, left out, or the end cut off."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "insert", "remove", "cut"])):
            case "change":
                content[place:place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=8))
            case "remove":
                del content[place:place + draw(st.integers(1, 8))]
            case "cut":
                del content[place:]
    return bytes(content)


token_texts = st.one_of(
    st.binary(max_size=200),
    st.text("0123456789 \r\n\t-+.xe\0\u0660", max_size=60).map(str.encode),
    st.lists(st.lists(st.integers(0, 12_000).map(str), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=6)
    .map("\n".join).map(str.encode))


@given(token_texts)
def test_token_ids_are_those_of_a_plain_parser(folder, text):
    path = folder / "imdb_train.txt"
    path.write_bytes(text)
    path.with_suffix(".cache.npz").unlink(missing_ok=True)
    found = read(read_token_ids, path, 10_000)
    lines = [line.rstrip(b"\r ") for line in text.removesuffix(b"\n").split(b"\n")]
    good = all(line.strip(b" ") and not line.translate(None, b"0123456789 ")
               and all(int(token) <= 10_000 for token in line.split()) for line in lines)
    assert (found is not None) == good
    if good:
        token_ids, lengths = found
        assert token_ids.tolist() == [int(token) for line in lines for token in line.split()]
        assert lengths.tolist() == [len(line.split()) for line in lines]


glove_words = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1, max_size=8)
# Several spaces or a tab separate as one space does.
glove_rows = st.lists(st.tuples(glove_words.filter(lambda word: not re.search(r"^ | $|  |\t", word)),
                                st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3)), max_size=8)
FIRST = "word", [1.0, 2.0, 3.0]         # which shows the width


@given(glove_rows)
def test_glove_words_and_vectors_are_those_that_were_written(folder, rows):
    path = folder / "glove.txt"
    rows = [FIRST, *rows]
    path.write_bytes("".join(f"{word} {' '.join(map(repr, vector))}\n" for word, vector in rows).encode())
    words, vectors = read_word_vectors(path, 100)
    expected = dict(reversed(rows))                                     # of a repeated word the first row counts
    assert sorted(words) == sorted(expected)
    for word, vector in zip(words, vectors):
        np.testing.assert_array_equal(vector, np.array(expected[word], np.float32))


@given(st.one_of(st.binary(max_size=200), damaged(b"the 1 2 3\nfilm 4 5 6\n. . 7 8 9\n\xc2\xa0 1e-3 -2 3\n")))
def test_any_bytes_give_finite_vectors_or_a_refusal(folder, text):
    path = folder / "glove.txt"
    path.write_bytes(text)
    found = read(read_word_vectors, path, 100)
    if found is not None:
        words, vectors = found
        assert len(words) == len(set(words)) == len(vectors) > 0
        assert vectors.dtype == np.float32 and vectors.ndim == 2 and np.isfinite(vectors).all()


REVIEWS = {f"{split}/{label}/{k}_{rating}.txt": f"Review {k}, {label}. \xe9".encode()
           for split, label, rating in (("train", "pos", 8), ("train", "neg", 2), ("train", "unsup", 0),
                                        ("test", "pos", 9), ("test", "neg", 1)) for k in range(2)}


def archive():
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        for name, text in REVIEWS.items():
            member = tarfile.TarInfo(f"aclImdb/{name}")
            member.size = len(text)
            file.addfile(member, io.BytesIO(text))
    return content.getvalue()


def check_reviews(path, content):
    path.write_bytes(content)
    found = read(read_reviews, path)
    if found is not None:
        assert {(review.split, review.label) for review in found} >= {
            (split, label) for split in ("train", "test") for label in ("pos", "neg")}
        assert all(isinstance(review.text, str) and isinstance(review.name, str) for review in found)
    return found


@given(st.one_of(st.binary(max_size=200), damaged(gzip.compress(archive(), mtime=0))))
def test_a_damaged_archive_gives_the_same_reviews_or_a_refusal(folder, content):
    found = check_reviews(folder / "aclImdb_v1.tar.gz", content)
    if found is not None:           # the damage was to what gzip does not need, such as the time in its header
        assert {f"{review.split}/{review.label}/{review.name}": review.text.encode() for review in found} == REVIEWS


@given(damaged(archive()))
def test_an_archive_of_odd_content_gives_reviews_or_a_refusal(folder, content):
    check_reviews(folder / "aclImdb_v1.tar.gz", gzip.compress(content, compresslevel=1))


def checkpoint(folder):
    content = {"model": {"weight": torch.arange(12.0).view(3, 4), "bias": torch.ones(3)}, "vocabulary": ["the", "film"],
               "arguments": {"in_features": 4, "out_features": 3}, "curves": {"train_loss": [0.5, float("nan")]}}
    write_checkpoint(folder / "good.model", "2a", content)
    return content, (folder / "good.model").read_bytes()


@given(st.data())
def test_a_damaged_checkpoint_gives_the_same_tensors_or_a_refusal(folder, data):
    content, good = checkpoint(folder)
    path = Path(folder / "rnn.model")
    path.write_bytes(data.draw(st.one_of(st.binary(max_size=200), damaged(good))))
    found = read(load_checkpoint, path, "2a")
    if found is not None:           # the damage was to the padding between the tensors
        assert found["vocabulary"] == content["vocabulary"] and found["arguments"] == content["arguments"]
        for name, tensor in content["model"].items():
            assert torch.equal(found["model"][name], tensor)
