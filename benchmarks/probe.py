"""What a language model knows of sentiment: logistic regression on the outputs of the frozen model.

    python benchmarks/probe.py results/best/3a/language.model --data preprocessed_data

Reads labelled training reviews with a model of part 3a that was trained with --validation, pools the outputs of its
last layer as 3c's best recipe does (last timestep, mean and maximum) and learns a logistic regression on them. Prints,
as a line of JSON, its accuracy and loss on the validation reviews, and the model's perplexity there, all of whole
reviews. Language models can be chosen by the first, where perplexity alone misleads. It takes a few minutes. The test
reviews are not looked at.
"""

import json
import math
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "3a")]

import numpy as np
import torch
from torch.nn import functional as F

from common.arguments import Parser, path, positive_int
from common.checkpoints import load_checkpoint
from common.data.batches import WholeReviews
from common.data.splits import read_splits, split_by_film
from common.devices import autocast, set_up
from common.errors import UserError, run_script
from common.layers.batch_norm import measure_statistics
from common.layers.output import Pooling
from common.options import HOLDOUT
from common.training.evaluation import evaluate
from common.training.loop import next_word_score
from RNN_language_model import RNN_language_model

BATCH_SIZE = 40
MEASURED = 1000                                     # reviews that the batch-norm statistics are measured on
PENALTIES = 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2      # of the squared weights, to choose from


def batches(reviews):
    """Yield (indices, Batch) of whole Reviews, batches of similar length."""
    data = WholeReviews(reviews)
    for indices in data.batches(BATCH_SIZE):
        yield indices, data.batch(indices)


@torch.no_grad()
def features(model, reviews, options):
    """Pooled outputs of the last layer of a language model, (reviews, 3 * hidden units) float32 on the CPU."""
    pooling, found = Pooling("concat"), [None] * len(reviews)
    with autocast(options):
        for indices, batch in batches(reviews):
            model.reset_state()
            h = model.hidden_units(batch.x, train=False).float()                # batch, time, hidden units
            for index, row in zip(indices.tolist(), pooling(h, batch.lengths).cpu()):
                found[index] = row
    return torch.stack(found)


def regress(x, y, penalty):
    """Logistic regression of y (reviews,) on x (reviews, features) -> (features + 1,) weights, the bias last."""
    weights = torch.zeros(x.shape[1] + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(logits(weights, x), y) + penalty * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach()


def logits(weights, x):
    return x @ weights[:-1] + weights[-1]


def probe(model, train, validation, options):
    """Accuracy in percent and loss on validation Reviews of a regression on train Reviews: a dict of float.

    The penalty of its weights is chosen on a quarter of the training reviews, of other films than the rest.
    """
    splits = *split_by_film(train, 0.25, seed=1), validation
    x = [features(model, some, options) for some in splits]
    y = [some.labels.cpu() for some in splits]
    deviation, mean = torch.std_mean(x[0], dim=0)
    x = [(some - mean) / deviation.clamp(min=1e-6) for some in x]
    penalty = min(PENALTIES, key=lambda penalty: F.binary_cross_entropy_with_logits(
        logits(regress(x[0], y[0], penalty), x[1]), y[1]).item())
    found = logits(regress(torch.cat(x[:2]), torch.cat(y[:2]), penalty), x[2])
    return {"accuracy": round(100 * ((found >= 0) == (y[2] > 0.5)).double().mean().item(), 2),
            "loss": round(F.binary_cross_entropy_with_logits(found, y[2]).item(), 4)}


def main():
    parser = Parser(__doc__)
    parser.add_argument("language_model", type=path, help="of part 3a")
    parser.add_argument("--data", type=path, default=ROOT / "preprocessed_data", help="preprocessed files")
    parser.add_argument("--reviews", type=positive_int, default=6000, help="of each split, at most")
    parser.set_defaults(device="auto", precision="auto", seed=0)
    options = parser.parse_args()
    set_up(options)
    checkpoint = load_checkpoint(options.language_model, "3a", options.device)
    trained = checkpoint["options"]
    if not trained["validation"]:
        raise UserError(f"{options.language_model}: has read all training reviews; train it with --validation 0.2")
    model = RNN_language_model(**checkpoint["arguments"]).to(options.device)
    model.load_state_dict(checkpoint["model"])
    vars(options).update({name: trained[name] for name in [*HOLDOUT, "reversed"]},
                         vocab_size=len(checkpoint["vocabulary"]))
    reviews, _ = read_splits(options)
    # The same ones for every model.
    train, validation = (some.select(np.random.default_rng(0).permutation(len(some)) < options.reviews)
                         for some in (reviews["train"], reviews["validation"]))
    measured = (batch for _, batch in batches(train.select(np.arange(len(train)) < MEASURED)) if len(batch.x) >= 20)
    with torch.no_grad(), autocast(options):
        measure_statistics(model, measured, next_word_score)
    perplexity = math.exp(evaluate(model, next_word_score, (batch for _, batch in batches(validation)), options).loss)
    print(json.dumps({"language model": options.language_model.parent.name, "perplexity": round(perplexity, 2)}
                     | probe(model, train, validation, options)))


if __name__ == "__main__":
    run_script(main)
