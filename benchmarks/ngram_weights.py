"""Accuracy on the validation reviews by the weight of the n-grams: what the recipes' --ngram-weight is chosen by.

    python benchmarks/ngram_weights.py 1a --recipe best --validation 0.2 --output results/chosen/1a

Takes the options of a training that has ended, with --validation and --ngrams, and prints loss and accuracy of the
ensemble on whole reviews (1a, 1b) or crops of 400 tokens, for weights from 0, the network alone, to 1, the n-grams alone.
Network and n-grams learn from losses of their own, so one training serves for all weights.
"""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch
from torch.nn import functional as F

from common.data.batches import Crops, in_order
from common.devices import autocast
from common.errors import UserError, run_script
from common.layers.ensemble import Ensemble, member_logits
from common.parts import PARTS

TOKENS = 400


def validation_logits(training):
    """(network's logits, n-grams' logits, labels), each (reviews,), of the validation reviews."""
    data = training.data["validation"]
    if isinstance(data, Crops):
        data = Crops(data.reviews, TOKENS)
    found = []
    training.model.eval()
    with torch.inference_mode(), autocast(training.options):
        for indices in in_order(len(data.reviews), 4 * training.options.batch_size):
            batch = data.batch(indices)
            logits = member_logits(training.model, None, batch)
            found.append([logits["network"], logits["n-grams"], batch.labels])
    return [torch.cat(some) for some in zip(*found)]


def main():
    part, *argv = sys.argv[1:] or ["--help"]
    if part not in PARTS or not PARTS[part].test:
        print(__doc__)
        return
    sys.path.insert(0, str(ROOT / part))
    training = importlib.import_module(Path(PARTS[part].train).stem).build_training(argv)
    checkpoint = training.folder.trained()
    if not checkpoint or "validation" not in training.data or not isinstance(training.model, Ensemble):
        raise UserError("--output: holds no finished training with --validation and --ngrams; train one first")
    training.model.load_state_dict(checkpoint["model"])
    network, ngrams, labels = validation_logits(training)
    print(f"part {part} | {len(labels):,} validation reviews")
    for weight in torch.linspace(0, 1, 11).tolist():
        logit = (1 - weight) * network + weight * ngrams
        print(f"weight {weight:.1f} | loss {F.binary_cross_entropy_with_logits(logit, labels).item():.4f} | "
              f"accuracy {100 * ((logit >= 0) == (labels > 0.5)).double().mean().item():.2f} %")


if __name__ == "__main__":
    run_script(main)
