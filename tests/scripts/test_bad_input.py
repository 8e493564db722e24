"""Bad input to every script: status 2 and one line that names it; odd input that has a meaning just works."""

import functools
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from parts import MODELS, ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS

SCRIPTS = {f"{part} training": script for part, script in TRAINING_SCRIPTS.items()} | {
    f"{part} test": script for part, script in TEST_SCRIPTS.items()}
TINY = ["--epochs", "1", "--batch-size", "4"]
TINY_OPTIONS = {"1a": ["--hidden-units", "4"], "1b": ["--hidden-units", "4"],
                "2a": ["--hidden-units", "4", "--sequence-length", "4"],
                "2b": ["--hidden-units", "4", "--sequence-length", "4"],
                "3a": ["--hidden-units", "4", "--sequence-length", "4"], "3c": ["--sequence-length", "4"]}
WORDS = ["the", "film", "was", "great", "bad"]
GLOVE_WORDS = ["film", "great", "bad"]
GENERATE = "3b/generate_review.py"


@pytest.fixture
def small(tmp_path):
    """Preprocessed files of six training and four test reviews."""
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "imdb_dictionary.npy", np.array(WORDS))
    np.save(folder / "glove_dictionary.npy", np.array(GLOVE_WORDS))
    vectors = np.random.default_rng(0).standard_normal((4, 3), dtype=np.float32)
    np.save(folder / "glove_embeddings.npy", vectors * (np.arange(4) > 0)[:, None].astype(np.float32))
    train = "1 2 3 4\n4 4\n1 2 3 5\n5 5 3\n1 2 3\n2 0 4 5 1 2 3\n"
    test = "1 2 4\n4 3\n5 3\n1 2 3 0 5\n"
    for split, text, labels in ("train", train, ["pos", "pos", "neg", "neg", "unsup", "unsup"]), (
            "test", test, ["pos", "pos", "neg", "neg"]):
        (folder / f"imdb_{split}.txt").write_text(text)
        (folder / f"imdb_{split}_glove.txt").write_text(text.translate(str.maketrans("12345", "01023")))
        (folder / f"imdb_{split}_reviews.tsv").write_text(
            "".join(f"{k}_8.txt\t{label}\t8\ttt{k}\n" for k, label in enumerate(labels)))
    return folder


@pytest.fixture
def attempt(small, tmp_path, run_here):
    """Runs a script of SCRIPTS on the small files; what it needs of others is trained before."""
    results = tmp_path / "results"

    @functools.cache
    def train(part):
        needs = ["--language-model", train("3a") / MODELS["3a"]] if part == "3c" else []
        status, _, stderr = run_here(TRAINING_SCRIPTS[part], "--data", small, "--output", results / part, *TINY,
                                     *TINY_OPTIONS[part], *needs)
        assert status == 0, stderr
        return results / part

    def attempt(name, *options, spoil=lambda: None):
        part, kind = name.split()
        if kind == "test":
            folder, own = train(part), []
        else:
            folder = tmp_path / "output"
            own = [*TINY, *TINY_OPTIONS[part]]
            if part == "3c":
                own += ["--language-model", train("3a") / MODELS["3a"]]
        spoil()
        return run_here(SCRIPTS[name], "--data", small, "--output", folder, *own, *options)
    attempt.train = train
    return attempt


def assert_refused(outcome, *words):
    status, _, stderr = outcome
    assert status == 2
    [line] = stderr.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def uses_glove(name):
    return name.startswith(("1b", "2b"))


def token_file(name, small):
    split = name.split()[1].replace("training", "train")
    return small / f"imdb_{split}{'_glove' if uses_glove(name) else ''}.txt"


def dictionary(name, small):
    return small / ("glove_dictionary.npy" if uses_glove(name) else "imdb_dictionary.npy")


