"""Ways to say what each word adds to a logit, compared on the sample, in which it is known which words decide.

    python benchmarks/explanations.py --data preprocessed_data/sample results/sample/2a results/sample/3c

Each test review has a mirror with the other label; the words in which the two differ decide. A line for each model and
way: in how many of 100 reviews the word with the largest contribution is one that decides, and in how many it is the
full stop; and how much the logit loses when the tenth of the words goes that speaks most for the prediction.
"""

import argparse
import difflib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from common.testing.explanations import word_contributions
from common.testing.tables import load_test

STEPS = 32      # of integrated gradients


def left_out(run, rows, instead=()):
    """What the logit loses when a word is left out, or read as the tokens `instead`."""
    variants = [(*row[:k], *instead, *row[k + 1:]) or (0,) for row in rows for k in range(len(row))]
    without = np.split(run.logits(variants), np.cumsum([len(row) for row in rows])[:-1])
    return [logit - some for logit, some in zip(run.logits(rows), without)]


def read_as_unknown(run, rows):
    return left_out(run, rows, (0,))


def integrated_gradients(run, rows):
    """From the mean of all words' vectors to each word's own (Sundararajan et al. 2017)."""
    network, found = run.network, []
    table = (network.embedding.weight if run.glove is None else run.glove).detach()
    for row in rows:
        start, vectors, gradient = table.mean(dim=0), table[torch.tensor(row)], 0       # features; time, features
        for share in (torch.arange(STEPS) + 0.5) / STEPS:
            x = (start + share * (vectors - start)).requires_grad_()
            network.reset_state()
            h = x[None]
            for lstm, batch_norm, _ in network.layers:
                h = batch_norm(lstm(h))
            gradient = gradient + torch.autograd.grad(network.fc_output(network.pooling(h)).sum(), x)[0] / STEPS
        found.append((gradient * (vectors - start)).sum(dim=1).numpy())
    return found


def alone_and_left_out(run, rows):
    return word_contributions(run.logits, rows, [range(len(row)) for row in rows], len(run.vocabulary))


def differing(row, mirror):
    """Places of the words of a review that its mirror does not have."""
    blocks = difflib.SequenceMatcher(None, row, mirror, autojunk=False).get_opcodes()
    return {place for kind, start, end, _, _ in blocks if kind != "equal" for place in range(start, end)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="trained LSTM parts")
    parser.add_argument("--data", required=True, help="the preprocessed sample")
    parser.add_argument("--every", type=int, default=4, metavar="N", help="take every Nth test review")
    options = parser.parse_args()
    for folder in options.folders:
        run = load_test(folder, f"--data={options.data}", "--device=cpu", "--precision=float32")
        everything = [row.tolist() for row in run.read_reviews("test").labelled().rows()]
        mirrors = everything[len(everything) // 2:] + everything                # positive ones, then negative ones
        rows, mirrors = everything[::options.every], mirrors[:len(everything):options.every]
        stop, logits = run.vocabulary.index(".") + 1, run.logits(rows)
        for way in left_out, read_as_unknown, integrated_gradients, alone_and_left_out:
            found = way(run, rows)
            first = [int(np.abs(added).argmax()) for added in found]
            deciding = np.mean([k in differing(row, mirror) for k, row, mirror in zip(first, rows, mirrors)])
            stops = np.mean([row[k] == stop for k, row in zip(first, rows)])
            speaking = [np.argsort(-added * np.sign(logit))[:max(1, len(row) // 10)]
                        for added, logit, row in zip(found, logits, rows)]
            cut = run.logits([[k for place, k in enumerate(row) if place not in gone]
                              for row, gone in zip(rows, speaking)])
            print(f"{folder.name}  {way.__name__.replace('_', ' '):20}  deciding word first {100 * deciding:5.1f}  "
                  f"full stop first {100 * stops:4.1f}  loss {np.mean((logits - cut) * np.sign(logits)):5.2f}",
                  flush=True)


if __name__ == "__main__":
    main()
