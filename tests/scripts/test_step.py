"""How many of the project's files a reader has to open to follow one training step."""

import sys
from pathlib import Path

import pytest
import torch
from parts import ROOT, TRAINING_SCRIPTS, import_from, load_script


def files_of_a_step(part, *options):
    """Paths, from the project's folder, of the files of ours in which a function runs in one step of a training."""
    script = load_script(part, Path(TRAINING_SCRIPTS[part]).name)
    with pytest.MonkeyPatch.context() as patch:
        import_from(ROOT / part, patch)
        training = script.build_training([*map(str, options), "--device", "cpu", "--batch-size", "20"])
    files = set()
    sys.setprofile(lambda frame, *_: files.add(frame.f_code.co_filename))
    try:
        training.launch_step(torch.arange(20))
    finally:
        sys.setprofile(None)
    # A virtual environment may lie in the project's folder.
    return {str(Path(file).relative_to(ROOT)) for file in files
            if file.startswith(f"{ROOT}/") and "site-packages" not in file and file != __file__}


def test_a_step_of_2a_passes_through_at_most_nine_files(data, tmp_path):
    files = files_of_a_step("2a", "--data", data, "--output", tmp_path, "--hidden-units", 8)
    assert {"2a/RNN_model.py", "common/training/loop.py", "common/layers/stateful_lstm.py"} <= files
    assert len(files) <= 9, files


@pytest.mark.parametrize("options, most", [(["--ngrams", 3], 11), (["--recipe", "best"], 12)],
                         ids=["n-grams", "best, which scores adversarially"])
def test_a_step_of_3c_passes_through_at_most_eleven_files_and_that_of_adversarial_training(
        options, most, data, language_model, tmp_path):
    files = files_of_a_step("3c", "--data", data, "--output", tmp_path, "--language-model", language_model, *options)
    assert {"3c/RNN_model.py", "common/layers/ngram_ensemble.py"} <= files
    assert ("common/training/adversarial.py" in files) == (most == 12) and len(files) <= most, files