def in_place_of(path, content=None):
    """Put bytes, or a folder, in the place of a file."""
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_small_files_are_good(name, attempt):
    status, _, stderr = attempt(name)
    assert (status, stderr) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("content, what", [
    (b"1 2 film\n", ":1: 'f' where only token ids and spaces belong"), (b"1 2\n1 -2\n", ":2: '-' where only"),
    (b"1 2\n1 99\n", ":2: token id 99, but the dictionary has"), (b"1 2\n\n3\n", ":2: an empty line"),
    (b"", ": no reviews in it"), (b"1 2\n", ": 1 reviews, but"),
    (b"99999999999\n", ":1: token id 99999999999 is too large"), (None, ": cannot be read")],
    ids=["word", "negative", "beyond", "empty line", "empty", "short", "huge", "folder"])
def test_a_bad_token_file_is_refused_with_its_line(name, content, what, attempt, small, tmp_path):
    path = token_file(name, small)
    assert_refused(attempt(name, spoil=lambda: in_place_of(path, content)), f"{path}{what}")
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_missing_file_is_named_with_the_way_to_make_it(name, attempt, small):
    split = name.split()[1].replace("training", "train")
    for path in token_file(name, small), dictionary(name, small), small / f"imdb_{split}_reviews.tsv":
        content = path.read_bytes()
        assert_refused(attempt(name, spoil=path.unlink), f"{path}: no such file; make it with preprocess_data.py")
        path.write_bytes(content)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("content", [b"", b"text", None], ids=["empty", "text", "folder"])
def test_a_bad_dictionary_is_refused_with_its_name(name, content, attempt, small):
    path = dictionary(name, small)
    assert_refused(attempt(name, spoil=lambda: in_place_of(path, content)), f"{path}: ", "preprocess_data.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_array_with_a_pickle_in_it_is_refused(name, attempt, small):
    path = dictionary(name, small)
    assert_refused(attempt(name, spoil=lambda: np.save(path, np.array([{"the": 1}], dtype=object))), f"{path}: ")


@pytest.mark.parametrize("name", [name for name in SCRIPTS if uses_glove(name)])
def test_fewer_vectors_than_words_are_refused(name, attempt, small):
    path = small / "glove_embeddings.npy"
    assert_refused(attempt(name, spoil=lambda: np.save(path, np.load(path)[:2])), f"{path}: ", "preprocess_data.py")


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.endswith("test") or name.startswith("3c")])
def test_data_of_another_dictionary_than_the_models_is_refused(name, attempt, small):
    path = dictionary(name, small)
    assert_refused(attempt(name, spoil=lambda: np.save(path, np.load(path)[::-1])), "another dictionary")


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("part", [*TEST_SCRIPTS, "3b"])
def test_a_bad_model_is_refused_and_no_code_in_it_runs(part, attempt, small, run_here, tmp_path):
    folder = attempt.train("3a" if part == "3b" else part)
    path = folder / MODELS["3a" if part == "3b" else part]
    good, other = path.read_bytes(), attempt.train("1a" if part != "1a" else "1b") / "BOW.model"

    def test():
        if part == "3b":
            return run_here(GENERATE, "--language-model", path, "--output", tmp_path / "generated")
        return run_here(TEST_SCRIPTS[part], "--data", small, "--output", folder)

    weight = next(iter(torch.load(path, weights_only=True)["model"].values()))
    other_weight = good.replace(weight.numpy().tobytes(), (weight + 1).numpy().tobytes())
    assert other_weight != good
    for content in b"", b"text", good[:-30], other_weight:
        in_place_of(path, content)
        assert_refused(test(), f"{path}: not a whole checkpoint of part", "train it again")
    torch.save({"format": 2, "part": part, "model": Attack(tmp_path / "executed")}, path)
    assert_refused(test(), f"{path}: not a whole checkpoint of part")
    assert not (tmp_path / "executed").exists()
    shutil.copy(other, path)
    assert_refused(test(), f"{path}: a checkpoint of 1")
    path.unlink()
    assert_refused(test(), f"{path}: no such file; train part")
    assert not (tmp_path / "generated").exists()


