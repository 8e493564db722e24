"""What a script says on a node whose GPU it cannot use."""

import pytest
import torch
from parts import TRAINING_SCRIPTS

OLD = "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver"


@pytest.mark.parametrize("found, told", [
    (RuntimeError(OLD), f"the GPU's driver is too old for torch {torch.__version__}"),
    (RuntimeError("Found no NVIDIA driver on your system."), "no CUDA GPU here"),
    (AssertionError("Torch not compiled with CUDA enabled"), "no CUDA GPU here")])
def test_a_too_old_driver_is_told_from_a_missing_gpu(monkeypatch, run_here, found, told):
    def init():
        raise found
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, _, stderr = run_here(TRAINING_SCRIPTS["1a"], "--device", "cuda")
    assert status == 2 and told in stderr and stderr.count("\n") == 1
