"""Word vectors: every shape of file that GloVe comes in, and the GloVe objective itself."""

import zipfile

import numpy as np
import pytest
import torch

from common.errors import UserError
from common.preprocessing import glove


def write(path, *rows, end="\n"):
    path.write_bytes(end.join(rows).encode())
    return path


def refused(path, *parts, max_words=10):
    with pytest.raises(UserError) as error:
        glove.read_glove(path, max_words)
    for part in (path, *parts):
        assert str(part) in str(error.value)


def test_words_and_vectors_come_in_file_order(tmp_path):
    words, vectors = glove.read_glove(write(tmp_path / "g.txt", "the 1 -2.5", "a 3e-1 4", ""), 10)
    assert words == ["the", "a"]
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.float32([[1, -2.5], [0.3, 4]]))


def test_reading_stops_after_max_words(tmp_path):
    path = write(tmp_path / "g.txt", "the 1 2", "a 3 4", "broken row here")
    assert glove.read_glove(path, 2)[0] == ["the", "a"]


def test_words_may_contain_spaces(tmp_path):
    path = write(tmp_path / "g.txt", ". . . 1 2", "at name@domain.com 3 4", "a 5 6", "b 7 8", "c 9 0")
    words, vectors = glove.read_glove(path, 10)
    assert words == [". . .", "at name@domain.com", "a", "b", "c"]
    assert vectors[:2].tolist() == [[1, 2], [3, 4]]


