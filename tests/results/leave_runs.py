"""Runs as training and test scripts leave them."""

import json
import math

import torch

from common.devices import describe_machine
from common.results.records import save_table, write_record

NAN = float("nan")
IMDB = {"name": "imdb", "test_reviews": 25_000, "reviews": 1, "token_ids": 2}
SAMPLE = {"name": "sample", "test_reviews": 600, "reviews": 3, "token_ids": 4}
TABLES = {
    "1a": [{"test accuracy": "87.12", "test loss": "0.3000"}],
    "2a": [{"sequence length": length, "test accuracy": accuracy, "test loss": "0.5000"}
           for length, accuracy in (("50", "76.00"), ("100", "80.00"), ("400", "86.00"), ("whole", "88.00"))],
    "3a": [{"test loss": "4.0000", "perplexity": "54.60", "next-word accuracy": "25.00"}],
}


def curves(train, test, accuracy=0.9, test_accuracy=0.8):
    return {"train_loss": train, "train_accuracy": [accuracy] * len(train), "validation_loss": [NAN] * len(train),
            "validation_accuracy": [NAN] * len(train), "test_loss": test, "test_accuracy": [test_accuracy] * len(train)}


NETWORK = {"file": "1a/BOW_model.py", "class": "BOW_model", "source": 9}
WEIGHTS = "crc-1"
LABELS = ["negative", "positive"]


def leave_run(folder, part, table=None, data=IMDB, logits=None, overridden=(), network=None, kept_epoch=None,
              losses=([0.5, 0.4], [0.5, 0.45]), **options):
    """Write a run's record and test table, and predictions.csv of as many reviews as there are logits.

    Args:
        losses: curves of training and test loss.
    """
    folder.mkdir(parents=True)
    options = {"recipe": "assignment", "hidden_units": 500, "precision": "float32", "seed": 0} | options
    write_record(folder / "record.json", part=part, options=options, overridden=list(overridden),
                 machine=describe_machine(torch.device("cpu")), seconds=60, curves=curves(*losses), data=data,
                 network=network or NETWORK | {"file": f"{part}/model.py"}, weights=WEIGHTS,
                 kept_epoch=kept_epoch or len(losses[0]))
    save_table(folder / "test_table.csv", [row | {"weights": WEIGHTS} for row in table or TABLES[part]])
    if logits:
        save_table(folder / "predictions.csv", [
            {"file name": f"{k}.txt", "film": "", "label": ("neg", "pos")[k % 2], "rating": ("2", "9")[k % 2],
             "tokens": 10 + k, "logit": logit, "prediction": ("neg", "pos")[logit >= 0], "weights": WEIGHTS}
            for k, logit in enumerate(logits)])


def explained(name, label, logit, words, contributions):
    """A review as test scripts explain it."""
    return {"name": name, "label": label, "rating": "9", "film": "", "logit": logit,
            "probability": 1 / (1 + math.exp(-logit)), "prediction": "positive" if logit >= 0 else "negative",
            "words": words.split(), "known": [True] * len(contributions), "contributions": contributions}


def leave_explanations(folder, reviews, mistakes=(), telling_words=(), **more):
    """Write explanations.json of a run."""
    (folder / "explanations.json").write_text(json.dumps({
        "part": folder.name, "weights": WEIGHTS, "how": "what the word adds", "reviews": reviews,
        "mistakes": list(mistakes), "telling_words": list(telling_words), "sampled_reviews": 40} | more))


def leave_results(folder):
    """Runs of three parts, 1a with two trials and the first with two seeds; and a generated review."""
    for part in TABLES:
        leave_run(folder / part, part)
    leave_run(folder / "trials" / "1a" / "seed1", "1a", [{"test accuracy": "87.22", "test loss": "0.3"}], seed=1)
    leave_run(folder / "trials" / "1a" / "overfit", "1a", [{"test accuracy": "85.00", "test loss": "0.9"}],
              recipe="overfit")
    (folder / "3b").mkdir()
    (folder / "3b" / "generated_reviews.txt").write_text("temperature 1, prompt 'a'\nA *great* film <3\n")
    return folder
