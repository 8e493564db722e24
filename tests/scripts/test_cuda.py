"""Every part on a GPU, or on a simulated one: its loops never wait for it, and nothing is on the wrong device.

The scripts are run whole and watched through hooks of torch, so that nothing here depends on how they are written.
"""

import contextlib
import functools
import re
import signal
import traceback
import warnings

import numpy as np
import pytest
import torch
from parts import MODELS, ROOT, TEST_SCRIPTS, TOLERANCE, TRAINING_SCRIPTS
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

from common.checkpoints import load_checkpoint
from common.preprocessing import tokenizer
from common.results.records import read_table
from common.training.run import EXIT_STOPPED

RECURRENT = "--hidden-units 8 --sequence-length 10"
# Of each part, with what its recipes add, but for 3a's cutoffs, whose library layer waits.
RUNS = {"1a": "1a --hidden-units 8", "1a with n-grams": "1a --hidden-units 8 --ngrams 2", "1b": "1b --hidden-units 8",
        "2a": f"2a {RECURRENT}", "2a with n-grams": f"2a {RECURRENT} --ngrams 2",
        "2b": f"2b {RECURRENT} --schedule one-cycle",
        "3a": f"3a {RECURRENT}", "3c": "3c --sequence-length 10",
        "3c adversarial": "3c --sequence-length 10 --fine-tune all --pooling concat "
                          "--fixed-batch-norm --adversarial 0.02 --ngrams 2"}
CLASSIFIERS = [name for name in RUNS if name[:2] != "3a"]
learn_sample_punkt = functools.cache(tokenizer.learn_sample_punkt)


@pytest.fixture(autouse=True)
def learn_punkt_once(monkeypatch):
    """Learning how the sample's sentences end takes longer than all else here."""
    monkeypatch.setattr(tokenizer, "learn_sample_punkt", learn_sample_punkt)


class Events(list):
    """What happens on the device, in order: "step", "evaluation" (of a batch), or the line that waits for it."""

    depth = 0       # of the modules whose forward() is under way

    def enter(self, module, inputs):
        self.depth += 1

    def leave(self, module, inputs, output):
        self.depth -= 1
        if not self.depth and not torch.is_grad_enabled():
            self.append("evaluation")

    def wait(self, message, *_, **__):
        if "synchronizing CUDA operation" in str(message):
            frames = [frame for frame in traceback.extract_stack() if frame.filename.startswith(str(ROOT))
                      and not frame.filename.startswith((str(ROOT / "tests"), str(ROOT / ".venv")))]
            self.append(f"{frames[-1].filename.removeprefix(f'{ROOT}/')}:{frames[-1].lineno}: {message}")

    def waits_between(self, kind):
        """The waits between the first event of that kind and the last, each a line."""
        times = [time for time, event in enumerate(self) if event == kind]
        assert len(times) >= 2
        return "\n".join(sorted({event for event in self[times[0]:times[-1]] if event not in ("step", "evaluation")}))


@contextlib.contextmanager
def at_each_step(function):
    """A context in which the function is called after each training step, twice after one that is recorded."""
    replay = torch.cuda.CUDAGraph.replay
    hook = register_optimizer_step_post_hook(lambda *_: function())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: (replay(graph), function()))
        yield
    hook.remove()


