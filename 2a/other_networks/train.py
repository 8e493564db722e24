"""Part 2a: train another network of the course on the labelled reviews.

    python 2a/other_networks/train.py --model SentimentRNN
    python 2a/other_networks/train.py --model SentimentClassifier --cell course

Reads the preprocessed reviews from --data; writes rnn.model, data.npy,
record.json and curves.png to --output. Each network has defaults of its own. SentimentRNN is tested on random
crops of twice the training length while training, SentimentClassifier on as many last tokens as it is trained on.
"""

import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).resolve().parents[:3:2])       # this folder, and the project's

from common.errors import UserError, run_script
from common.options import CLASSIFIER_DEFAULTS, Option, parse_options

# The network's own defaults; None stands for what it does not have. A patience of all epochs keeps the best one.
PRESETS = {
    "SentimentRNN": dict(epochs=4, patience=4, sequence_length=200, hidden_units=256, clip_norm=5.0, cell=None),
    "SentimentClassifier": dict(epochs=5, patience=5, sequence_length=128, crop="last", hidden_units=100,
                                vocab_size=3000, schedule="step", step_epochs=4, lstm_layers=None, dropout=None)}
OWN_OPTIONS = {
    "model": Option("model", "SentimentRNN", help="the network"),
    "cell": Option("model", "lstm", choices=["lstm", "course"],
                   help="of SentimentClassifier: course has a sigmoid in place of the cell gate's tanh, and a ReLU "
                        "layer"),
    "crop": Option("training", "random", choices=["random", "last"], help="random crops of the reviews, or their ends")}


def build_training(argv=None, logger=None):
    """The training that the options ask for; argv as in parse_options, logger as in Training."""
    options = parse_options(__doc__, __file__, argv, presets={"model": PRESETS, "recipe": {"assignment": {}}},
                            **CLASSIFIER_DEFAULTS | OWN_OPTIONS | dict(
        epochs=4, batch_size=50, test_every=3, step_epochs=10, sequence_length=200, hidden_units=256, lstm_layers=2,
        vocab_size=8000, clip_norm=0.0, validation=0.1))
    for name, preset in PRESETS[options.model].items():
        if preset is None and getattr(options, name) is not None:
            raise UserError(f"--{name.replace('_', '-')}: {options.model} has none; leave it to another --model")

    # Only now, since torch takes a second to import, and --help should not.
    from common.data.batches import Crops
    from common.data.splits import read_splits
    from common.devices import set_up
    from common.layers.ngram_ensemble import ensemble_with_ngrams
    from common.processes import processes
    from common.training.loop import Training, sentiment_score
    from common.training.schedules import build_optimizer
    from SentimentClassifier import SentimentClassifier
    from SentimentRNN import SentimentRNN

    set_up(options, several_processes=True)
    if processes.size > 1 and options.model == "SentimentRNN":
        raise UserError("torchrun: each process would draw its own dropout for SentimentRNN; start it with python")
    reviews, vocabulary = read_splits(options)
    last = options.crop == "last"
    data = {split: Crops(some, options.sequence_length * (1 if split == "train" or last else 2), last,
                         padding_counts=False, cut=split != "train") for split, some in reviews.items()}

    arguments = dict(vocab_size=len(vocabulary) + 1, no_of_hidden_units=options.hidden_units) | {
        name: getattr(options, name) for name in ("lstm_layers", "dropout", "cell")
        if getattr(options, name) is not None}                  # what the network does not have is None
    network = {"SentimentRNN": SentimentRNN, "SentimentClassifier": SentimentClassifier}[options.model](**arguments)
    model = ensemble_with_ngrams(network.to(options.device), data, options)
    optimizer = build_optimizer(model, options)
    return Training("2a", model, arguments, optimizer, sentiment_score, data, vocabulary, options, logger=logger)


if __name__ == "__main__":
    run_script(lambda: build_training().run())
