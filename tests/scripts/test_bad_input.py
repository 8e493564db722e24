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

from common.checkpoints import FORMAT

NETWORKS = "2a/other_networks"
MODELS = MODELS | {NETWORKS: "rnn.model"}
SCRIPTS = {f"{part} training": script for part, script in TRAINING_SCRIPTS.items()} | {
    f"{part} test": script for part, script in TEST_SCRIPTS.items()} | {
    f"{NETWORKS} training": f"{NETWORKS}/train.py"}
TRAINED = [name.split()[0] for name in SCRIPTS if name.endswith("training")]
TESTED = [name.split()[0] for name in SCRIPTS if name.endswith("test")]
TINY = ["--epochs", "1", "--batch-size", "4"]
TINY_OPTIONS = {"1a": ["--hidden-units", "4"], "1b": ["--hidden-units", "4"],
                "2a": ["--hidden-units", "4", "--sequence-length", "4"],
                "2b": ["--hidden-units", "4", "--sequence-length", "4"],
                "3a": ["--hidden-units", "4", "--sequence-length", "4"], "3c": ["--sequence-length", "4"],
                NETWORKS: ["--hidden-units", "4", "--sequence-length", "4", "--validation", "0.5"]}
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
        status, _, stderr = run_here(SCRIPTS[f"{part} training"], "--data", small, "--output", results / part, *TINY,
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


def dictionary(name, small):
    return small / ("glove_dictionary.npy" if uses_glove(name) else "imdb_dictionary.npy")


def files_of(name, small):
    """What a script reads of its split; training scripts read the test reviews too."""
    split = name.split()[1].replace("training", "train")
    vectors = [small / "glove_embeddings.npy"] if uses_glove(name) else []
    token_ids = small / f"imdb_{split}{'_glove' if uses_glove(name) else ''}.txt"
    return [token_ids, dictionary(name, small), small / f"imdb_{split}_reviews.tsv", *vectors]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_small_files_are_good(name, attempt):
    status, _, stderr = attempt(name)
    assert (status, stderr) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_missing_file_is_named_with_the_way_to_make_it(name, attempt, small, tmp_path):
    for path in files_of(name, small):
        content = path.read_bytes()
        assert_refused(attempt(name, spoil=path.unlink), f"{path}: no such file; make it with preprocess_data.py")
        path.write_bytes(content)
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_damaged_file_is_named_with_the_way_to_make_it_again(name, attempt, small, tmp_path):
    for path in files_of(name, small):
        content = path.read_bytes()
        refused = attempt(name, spoil=functools.partial(path.write_bytes, b"x\n"))
        assert_refused(refused, f"{path}:", "preprocess_data.py")
        path.write_bytes(content)
    assert not (tmp_path / "output").exists()


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


@pytest.mark.parametrize("part", [*TESTED, "3b"])
def test_a_bad_model_is_refused_and_no_code_in_it_runs(part, attempt, small, run_here, tmp_path):
    folder = attempt.train("3a" if part == "3b" else part)
    path = folder / MODELS["3a" if part == "3b" else part]

    def test():
        if part == "3b":
            return run_here(GENERATE, "--language-model", path, "--output", tmp_path / "generated")
        return run_here(SCRIPTS[f"{part} test"], "--data", small, "--output", folder)

    path.write_bytes(path.read_bytes()[:-30])
    assert_refused(test(), f"{path}: not a whole checkpoint of part", "train it again")
    torch.save({"format": FORMAT, "part": part, "model": Attack(tmp_path / "executed")}, path)
    assert_refused(test(), f"{path}: not a whole checkpoint of part")
    assert not (tmp_path / "executed").exists()
    shutil.copy(attempt.train("1a" if part != "1a" else "1b") / "BOW.model", path)
    assert_refused(test(), f"{path}: a checkpoint of 1")
    path.unlink()
    assert_refused(test(), f"{path}: no such file; train part")
    assert not (tmp_path / "generated").exists()


@pytest.mark.parametrize("name", [*SCRIPTS, "3b generation"])
def test_an_output_folder_that_cannot_be_written_is_refused(name, attempt, run_here, tmp_path):
    """Root may write anywhere, so a file stands where the folder should be."""
    (tmp_path / "file").write_text("in the way")
    part, kind = name.split()
    expected = "is not a folder"
    if kind == "training":
        outcome = attempt(name, "--output", tmp_path / "file" / "output")
    elif kind == "generation":
        outcome = run_here(GENERATE, "--language-model", attempt.train("3a") / MODELS["3a"],
                           "--output", tmp_path / "file" / "output")
    else:
        folder = attempt.train(part)
        (folder / "test_table.csv").mkdir()
        outcome = attempt(name)
        expected = "cannot be written"
    assert_refused(outcome, expected, "--output")


@pytest.mark.parametrize("part", TRAINED)
def test_a_batch_larger_than_the_data_is_all_of_it(part, attempt):
    status, stdout, stderr = attempt(f"{part} training", "--batch-size", "1000")
    assert (status, stderr) == (0, "")
    assert "epoch  1/1" in stdout


@pytest.mark.parametrize("part", TRAINED)
def test_a_review_of_one_token_and_one_of_a_megabyte_are_read(part, attempt, small):
    path = files_of(f"{part} training", small)[0]
    lines = path.read_text().splitlines()
    lines[0], lines[2] = "1", "1 2 " * 250_000
    path.write_text("\n".join(lines) + "\n")
    status, stdout, stderr = attempt(f"{part} training")
    assert (status, stderr) == (0, "")


@pytest.mark.parametrize("part", TRAINED)
def test_unlabelled_reviews_may_be_missing(part, attempt, small):
    for path in small.glob("imdb_train*"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    status, stdout, stderr = attempt(f"{part} training")
    assert (status, stderr) == (0, "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_without_labelled_reviews_a_script_refuses(name, attempt, small):
    def take_labels():
        for path in small.glob("imdb_*_reviews.tsv"):
            path.write_text(path.read_text().replace("pos", "unsup").replace("neg", "unsup"))
    own = ["--validation", "0", "--patience", "0"] if name == f"{NETWORKS} training" else []
    assert_refused(attempt(name, *own, spoil=take_labels), "reviews; at least two are needed")


@pytest.mark.parametrize("part", TRAINED)
def test_a_learning_rate_that_makes_the_loss_infinite_or_nan_is_named(part, attempt):
    options = ["--optimizer", "sgd", "--learning-rate", "1e30", "--epochs", "9"]
    options += ["--clip-norm", "0"] if part in ("3a", NETWORKS) else []
    assert_refused(attempt(f"{part} training", *options), "--learning-rate 1e+30: ", "epoch", "use a smaller one")


@pytest.mark.parametrize("part", [part for part in TRAINED if part != "3c"])
def test_a_model_that_memory_cannot_hold_is_refused(part, attempt):
    assert_refused(attempt(f"{part} training", "--hidden-units", str(10 ** 12)), "out of memory", "--hidden-units")


@pytest.mark.slow
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
