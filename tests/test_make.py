"""make: what is made from what, and what is made again."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from parts import ROOT
from punkt import install_punkt
from raw_dataset import write_folder

from common.data.reviews import read_reviews
from common.results.records import read_runs


def start(*words, **environment):
    """Run make with this Python -> the finished process."""
    command = ["make", "VENV=", f"PYTHON={sys.executable}", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=600)


def commands(folder, *words, **environment):
    """The commands that make would run for preprocessed files and results in a folder."""
    done = start("--dry-run", f"DATA={folder}", f"RESULTS={folder}", f"TRIALS={folder}/trials", *words, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


# A part


@pytest.fixture
def trained(tmp_path):
    """A folder with what preprocessing, 3a and 3b leave, the oldest first -> (folder, make's name of 3b)."""
    for age, name in enumerate(["3b/generated_reviews.txt", "3a/test_table.csv", "3a/record.json", "3a/language.model",
                                "imdb_test_glove.txt"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    return tmp_path, f"{tmp_path}/3b/generated_reviews.txt"


def test_what_is_there_is_not_made_again(trained):
    assert "up to date" in commands(*trained)


@pytest.mark.parametrize("name, scripts", [
    ("3b/generated_reviews.txt", ["3b/generate_review.py"]),
    ("3a/language.model", ["3a/train_language_model.py", "3b/generate_review.py"]),
    ("3a/record.json", ["3a/train_language_model.py", "3b/generate_review.py"]),        # of a training that was stopped
    ("imdb_test_glove.txt", ["preprocess_data.py", "3a/train_language_model.py", "3b/generate_review.py"])])
def test_what_is_gone_is_made_again_with_all_that_is_made_from_it(name, scripts, trained):
    folder, target = trained
    (folder / name).unlink()
    assert re.findall(r"\w+/?\w+\.py", commands(folder, target)) == scripts


def test_what_is_older_than_what_it_is_made_from_is_made_again(trained):
    folder, target = trained
    (folder / "imdb_test_glove.txt").touch()
    assert "3a/train_language_model.py" in commands(folder, target)


def test_a_part_whose_options_are_named_is_left_to_its_script(trained):
    named = commands(*trained, "OPTIONS_3b=--length 40 --prompt 'it is'")
    assert "--length 40 --prompt 'it is'\n" in named and "train_language_model" not in named
    assert "--epochs 3\n" in commands(*trained, "OPTIONS_3a=--epochs 3")


@pytest.mark.parametrize("word", ["IMDB=mine", "GLOVE=glove.txt", "SOURCE=--sample"])
def test_reviews_and_vectors_that_are_named_are_left_to_preprocess_data(word, trained):
    assert "preprocess_data.py" in commands(*trained, word)


def test_paths_of_reviews_may_have_spaces_and_quotes_but_not_folders(tmp_path):
    path = "it's `here`/my \"own\" reviews.tar.gz"
    done = start(tmp_path / "imdb_test_glove.txt", "PYTHON=echo", f"DATA={tmp_path}", f"IMDB={path}", f"GLOVE={path}")
    assert f"\npreprocess_data.py --imdb {path} --glove {path} --output {tmp_path}\n" in "\n" + done.stdout, done.stderr
    refused = start(f"DATA={tmp_path}/it's")
    assert refused.returncode == 2 and "make takes no folder with spaces or quotes" in refused.stderr


def test_ctrl_c_leaves_the_model_of_the_last_epoch(tmp_path):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nmkdir -p {tmp_path}/1a && echo half >{tmp_path}/1a/BOW.model && kill -INT $PPID\n")
    script.chmod(0o755)
    (tmp_path / "imdb_test_glove.txt").touch()
    target = f"{tmp_path}/1a/BOW.model"
    done = start(target, f"PYTHON={script}", f"DATA={tmp_path}", f"RESULTS={tmp_path}")
    assert done.returncode and (tmp_path / "1a" / "BOW.model").read_text() == "half\n"


# Trials


def test_the_best_trials_learn_the_labels_of_the_teacher_of_their_seed(tmp_path):
    trials = commands(tmp_path, "trials", "PARTS=1a 2b", "RECIPES=best underfit", "SEEDS=0 3")
    assert len(re.findall("--recipe teacher --seed [03]", trials)) == 2
    labels = re.findall(r"--recipe (\w+) --seed (\d) .*--pseudo-labels \S+/1a/teacher-(\d)/pseudo_labels.npz", trials)
    assert sorted(labels) == [("best", "0", "0")] * 2 + [("best", "3", "3")] * 2
    assert trials.count("RNN_test.py") == 4 and trials.count("--recipe underfit") == 4


def test_the_best_3c_starts_from_a_language_model_without_duplicates_and_others_from_that_of_3a(tmp_path):
    trials = commands(tmp_path, "trials", "PARTS=3c", "RECIPES=best underfit", "SEEDS=0 1")
    models = re.findall(r"--recipe (\w+) --seed \d +--language-model (\S+)", trials)
    long = f"{tmp_path}/trials/3a/long-0/language.model"
    assert sorted(models) == [("best", long)] * 2 + [("underfit", f"{tmp_path}/3a/language.model")] * 2
    assert trials.count("train_language_model.py") == 2 and trials.count("--recipe long") == 1


def test_a_part_that_has_no_trials_is_refused():
    refused = start("trials", "PARTS=3a")
    assert refused.returncode == 2 and "PARTS: any of 1a 1b 2a 2b 3c" in refused.stderr


# Machines


def test_variables_of_the_environment_do_not_count(trained):
    site = dict(PYTHON="/usr/bin/python3.9", VENV="venv", DATA="/data", RESULTS="/results", IMDB="imdb", GLOVE="glove",
                PARTS="all", SEEDS="x", SOURCE="src", TRIALS="/trials", CDPATH=str(ROOT / "docs"), PYTHONSAFEPATH="1")
    assert "up to date" in commands(*trained, **site)
    done = subprocess.run(["make", "--dry-run"], cwd=ROOT, env=os.environ | site, capture_output=True, text=True)
    assert ".venv/bin/python preprocess_data.py --sample" in done.stdout and "3.9" not in done.stdout


@pytest.mark.parametrize("words, environment, threads", [
    ([], {}, set()), (["-j2"], {}, {"4"}), (["-j3"], {}, {"2"}), (["-j20"], {}, {"1"}), (["-j"], {}, {"1"}),
    (["-j2"], {"OMP_NUM_THREADS": "3"}, set())])
def test_parts_that_train_at_once_share_the_cores(words, environment, threads, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (tmp_path / "nproc").write_text("#!/bin/sh\necho 8\n")
    (tmp_path / "nproc").chmod(0o755)
    environment |= {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = re.findall(r"(?:OMP_NUM_THREADS=(\d+) )?\S+ 1a/BOW", commands(tmp_path, "trials", *words, **environment))
    assert len(found) == 6 and set(found) - {""} == threads


def test_a_python_that_is_too_old_is_refused_before_anything_is_installed(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text(f"#!/bin/sh\n{sys.executable} -c \"import sys; sys.version_info = (3, 9, 1); $2\"\n")
    old.chmod(0o755)
    refused = start(f"VENV={tmp_path}/venv", f"PYTHON={old}", f"{tmp_path}/venv/installed")
    assert refused.returncode == 2 and f"{old} is Python 3.9; name 3.10 or newer" in refused.stderr
    assert not (tmp_path / "venv").exists()


def test_the_oldest_versions_are_the_bounds_of_the_requirements(tmp_path):
    bounds = re.findall(r"^\w+>=[\d.]+$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    installs = commands(tmp_path, f"{tmp_path}/venv/installed", f"VENV={tmp_path}/venv", "VERSIONS=oldest")
    assert len(bounds) == 7 and " ".join(bound.replace(">=", "==") for bound in bounds) + "\n" in installs


# Whole runs


@pytest.mark.slow
def test_a_teacher_is_trained_before_the_best_trials_of_its_seed(data, tmp_path):
    done = start("trials", "PARTS=1b", "RECIPES=best", "SEEDS=3", f"DATA={data}", f"TRIALS={tmp_path}")
    assert done.returncode == 0, done.stderr
    teacher, best = read_runs([tmp_path])
    assert [teacher.folder.name, teacher.options["seed"], teacher.options["pseudo_labels"]] == ["teacher-3", 3, "None"]
    assert [best.folder.name, best.options["seed"], best.options["pseudo_labels"]] == ["best-3", 3, "pseudo_labels.npz"]
    train, _ = read_reviews(data, "train")
    assert f"{len(train.labelled()):,} training reviews" in done.stdout
    assert f"{len(train):,} training reviews" in done.stdout and len(best.table) == 1


@pytest.mark.slow
def test_reviews_that_changed_under_the_same_name_are_preprocessed_and_learned_anew(tmp_path):
    """And the same reviews are neither, whatever the times of the files."""
    texts = {f"{split}/{label}/{number}_0.txt": f"a {word} film , number {number}".encode()
             for split in ("train", "test") for label, word in (("pos", "good"), ("neg", "bad")) for number in range(9)}
    reviews, table = write_folder(tmp_path / "mine", texts), f"{tmp_path}/1a/test_table.csv"
    install_punkt(tmp_path / "nltk_data")

    def make():
        done = start(f"IMDB={reviews}", f"DATA={tmp_path}/data", f"RESULTS={tmp_path}", table,
                     "OPTIONS_1a=--hidden-units 8 --epochs 1", NLTK_DATA=str(tmp_path / "nltk_data"))
        assert done.returncode == 0, done.stderr
        return done.stdout, (tmp_path / "1a" / "data.npy").stat().st_mtime_ns

    first, trained_at = make()
    assert "18 training reviews" in first
    os.utime(reviews / "train/pos/0_0.txt")
    again, still = make()
    assert "trained already" in again and still == trained_at
    (reviews / "train/pos/0_0.txt").write_text("another good film")
    (reviews / "train/neg/20_0.txt").write_text("another bad film")
    anew, then = make()
    assert "19 training reviews" in anew and then > trained_at
    assert np.isfinite(np.load(tmp_path / "1a" / "data.npy")).all()
