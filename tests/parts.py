"""What the tests of the parts share: where the scripts are, and how to load a part's file."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))       # so that tests import `common` as the scripts do

from common.parts import PARTS

GPU = torch.cuda.is_available()         # a real one: the simulated one is not there yet
# How far float32 may be from the loop's. cuDNN computes an LSTM's sigmoid and tanh to 1e-5, and adds gradients up in an
# order of its own; batch normalisation of five reviews and Adam enlarge that.
TOLERANCE = 1e-3 if GPU else 1e-5

TRAINING_SCRIPTS = {part: some.train for part, some in PARTS.items() if some.model}
TEST_SCRIPTS = {part: some.test for part, some in PARTS.items() if some.test}
MODELS = {part: some.model for part, some in PARTS.items() if some.model}


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


def build_training(part, *argv):
    """The training that a part's script builds of these options; the script may stand in a folder below the part's."""
    script = ROOT / TRAINING_SCRIPTS[part] if part in TRAINING_SCRIPTS else ROOT / part / "train.py"
    with pytest.MonkeyPatch.context() as patch:
        import_from(script.parent, patch)
        return load_script(part, script.name).build_training(list(map(str, argv)))
