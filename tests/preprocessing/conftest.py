"""NLTK's data for the tests of preprocessing, and the script run on it."""

import sys

import nltk
import pytest
from punkt import install_punkt

import preprocess_data


@pytest.fixture(scope="module")
def punkt_folder(tmp_path_factory):
    """An NLTK data folder with a small punkt_tab."""
    folder = tmp_path_factory.mktemp("nltk_data")
    install_punkt(folder)
    return folder


@pytest.fixture
def preprocess(punkt_folder, monkeypatch):
    """Run the script's main() in this process."""
    monkeypatch.setattr(nltk.data, "path", [str(punkt_folder)])

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["preprocess_data.py", "--workers", "2", *map(str, options)])
        preprocess_data.main()
    return run
