"""Every script as its user runs it: on the sample, at a tiny size, in a process of its own."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from parts import MODELS, ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS, build_training, load_script
from tiny import OPTIONS, TINY

from common.checkpoints import load_checkpoint, write_checkpoint
from common.data.reviews import read_reviews
from common.errors import UserError
from common.parts import PARTS
from common.results.records import read_table

LENGTHS = [str(length) for length in range(50, 501, 50)] + ["whole"]


def refusal(done):
    """The one line of a script that refuses."""
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_no_script_here_can_import_nltk(run, tmp_path):
    (tmp_path / "script.py").write_text("import nltk\n")
    assert "only preprocessing needs NLTK" in run(tmp_path / "script.py").stderr


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_training_leaves_model_curves_and_figure(part, trained):
    folder, printed = trained(part)
    assert {MODELS[part], "data.npy", "curves.png"} <= {path.name for path in folder.iterdir()}
    assert is_png(folder / "curves.png")
    data = np.load(folder / "data.npy")
    assert data.shape == (3, 1)
    assert np.isfinite(data).all() and 0 < data[0, 0] < 8
    assert (0 <= data[1:]).all() and (data[1:] <= 1).all()
    assert printed.startswith(f"part {part} | ") and "epoch  1/1 | train loss" in printed


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_a_trained_model_knows_its_options_and_words(part, trained, data):
    checkpoint = load_checkpoint(trained(part)[0] / MODELS[part], part)
    words = np.load(data / ("glove_dictionary.npy" if part in ("1b", "2b") else "imdb_dictionary.npy")).tolist()
    assert checkpoint["vocabulary"] == words
    assert checkpoint["arguments"]["no_of_hidden_units"] == 16
    assert (checkpoint["options"]["epochs"], checkpoint["options"]["optimizer"]) == (1, "adam")
    assert all(tensor.isfinite().all() for tensor in checkpoint["model"].values())


@pytest.mark.parametrize("part", ["1a", "1b"])
def test_a_bag_of_words_is_tested_on_all_reviews(part, trained, data, run):
    folder, _ = trained(part)
    done = run(Path(TEST_SCRIPTS[part]).name, "--data", data, "--output", folder, cwd=ROOT / part)
    assert done.returncode == 0, done.stderr
    [row] = read_table(folder / "test_table.csv")
    assert 40 < float(row["test accuracy"]) <= 100
    # The weights are those of the last epoch, which was tested on the same reviews.
    assert float(row["test accuracy"]) == pytest.approx(100 * np.load(folder / "data.npy")[2, -1], abs=0.2)
    assert f"test accuracy {row['test accuracy']}" in done.stdout


@pytest.mark.parametrize("part", ["2a", "2b", "3c"])
def test_an_lstm_is_tested_at_every_length(part, trained, data, run):
    folder, _ = trained(part)
    done = run(Path(TEST_SCRIPTS[part]).name, "--data", data, "--output", folder, "--batch-size", 300,
               cwd=ROOT / part)
    assert done.returncode == 0, done.stderr
    rows = read_table(folder / "test_table.csv")
    assert [row["sequence length"] for row in rows] == LENGTHS
    assert list(rows[0]) == ["sequence length", "test accuracy", "test loss", "elapsed_s", "weights"]
    for row in rows:
        assert 30 < float(row["test accuracy"]) <= 100
        assert 0 < float(row["test loss"]) < 5
        assert f"sequence length {row['sequence length']}  test accuracy {row['test accuracy']}" in done.stdout


def test_the_lengths_asked_for_are_tested_alone_each_on_the_same_crops(trained, data, run_here):
    folder, _ = trained("2a")

    def losses(*lengths):
        status, _, stderr = run_here(TEST_SCRIPTS["2a"], "--data", data, "--output", folder, "--lengths", *lengths)
        assert status == 0, stderr
        return {row["sequence length"]: row["test loss"] for row in read_table(folder / "test_table.csv")}
    both = losses("30", "20")
    assert list(both) == ["30", "20", "whole"]
    assert losses("20") == {"20": both["20"], "whole": both["whole"]}


@pytest.mark.parametrize("part", TEST_SCRIPTS)
def test_the_table_of_a_model_with_ngrams_has_the_accuracy_of_its_members_too(
        part, data, language_model, run_here, tmp_path):
    own = ["--language-model", language_model] if part == "3c" else OPTIONS[part]
    options = ["--data", data, "--output", tmp_path, "--precision", "float32"]
    status, _, stderr = run_here(TRAINING_SCRIPTS[part], *options, *TINY, *own, "--ngrams", 2, "--ngram-weight", 1)
    assert status == 0, stderr
    status, stdout, stderr = run_here(TEST_SCRIPTS[part], *options, *([] if part[0] == "1" else ["--lengths", 20]))
    assert status == 0, stderr
    rows = read_table(tmp_path / "test_table.csv")
    assert [name for name in rows[0] if name != "sequence length"] == [
        "test accuracy", "network alone", "n-grams alone", "test loss", "elapsed_s", "weights"]
    for row in rows:
        assert row["test accuracy"] == row["n-grams alone"] != row["network alone"]     # all the weight is theirs
        assert f"network alone {row['network alone']}  n-grams alone {row['n-grams alone']}" in stdout


@pytest.mark.parametrize("part", TEST_SCRIPTS)
def test_a_model_labels_the_unlabelled_reviews_for_a_further_training(part, trained, data, run_here):
    folder = trained(part)[0]
    status, _, stderr = run_here(TEST_SCRIPTS[part], "--data", data, "--output", folder, "--unlabelled")
    assert status == 0, stderr
    probabilities = torch.from_numpy(np.load(folder / "pseudo_labels.npz")["probabilities"])
    train, _ = read_reviews(data, "train")
    assert torch.equal(probabilities.isnan(), ~train.labels.isnan())
    known = probabilities[~probabilities.isnan()]
    assert known.min() >= 0 and known.max() <= 1 and len(known.unique()) > 10


def test_the_language_model_reports_its_perplexity(trained, data):
    folder, printed = trained("3a")
    [row] = read_table(folder / "test_table.csv")
    perplexity = float(row["perplexity"])
    assert 1 < perplexity < len(np.load(data / "imdb_dictionary.npy")) / 2      # all words alike would be the whole
    assert perplexity == pytest.approx(math.exp(float(row["test loss"])), rel=1e-3)
    assert re.search(r"^epoch  1/1 \| train loss \S+ perplexity .* \| test loss \S+ perplexity ", printed, re.M)
    assert f"perplexity {row['perplexity']} | next-word accuracy {row['next-word accuracy']}" in printed


def test_3c_trains_the_last_layer_and_the_output_of_the_language_model(trained, language_model):
    before = load_checkpoint(language_model, "3a")["model"]
    after = load_checkpoint(trained("3c")[0] / "rnn.model", "3c")["model"]
    changed = {name for name, tensor in before.items()
               if not name.startswith("decoder") and "running" not in name and "num_batches" not in name
               and not torch.equal(tensor, after[name])}
    assert changed == {name for name in before if name.startswith(("lstm3.", "bn_lstm3."))
                       and "running" not in name and "num_batches" not in name}


@pytest.mark.parametrize("before, argv, option", [
    (dict(drop_duplicates=False), ["--drop-duplicates"], "--drop-duplicates"),
    (dict(validation=0.2, drop_duplicates=True), ["--validation", 0.2], "--drop-duplicates")])
def test_3c_refuses_a_language_model_that_has_read_what_is_left_out(
        before, argv, option, run_here, data, language_model, tmp_path):
    checkpoint = load_checkpoint(language_model, "3a")
    checkpoint["options"] |= before
    write_checkpoint(tmp_path / "language.model", "3a", checkpoint)
    status, _, stderr = run_here(TRAINING_SCRIPTS["3c"], "--data", data, "--output", tmp_path, "--device", "cpu",
                                 *argv, "--language-model", tmp_path / "language.model")
    assert status == 2
    assert f"language.model: part 3a was trained with another {option}, on reviews that are left out here" in stderr


@pytest.mark.parametrize("argv", [["--fine-tune", "none"], ["--layer-decay", "0"], ["--layer-decay", "1.1"],
                                  ["--ngrams", "6"], ["--ngram-weight", "1.1"]])
def test_a_wrong_value_of_an_option_that_not_all_scripts_have_is_refused(argv):
    with pytest.raises(UserError, match=f"^{argv[0]}: "):
        build_training("3c", *argv)


@pytest.mark.parametrize("vocab_size, words", [(10, 30), (30, 30), (40, 40)])
def test_3c_knows_the_words_that_it_is_told_to_but_no_fewer_than_its_language_model(
        vocab_size, words, data, language_model, tmp_path):
    checkpoint = load_checkpoint(language_model, "3a")
    checkpoint["vocabulary"] = checkpoint["vocabulary"][:30]
    checkpoint["model"]["embedding.weight"] = checkpoint["model"]["embedding.weight"][:31]
    write_checkpoint(tmp_path / "language.model", "3a", checkpoint)
    training = build_training("3c",
        "--data", data, "--language-model", tmp_path / "language.model", "--output", tmp_path, "--device", "cpu",
        "--vocab-size", vocab_size)
    assert len(training.folder.made_from["vocabulary"]) == words
    assert len(training.model.embedding.weight) == words + 1
    assert max(int(some.reviews.token_ids.max()) for some in training.data.values()) == words


def test_the_words_of_a_language_model_that_knows_more_override_no_option_of_3c(
        data, language_model, tmp_path, monkeypatch):
    script = load_script("3c", "RNN_sentiment_analysis.py")
    parse_options = script.parse_options
    monkeypatch.setattr(script, "parse_options", lambda *args, **defaults: parse_options(
        *args, **defaults | {"vocab_size": 10}))
    training = build_training("3c",
        "--data", data, "--language-model", language_model, "--output", tmp_path, "--device", "cpu")
    assert training.options.vocab_size > 10 and training.options.overridden == []


def test_layer_decay_lowers_the_learning_rate_from_layer_to_layer_towards_the_embedding(data, language_model, tmp_path):
    training = build_training("3c",
        "--data", data, "--language-model", language_model, "--output", tmp_path, "--device", "cpu",
        "--fine-tune", "all", "--layer-decay", 0.5, "--learning-rate", 0.008)
    names = {parameter: name.split(".")[0] for name, parameter in training.model.named_parameters()}
    rates = {names[parameter]: group["lr"]
             for group in training.optimizer.param_groups for parameter in group["params"]}
    assert rates == {"embedding": 0.001, "lstm1": 0.002, "bn_lstm1": 0.002, "lstm2": 0.004, "bn_lstm2": 0.004,
                     "lstm3": 0.008, "bn_lstm3": 0.008, "fc_output": 0.008}


def test_reviews_are_generated_from_every_prompt_at_every_temperature(run, language_model, tmp_path):
    done = run(ROOT / "3b" / "generate_review.py", "--language-model", language_model, "--output", tmp_path,
               "--explain", "--prompt", "i", "the film was", "--temperature", "0.5", "1", "--length", "12")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "generated_reviews.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("temperature")] == [
        "temperature 0.5, prompt 'i'", "temperature 0.5, prompt 'the film was'",
        "temperature 1, prompt 'i'", "temperature 1, prompt 'the film was'"]
    reviews = lines[2::4]                               # after the text as a person would write it
    assert [len(review.split()) for review in reviews] == [12] * 4
    assert [review.startswith(prompt) for review, prompt in zip(reviews, ["i ", "the film was "] * 2)] == [True] * 4
    assert "<unk>" not in " ".join(reviews)
    assert all(review in done.stdout for review in reviews)
    assert "temperature 0.5, prompt 'i'\n" in done.stdout


def test_missing_data_is_refused_with_the_way_to_make_it(run, tmp_path):
    done = run(ROOT / "1b" / "BOW_sentiment_analysis.py", "--data", tmp_path / "nowhere", "--output", tmp_path / "new")
    assert "nowhere/glove_dictionary.npy: no such file; make it with preprocess_data.py with --glove" in refusal(done)
    assert not (tmp_path / "new").exists()


def test_a_test_before_the_training_is_refused(run, data, tmp_path):
    done = run(ROOT / "2b" / "RNN_test.py", "--data", data, "--output", tmp_path)
    assert "rnn.model: no such file; train part 2b first" in refusal(done)
    assert not list(tmp_path.iterdir())


def test_a_language_model_that_reads_backwards_is_for_a_classifier_that_does_alone(data, run_here, tmp_path):
    status, _, stderr = run_here(TRAINING_SCRIPTS["3a"], "--data", data, "--output", tmp_path, *TINY, *OPTIONS["3a"],
                                 "--reversed")
    assert status == 0, stderr
    taken = ["--data", data, "--language-model", tmp_path / "language.model", "--output", tmp_path / "other"]
    status, _, stderr = run_here("3b/generate_review.py", *taken)
    assert status == 2 and "language.model: predicts the word before" in stderr
    status, _, stderr = run_here(TRAINING_SCRIPTS["3c"], *taken, *TINY, *OPTIONS["3c"])
    assert status == 2 and "language.model: reads reviews in the other direction" in stderr
    status, _, stderr = run_here(TRAINING_SCRIPTS["3c"], *taken, *TINY, *OPTIONS["3c"], "--reversed")
    assert status == 0, stderr
    status, stdout, stderr = run_here(TEST_SCRIPTS["3c"], "--data", data, "--output", tmp_path / "other",
                                      "--review", "A great film.", "--explain")
    assert status == 0, stderr
    assert stdout.index("great(") < stdout.index("film(")               # the words stand as they were given


def test_generating_before_the_training_is_refused(run, tmp_path):
    model = tmp_path / "language.model"
    done = run(ROOT / "3b" / "generate_review.py", "--language-model", model, "--output", tmp_path)
    assert "language.model: no such file; train part 3a first, or name the model with --language-model" in refusal(done)


def test_a_model_of_another_part_is_refused(run, data, trained):
    done = run(ROOT / "3c" / "RNN_test.py", "--data", data, "--output", trained("2a")[0])
    assert "rnn.model: a checkpoint of 2a, not of part 3c" in refusal(done)


EVERY_SCRIPT = [*TRAINING_SCRIPTS.values(), *TEST_SCRIPTS.values(), PARTS["3b"].train, "2a/other_networks/train.py"]


@pytest.mark.parametrize("script", EVERY_SCRIPT)
def test_a_wrong_option_is_refused_with_one_line(script, run_here):
    status, stdout, stderr = run_here(script, "--seed", "-1")
    assert (status, stdout) == (2, "")
    assert stderr == "error: --seed: '-1' is not a whole number from 0 to 4294967295; see --help\n"


@pytest.mark.parametrize("script", EVERY_SCRIPT)
def test_help_is_the_docstring_and_the_options(script, run_here):
    status, stdout, stderr = run_here(script, "--help")
    assert (status, stderr) == (0, "")
    assert stdout.startswith(f"usage: {Path(script).name} [OPTION ...]")
    assert f"\n    python {script}" in stdout and "\n  --output DIR" in stdout


@pytest.mark.slow
def test_plain_pytest_collects_only_the_tests():
    done = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"], cwd=ROOT,
                          env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    collected = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(collected) > 100
    assert all(line.startswith("tests/") for line in collected)
