"""NLTK's data for the tests of preprocessing."""

import pytest
from punkt import install_punkt


@pytest.fixture(scope="module")
def punkt_folder(tmp_path_factory):
    """An NLTK data folder with a small punkt_tab."""
    folder = tmp_path_factory.mktemp("nltk_data")
    install_punkt(folder)
    return folder
