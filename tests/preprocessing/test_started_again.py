"""The preprocessing script, started again on the same sources or on others."""

import json

import pytest
from raw_dataset import FILES, contents, write_archive, write_folder


def test_archive_folder_repetition_and_other_workers_give_the_same_bytes(tmp_path, preprocess):
    preprocess("--imdb", write_archive(tmp_path / "a.tar.gz", FILES), "--output", tmp_path / "first")
    preprocess("--imdb", write_folder(tmp_path / "aclImdb", FILES), "--output", tmp_path / "second",
               "--workers", "1")
    first, second = contents(tmp_path / "first"), contents(tmp_path / "second")
    assert len(first) == 7
    for name in "statistics.json", "checksums.json":                            # which say what was given
        assert name in first and first.pop(name) != second.pop(name)
    assert second == first


def test_word_vectors_of_other_reviews_are_removed(tmp_path, preprocess):
    glove = tmp_path / "glove.txt"
    glove.write_text("the 1 2\nfilm 5 6\n")
    output = tmp_path / "out"
    preprocess("--imdb", write_folder(tmp_path / "a", FILES), "--output", output, "--glove", glove)
    with_glove = contents(output)
    assert len(with_glove) == 11
    preprocess("--imdb", tmp_path / "a", "--output", output)
    assert contents(output) == with_glove
    other = FILES | {"train/pos/0_9.txt": b"Something else"}
    preprocess("--imdb", write_folder(tmp_path / "b", other), "--output", output)
    assert len(contents(output)) == 7


@pytest.mark.parametrize("name", ["train/neg/0_1.txt", "test/neg/0_2.txt"])
def test_reviews_in_the_ids_of_word_vectors_go_where_the_reviews_change_but_not_the_dictionary(
        name, tmp_path, preprocess):
    files = FILES | {"train/neg/0_1.txt": b"a bad film", "test/neg/0_2.txt": b"the bad film"}
    (tmp_path / "glove.txt").write_text("the 1 2\nfilm 5 6\n")
    output = tmp_path / "out"
    preprocess("--imdb", write_folder(tmp_path / "a", files), "--output", output, "--glove", tmp_path / "glove.txt")
    dictionary = (output / "imdb_dictionary.npy").read_bytes()
    other = files | {name: b" ".join(reversed(files[name].split()))}
    preprocess("--imdb", write_folder(tmp_path / "b", other), "--output", output)
    assert (output / "imdb_dictionary.npy").read_bytes() == dictionary
    assert not list(output.glob("imdb_*_glove.txt"))


def times(folder):
    return {file.name: file.stat().st_mtime_ns for file in folder.iterdir() if file.name != ".lock"}


def test_files_that_are_made_from_the_same_sources_are_left_as_they_are(tmp_path, preprocess, capsys):
    source, glove, output = write_folder(tmp_path / "a", FILES), tmp_path / "glove.txt", tmp_path / "out"
    glove.write_text("the 1 2\nfilm 5 6\n")
    preprocess("--imdb", source, "--output", output, "--glove", glove)
    assert json.loads((output / "statistics.json").read_text())["arguments"] == [
        "--imdb", str(source), "--glove", str(glove)]
    before = times(output)
    preprocess("--imdb", source, "--output", output, "--glove", glove)
    preprocess("--imdb", source, "--output", output)                            # vectors of before stay
    assert times(output) == before
    assert "made from these already; remove checksums.json there" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("change", [
    lambda tmp_path: (tmp_path / "a" / "train/pos/7_9.txt").write_text("More."),
    lambda tmp_path: (tmp_path / "glove.txt").write_text("the 1 2\nfilm 5 7\n"),
    lambda tmp_path: (tmp_path / "out" / "imdb_test_glove.txt").write_text("1\n"),
    lambda tmp_path: (tmp_path / "out" / "imdb_dictionary.npy").unlink(),
    lambda tmp_path: (tmp_path / "out" / "checksums.json").write_text("{}")],
    ids=["reviews", "vectors", "a changed file", "a missing file", "an old folder"])
def test_other_sources_under_the_same_names_are_noticed(change, tmp_path, preprocess, capsys):
    source = write_folder(tmp_path / "a", FILES)
    (tmp_path / "glove.txt").write_text("the 1 2\nfilm 5 6\n")
    preprocess("--imdb", source, "--output", tmp_path / "out", "--glove", tmp_path / "glove.txt")
    change(tmp_path)
    preprocess("--imdb", source, "--output", tmp_path / "out", "--glove", tmp_path / "glove.txt")
    assert "made from these already" not in capsys.readouterr().out


def test_what_a_killed_run_had_half_written_is_removed(tmp_path, preprocess):
    (tmp_path / ".imdb_train.txt.abc").write_text("1 2")
    preprocess("--imdb", write_folder(tmp_path / "aclImdb", FILES), "--output", tmp_path)
    assert not (tmp_path / ".imdb_train.txt.abc").exists()
