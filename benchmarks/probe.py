"""What a language model knows of sentiment: logistic regression on the outputs of the frozen model.

    python benchmarks/probe.py results/best/3a/language.model --data preprocessed_data

Reads labelled training reviews with a model of part 3a that was trained with --validation, pools the outputs of its
last layer as 3c's best recipe does (last timestep, mean and maximum) and learns a logistic regression on them. Prints,
as a line of JSON, its accuracy and loss on the validation reviews, and the model's perplexity there by how many words
it has read before. Language models can be chosen by the first, where perplexity alone misleads. It takes a few
minutes. The test reviews are not looked at.
"""

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "3a")]

import numpy as np
import torch
from torch.nn import functional as F

from common.arguments import Parser, path, positive_int
from common.checkpoints import load_checkpoint
from common.data.batches import by_length
from common.data.splits import read_splits, split_by_film
from common.devices import autocast, set_up
from common.errors import UserError, run_script
from common.layers.batch_norm import measured_statistics
from common.layers.output import Pooling
from RNN_language_model import RNN_language_model

LONGEST = 600               # tokens that are read of a review
TOKENS_OF_A_BATCH = 20_000
BOUNDS = 50, 200, LONGEST   # perplexities are of the words up to the 50th, to the 200th, and behind
PENALTIES = 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2      # of the squared weights, to choose from


def read(reviews):
    """Yield indices, token ids (batch, time) and lengths (batch,) of Reviews in batches of similar length."""
    for indices in by_length(reviews.host_lengths.clamp(max=LONGEST), TOKENS_OF_A_BATCH):
        lengths = reviews.lengths[reviews.on_device(indices)].clamp(max=LONGEST)
        yield indices, reviews.window(indices, 0, int(reviews.host_lengths[indices].max().clamp(max=LONGEST))), lengths


def hidden_units(model, x):
    model.reset_state()
    return model.hidden_units(x, train=False)                                   # batch, time, hidden units


@torch.no_grad()
def measure(model, reviews, options):
    """Measure the batch-norm statistics on Reviews: those of training are of the last timesteps of its last batch."""
    with autocast(options), measured_statistics(model) as announce:
        for indices, x, lengths in read(reviews):
            if len(indices) > 20:
                announce(lengths)
                hidden_units(model, x)


@torch.inference_mode()
def perplexities(model, reviews, options):
    """The perplexity of Reviews, of all words and by where they stand: a dict of float."""
    losses, counts = np.zeros(len(BOUNDS)), np.zeros(len(BOUNDS))
    starts = 0, *BOUNDS[:-1]
    with autocast(options):
        for _, x, lengths in read(reviews):
            h, targets = hidden_units(model, x[:, :-1]), x[:, 1:]
            inside = torch.arange(1, x.shape[1], device=x.device) < lengths[:, None]
            for k, part in enumerate(map(slice, starts, BOUNDS)):
                if h[:, part].numel():
                    loss, _ = model.decoder.score(*(some[:, part].flatten(0, 1) for some in (h, targets, inside)))
                    losses[k] += loss.item()
                    counts[k] += inside[:, part].sum().item()
    found = {f"perplexity from {start}": losses[k] / max(counts[k], 1) for k, start in enumerate(starts)}
    return {name: round(float(np.exp(loss)), 2) for name, loss in
            ({"perplexity": losses.sum() / counts.sum()} | found).items()}


@torch.inference_mode()
def features(model, reviews, options):
    """Pooled outputs of the last layer, (reviews, 3 * hidden units) float32 on the CPU."""
    pooling, found = Pooling("concat"), [None] * len(reviews)
    with autocast(options):
        for indices, x, lengths in read(reviews):
            for index, row in zip(indices.tolist(), pooling(hidden_units(model, x).float(), lengths).cpu()):
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
            "loss": round(F.binary_cross_entropy_with_logits(found, y[2]).item(), 4), "penalty": penalty}


def few(reviews, count):
    """`count` of the Reviews, the same ones for every model, or all if there are no more."""
    return reviews.select(np.random.default_rng(0).permutation(len(reviews)) < count)


def parse_options():
    parser = Parser(__doc__)
    parser.add_argument("language_model", type=path, help="of part 3a")
    parser.add_argument("--data", type=path, default=ROOT / "preprocessed_data",
                        help="folder of the preprocessed files")
    parser.add_argument("--train-reviews", type=positive_int, default=6000, help="to learn the regression from")
    parser.add_argument("--validation-reviews", type=positive_int, default=5000, help="to judge it by")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto", help="of the model")
    return parser.parse_args()


def main():
    options, started = parse_options(), time.monotonic()
    options.seed = 0
    set_up(options)
    checkpoint = load_checkpoint(options.language_model, "3a", options.device)
    trained = checkpoint["options"]
    if not trained["validation"]:
        raise UserError(f"{options.language_model}: has read all training reviews; train it with --validation 0.2")
    model = RNN_language_model(**checkpoint["arguments"]).to(options.device)
    model.load_state_dict(checkpoint["model"])
    reviews, _ = read_splits(argparse.Namespace(
        data=options.data, device=options.device, vocab_size=len(checkpoint["vocabulary"]),
        **{name: trained[name] for name in ("validation", "seed", "drop_duplicates")},
        reversed=trained.get("reversed", False)))
    train = few(reviews["train"], options.train_reviews)
    validation = few(reviews["validation"], options.validation_reviews)
    measure(model, few(train, 1000), options)
    model.eval()
    found = perplexities(model, validation, options) | probe(model, train, validation, options)
    print(json.dumps({"language model": options.language_model.parent.name, **found, "train reviews": len(train),
                      "validation reviews": len(validation), "seconds": round(time.monotonic() - started)}))


if __name__ == "__main__":
    run_script(main)
