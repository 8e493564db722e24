"""What the tests of the parts share: loading a part's file, and the devices to test on."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent


def load_script(part, file):
    """The module at PART/FILE under a name of its own, since several parts have files of one name."""
    path = ROOT / part / file
    name = f"part_{part}_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


@pytest.fixture(params=["cpu", "cuda"])
def device(request, monkeypatch):
    """Each device there is, with float32 as exact there as on a CPU."""
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        # cuDNN's LSTM rounds its inputs to TF32 by default.
        monkeypatch.setattr(torch.backends.cudnn.rnn, "fp32_precision", "ieee")
    return request.param
