"""The scripts load where Unix's file locks and user signals are missing, as on Windows."""

import subprocess
import sys

from parts import ROOT, TEST_SCRIPTS, TRAINING_SCRIPTS

SCRIPTS = ["preprocess_data.py", *TRAINING_SCRIPTS.values(), *TEST_SCRIPTS.values(), "3b/generate_review.py",
           "2a/other_networks/train.py", "common/results/report.py"]

LOAD = """
import runpy, signal, sys
sys.modules["fcntl"] = None
for name in "SIGUSR1", "SIGUSR2", "SIGHUP":
    delattr(signal, name)
for script in sys.argv[1:]:
    for module in "BOW_model", "RNN_model", "train":
        sys.modules.pop(module, None)
    folder = script.rpartition("/")[0]
    sys.path.insert(0, folder)
    runpy.run_path(script)
    sys.path.remove(folder)
    print(script)
from pathlib import Path
from common.files import claim_folder
from common.training.stop_signals import StopSignals
with claim_folder(Path("claimed")), StopSignals():
    print("claimed")
"""


def test_every_script_loads_and_claims_its_folder_without_fcntl_and_sigusr1(tmp_path):
    paths = [str(ROOT / script) for script in SCRIPTS]
    done = subprocess.run([sys.executable, "-c", LOAD, *paths], cwd=tmp_path, capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""}, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*paths, "claimed"]