def test_words_may_be_numbers(tmp_path):
    words, vectors = glove.read_glove(write(tmp_path / "g.txt", "1 2 3", "2 0 4 5", "a 6 7"), 10)
    assert words == ["1", "2 0", "a"]
    assert vectors.tolist() == [[2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("word", ["\xa0", "\x85", "a\u2028b", "\x1c", "\ufeff"])
def test_odd_white_space_is_a_word(tmp_path, word):
    words, vectors = glove.read_glove(write(tmp_path / "g.txt", "a 1 2", f"{word} 3 4", "b 5 6"), 10)
    assert words == ["a", word, "b"]
    assert vectors[1].tolist() == [3, 4]


def test_the_first_row_of_a_repeated_word_counts(tmp_path):
    words, vectors = glove.read_glove(write(tmp_path / "g.txt", "a 1 2", "a 3 4", "b 5 6"), 2)
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize("width", [50, 300])
def test_the_width_is_that_of_the_file(tmp_path, width):
    numbers = " ".join(["0.5"] * width)
    assert glove.read_glove(write(tmp_path / "g.txt", f"a {numbers}"), 10)[1].shape == (1, width)


def test_a_header_line_is_skipped(tmp_path):
    words, vectors = glove.read_glove(write(tmp_path / "g.txt", "2 3", "a b 1 2 3", "c 4 5 6"), 10)
    assert words == ["a b", "c"]
    assert vectors.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("end", ["\r\n", " \n"])
def test_other_line_ends_are_read(tmp_path, end):
    words, vectors = glove.read_glove(write(tmp_path / "g.txt", "2 2", "a 1 2", "b 3 4", "", end=end), 10)
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


def test_a_zip_is_read_like_its_text(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("readme.md", "vectors")
        archive.writestr("glove.1d.txt", "a 1\n")
        archive.writestr("glove.3d.txt", "a 1 2 3\nb 4 5 6\n")
    words, vectors = glove.read_glove(tmp_path / "g.zip", 10)
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("row", ["b 3", "b 3 x", "b 3 nan", "b inf 3", "b 3 1e99", " 3 4", ""])
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_bad_row_is_refused_with_its_line(tmp_path, row):
    refused(write(tmp_path / "g.txt", "a 1 2", "c 1 2", row, ""), ":3:")


def test_line_numbers_count_the_header(tmp_path):
    refused(write(tmp_path / "g.txt", "2 2", "a 1 2", "b 3"), ":3:")


def test_a_word_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "g.txt"
    path.write_bytes(b"a 1 2\n\xff 3 4\n")
    refused(path, ":2:", "UTF-8")


@pytest.mark.parametrize("text", ["", "5 300\n"])
def test_a_file_without_rows_is_refused(tmp_path, text):
    refused(write(tmp_path / "g.txt", text), "no word vectors")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "g.txt", "No such file")
    refused(tmp_path, "cannot be read")


def test_a_zip_without_text_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("readme.md", "vectors")
    refused(tmp_path / "g.zip", "no .txt")


def test_a_cut_off_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("g.txt", "a 1 2\n")
    data = (tmp_path / "g.zip").read_bytes()
    (tmp_path / "g.zip").write_bytes(data[:-10])
    refused(tmp_path / "g.zip", "not a whole zip")


def test_a_damaged_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("g.txt", "a 1 2\n")
    data = (tmp_path / "g.zip").read_bytes()
    (tmp_path / "g.zip").write_bytes(data.replace(b"a 1 2", b"a 1 3", 1))
    refused(tmp_path / "g.zip", "not a whole zip")


def random_reviews(tokens=300, vocab_size=23):
    """Word indices of nine reviews, the second of them empty, and the review of each token."""
    generator = np.random.default_rng(0)
    words = generator.integers(0, vocab_size, tokens)
    reviews = np.sort(generator.choice([0, *range(2, 9)], tokens))
    return words, reviews, vocab_size


@pytest.mark.parametrize("block_size", [5, 1024])
def test_pair_counts_equal_a_double_loop(block_size):
    words, reviews, vocab_size = random_reviews()
    expected = np.zeros((vocab_size, vocab_size))
    for i in range(len(words)):
        for j in range(max(0, i - 4), i):
            if reviews[i] == reviews[j]:
                expected[words[i], words[j]] += 1 / (i - j)
                expected[words[j], words[i]] += 1 / (i - j)
    counts = np.zeros_like(expected)
    for block in glove.cooccurrence_blocks(words, reviews, vocab_size, window=4, block_size=block_size):
        part = counts[block.rows, block.columns]
        flat = np.zeros(part.size)
        flat[block.positions] = block.counts
        part[:] = flat.reshape(part.shape)
    # Blocks below the diagonal are the mirror image of those above.
    above = np.triu_indices(vocab_size)
    np.testing.assert_allclose(counts[above], expected[above], rtol=1e-6)
    assert (np.diff(words[:50]) != 0).any() and expected.trace() > 0


@pytest.mark.parametrize("dense_share", [0, 1])
def test_loss_and_gradients_equal_the_sum_over_pairs(monkeypatch, dense_share):
    monkeypatch.setattr(glove, "DENSE_SHARE", dense_share)
    generator = torch.Generator().manual_seed(0)
    words = torch.randn(4, 3, generator=generator, requires_grad=True)
    contexts = torch.randn(5, 3, generator=generator, requires_grad=True)
    pairs = {(0, 0): 0.1, (0, 4): 2.5, (1, 2): 30.0, (3, 4): 1.0}
    expected = sum(min(1, (count / glove.X_MAX) ** 0.75) * (words[i] @ contexts[j] - np.log(count)) ** 2
                   for (i, j), count in pairs.items())
    (expected / 2).backward()
    positions = torch.tensor([i * 5 + j for i, j in pairs], dtype=torch.int32)
    loss, word_gradient, context_gradient = glove.block_gradients(
        words.detach(), contexts.detach(), positions, torch.tensor(list(pairs.values())))
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(word_gradient, words.grad)
    torch.testing.assert_close(context_gradient, contexts.grad)


def two_topics():
    """Reviews that each speak of wet or of dry things, as train_glove takes them."""
    generator = np.random.default_rng(0)
    vocabulary = ["rain", "sand", "river", "dune", "lake", "desert", "rare"]
    wet, dry = [1, 3, 5], [2, 4, 6]
    reviews = [generator.choice(topic, 12) for _ in range(60) for topic in (wet, dry)]
    reviews[0][:2] = 7, 0
    offsets = np.cumsum([0, *map(len, reviews)]).astype(np.int64)
    return np.concatenate(reviews).astype(np.int32), offsets, vocabulary


def test_words_of_the_same_contexts_come_near_each_other():
    words, vectors = glove.train_glove(*two_topics(), max_words=10, dimensions=8, epochs=40)
    assert words == ["rain", "sand", "river", "dune", "lake", "desert"]
    assert vectors.shape == (6, 8) and vectors.dtype == np.float32
    assert set(glove.nearest(words, vectors, "rain", k=2)) == {"river", "lake"}
    assert set(glove.nearest(words, vectors, "desert", k=2)) == {"sand", "dune"}


def test_training_lowers_the_loss(capsys):
    glove.train_glove(*two_topics(), max_words=10, dimensions=8, epochs=10)
    losses = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 10
    assert losses[-1] < losses[0] / 2


def test_the_seed_decides_every_byte():
    first, same, other = (glove.train_glove(*two_topics(), max_words=10, dimensions=8, seed=seed, epochs=2)[1]
                          for seed in (1, 1, 2))
    assert first.tobytes() == same.tobytes() != other.tobytes()


def test_max_words_and_min_count_limit_the_words():
    assert glove.train_glove(*two_topics(), max_words=3, dimensions=4, epochs=1)[0] == ["rain", "sand", "river"]
    assert len(glove.train_glove(*two_topics(), max_words=10, dimensions=4, epochs=1, min_count=1)[0]) == 7
    with pytest.raises(UserError, match="no word occurs 1000 times"):
        glove.train_glove(*two_topics(), max_words=10, min_count=1000)
