"""Puts the project root on the path, so that tests import `common` as the scripts do."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# The tests' tensors are tiny: on a busy machine threads would only wait for each other.
torch.set_num_threads(1)
