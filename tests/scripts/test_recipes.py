"""The settings of each part: the assignment's, and those of a recipe or a file of options."""

import re
from pathlib import Path

import pytest
import torch
from parts import TRAINING_SCRIPTS, build_training, load_script
from tiny import TINY

from common.checkpoints import load_checkpoint, write_checkpoint
from common.data.pseudo_labels import write_pseudo_labels
from common.data.reviews import read_reviews
from common.results.records import read_runs

SCRIPTS = {part: load_script(part, Path(script).name) for part, script in TRAINING_SCRIPTS.items()}
RECIPES = [(part, recipe) for part, script in SCRIPTS.items() for recipe in script.RECIPES]


def options_of(script, monkeypatch):
    """The options that a training script hands to parse_options, with their defaults."""
    class Parsed(Exception):
        pass

    def parse_options(*_, **defaults):
        raise Parsed(defaults)
    monkeypatch.setattr(script, "parse_options", parse_options)
    with pytest.raises(Parsed) as parsed:
        script.build_training()
    return parsed.value.args[0]


@pytest.mark.parametrize("part", TRAINING_SCRIPTS)
def test_a_recipe_sets_options_that_its_script_has(part, monkeypatch):
    names = options_of(SCRIPTS[part], monkeypatch).keys()
    assert SCRIPTS[part].RECIPES["assignment"] == {}
    assert {name for recipe in SCRIPTS[part].RECIPES.values() for name in recipe} <= names


LSTM = dict(epochs=20, sequence_length=100, test_every=3, dropout=[0.5, 0.3], pooling="max")


@pytest.mark.parametrize("part, expected", [
    ("1a", dict(epochs=6, hidden_units=500, hidden_layers=1, dropout=0.5, vocab_size=8000)),
    ("1b", dict(epochs=6, hidden_units=500, hidden_layers=1, dropout=0.5, vocab_size=100_000)),
    ("2a", LSTM | dict(hidden_units=500, lstm_layers=1, vocab_size=8000)),
    ("2b", LSTM | dict(hidden_units=500, lstm_layers=1, vocab_size=100_000)),
    ("3a", dict(epochs=75, hidden_units=500, lstm_layers=3, dropout=0.3, vocab_size=8000, sequence_length=50,
                schedule="step", step_epochs=50, clip_norm=2.0)),
    ("3c", LSTM | dict(dropout=[0.3]))])
def test_without_a_recipe_a_part_has_the_assignments_settings(part, expected, monkeypatch):
    options = options_of(SCRIPTS[part], monkeypatch)
    expected = dict(batch_size=200, optimizer="adam", learning_rate=0.001, schedule="constant", recipe="assignment",
                    patience=0, validation=0.0, drop_duplicates=False, save_minutes=10.0) | expected
    assert {name: options[name] for name in expected} == expected
    assert options.get("ngrams", 0) == 0
    for own, expected in {"fine_tune": "last", "layer_decay": 1.0, "cutoffs": [], "word_vectors": False}.items():
        assert own not in options or options[own].default == expected


@pytest.mark.parametrize("part, pooling, train_counts, test_counts", [
    ("2a", "max", True, True), ("2a", "concat", False, False), ("2b", "mean", True, True),
    ("2b", "concat", False, False), ("3a", None, True, False), ("3c", "max", True, True),
    ("3c", "concat", False, False)])
def test_crops_to_test_on_are_twice_as_long_and_padding_counts_as_in_the_assignment(
        part, pooling, train_counts, test_counts, data, request, tmp_path):
    argv = ["--data", data, "--output", tmp_path, "--device", "cpu", "--sequence-length", 7, "--validation", 0.2]
    argv += ["--pooling", pooling] if pooling else []
    argv += ["--hidden-units", 4] if part != "3c" else []
    if part == "3c":
        checkpoint = load_checkpoint(request.getfixturevalue("language_model"), "3a")
        checkpoint["options"]["validation"], checkpoint["options"]["drop_duplicates"] = 0.2, False
        write_checkpoint(tmp_path / "language.model", "3a", checkpoint)
        argv += ["--language-model", tmp_path / "language.model"]
    crops = build_training(part, *argv).data
    assert {split: (some.sequence_length, some.padding_counts) for split, some in crops.items()} == {
        "train": (7, train_counts), "validation": (14, test_counts), "test": (14, test_counts)}


@pytest.mark.parametrize("part, recipe", RECIPES)
def test_a_recipe_is_trained_by_its_name(part, recipe, run_here, data, language_model, tmp_path):
    options = [*TINY, "--recipe", recipe, *([] if part == "3c" else ["--hidden-units", 8])]
    if part == "3c":
        options += ["--language-model", language_model]
    if recipe == "best":
        made_up = torch.full((int(read_reviews(data, "train")[0].labels.isnan().sum()),), 0.7)
        teacher = dict(validation=0.0, seed=0, drop_duplicates=True)
        write_pseudo_labels(tmp_path / "made_up.npz", made_up, data, "1a", teacher)
        options += ["--pseudo-labels", tmp_path / "made_up.npz"]
    status, _, stderr = run_here(TRAINING_SCRIPTS[part], "--data", data, "--output", tmp_path, "--device", "cpu",
                                 *options)
    assert status == 0, stderr
    [found] = read_runs([tmp_path])
    expected = SCRIPTS[part].RECIPES[recipe] | {"recipe": recipe, "epochs": 1, "batch_size": 100}
    if recipe == "best":
        expected["pseudo_labels"] = "made_up.npz"
    if part != "3c":
        expected["hidden_units"] = 8
    expected |= {name: str(value) for name, value in expected.items() if isinstance(value, list)}
    assert {name: found.options[name] for name in expected} == expected


def test_help_of_2as_training_fits_on_two_screens_and_its_groups_come_in_order(run_here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, stdout, _ = run_here(TRAINING_SCRIPTS["2a"], "--help")
    assert status == 0 and len(stdout.splitlines()) <= 100
    assert re.findall(r"^(\w+):$", stdout, flags=re.MULTILINE) == [
        "options", "training", "model", "data", "evaluation", "saving", "machine", "recipes"]
