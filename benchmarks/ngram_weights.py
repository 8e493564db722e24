"""Accuracy on the validation reviews by the weight of the n-grams: what the recipes' --ngram-weight is chosen by.

    python benchmarks/ngram_weights.py 1a --recipe best --validation 0.2 --output results/chosen/1a

Takes the options of the part's training script, with --validation and --ngrams; trains, and prints loss and accuracy of
the ensemble on whole validation reviews, for weights from 0, the network alone, to 1, the n-grams alone. Network and
n-grams learn from losses of their own, so one training serves for all weights. The test reviews are not looked at; what
would be their figures in the training's output are the validation reviews'. No record is left for a report.
"""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch
from torch.nn import functional as F

from common.data.batches import Crops, WholeReviews, by_length
from common.devices import autocast
from common.errors import UserError, run_script
from common.layers.ensemble import Ensemble, member_logits
from common.parts import PARTS
from common.training.run import run

TOKENS_OF_A_BATCH = 100_000     # with the padding


def validation_logits(training):
    """(network's logits, n-grams' logits, labels), each (reviews,), of the validation reviews."""
    train, data = training.data["train"], training.data["validation"]
    if isinstance(data, Crops):
        data = WholeReviews(data.reviews, train.sequence_length if train.padding_counts else 0, data.table)
    found = []
    training.model.eval()
    with torch.inference_mode(), autocast(training.options):
        for indices in by_length(data.reviews.host_lengths, TOKENS_OF_A_BATCH):
            batch = data.batch(indices)
            logits = member_logits(training.model, batch)
            found.append([logits["network"], logits["n-grams"], batch.labels])
    return [torch.cat(some) for some in zip(*found)]


def main():
    part, *argv = sys.argv[1:] or ["--help"]
    if part == "--help":
        print(__doc__)
        return
    if part not in PARTS or not PARTS[part].test:
        raise UserError(f"{part}: not a part with n-grams; name 1a, 1b, 2a, 2b or 3c")
    sys.path.insert(0, str(ROOT / part))
    training = importlib.import_module(Path(PARTS[part].train).stem).build_training(argv)
    if "validation" not in training.data or not isinstance(training.model, Ensemble):
        raise UserError("--validation, --ngrams: both are needed to choose the weight of the n-grams")
    if training.options.output == ROOT / part:
        raise UserError("--output: is needed, since this is no training to keep")
    # What a training measures at its end, on which no choice may be made.
    training.data["test"] = training.data["validation"]
    run(training)
    training.folder.record_path.unlink(missing_ok=True)     # of a training that is done already
    network, ngrams, labels = validation_logits(training)
    print(f"part {part} | {len(labels):,} validation reviews")
    for weight in torch.linspace(0, 1, 11).tolist():
        logit = (1 - weight) * network + weight * ngrams
        print(f"weight {weight:.1f} | loss {F.binary_cross_entropy_with_logits(logit, labels).item():.4f} | "
              f"accuracy {100 * ((logit >= 0) == (labels > 0.5)).double().mean().item():.2f} %")


if __name__ == "__main__":
    run_script(main)