@pytest.fixture
def events(cuda):
    """The Events of the test, as they happen."""
    events = Events()
    hooks = register_module_forward_pre_hook(events.enter), register_module_forward_hook(events.leave)
    torch.cuda.set_sync_debug_mode("warn")
    with at_each_step(lambda: events.append("step")), warnings.catch_warnings():
        warnings.filterwarnings("always", ".*synchronizing CUDA operation")
        warnings.showwarning = events.wait
        yield events
    torch.cuda.set_sync_debug_mode("default")
    for hook in hooks:
        hook.remove()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folders of trained runs by their names, each with the Events of its training."""
    return {"folder": tmp_path_factory.mktemp("cuda")}


@pytest.fixture
def start(run_here, data, results):
    """Starts a run of RUNS in a folder -> (exit status, standard output, standard error)."""
    def start(name, folder, *options):
        part, *own = RUNS[name].split()
        if part == "3c":
            own += ["--language-model", results["folder"] / "3a" / "language.model"]
        return run_here(TRAINING_SCRIPTS[part], "--data", data, "--output", folder, "--device", "cuda", "--epochs", 1,
                        "--batch-size", 20, *own, *options)
    return start


@pytest.fixture
def trained(start, events, results):
    """Trains a run of RUNS, once in all tests -> (its folder, the Events of the training)."""
    def train(name):
        if name[:2] == "3c":
            train("3a")
        if name not in results:
            events.clear()
            status, _, stderr = start(name, results["folder"] / name)
            assert status == 0, stderr
            results[name] = results["folder"] / name, Events(events)
        return results[name]
    return train


@pytest.mark.parametrize("name", RUNS)
def test_no_training_step_waits_for_the_device(name, trained):
    _, events = trained(name)
    assert events.waits_between("step") == ""


# Statistics that are measured before the first step would count as an evaluation.
@pytest.mark.parametrize("name", [name for name in RUNS if "fixed" not in RUNS[name]])
def test_no_batch_of_an_evaluation_waits_for_the_device(name, trained):
    _, events = trained(name)
    assert events.waits_between("evaluation") == ""


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.slow
def test_a_run_that_was_stopped_ends_as_one_that_was_not(name, start, trained, tmp_path):
    if name[:2] == "3c":
        trained("3a")
    options = ["--epochs", 2, "--batch-size", 100, "--schedule", "constant"]
    if name[:2] != "3c":    # whose language model would have to hold the same reviews out
        options += ["--validation", 0.2, "--patience", 2]
    assert start(name, tmp_path / "whole", *options)[0] == 0
    steps = []

    def stop():
        steps.append("one more")
        if len(steps) == 6:         # of which a GPU has replayed some
            signal.raise_signal(signal.SIGTERM)

    with at_each_step(stop):
        assert start(name, tmp_path / "stopped", *options)[0] == EXIT_STOPPED
    assert len(steps) in (6, 7)         # a batch that is read in two pieces takes two steps
    status, stdout, _ = start(name, tmp_path / "stopped", *options)
    assert status == 0 and "epoch  2/2" in stdout
    part = name[:2]
    whole, stopped = (load_checkpoint(tmp_path / folder / MODELS[part], part) for folder in ("whole", "stopped"))
    torch.testing.assert_close(stopped["model"], whole["model"], rtol=0, atol=TOLERANCE)


STEP = "--schedule", "step", "--step-epochs", 1


@pytest.mark.parametrize("name, more", [("2a", STEP), ("2a", (*STEP, "--optimizer", "sgd")), ("3a", STEP), ("3c", STEP),
                                        ("2a with n-grams", ("--schedule", "one-cycle"))], ids=str)
@pytest.mark.slow
def test_recorded_steps_train_as_launched_ones(name, more, start, trained, tmp_path):
    if name == "3c":
        trained("3a")
    # Batches of 22 and of 23 reviews, whose steps are recorded each for itself.
    options = "--batch-size", 23, "--epochs", 3, "--precision", "float32", *more
    seen = []
    for folder, *more in ("recorded",), ("launched", "--debug"):
        steps = []
        with at_each_step(lambda steps=steps: steps.append("one more")):
            assert start(name, tmp_path / folder, *options, *more)[0] == 0
        seen.append(len(steps))
    assert seen[0] == seen[1] + 2       # the step that is recorded of each size counts twice
    part = name[:2]
    found, expected = (load_checkpoint(tmp_path / folder / MODELS[part], part) for folder in ("recorded", "launched"))
    torch.testing.assert_close(found["model"], expected["model"], rtol=0, atol=TOLERANCE)


@pytest.fixture
def on_both(run_here, data, trained, tmp_path):
    """Runs the test script of a model that was trained on the device there and on the CPU.

    The function returns two lists, the device's first: what the script printed, and the folders of what it wrote.
    """
    def on_both(name, *options):
        folder, part, printed, folders = trained(name)[0], name[:2], [], []
        for device in "cuda", "cpu":
            folders.append(tmp_path / device)
            folders[-1].mkdir()
            (folders[-1] / MODELS[part]).write_bytes((folder / MODELS[part]).read_bytes())
            status, stdout, stderr = run_here(TEST_SCRIPTS[part], "--data", data, "--output", folders[-1], "--device",
                                              device, "--precision", "float32", *options)
            assert status == 0, stderr
            printed.append(stdout)
        return printed, folders
    return on_both


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_model_tests_on_the_device_as_on_the_cpu(name, on_both):
    lengths = [] if name.startswith("1") else ["--lengths", 20]
    _, folders = on_both(name, *lengths)
    found, expected = (read_table(folder / "test_table.csv")[-1] for folder in folders)     # of whole reviews
    assert float(found["test loss"]) == pytest.approx(float(expected["test loss"]), abs=2e-4)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_model_labels_reviews_on_the_device_as_on_the_cpu(name, on_both):
    _, folders = on_both(name, "--unlabelled")
    found, expected = (np.load(folder / "pseudo_labels.npz")["probabilities"] for folder in folders)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_model_explains_on_the_device_as_on_the_cpu(name, on_both):
    reviews = "--review", "A great film.", "--review", "The plot was dull, and the actors were worse."
    printed, folders = on_both(name, *reviews, "--explain")
    found, expected = (list(map(float, re.findall(r"[+-]\d+\.\d+", stdout))) for stdout in printed)
    assert len(found) >= 6 and found == pytest.approx(expected, abs=0.02)
    assert (folders[0] / "explanation.html").exists()


@pytest.fixture
def generate(run_here, data, trained, tmp_path):
    """Generates reviews with the trained language model -> what generated_reviews.txt holds."""
    def generate(*options):
        status, _, stderr = run_here("3b/generate_review.py", "--language-model", trained("3a")[0] / MODELS["3a"],
                                     "--data", data, "--output", tmp_path, "--length", 9, *options)
        assert status == 0, stderr
        return (tmp_path / "generated_reviews.txt").read_text()
    return generate


def test_no_generated_word_waits_for_the_device(trained, events, generate):
    trained("3a")
    events.clear()
    generate("--device", "cuda", "--temperature", 1, "--top-p", 0.9, "--explain")
    assert events.waits_between("evaluation") == ""


def test_the_likeliest_review_is_the_same_on_the_device_as_on_the_cpu(generate):
    greedy = "--precision", "float32", "--top-p", 1e-9
    assert generate("--device", "cuda", *greedy) == generate("--device", "cpu", *greedy)