@pytest.mark.parametrize("name", [*SCRIPTS, "3b generation"])
def test_an_output_folder_that_cannot_be_written_is_refused(name, attempt, run_here, tmp_path):
    """Root may write anywhere, so a file stands where the folder should be."""
    (tmp_path / "file").write_text("in the way")
    part, kind = name.split()
    if kind == "training":
        outcome = attempt(name, "--output", tmp_path / "file" / "output")
    elif kind == "generation":
        outcome = run_here(GENERATE, "--language-model", attempt.train("3a") / MODELS["3a"],
                           "--output", tmp_path / "file" / "output")
    else:
        folder = attempt.train(part)
        (folder / "test_table.csv").mkdir()
        outcome = attempt(name)
    assert_refused(outcome, "cannot be written", "--output")


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_a_batch_larger_than_the_data_is_all_of_it(part, attempt):
    status, stdout, stderr = attempt(f"{part} training", "--batch-size", "1000")
    assert (status, stderr) == (0, "")
    assert "epoch  1/1" in stdout


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
@pytest.mark.parametrize("change", [
    lambda text: text.replace("\n", "\r\n"), lambda text: text.removesuffix("\n"),
    lambda text: text.replace(" ", "  ")], ids=["carriage returns", "no last newline", "spaces"])
def test_odd_line_ends_and_spaces_are_read(part, change, attempt, small):
    path = token_file(f"{part} training", small)
    status, plain, _ = attempt(f"{part} training")
    path.write_bytes(change(path.read_text()).encode())
    again, changed, stderr = attempt(f"{part} training", "--restart")
    assert (status, again, stderr) == (0, 0, "")
    assert figures(changed) == figures(plain)


def figures(printed):
    """The line of the epoch without its seconds."""
    [line] = [line for line in printed.splitlines() if line.startswith("epoch")]
    return line.rsplit(" | ", 1)[0]


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_a_review_of_one_token_and_one_of_a_megabyte_are_read(part, attempt, small):
    path = token_file(f"{part} training", small)
    lines = path.read_text().splitlines()
    lines[0], lines[2] = "1", "1 2 " * 250_000
    path.write_text("\n".join(lines) + "\n")
    status, stdout, stderr = attempt(f"{part} training")
    assert (status, stderr) == (0, "")


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_unlabelled_reviews_may_be_missing(part, attempt, small):
    for path in small.glob("imdb_train*"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    status, stdout, stderr = attempt(f"{part} training")
    assert (status, stderr) == (0, "")


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_without_labelled_reviews_a_part_refuses(part, attempt, small):
    def take_labels():
        for path in small.glob("imdb_*_reviews.tsv"):
            path.write_text(path.read_text().replace("pos", "unsup").replace("neg", "unsup"))
    assert_refused(attempt(f"{part} training", spoil=take_labels), "reviews; at least two are needed")


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_a_learning_rate_that_loses_the_numbers_is_named(part, attempt):
    options = ["--optimizer", "sgd", "--learning-rate", "1e30", "--epochs", "9", "--clip-norm", "0"]
    assert_refused(attempt(f"{part} training", *options), "--learning-rate 1e+30: ", "epoch", "use a smaller one")


@pytest.mark.parametrize("part", ["1a", "1b", "2a", "2b", "3a"])
def test_a_model_that_memory_cannot_hold_is_refused(part, attempt):
    assert_refused(attempt(f"{part} training", "--hidden-units", str(10 ** 12)), "out of memory", "--hidden-units")


@pytest.mark.parametrize("prime, what", [("zebra", "no word that the model knows"), ("", "no word"), ("  ", "no word")])
def test_a_prime_without_a_known_word_is_refused(prime, what, attempt, run_here, tmp_path):
    outcome = run_here(GENERATE, "--language-model", attempt.train("3a") / MODELS["3a"], "--prime", prime,
                       "--output", tmp_path / "generated")
    assert_refused(outcome, "--prime", what)


def test_a_closed_pipe_and_a_terminal_without_the_characters_end_no_script_with_a_traceback(small, tmp_path):
    output = tmp_path / "r\u00e9sultats"
    command = [sys.executable, ROOT / TRAINING_SCRIPTS["1a"], "--data", small, "--output", output, *TINY,
               *TINY_OPTIONS["1a"]]
    done = subprocess.run(command, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "r\\xe9sultats" in done.stdout
    process = subprocess.Popen([*command, "--restart"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 128 + 13
