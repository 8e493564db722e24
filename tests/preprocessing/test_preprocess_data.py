"""Raw reviews to preprocessed files, on reviews made here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nltk
import numpy as np
import pytest
from raw_dataset import FILES, contents, write_archive, write_folder

import preprocess_data
from common.data.corpus import corpus_name
from common.data.token_files import read_label_names, token_ids
from common.errors import UserError
from common.files import claim_folder
from common.preprocessing import preprocess as pipeline
from common.preprocessing.corpus_statistics import corpus_statistics, count_tokens
from common.preprocessing.raw_reviews import RawReview, read_reviews, text_checksum

SCRIPT = Path(preprocess_data.__file__)


def run_script(*options, **environment):
    return subprocess.run([sys.executable, SCRIPT, *map(str, options)], capture_output=True, text=True,
                          env=os.environ | environment, timeout=100)


def test_files_hold_the_reviews_in_the_ids_of_the_dictionary(tmp_path, preprocess):
    preprocess("--imdb", write_archive(tmp_path / "a.tar.gz", FILES), "--output", tmp_path / "out")
    dictionary = np.load(tmp_path / "out" / "imdb_dictionary.npy")
    assert dictionary.tolist() == [".", "film", "a", "bad", "great", ",", "cast", "really", "the"]
    assert (tmp_path / "out" / "imdb_train.txt").read_text() == "5 2 1 3 5 7 1\n0\n3 4 2 6 8 4 2 1\n9 2 1\n"
    assert (tmp_path / "out" / "imdb_test.txt").read_text() == "3 0 2\n4 1\n"
    assert (tmp_path / "out" / "imdb_train_reviews.tsv").read_text() == (
        "0_9.txt\tpos\t9\ttt0000007\n1_10.txt\tpos\t10\ttt0000007\n0_1.txt\tneg\t1\t\n0_0.txt\tunsup\t0\t\n")
    assert (tmp_path / "out" / "imdb_test_reviews.tsv").read_text() == (
        "0_8.txt\tpos\t8\t\n0_2.txt\tneg\t2\t\n")


def test_glove_files_hold_both_splits_in_the_ids_of_the_word_vectors(tmp_path, preprocess):
    glove = tmp_path / "glove.txt"
    glove.write_text("the 1 2\nsuperb 3 4\nfilm 5 6\nbad 7 8\n")
    preprocess("--imdb", write_folder(tmp_path / "aclImdb", FILES), "--output", tmp_path / "out",
               "--glove", glove, "--glove-words", "3")
    assert np.load(tmp_path / "out" / "glove_dictionary.npy").tolist() == ["the", "superb", "film"]
    vectors = np.load(tmp_path / "out" / "glove_embeddings.npy")
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[0, 0], [1, 2], [3, 4], [5, 6]]
    assert (tmp_path / "out" / "imdb_train_glove.txt").read_text() == (
        "0 3 0 0 0 0 0\n0\n0 0 3 0 0 0 3 0\n1 3 0\n")
    assert (tmp_path / "out" / "imdb_test_glove.txt").read_text() == "0 2 3\n0 0\n"


def test_word_vectors_are_learned_from_the_training_reviews_alone(tmp_path, preprocess, monkeypatch):
    learned = []

    def train_glove(ids, offsets, words, max_words, seed):
        learned.extend([len(ids), len(offsets) - 1, seed])
        return ["film"], np.ones((1, 2), np.float32)
    monkeypatch.setattr("common.preprocessing.glove.train_glove", train_glove)
    preprocess("--imdb", write_folder(tmp_path / "aclImdb", FILES), "--output", tmp_path / "out", "--glove", "train",
               "--seed", "5")
    assert learned == [18, 4, 5]                        # tokens, reviews


def test_statistics_are_those_of_the_training_reviews(tmp_path, preprocess):
    preprocess("--imdb", write_folder(tmp_path / "a", FILES), "--output", tmp_path / "out")
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert statistics["reviews"] == {"train": {"pos": 2, "neg": 1, "unsup": 1}, "test": {"pos": 1, "neg": 1}}
    assert (statistics["tokens"], statistics["distinct_tokens"]) == (18, 9)
    assert statistics["tokens_per_review"] == {
        "minimum": 0, "maximum": 8, "mean": 4.5, "standard_deviation": np.std([7, 0, 8, 3])}
    assert statistics["example"]["after"] == "great film . a great cast ."


def test_count_histogram_and_coverage():
    counts = np.array([20_000, 10_000, 9_999, 1_000, 10] + [1] * 200)
    statistics = corpus_statistics(np.array([10, 20]), [f"t{k}" for k in range(205)], counts)
    assert list(statistics["token_count_histogram"].items()) == [
        ("1-9", 200), ("10-99", 1), ("100-999", 0), ("1000-9999", 2), ("10000 and up", 2)]
    assert statistics["coverage"] == {"100": (41_009 + 95) / 41_209, "8000": 1.0}
    assert statistics["most_frequent"][3] == ["t3", 1_000]
    assert len(statistics["most_frequent"]) == 10


def test_words_are_sorted_by_count_and_then_by_token():
    words, counts = count_tokens(["b", "z", "test only", "a"], np.array([0, 1, 3, 1]))
    assert (words, counts.tolist()) == (["z", "a", "b"], [2, 1, 1])


def test_ids_are_places_in_the_dictionary_and_0_that_of_a_token_that_is_not_there():
    assert token_ids(["film", "new", "a"], ["film", "a"]).tolist() == [1, 0, 2]


def test_the_sample_needs_no_nltk_data(tmp_path, monkeypatch):
    reviews = [RawReview(split, label, f"{number}_0.txt", 0, "", "A short film. It works.")
               for split, label in [("train", "pos"), ("train", "neg"), ("test", "pos"), ("test", "neg")]
               for number in range(2)]
    monkeypatch.setattr("common.preprocessing.tokenizer.sample_reviews", lambda seed: reviews)
    monkeypatch.setattr(pipeline, "sample_reviews", lambda seed: reviews)
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr(sys, "argv", ["preprocess_data.py", "--sample", "--output", str(tmp_path)])
    preprocess_data.main()
    table = (tmp_path / "imdb_train_reviews.tsv").read_text().splitlines()
    assert [line.split("\t")[:2] for line in table] == [
        ["0_0.txt", "pos"], ["1_0.txt", "pos"], ["0_0.txt", "neg"], ["1_0.txt", "neg"]]


def test_download_reads_the_archive_in_the_output_folder(tmp_path, preprocess, monkeypatch):
    monkeypatch.setattr(pipeline, "download", lambda urls, path, *arguments: write_archive(path, FILES))
    preprocess("--download", "--output", tmp_path)
    assert (tmp_path / "aclImdb_v1.tar.gz").exists()
    assert (tmp_path / "imdb_test.txt").read_text() == "3 0 2\n4 1\n"


def test_an_ascii_terminal_does_not_end_the_run(tmp_path, punkt_folder):
    files = FILES | {"train/pos/0_9.txt": "Am\u00e9lie \u263a".encode()}
    run = run_script("--imdb", write_folder(tmp_path / "a", files), "--output", tmp_path / "out",
                     NLTK_DATA=str(punkt_folder), PYTHONIOENCODING="ascii")
    assert run.returncode == 0, run.stderr
    assert "Am\\xe9lie \\u263a" in run.stdout
    assert "am\u00e9lie" in np.load(tmp_path / "out" / "imdb_dictionary.npy")


def test_names_that_the_locale_cannot_spell_are_read(tmp_path, punkt_folder):
    (tmp_path / "\u00e9t\u00e9").mkdir()
    tables = write_tables(tmp_path / "\u00e9t\u00e9", *["caf\u00e9,label\ngood,1\nbad,0\n"] * 2)
    run = run_script("--csv", *tables, "--text", "caf\u00e9", "--output", tmp_path / "out", NLTK_DATA=str(punkt_folder),
                     LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert run.returncode == 0, run.stderr
    assert "caf\u00e9" in json.loads((tmp_path / "out" / "statistics.json").read_bytes())["arguments"]


def test_a_missing_archive_ends_with_one_line_and_no_files(tmp_path, punkt_folder):
    run = run_script("--imdb", tmp_path / "none.tar.gz", "--output", tmp_path / "out",
                     NLTK_DATA=str(punkt_folder))
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        f"error: {tmp_path}/none.tar.gz: cannot be read (No such file or directory); make it readable, or fetch the "
        "reviews with --download"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_reviews_without_tokens_are_refused(tmp_path, preprocess):
    empty = {name: b"" for name in FILES}
    with pytest.raises(UserError, match="hold no tokens"):
        preprocess("--imdb", write_folder(tmp_path / "a", empty), "--output", tmp_path / "out")


def test_a_review_of_a_megabyte_is_one_line(tmp_path, preprocess):
    preprocess("--imdb", write_folder(tmp_path / "a", FILES | {"train/pos/0_9.txt": b"great film " * 100_000}),
               "--output", tmp_path / "out")
    first = (tmp_path / "out" / "imdb_train.txt").read_text().splitlines()[0]
    assert len(first.split()) == 200_000


def test_what_is_not_the_published_dataset_is_noted_at_the_end_and_known_by_its_texts(
        tmp_path, preprocess, capsys, monkeypatch):
    folder = write_folder(tmp_path / "a", FILES)
    published = {"train": {"pos": 2, "neg": 1, "unsup": 1}, "test": {"pos": 1, "neg": 1}}
    checksum = text_checksum(read_reviews(folder), "test")
    monkeypatch.setattr(pipeline, "PUBLISHED", (published, checksum))
    monkeypatch.setattr("common.data.corpus.IMDB", checksum)
    preprocess("--imdb", folder, "--output", tmp_path / "out")
    assert "these are not the published" not in capsys.readouterr().err
    assert corpus_name(tmp_path / "out") == "imdb"
    other = FILES | {"test/neg/0_2.txt": b"Bad pizza."}
    preprocess("--imdb", write_folder(tmp_path / "b", other), "--output", tmp_path / "out")
    assert capsys.readouterr().err.splitlines()[-1].startswith("these are not the published reviews")
    assert corpus_name(tmp_path / "out") == "other"


def test_texts_without_spaces_between_words_are_noted(tmp_path, preprocess, capsys):
    texts = {name: "\u8fd9\u90e8\u7535\u5f71\u975e\u5e38\u597d\u770b\uff0c\u6211\u5f88\u559c\u6b22\u3002".encode() * 3
             for name in FILES if "urls" not in name}
    preprocess("--imdb", write_folder(tmp_path / "a", texts), "--output", tmp_path / "out")
    assert "few spaces between words" in capsys.readouterr().err


def write_tables(folder, train, test, encoding="utf-8"):
    for name, text in ("train.csv", train), ("test.csv", test):
        (folder / name).write_bytes(text.encode(encoding))
    return folder / "train.csv", folder / "test.csv"


def test_tables_of_texts_with_any_two_labels_are_read_and_their_names_kept(tmp_path, preprocess, capsys):
    tables = write_tables(tmp_path, "review,kind\nGreat film,spam\nBad,ham\nThe film,\n",
                          "kind,review\nham,a bad\nspam,great\n")
    preprocess("--csv", *tables, "--text", "review", "--label", "kind", "--output", tmp_path)
    assert "train reviews: 1 spam, 1 ham, 1 unsup" in capsys.readouterr().out
    assert (tmp_path / "imdb_train_reviews.tsv").read_text() == (
        "2_0.txt\tpos\t0\t\n3_0.txt\tneg\t0\t\n4_0.txt\tunsup\t0\t\n")
    assert read_label_names(tmp_path) == ["ham", "spam"]
    assert corpus_name(tmp_path) == "other"
    preprocess("--imdb", write_folder(tmp_path / "a", FILES), "--output", tmp_path)
    assert read_label_names(tmp_path) == ["negative", "positive"]


def test_columns_are_for_tables_alone(preprocess):
    with pytest.raises(UserError, match="--label: is for --csv TRAIN TEST"):
        preprocess("--sample", "--label", "kind")


def test_help_and_refusals_import_neither_nltk_nor_torch_nor_matplotlib():
    for options in (["--help"], []):
        code = (f"import sys, runpy; sys.argv = {[str(SCRIPT), *options]!r}\n"
                "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
                "except SystemExit: print({'nltk', 'torch', 'matplotlib', 'numpy'} & {*sys.modules})")
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.stdout.splitlines()[-1] == "set()", run.stderr


def test_the_script_runs_where_python_leaves_its_folder_off_the_path(tmp_path):
    assert run_script("--help", PYTHONSAFEPATH="1").returncode == 0


def test_endless_tokens_are_read_as_the_unknown_one_and_foreign_word_vectors_noted(tmp_path, preprocess, capsys):
    files = FILES | {"train/pos/1_10.txt": b"o" * 300}
    (tmp_path / "glove.txt").write_text("the 1 2\ndas 3 4\n")
    preprocess("--imdb", write_folder(tmp_path / "a", files), "--output", tmp_path / "out",
               "--glove", tmp_path / "glove.txt")
    assert "only 5.26% of the training tokens have a word vector" in capsys.readouterr().err
    assert (tmp_path / "out" / "imdb_train.txt").read_text().splitlines()[1] == "0"


def test_unlabelled_reviews_may_be_missing(tmp_path, preprocess):
    labelled = {name: text for name, text in FILES.items() if "unsup" not in name}
    preprocess("--imdb", write_folder(tmp_path / "a", labelled), "--output", tmp_path / "out")
    assert len((tmp_path / "out" / "imdb_train.txt").read_text().splitlines()) == 3


@pytest.mark.parametrize("content, what", [
    (b"", "holds no word vectors"), (b"the 1 2\nfilm 1\n. 3 4\n", ":2: not a word and 2 finite numbers"),
    (b"the 1 nan\n", ":1: not a word and 2 finite numbers"), (b"2 2\n", "holds no word vectors")])
def test_bad_word_vectors_are_refused_before_the_reviews_are_tokenised(content, what, tmp_path, preprocess):
    (tmp_path / "glove.txt").write_bytes(content)
    with pytest.raises(UserError, match=what):
        preprocess("--imdb", write_folder(tmp_path / "a", FILES), "--output", tmp_path / "out",
                   "--glove", tmp_path / "glove.txt")
    assert contents(tmp_path / "out") == {}


def test_word_vectors_of_no_word_of_the_reviews_are_refused(tmp_path, preprocess):
    (tmp_path / "glove.txt").write_text("/c/en/the 1 2\n/c/en/film 3 4\n")
    with pytest.raises(UserError, match="glove.txt: none of its 2 words, such as '/c/en/the', occurs"):
        preprocess("--imdb", write_folder(tmp_path / "a", FILES), "--output", tmp_path / "out",
                   "--glove", tmp_path / "glove.txt")
    assert not list((tmp_path / "out").glob("*glove*"))


def test_glove_can_be_downloaded(tmp_path, preprocess, monkeypatch):
    monkeypatch.setattr(pipeline, "download", lambda urls, path, *arguments: path.write_text("the 1 2\n"))
    preprocess("--imdb", write_folder(tmp_path / "a", FILES), "--output", tmp_path / "out", "--glove", "download")
    assert np.load(tmp_path / "out" / "glove_dictionary.npy").tolist() == ["the"]


def test_a_file_in_place_of_the_output_folder_is_refused(tmp_path, preprocess):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(UserError, match="out: is not a folder; .*--output"):
        preprocess("--imdb", write_folder(tmp_path / "a", FILES), "--output", tmp_path / "out")


def test_a_second_run_in_the_folder_is_refused(tmp_path):
    with claim_folder(tmp_path):
        run = run_script("--sample", "--output", tmp_path)
    assert run.returncode == 2
    assert f"process {os.getpid()} on" in run.stderr and "is writing to this folder" in run.stderr


def test_a_closed_pipe_ends_the_script_without_a_word(tmp_path):
    process = subprocess.Popen([sys.executable, SCRIPT, "--sample", "--output", tmp_path, "--workers", "1"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 128 + 13


@pytest.mark.parametrize("options", [[], ["--sample", "--download"], ["--sample", "--imdb", "a.tar.gz"]])
def test_exactly_one_source_is_asked_for(options, preprocess):
    with pytest.raises(UserError, match="--imdb|--sample"):
        preprocess(*options)


@pytest.mark.parametrize("option, value", [("--glove-words", "0"), ("--workers", "0"), ("--seed", "-1")])
def test_a_number_out_of_range_is_refused(option, value, preprocess):
    with pytest.raises(UserError, match=f"{option}: '{value}' is not a whole number from"):
        preprocess("--sample", option, value)


def test_a_name_of_word_vectors_is_read_as_other_paths_are(tmp_path, preprocess, monkeypatch):
    with pytest.raises(UserError, match="--glove: an empty name; give a path"):
        preprocess("--sample", "--glove", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match=f"{tmp_path}/none.txt: cannot be read"):
        preprocess("--sample", "--glove=~/none.txt")
