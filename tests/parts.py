"""What the tests of the parts share: where the scripts are, and how to load a part's file."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TRAINING_SCRIPTS = {
    "1a": "1a/BOW_sentiment_analysis.py", "1b": "1b/BOW_sentiment_analysis.py", "2a": "2a/RNN_sentiment_analysis.py",
    "2b": "2b/RNN_sentiment_analysis.py", "3a": "3a/train_language_model.py", "3c": "3c/RNN_sentiment_analysis.py"}
TEST_SCRIPTS = {"1a": "1a/BOW_test.py", "1b": "1b/BOW_test.py", "2a": "2a/RNN_test.py", "2b": "2b/RNN_test.py",
                "3c": "3c/RNN_test.py"}
MODELS = {"1a": "BOW.model", "1b": "BOW.model", "2a": "rnn.model", "2b": "rnn.model", "3a": "language.model",
          "3c": "rnn.model"}


def import_from(folder, patch):
    """Let a part's script import the files beside it: several parts have model files of one name."""
    patch.syspath_prepend(folder)
    for module in "BOW_model", "RNN_model", "RNN_language_model":
        patch.delitem(sys.modules, module, raising=False)


def load_script(part, file):
    """The module at PART/FILE under a name of its own."""
    path = ROOT / part / file
    name = f"part_{part}_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            import_from(path.parent, patch)
            spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]
