"""The parts, trained once on the sample at a tiny size, for the tests of their scripts."""

import functools

import pytest
from parts import MODELS, ROOT, TRAINING_SCRIPTS
from tiny import OPTIONS, TINY


@pytest.fixture(scope="session")
def trained(run, data, tmp_path_factory):
    """Trains a part, once in all tests -> (the folder of its results, what it printed)."""
    results = tmp_path_factory.mktemp("results")

    @functools.cache
    def train(part):
        options = OPTIONS[part]
        if part == "3c":
            options = [*options, "--language-model", trained_model(part="3a")]
        done = run(ROOT / TRAINING_SCRIPTS[part], "--data", data, "--output", results / part, *TINY, *options)
        assert done.returncode == 0, done.stderr
        return results / part, done.stdout

    def trained_model(part):
        return train(part)[0] / MODELS[part]
    return train


@pytest.fixture(scope="session")
def language_model(trained):
    return trained("3a")[0] / "language.model"
